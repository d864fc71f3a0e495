"""The world's voices: rhythms that can be seen, sounds that follow them and can be told apart."""

import itertools

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray

from lookhear.data.world.categories import CATEGORIES
from lookhear.data.world.synthesis import HIGHEST, SAMPLE_RATE
from lookhear.data.world.voices import (
    ENVELOPE_RATE,
    VOICES,
    Envelope,
    ambience,
    make_envelope,
    sing,
)
from lookhear.media.sound import SAMPLE_RATE as HEARD_RATE
from lookhear.media.spectrogram import VGGSOUND, log_spectrogram

voices = st.sampled_from(list(VOICES))
seeds = st.integers(0, 2**32 - 1)


def chance(*seed: int) -> Generator:
    return np.random.default_rng(seed)


def sung(voice: str, pitch: float, duration: float, *seed: int) -> NDArray[np.float32]:
    draws = chance(*seed)
    return sing(voice, pitch, make_envelope(voice, duration, draws), draws)


def power(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hz, and how much there is of each."""
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return hertz[1:], np.abs(np.fft.rfft(samples))[1:] ** 2


def test_there_are_the_voices_that_categories_have() -> None:
    assert set(VOICES) == {category.voice for category in CATEGORIES}


@given(voice=voices, duration=st.floats(0.3, 10), seed=seeds)
@settings(max_examples=60, deadline=None)
def test_envelope_begins_at_once_ends_at_nothing_and_reaches_one(
    voice: str, duration: float, seed: int
) -> None:
    envelope = make_envelope(voice, duration, chance(seed))
    assert envelope.duration == pytest.approx(duration, abs=0.5 / ENVELOPE_RATE + 1e-9)
    assert envelope.values.dtype == np.float64
    assert envelope.values.min() >= 0
    assert envelope.values.max() == 1
    assert envelope.values[-1] == 0
    assert envelope.at(np.arange(0, 0.15, 0.001)).max() > 0
    assert envelope.onsets[0] <= 0.1
    assert (np.diff(envelope.onsets) > 0.05).all()
    assert envelope.onsets[-1] < envelope.duration


@pytest.mark.parametrize("voice", VOICES)
def test_envelope_rises_and_falls_within_any_second_and_a_half(voice: str) -> None:
    values = np.stack([make_envelope(voice, 8, chance(seed)).values for seed in range(10)])
    windows = np.lib.stride_tricks.sliding_window_view(values, 3 * ENVELOPE_RATE // 2, axis=1)
    assert np.mean(np.ptp(windows, axis=2) >= 0.4) >= 0.9


@pytest.mark.parametrize("voice", VOICES)
def test_envelopes_of_one_voice_differ(voice: str) -> None:
    values = np.stack([make_envelope(voice, 8, chance(seed)).values for seed in range(10)])
    correlations = np.corrcoef(values)[np.triu_indices(10, 1)]
    assert np.abs(correlations).mean() < 0.35


@pytest.mark.parametrize("voice", VOICES)
def test_envelope_is_low_at_the_onsets_and_higher_soon_after(voice: str) -> None:
    envelope = make_envelope(voice, 10, chance(1))
    before, after = envelope.at(envelope.onsets), envelope.at(envelope.onsets + 0.1)
    assert np.mean(after[:-1] > before[:-1]) > 0.9


def test_envelope_is_read_between_its_values_and_is_nothing_outside() -> None:
    envelope = Envelope(np.array([0.2, 1.0, 0.0]), np.array([0.0]))
    assert envelope.duration == 2 / ENVELOPE_RATE
    times = np.array([[-0.001, 0.0], [0.5, 1.25], [2.0, 2.1]]) / ENVELOPE_RATE
    assert envelope.at(times) == pytest.approx(np.array([[0, 0.2], [0.6, 0.75], [0, 0]]))
    assert envelope.at(1 / ENVELOPE_RATE) == 1


@given(voice=voices, pitch=st.floats(0, 12), duration=st.floats(0.3, 3), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_sound_is_as_long_as_its_envelope_and_silent_where_that_is(
    voice: str, pitch: float, duration: float, seed: int
) -> None:
    draws = chance(seed)
    envelope = make_envelope(voice, duration, draws)
    samples = sing(voice, pitch, envelope, draws)
    assert samples.dtype == np.float32
    assert samples.shape == (round(envelope.duration * SAMPLE_RATE),)
    assert np.abs(samples).max() == pytest.approx(0.7)
    loudness = envelope.at(np.arange(len(samples)) / SAMPLE_RATE)
    assert not samples[loudness == 0].any()


def test_an_envelope_of_nothing_is_silence() -> None:
    silent = Envelope(np.zeros(ENVELOPE_RATE + 1), np.array([0.0]))
    for voice in VOICES:
        assert not sing(voice, 3, silent, chance(0)).any()


@pytest.mark.parametrize("voice", VOICES)
def test_loudness_follows_the_envelope(voice: str) -> None:
    followed = []
    for seed in range(3):
        draws = chance(seed)
        envelope = make_envelope(voice, 4, draws)
        samples = sing(voice, draws.uniform(0, 12), envelope, draws).astype(np.float64)
        frames = samples.reshape(100, -1)
        meant = envelope.at(np.arange(800) / ENVELOPE_RATE).reshape(100, -1).mean(axis=1)
        followed.append(np.corrcoef(np.sqrt((frames**2).mean(axis=1)), meant)[0, 1])
    assert np.mean(followed) > 0.85
    assert min(followed) > 0.8


@pytest.mark.parametrize("voice", VOICES)
def test_pitch_moves_the_sound_up(voice: str) -> None:
    def middle(pitch: float, seed: int) -> float:
        hertz, strength = power(sung(voice, pitch, 2, seed))
        return float(np.average(np.log2(hertz), weights=strength))

    higher = [12 * (middle(8, seed) - middle(0, seed)) for seed in range(3)]
    assert 0.3 < np.mean(higher) < 9


@pytest.mark.parametrize("voice", VOICES)
def test_hardly_anything_lies_above_the_highest_partial(voice: str) -> None:
    hertz, strength = power(sung(voice, 12, 2, 0))
    assert strength[hertz > 1.05 * HIGHEST].sum() < 1e-3 * strength.sum()


@pytest.mark.parametrize("voice", VOICES)
def test_same_seed_gives_the_same_sound_and_another_another(voice: str) -> None:
    assert np.array_equal(sung(voice, 5, 1, 1), sung(voice, 5, 1, 1))
    assert not np.array_equal(sung(voice, 5, 1, 1), sung(voice, 5, 1, 2))


def test_timbre_differs_from_clip_to_clip() -> None:
    """Under one envelope, that is, and at one pitch."""
    for voice in VOICES:
        envelope = make_envelope(voice, 1, chance(0))
        one, other = (sing(voice, 5, envelope, chance(seed)) for seed in (1, 2))
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.98


def test_a_second_tells_one_voice_from_the_others() -> None:
    """By the nearest mean of spectrograms even, without learning."""

    def heard(voice: int, seed: int) -> NDArray[np.float32]:
        samples = sung(list(VOICES)[voice], 1.2 * (seed % 10), 1, voice, seed)
        second = scipy.signal.resample_poly(samples, HEARD_RATE // 100, SAMPLE_RATE // 100)
        bands = log_spectrogram(second, *VGGSOUND)[1:].reshape(32, 8, -1).mean(axis=1)
        return np.concatenate([bands.mean(axis=1), bands.std(axis=1)])

    means = np.stack([np.mean([heard(v, seed) for seed in range(10)], axis=0) for v in range(14)])
    right = [
        int(np.square(means - heard(voice, seed)).sum(axis=1).argmin()) == voice
        for voice, seed in itertools.product(range(14), range(10, 15))
    ]
    assert np.mean(right) > 0.7


@given(duration=st.floats(0.5, 10), seed=seeds)
@settings(max_examples=10, deadline=None)
def test_ambience_is_quiet_and_everywhere(duration: float, seed: int) -> None:
    samples = ambience(duration, chance(seed))
    assert samples.dtype == np.float32
    assert samples.shape == (round(duration * SAMPLE_RATE),)
    assert 0.0039 < np.sqrt(np.mean(np.square(samples, dtype=np.float64))) < 0.0151
    assert np.abs(samples).max() < 0.15
    tenths = samples[: len(samples) // 10 * 10].reshape(10, -1)
    assert tenths.std(axis=1).min() > 0.0005


def test_ambience_differs_from_place_to_place() -> None:
    assert np.array_equal(ambience(1, chance(1)), ambience(1, chance(1)))
    assert abs(np.corrcoef(ambience(1, chance(1)), ambience(1, chance(2)))[0, 1]) < 0.3
