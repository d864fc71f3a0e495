"""How the things of the world move: with a sound, or on their own.

Places are in radii of the thing. Every motion starts and ends at rest.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from lookhear.data.world.canvas import Pose
from lookhear.data.world.voices import ENVELOPE_RATE, Envelope

Motion: TypeAlias = Callable[[Envelope, float], Pose]
"""The pose at a time, in seconds since the envelope began; the louder, the further from rest."""

Action: TypeAlias = Callable[[float, float], Pose]
"""The pose of an action that takes so many seconds, at a time, in seconds since it began."""

EASE_SECONDS = 0.4


def _wave(time: float, rate: float, phase: float = 0.0) -> float:
    """A sine of so many cycles a second, its phase in turns."""
    return math.sin(2 * math.pi * (rate * time + phase))


def _squeeze(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    stretch = 1 + level * (0.26 * _wave(time, 3.1) - 0.14)
    return Pose(0.12 * level * _wave(time, 1.6), stretch=stretch)


def _shake(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    x, y = 0.3 * level * _wave(time, 6.1), 0.17 * level * _wave(time, 4.7)
    return Pose(x, y, 0.09 * level * _wave(time, 5.3))


def _tilt(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    lean = _side(envelope, time) * level * (0.42 + 0.2 * _wave(time, 4.3))
    return Pose(0.2 * lean, -0.12 * level, lean)


def _hop(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    y = -level * (0.5 + 0.14 * _wave(time, 4.1))
    return Pose(0.16 * level * _wave(time, 2.3), y, 0.1 * level * _wave(time, 3.2), 1 + 0.1 * level)


def _dart(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    x = _side(envelope, time) * level * (0.5 + 0.15 * _wave(time, 5.2))
    return Pose(x, 0.18 * level * _wave(time, 3.7), 0.12 * level * _wave(time, 4.4))


def _swing(envelope: Envelope, time: float) -> Pose:
    """Hang from a point above."""
    angle = 0.42 * float(envelope.at(time)) * _wave(time, 2.4)
    rope = 1.3
    return Pose(-rope * math.sin(angle), rope * (math.cos(angle) - 1), angle)


def _sway(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    x, y = 0.45 * level * _wave(time, 1.9), 0.16 * level * _wave(time, 3.8)
    return Pose(x, y, 0.16 * level * _wave(time, 1.9, 0.2))


def _spin(envelope: Envelope, time: float) -> Pose:
    """Turn, the faster the louder, and wobble."""
    level = float(envelope.at(time))
    heard = envelope.values[: max(math.ceil(time * ENVELOPE_RATE), 0)]
    turns = 0.9 * float(heard.sum()) / ENVELOPE_RATE
    # Whole turns at the end, so that it rests as it stood.
    turns_in_all = 0.9 * float(envelope.values.sum()) / ENVELOPE_RATE
    turns *= max(round(turns_in_all), 1) / max(turns_in_all, 1e-9)
    x, y = 0.14 * level * _wave(time, 4.6), 0.14 * level * _wave(time, 4.6, 0.25)
    return Pose(x, y, 2 * math.pi * turns)


def _nod(envelope: Envelope, time: float) -> Pose:
    level = float(envelope.at(time))
    y = level * (0.26 + 0.14 * _wave(time, 4.4))
    return Pose(
        0.08 * level * _wave(time, 2.1), y, 0.22 * level * _wave(time, 1.3), 1 - 0.1 * level
    )


def _side(envelope: Envelope, time: float) -> int:
    """Another side with every onset."""
    return 1 if int(np.searchsorted(envelope.onsets, time, side="right")) % 2 else -1


MOTIONS: dict[str, Motion] = {
    "squeeze": _squeeze,
    "shake": _shake,
    "tilt": _tilt,
    "hop": _hop,
    "dart": _dart,
    "swing": _swing,
    "sway": _sway,
    "spin": _spin,
    "nod": _nod,
}


def ease(duration: float, time: float) -> float:
    """Rise smoothly from 0 to 1 at the begin and fall back to 0 at the end; 0 outside."""
    ramp = min(EASE_SECONDS, duration / 3)
    share = min(max(min(time, duration - time) / ramp, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _circling(duration: float, time: float) -> Pose:
    far = 1.1 * ease(duration, time)
    return Pose(far * _wave(time, 0.8, 0.25), far * _wave(time, 0.8))


def _bouncing(duration: float, time: float) -> Pose:
    far = ease(duration, time)
    height = abs(_wave(time, 0.75))
    return Pose(0.0, -1.5 * far * height, stretch=1 - 0.22 * far * max(1 - 4 * height, 0))


def _approaching(duration: float, time: float) -> Pose:
    """Come close over three quarters of the time, then go back."""
    turn = 0.75 * duration
    share = time / turn if time < turn else (duration - time) / (duration - turn)
    share = min(max(share, 0.0), 1.0)
    near = share * share * (3 - 2 * share)
    return Pose(0.0, 0.25 * near, scale=1 + 0.9 * near)


def _shaking(duration: float, time: float) -> Pose:
    far = ease(duration, time)
    return Pose(0.34 * far * _wave(time, 6.2), 0.0, 0.1 * far * _wave(time, 6.2, 0.25))


def _swinging(duration: float, time: float) -> Pose:
    """Hang from a point above."""
    angle = 0.75 * ease(duration, time) * _wave(time, 0.7)
    rope = 1.8
    return Pose(-rope * math.sin(angle), rope * (math.cos(angle) - 1), angle)


def _spinning(duration: float, time: float) -> Pose:
    turns = max(round(0.8 * duration), 1)
    share = min(max(time / duration, 0.0), 1.0)
    return Pose(angle=2 * math.pi * turns * share * share * (3 - 2 * share))


def _sliding(duration: float, time: float) -> Pose:
    return Pose(1.7 * ease(duration, time) * _wave(time, 0.4))


def _nodding(duration: float, time: float) -> Pose:
    """Bow forward from the foot, again and again."""
    angle = 0.3 * ease(duration, time) * (1 - _wave(time, 1.5, 0.25))
    return Pose(math.sin(angle), 1 - math.cos(angle), angle)


def _stretching(duration: float, time: float) -> Pose:
    return Pose(stretch=1 + 0.34 * ease(duration, time) * _wave(time, 1.2))


ACTIONS: dict[str, Action] = {
    "circling": _circling,
    "bouncing": _bouncing,
    "approaching": _approaching,
    "shaking": _shaking,
    "swinging": _swinging,
    "spinning": _spinning,
    "sliding": _sliding,
    "nodding": _nodding,
    "stretching": _stretching,
}
