"""The log-spectrogram is the published one, for any sound."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookhear.media.sound import SAMPLE_RATE
from lookhear.media.spectrogram import REPORT, VGGSOUND, log_spectrogram

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "audio_spectrogram.npz")


@pytest.mark.parametrize(
    ("windows", "shape"), [(REPORT, (81, 199)), (VGGSOUND, (257, 98))], ids=["report", "vggsound"]
)
def test_equals_the_published_code(windows, shape):
    ours = log_spectrogram(GOLDEN["input/waveform_16k"], *windows)
    published = GOLDEN[f"output/nperseg{windows.window}_noverlap{windows.overlap}"]
    assert ours.shape == shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, published, atol=1e-5, rtol=0)


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_silence_and_a_constant_offset_give_zeros(level):
    still = log_spectrogram(np.full(SAMPLE_RATE, level, np.float32), *REPORT)
    np.testing.assert_allclose(still, 0, atol=1e-5)


def test_sound_is_clipped_to_full_scale():
    loud = 3 * GOLDEN["input/waveform_16k"]
    clipped = log_spectrogram(loud.clip(-1, 1), *VGGSOUND)
    np.testing.assert_array_equal(log_spectrogram(loud, *VGGSOUND), clipped)
    assert not np.allclose(log_spectrogram(loud / 3, *VGGSOUND), clipped)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1), st.sampled_from([REPORT, VGGSOUND]))
def test_is_standardised_over_the_whole(seed, volume, windows):
    noise = np.random.default_rng(seed).normal(0, volume, SAMPLE_RATE).astype(np.float32)
    result = log_spectrogram(noise, *windows).astype(np.float64)
    assert abs(result.mean()) < 1e-5
    assert abs(result.std() - 1) < 1e-4


@pytest.mark.parametrize("shape", [(100,), (2, 16_000), (0,)])
def test_a_waveform_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="waveform must be"):
        log_spectrogram(np.zeros(shape, np.float32), *VGGSOUND)
