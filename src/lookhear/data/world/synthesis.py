"""What the world's voices are made of: partials, noise and resonances.

A timbre makes the samples of a `Line` at about constant level; loudness is laid on afterwards. What
varies from clip to clip (tilt, levels of partials, resonances, noise) is drawn anew at each call.
No partial lies above `HIGHEST`, far enough below half the rate that none is aliased.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy.fft
import scipy.signal
from numpy.random import Generator
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

SAMPLE_RATE = 44_100  # Hz
HIGHEST = 10_000.0  # Hz
HARMONIC_PARTIALS = 64  # at most
PERIOD_SAMPLES = 4096  # of one period, kept in a table
KNOCK_SECONDS = 0.012  # in which a stroke's own noise falls to 1 / e
CRACKLES = 60.0  # a second
FILTER_SAMPLES = 2048  # 46 ms, within which a moving filter stands still

# Formants of five vowels, men's means: Peterson & Barney, J. Acoust. Soc. Am. 24(2), 1952.
VOWELS = {
    "i": (270.0, 2290.0, 3010.0),
    "e": (530.0, 1840.0, 2480.0),
    "a": (730.0, 1090.0, 2440.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}
VOWELS_FUNDAMENTAL = 130.0  # Hz, those men's
FORMANTS_FOLLOW = 0.25  # power of the fundamental: high voices come of small throats
FORMANT_WIDTHS = (90.0, 120.0, 180.0)  # Hz
FORMANT_LEVELS = (1.0, 0.6, 0.35)


class Line(NamedTuple):
    """What is to be sung."""

    frequency: Floats  # (N,) Hz at each sample
    loudness: Floats  # (N,) 0 to 1 at each sample
    onsets: Floats  # (M,) seconds at which strokes or syllables begin; at least one


Timbre: TypeAlias = Callable[[Line, Generator], Floats]
"""How a voice sounds, whatever it sings: makes (N,) samples, of any level."""


def harmonic(
    line: Line,
    chance: Generator,
    *,
    tilt: float,  # the k-th partial's amplitude is k to the power of minus this
    evens: float = 1.0,  # amplitude of the even partials over that of the odd
    chord: tuple[float, ...] = (0.0,),  # semitones of the notes that sound together
    breath: float = 0.02,  # amplitude of the noise over that of the partials
) -> Floats:
    """Reeds, bows and squeaks: partials at whole multiples, brighter when louder."""
    tilt += chance.uniform(-0.25, 0.25)
    evens *= chance.uniform(0.6, 1.4)
    levels = chance.uniform(0.5, 1.5, HARMONIC_PARTIALS)
    turns = _turns(line.frequency)
    tone = np.zeros_like(turns)
    for semitones in chord:
        ratio = 2 ** ((semitones + chance.uniform(-0.08, 0.08)) / 12)
        k = _multiples(line.frequency.max() * ratio)[:HARMONIC_PARTIALS]
        loudest = levels[: len(k)] * np.where(k % 2, 1.0, evens) * k**-tilt
        soft, loud = periodic(turns * ratio, np.stack([loudest / k, loudest]))
        tone += soft + line.loudness * (loud - soft)
    breath = breath * chance.uniform(0.5, 2) * float(tone.std())
    return tone + breath * pink_noise(len(tone), chance)


def struck(
    line: Line,
    chance: Generator,
    *,
    ratios: tuple[float, ...],  # of the partials' frequencies to the first's
    tilt: float,  # a partial's amplitude is its number to the power of minus this
    damping: float,  # of the first partial, 1 / seconds
    high_damping: float,  # what every further octave adds to it, 1 / seconds
    knock: float,  # amplitude of the stroke's own noise
) -> Floats:
    """Strings and bells: partials that each die away at their own pace after a stroke."""
    count = len(line.frequency)
    tilt += chance.uniform(-0.3, 0.3)
    faster = chance.uniform(0.7, 1.4)
    levels = chance.uniform(0.4, 1.6, len(ratios)).tolist()
    since = _seconds_since(line.onsets, count).astype(np.float32)
    turns = _turns(line.frequency)
    tone = np.zeros(count, np.float32)
    for number, (ratio, level) in enumerate(zip(ratios, levels, strict=True), start=1):
        if ratio * line.frequency.max() < HIGHEST:
            fading = faster * (damping + high_damping * max(math.log2(ratio), 0))
            place = turns * ratio
            phase = (place - np.floor(place)).astype(np.float32)
            partial = np.sin(2 * math.pi * phase) * np.exp(-fading * since)
            tone += level * number**-tilt * partial
    stroke = knock * chance.uniform(0.6, 1.4) * np.exp(-since / KNOCK_SECONDS)
    return np.asarray(tone + stroke * pink_noise(count, chance), np.float64)


def buzzing(
    line: Line,
    chance: Generator,
    *,
    tilt: float,  # the k-th partial's amplitude is k to the power of minus this
    rings: tuple[float, ...],  # Hz, roughly, of what resounds
    roughness: float,  # how much pulses differ in strength, 0 to 1
    hiss: float,  # amplitude of the noise over that of the pulses
    centre: float,  # Hz, about which the noise lies
) -> Floats:
    """Engines: uneven pulses, through the resonances of what they are in, and noise."""
    count = len(line.frequency)
    tilt += chance.uniform(-0.2, 0.2)
    resonances = np.array(rings) * chance.uniform(0.8, 1.25, len(rings))
    centre *= chance.uniform(0.8, 1.25)
    k = _multiples(line.frequency.max())
    hertz = k * np.median(line.frequency)
    ringing = 0.25 + _resonance(hertz[:, np.newaxis], resonances, resonances / 5).sum(axis=1)
    # Cylinders fire unevenly: each period is two, of unlike strength.
    halves = np.where(k % 2, chance.uniform(0.3, 0.7), 1.0)
    tone = periodic(_turns(line.frequency), ringing * halves * k**-tilt)
    tone *= 1 + roughness * wander(count, 35 * chance.uniform(0.7, 1.4), chance)
    air = noise(count, lambda hertz: band(hertz, centre, 0.8), chance)
    level = hiss * chance.uniform(0.6, 1.6) * float(tone.std())
    return tone + level * air


def hissing(
    line: Line,
    chance: Generator,
    *,
    octaves: float,  # half the band's width
    crackle: float,  # amplitude of the crackles over that of the noise
) -> Floats:
    """Air, water and fat: a band of noise about the line's frequency, with crackles in it."""
    count = len(line.frequency)
    width = octaves * chance.uniform(0.75, 1.3)
    crackles = chance.standard_normal(count) * (chance.random(count) < CRACKLES / SAMPLE_RATE)
    crackles *= crackle * chance.uniform(0.3, 1.5) * np.sqrt(SAMPLE_RATE / CRACKLES)
    source = chance.standard_normal(count) + crackles
    return _filtered(source, lambda hertz, at: band(hertz, line.frequency[at], width))


def spoken(
    line: Line,
    chance: Generator,
    *,
    vowels: str,  # those that syllables are drawn from, of `VOWELS`
    tilt: float,  # of the pulses: the k-th partial's amplitude is k to the power of minus this
    breath: float,  # amplitude of the breath over that of the pulses
    tremor: float = 0.0,  # how much the throat trembles in strength, 0 to 1
    tremor_rate: float = 8.0,  # trembles a second
) -> Floats:
    """Throats: glottal pulses and breath through three formants that glide."""
    count = len(line.frequency)
    tilt += chance.uniform(-0.2, 0.2)
    height = np.median(line.frequency) / VOWELS_FUNDAMENTAL
    size = height**FORMANTS_FOLLOW * chance.uniform(0.92, 1.08)
    said = [VOWELS[vowel] for vowel in chance.choice(list(vowels), len(line.onsets))]
    formants = size * np.array(said) * chance.uniform(0.94, 1.06, (len(said), 3))
    k = _multiples(line.frequency.max())
    pulses = periodic(_turns(line.frequency), k**-tilt)
    rate = tremor_rate * chance.uniform(0.75, 1.3)
    pulses *= 1 + tremor * np.sin(2 * np.pi * rate * np.arange(count) / SAMPLE_RATE)
    breath = breath * chance.uniform(0.5, 1.6) * float(pulses.std())
    source = pulses + breath * chance.standard_normal(count)

    def throat(hertz: Floats, at: NDArray[np.int64]) -> Floats:
        now = [np.interp(at / SAMPLE_RATE, line.onsets, formant) for formant in formants.T]
        gain = np.zeros(np.broadcast_shapes(hertz.shape, at.shape))
        for formant, width, level in zip(now, FORMANT_WIDTHS, FORMANT_LEVELS, strict=True):
            gain += level * _resonance(hertz, formant, size * width)
        return gain

    return _filtered(source, throat)


def periodic(turns: Floats, amplitudes: Floats) -> Floats:
    """Sum sine partials at whole multiples, by reading off one period computed beforehand.

    Gives (..., N) samples of (N,) periods gone by and (..., K) amplitudes, from the first's.
    """
    constant = np.zeros((*amplitudes.shape[:-1], 1))
    spectrum = np.concatenate([constant, amplitudes], axis=-1) * (-0.5j * PERIOD_SAMPLES)
    period = np.fft.irfft(spectrum, PERIOD_SAMPLES)
    place = turns * PERIOD_SAMPLES
    whole = np.floor(place)
    left = whole.astype(np.int64) % PERIOD_SAMPLES
    step = np.roll(period, -1, axis=-1) - period
    return np.asarray(period[..., left] + (place - whole) * step[..., left], np.float64)


def noise(count: int, gain: Callable[[Floats], Floats], chance: Generator) -> Floats:
    """Noise of deviation about 1 with a spectrum in proportion to ``gain`` of Hz."""
    length = scipy.fft.next_fast_len(count, real=True)
    hertz = np.arange(length // 2 + 1, dtype=np.float64) * (SAMPLE_RATE / length)
    amplitudes = gain(hertz) * (hertz < HIGHEST)
    amplitudes *= length / np.sqrt(2 * (amplitudes**2).sum())
    turned = np.exp(2j * np.pi * chance.random(len(hertz)))
    return np.asarray(scipy.fft.irfft(amplitudes * turned, length)[:count], np.float64)


def pink_noise(count: int, chance: Generator) -> Floats:
    """Return (count,) noise of deviation about 1 that has as much power in every octave."""
    return noise(count, lambda hertz: np.sqrt(30 / np.maximum(hertz, 30)), chance)


def wander(count: int, rate: float, chance: Generator) -> Floats:
    """Return (count,) samples, -1 to 1, that take a new course about ``rate`` times a second."""
    places = np.arange(count) * (rate / SAMPLE_RATE)
    courses = chance.uniform(-1, 1, int(places[-1]) + 2)
    return np.asarray(np.interp(places, np.arange(len(courses)), courses), np.float64)


def band(hertz: Floats, centre: Floats | float, octaves: float) -> Floats:
    """Gain about a centre, 1 there, falling with the distance in octaves."""
    distance = np.log2(np.maximum(hertz, 1) / centre) / octaves
    return np.asarray(np.exp(-0.5 * distance**2), np.float64)


def _multiples(fundamental: float) -> Floats:
    """Numbers of the partials below the highest frequency; at least the first."""
    return np.arange(1.0, max(int(HIGHEST / fundamental), 1) + 1)


def _turns(frequency: Floats) -> Floats:
    """Periods gone by at each sample."""
    return np.cumsum(frequency) / SAMPLE_RATE


def _seconds_since(onsets: Floats, count: int) -> Floats:
    """Seconds since the last onset at each sample; before the first, since the beginning."""
    starts = np.concatenate(([0], (onsets * SAMPLE_RATE).astype(np.int64).clip(max=count)))
    lengths = np.diff(starts, append=count)
    return np.asarray((np.arange(count) - np.repeat(starts, lengths)) / SAMPLE_RATE, np.float64)


def _resonance(hertz: Floats, centre: Floats, width: Floats | float) -> Floats:
    """Gain, at most 1 and a half of it ``width`` off the centre."""
    distance = (hertz - centre) / width
    return np.asarray(1 / np.sqrt(1 + 3 * distance**2), np.float64)


def _filtered(samples: Floats, gain: Callable[[Floats, NDArray[np.int64]], Floats]) -> Floats:
    """Put samples through a filter that moves: (F, T) gain of (F, 1) Hz at (T,) samples."""
    window = scipy.signal.windows.hann(FILTER_SAMPLES, sym=False)
    transform = scipy.signal.ShortTimeFFT(window, FILTER_SAMPLES // 2, SAMPLE_RATE)
    spectra = transform.stft(samples)
    at = (transform.t(len(samples)) * SAMPLE_RATE).astype(np.int64).clip(0, len(samples) - 1)
    hertz = transform.f[:, np.newaxis]
    spectra *= gain(hertz, at) * (hertz < HIGHEST)
    return np.asarray(transform.istft(spectra, k1=len(samples)), np.float64)
