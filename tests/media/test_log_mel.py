import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lookhear.media.spectrogram import log_mel


def by_hand(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """VGGish's log-mel spectrogram with loops, from its own parameters."""

    def mel(hertz: float) -> float:
        return 1127.0 * math.log(1.0 + hertz / 700.0)

    edges = [mel(125) + (mel(7500) - mel(125)) * i / 65 for i in range(66)]
    rows = []
    for first in range(0, len(wave) - 400 + 1, 160):
        windowed = [
            wave[first + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400)) for n in range(400)
        ]
        padded = np.array(windowed + [0.0] * 112)
        row = []
        magnitudes = [
            abs(np.sum(padded * np.exp(-2j * np.pi * k * np.arange(512) / 512))) for k in range(257)
        ]
        for band in range(64):
            low, middle, high = edges[band : band + 3]
            total = 0.0
            for k in range(1, 257):
                at = mel(k * 8000 / 256)
                weight = min((at - low) / (middle - low), (high - at) / (high - middle))
                total += max(weight, 0.0) * magnitudes[k]
            row.append(math.log(total + 0.01))
        rows.append(row)
    return np.array(rows)


def test_equals_vggishs_definition_to_a_millionth() -> None:
    chance = np.random.default_rng(0)
    wave = chance.uniform(-1, 1, 900).astype(np.float32)
    wave[300:] *= 0.01
    np.testing.assert_allclose(log_mel(wave), by_hand(wave.astype(float)), rtol=0, atol=2e-6)


def test_a_window_of_96_rows_takes_975_ms() -> None:
    assert log_mel(np.zeros(15_600, np.float32)).shape == (96, 64)
    assert log_mel(np.zeros(15_599, np.float32)).shape == (95, 64)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(400, np.float32)), math.log(0.01), atol=1e-6)


def test_a_tone_is_loudest_in_its_band() -> None:
    wave = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16_000).astype(np.float32)
    bands = log_mel(wave).mean(0)
    mels = np.linspace(1127 * np.log1p(125 / 700), 1127 * np.log1p(7500 / 700), 66)[1:-1]
    assert abs(mels[bands.argmax()] - 1127 * np.log1p(1000 / 700)) < mels[1] - mels[0]


@pytest.mark.parametrize("wave", [np.zeros((2, 400)), np.zeros(399)])
def test_other_shapes_are_refused(wave: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="waveform must be"):
        log_mel(wave.astype(np.float32))
