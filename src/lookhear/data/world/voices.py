"""How the things of the world sound: 14 voices, each with a rhythm and a timbre of its own.

An `Envelope` says how loud a voice is at each time, and, alike, how much effort its thing shows.
Its rhythm is typical of the voice but never the same twice, so that what moves to another envelope
than the one heard can be told from what sounds.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from lookhear.data.world.synthesis import (
    SAMPLE_RATE,
    Floats,
    Line,
    Timbre,
    band,
    buzzing,
    harmonic,
    hissing,
    noise,
    periodic,
    pink_noise,
    spoken,
    struck,
    wander,
)

ENVELOPE_RATE = 200  # a second
PEAK = 0.7  # of a voice's samples
LATEST_START = 0.1  # seconds
RISE_SECONDS, FADE_SECONDS = 0.02, 0.12  # at the beginning and at the end
TEMPO_RANGE = 0.75, 1.25
FLUTTER = 0.15  # how much loudness wavers by itself, `FLUTTER_RATE` times a second
FLUTTER_RATE = 5.0
AMBIENCE_LEVELS = 0.004, 0.015  # root mean square: least and most


@dataclass(frozen=True)
class Envelope:
    """How loud something is, and how much effort it shows."""

    values: Floats  # (N,) 0 to 1, `ENVELOPE_RATE` a second, the first at 0 s; the last is 0
    onsets: Floats  # (M,) seconds at which events begin: strokes, syllables, barks, revs

    @property
    def duration(self) -> float:
        """Seconds."""
        return (len(self.values) - 1) / ENVELOPE_RATE

    def at(self, time: ArrayLike) -> Floats:
        """Return the values at times in seconds, of their shape; 0 before and after."""
        places, numbers = np.asarray(time, np.float64) * ENVELOPE_RATE, np.arange(len(self.values))
        return np.asarray(np.interp(places, numbers, self.values, left=0, right=0), np.float64)


@dataclass(frozen=True)
class Rhythm:
    """When a voice's events come and how each swells and dies away."""

    gaps: tuple[float, float]  # seconds from one event to the next: least and most, before tempo
    attack: float  # seconds that an event takes to swell, if it is long enough
    decay: float  # seconds in which it falls to 1 / e
    release: float  # seconds that it takes to end, if it is long enough
    share: float = 1.0  # of the gap that an event fills
    group: tuple[int, int] = (1, 1)  # events before a pause: fewest and most
    pause: tuple[float, float] = (0.0, 0.0)  # seconds that a pause adds to the gap: least and most
    floor: float = 0.0  # loudness that always remains

    def events(self, duration: float, chance: Generator) -> tuple[Floats, Floats]:
        """Draw the events of so many seconds: when each begins, and how long it is at most."""
        tempo = chance.uniform(*TEMPO_RANGE)
        onset, left_in_group = chance.uniform(0, LATEST_START), self._group(chance)
        onsets: list[float] = []
        lengths: list[float] = []
        while not onsets or onset < duration - FADE_SECONDS:
            gap = chance.uniform(*self.gaps) * tempo
            onsets.append(onset)
            lengths.append(gap * self.share)
            onset += gap
            left_in_group -= 1
            if left_in_group == 0:
                onset += chance.uniform(*self.pause)
                left_in_group = self._group(chance)
        return np.array(onsets), np.array(lengths)

    def _group(self, chance: Generator) -> int:
        return int(chance.integers(*self.group, endpoint=True))

    def swell(self, since: Floats, length: Floats) -> Floats:
        """Return an event's loudness, 0 to 1, so many seconds after it began."""
        rise = smooth(since / np.minimum(self.attack, 0.6 * length))
        end = smooth((length - since) / np.minimum(self.release, 0.4 * length))
        return rise * np.exp(-since / self.decay) * end


_STRUMMED = Rhythm((0.25, 0.9), attack=0.012, decay=0.3, release=0.03)
_PICKED = Rhythm((0.25, 0.7), attack=0.008, decay=0.18, release=0.03)
_TOLLED = Rhythm((0.35, 0.9), attack=0.008, decay=0.45, release=0.03)
_BLOWN = Rhythm((0.4, 1.2), attack=0.12, decay=1.5, release=0.12, share=0.92)
_BOWED = Rhythm((0.4, 1.2), attack=0.2, decay=2.0, release=0.2, share=0.97)
_TALKED = Rhythm(
    (0.2, 0.33), attack=0.07, decay=0.5, release=0.09, share=0.92, group=(3, 8), pause=(0.3, 0.7)
)
_BARKED = Rhythm(
    (0.18, 0.35), attack=0.025, decay=0.12, release=0.05, share=0.9, group=(1, 4), pause=(0.25, 0.6)
)
_CHIRPED = Rhythm(
    (0.12, 0.4), attack=0.04, decay=0.6, release=0.06, share=0.75, group=(1, 5), pause=(0.2, 0.6)
)
_BLEATED = Rhythm(
    (0.4, 0.95), attack=0.05, decay=0.9, release=0.15, share=0.85, group=(1, 3), pause=(0.15, 0.5)
)
_REVVED = Rhythm((0.7, 2.4), attack=2.0, decay=5.0, release=0.6, floor=0.12)
_SIZZLED = Rhythm((0.35, 1.2), attack=0.15, decay=0.45, release=0.2, floor=0.15)


@dataclass(frozen=True)
class Voice:
    """What all clips of a voice have in common."""

    rhythm: Rhythm  # when it sounds
    timbre: Timbre  # how its notes sound
    lowest: float  # Hz of its lowest note
    melody: float = 0.0  # semitones that its events lie above or below the pitch, at most
    rise: float = 0.0  # semitones that it goes up from silent to loudest
    vibrato: float = 0.1  # semitones either way


_STRING = tuple(k * (1 + 0.0004 * k * k) ** 0.5 for k in range(1, 15))
# Of a church bell, to its prime: hum, prime, tierce, quint, nominal and what lies above.
_BELL = (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.33, 6.67)

_REEDS = partial(harmonic, tilt=0.5, evens=0.5, chord=(0, 4, 7))
_BOWED_STRING = partial(harmonic, tilt=1.5, breath=0.1)
_SMALL_THROAT = partial(harmonic, tilt=2.2, breath=0.03)
_SOFT_STRING = partial(struck, ratios=_STRING, tilt=1.5, damping=1.0, high_damping=2.0, knock=0.1)
_HARD_STRING = partial(struck, ratios=_STRING, tilt=0.5, damping=1.5, high_damping=2.0, knock=0.3)
_BRONZE = partial(struck, ratios=_BELL, tilt=0.4, damping=0.6, high_damping=1.0, knock=0.15)
_DIESEL = partial(buzzing, tilt=1.0, rings=(110, 240, 520), roughness=0.4, hiss=0.5, centre=140)
_TWO_STROKE = partial(
    buzzing, tilt=0.5, rings=(500, 1300, 2700), roughness=0.4, hiss=0.3, centre=2500
)
_TURBINE = partial(buzzing, tilt=1.1, rings=(700, 1500), roughness=0.15, hiss=0.5, centre=1800)
_SPEECH = partial(spoken, vowels="ieaou", tilt=1.0, breath=0.05)
_HOARSE = partial(spoken, vowels="ao", tilt=0.6, breath=0.8, tremor=0.5, tremor_rate=28)
_TREMBLING = partial(spoken, vowels="ea", tilt=0.5, breath=0.3, tremor=0.5, tremor_rate=9)
_STEAM = partial(hissing, octaves=0.7, crackle=0.25)

VOICES: dict[str, Voice] = {
    "reed": Voice(_BLOWN, _REEDS, lowest=185, melody=2),
    "rumble": Voice(_REVVED, _DIESEL, lowest=40, rise=7),
    "mellow pluck": Voice(_STRUMMED, _SOFT_STRING, lowest=147, melody=2),
    "bright pluck": Voice(_PICKED, _HARD_STRING, lowest=330, melody=2.5),
    "high speech": Voice(_TALKED, _SPEECH, lowest=210, melody=1, rise=4),
    "squeak": Voice(_CHIRPED, _SMALL_THROAT, lowest=650, melody=2, rise=5, vibrato=0.3),
    "bell": Voice(_TOLLED, _BRONZE, lowest=440, melody=1.5, vibrato=0),
    "chop": Voice(_BARKED, _HOARSE, lowest=130, melody=1, rise=5),
    "buzz": Voice(_REVVED, _TWO_STROKE, lowest=80, rise=5),
    "hiss": Voice(_SIZZLED, _STEAM, lowest=1400, rise=2),
    "low speech": Voice(_TALKED, _SPEECH, lowest=95, melody=1, rise=4),
    "whine": Voice(_REVVED, _TURBINE, lowest=240, rise=9),
    "bow": Voice(_BOWED, _BOWED_STRING, lowest=294, melody=2.5, vibrato=0.35),
    "bleat": Voice(_BLEATED, _TREMBLING, lowest=260, melody=1, vibrato=0.5),
}


def make_envelope(voice: str, duration: float, chance: Generator) -> Envelope:
    """Draw the loudness of a voice of `VOICES` over so many seconds, at least 0.3.

    It begins within 0.15 s and ends at 0; its tempo varies by a quarter either way.
    """
    rhythm = VOICES[voice].rhythm
    count = round(duration * ENVELOPE_RATE)
    time = np.arange(count + 1) / ENVELOPE_RATE
    duration = count / ENVELOPE_RATE
    onsets, lengths = rhythm.events(duration, chance)
    strengths = chance.uniform(0.65, 1, len(onsets))
    event = _event_at(time, onsets)
    swell = rhythm.swell((time - onsets[event]).clip(0), lengths[event]) * strengths[event]
    values = rhythm.floor + (1 - rhythm.floor) * swell / swell.max()
    courses = chance.uniform(1 - FLUTTER, 1, int(FLUTTER_RATE * duration) + 2)
    values *= np.interp(time * FLUTTER_RATE, np.arange(len(courses)), courses)
    values *= smooth((time - onsets[0]) / RISE_SECONDS) * smooth((duration - time) / FADE_SECONDS)
    return Envelope(values / values.max(), onsets)


def sing(voice: str, pitch: float, envelope: Envelope, chance: Generator) -> NDArray[np.float32]:
    """Sing what an envelope says, in a timbre that chance varies within the voice's own.

    The pitch is in semitones above the voice's lowest note, 0 to 12.

    Returns:
        (N,) mono float32 samples, `SAMPLE_RATE` a second, of peak 0.7.
    """
    singer = VOICES[voice]
    time = np.arange(round(envelope.duration * SAMPLE_RATE)) / SAMPLE_RATE
    control = np.arange(len(envelope.values)) / ENVELOPE_RATE
    notes = chance.uniform(-singer.melody, singer.melody, len(envelope.onsets))
    shake = np.sin(2 * np.pi * (chance.uniform(4.5, 6.5) * control + chance.random()))
    semitones = pitch + notes[_event_at(control, envelope.onsets)] + singer.rise * envelope.values
    semitones += singer.vibrato * chance.uniform(0.6, 1.4) * shake
    frequency = np.interp(time, control, singer.lowest * 2 ** (semitones / 12))
    loudness = envelope.at(time)
    samples = singer.timbre(Line(frequency, loudness, envelope.onsets), chance) * loudness
    samples *= PEAK / max(np.abs(samples).max(), 1e-9)
    return samples.astype(np.float32)


def ambience(duration: float, chance: Generator) -> NDArray[np.float32]:
    """Draw the quiet sound of a place: the room's, wind that comes and goes, a mains hum.

    Returns:
        (N,) mono float32 samples, `SAMPLE_RATE` a second, of root mean square 0.004 to 0.015.
    """
    count = round(duration * SAMPLE_RATE)
    gust, pull = chance.uniform(80, 500), chance.uniform(0.2, 0.9)
    wind = noise(count, lambda hertz: band(hertz, gust, 1.0), chance)
    wind *= 1 + pull * wander(count, 0.8, chance)
    mains = chance.choice([50.0, 60.0])
    hum = periodic(mains * np.arange(count) / SAMPLE_RATE, 1 / np.arange(1, 7))
    room, windy, humming = chance.uniform(0.3, 1), chance.uniform(0, 1), chance.uniform(0, 0.3)
    samples = room * pink_noise(count, chance) + windy * wind + humming * hum
    samples *= chance.uniform(*AMBIENCE_LEVELS) / np.sqrt(np.mean(samples**2))
    return samples.astype(np.float32)


def _event_at(time: Floats, onsets: Floats) -> NDArray[np.intp]:
    """Number of the event under way at each time; before the first, the first."""
    return (np.searchsorted(onsets, time, side="right") - 1).clip(0)


def smooth(share: ArrayLike) -> Floats:
    """Round the corners of a share that is held between 0 and 1."""
    within = np.asarray(share, np.float64).clip(0, 1)
    return np.asarray(within * within * (3 - 2 * within), np.float64)
