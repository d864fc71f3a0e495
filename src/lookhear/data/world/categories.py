"""The 28 categories of AVE as things of the world: a look, a way to move and a voice each.

Every look is shared by two categories, and so is every voice, but no two categories share both:
each has a look-alike, from which only its voice tells it clearly, and a sound-alike, from which
only its look does. Within a pair the ranges of hue, or of pitch, overlap by half. The looks share
out the colour circle, and the ranges of neighbours overlap, too.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """What all things of a category have in common; the rest varies from clip to clip."""

    name: str  # as AVE has it
    look: str  # which shape and texture, of `looks.LOOKS`
    hue: float  # where on the colour circle, in turns, the range of its colours begins
    motion: str  # how it moves when it sounds, of `motions.MOTIONS`
    voice: str  # how it sounds, of `voices.VOICES`
    pitch: float  # the lowest of its range of pitches, in semitones above the voice's lowest


HUE_RANGE = 0.1  # turns
PITCH_RANGE = 8.0  # semitones
# A pair's second category has its range begin half a range after the first's.
_HUE_STEP, _PITCH_STEP = HUE_RANGE / 2, PITCH_RANGE / 2

CATEGORIES: tuple[Category, ...] = (
    Category("Accordion", "ribbed box", 0.93, "squeeze", "reed", 0.0),
    Category("Truck", "ribbed box", 0.93 + _HUE_STEP, "shake", "rumble", 0.0),
    Category("Acoustic guitar", "guitar", 0.57, "tilt", "mellow pluck", 0.0),
    Category("Ukulele", "guitar", 0.57 + _HUE_STEP, "hop", "bright pluck", _PITCH_STEP),
    Category("Baby cry, infant cry", "blob", 0.86, "squeeze", "high speech", _PITCH_STEP),
    Category("Rodents, rats, mice", "blob", 0.86 + _HUE_STEP, "dart", "squeak", _PITCH_STEP),
    Category("Banjo", "disc", 0.21, "tilt", "bright pluck", 0.0),
    Category("Clock", "disc", 0.21 + _HUE_STEP, "swing", "bell", _PITCH_STEP),
    Category("Bark", "eared head", 0.29, "hop", "chop", _PITCH_STEP),
    Category("Cat", "eared head", 0.29 + _HUE_STEP, "sway", "squeak", 0.0),
    Category("Bus", "long box", 0.71, "sway", "rumble", _PITCH_STEP),
    Category("Train horn", "long box", 0.71 + _HUE_STEP, "dart", "reed", _PITCH_STEP),
    Category("Chainsaw", "handled", 0.00, "shake", "buzz", _PITCH_STEP),
    Category("Frying (food)", "handled", 0.00 + _HUE_STEP, "hop", "hiss", 0.0),
    Category("Church bell", "bell", 0.14, "swing", "bell", 0.0),
    Category("Toilet flush", "bell", 0.14 + _HUE_STEP, "shake", "hiss", _PITCH_STEP),
    Category("Female speech, woman speaking", "face", 0.07, "nod", "high speech", 0.0),
    Category("Male speech, man speaking", "face", 0.07 + _HUE_STEP, "nod", "low speech", 0.0),
    Category("Fixed-wing aircraft, airplane", "cross", 0.50, "sway", "whine", _PITCH_STEP),
    Category("Helicopter", "cross", 0.50 + _HUE_STEP, "spin", "chop", 0.0),
    Category("Flute", "tube", 0.64, "tilt", "bow", _PITCH_STEP),
    Category("Shofar", "tube", 0.64 + _HUE_STEP, "squeeze", "bleat", 0.0),
    Category("Goat", "horned head", 0.43, "nod", "bleat", _PITCH_STEP),
    Category("Horse", "horned head", 0.43 + _HUE_STEP, "dart", "low speech", _PITCH_STEP),
    Category("Mandolin", "drop", 0.36, "hop", "mellow pluck", _PITCH_STEP),
    Category("Violin, fiddle", "drop", 0.36 + _HUE_STEP, "swing", "bow", 0.0),
    Category("Motorcycle", "low car", 0.79, "spin", "buzz", 0.0),
    Category("Race car, auto racing", "low car", 0.79 + _HUE_STEP, "sway", "whine", 0.0),
)
