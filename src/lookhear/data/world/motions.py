"""How the things of the world move: with a sound, or on their own.

Places are in radii of the thing. Every motion starts and ends at rest.
"""

import math

import numpy as np

from lookhear.data.world.canvas import Pose
from lookhear.data.world.voices import ENVELOPE_RATE, Envelope, smooth

MOTIONS = ("squeeze", "shake", "tilt", "hop", "dart", "swing", "sway", "spin", "nod")
ACTIONS = (
    "circling", "bouncing", "approaching", "shaking", "swinging", "spinning", "sliding",
    "nodding", "stretching",
)  # fmt: skip
TRAVELS = ("circling", "bouncing", "shaking", "swinging", "sliding")  # actions that change place
EASE_SECONDS = 0.4


def pose_with_sound(motion: str, envelope: Envelope, time: float) -> Pose:
    """The pose of a thing in one of `MOTIONS` with a sound that began so many seconds ago.

    The louder it is, the further from rest.
    """

    def wave(rate: float, phase: float = 0.0) -> float:
        return _wave(time, rate, phase)

    level = float(envelope.at(time))
    side = 1 if int(np.searchsorted(envelope.onsets, time, side="right")) % 2 else -1
    match motion:
        case "squeeze":
            stretch = 1 + level * (0.26 * wave(3.1) - 0.14)
            return Pose(0.12 * level * wave(1.6), stretch=stretch)
        case "shake":
            x, y = 0.3 * level * wave(6.1), 0.17 * level * wave(4.7)
            return Pose(x, y, 0.09 * level * wave(5.3))
        case "tilt":
            lean = side * level * (0.42 + 0.2 * wave(4.3))
            return Pose(0.2 * lean, -0.12 * level, lean)
        case "hop":
            x, y = 0.16 * level * wave(2.3), -level * (0.5 + 0.14 * wave(4.1))
            return Pose(x, y, 0.1 * level * wave(3.2), 1 + 0.1 * level)
        case "dart":
            x, y = side * level * (0.5 + 0.15 * wave(5.2)), 0.18 * level * wave(3.7)
            return Pose(x, y, 0.12 * level * wave(4.4))
        case "swing":
            return _hanging(1.3, 0.42 * level * wave(2.4))
        case "sway":
            x, y = 0.45 * level * wave(1.9), 0.16 * level * wave(3.8)
            return Pose(x, y, 0.16 * level * wave(1.9, 0.2))
        case "spin":
            heard = envelope.values[: max(math.ceil(time * ENVELOPE_RATE), 0)]
            turns = 0.9 * float(heard.sum()) / ENVELOPE_RATE  # the faster the louder
            # Whole turns at the end, so that it rests as it stood.
            turns_in_all = 0.9 * float(envelope.values.sum()) / ENVELOPE_RATE
            turns *= max(round(turns_in_all), 1) / max(turns_in_all, 1e-9)
            x, y = 0.14 * level * wave(4.6), 0.14 * level * wave(4.6, 0.25)
            return Pose(x, y, 2 * math.pi * turns)
        case "nod":
            x, y = 0.08 * level * wave(2.1), level * (0.26 + 0.14 * wave(4.4))
            return Pose(x, y, 0.22 * level * wave(1.3), 1 - 0.1 * level)
    raise ValueError(motion)


def pose_in_action(action: str, duration: float, time: float) -> Pose:
    """The pose of a thing in one of `ACTIONS`, of a duration and since its begin, in seconds."""
    far = ease(duration, time)
    match action:
        case "circling":
            far *= 1.1
            return Pose(far * _wave(time, 0.8, 0.25), far * _wave(time, 0.8))
        case "bouncing":
            height = abs(_wave(time, 0.75))
            return Pose(0.0, -1.5 * far * height, stretch=1 - 0.22 * far * max(1 - 4 * height, 0))
        case "approaching":  # over three quarters of the time; then it goes back
            turn = 0.75 * duration
            share = time / turn if time < turn else (duration - time) / (duration - turn)
            near = float(smooth(share))
            return Pose(0.0, 0.25 * near, scale=1 + 0.9 * near)
        case "shaking":
            return Pose(0.34 * far * _wave(time, 6.2), 0.0, 0.1 * far * _wave(time, 6.2, 0.25))
        case "swinging":
            return _hanging(1.8, 0.75 * far * _wave(time, 0.7))
        case "spinning":
            turns = max(round(0.8 * duration), 1)
            share = min(max(time / duration, 0.0), 1.0)
            return Pose(angle=2 * math.pi * turns * share * share * (3 - 2 * share))
        case "sliding":
            return Pose(1.7 * far * _wave(time, 0.4))
        case "nodding":  # from the foot, forward, again and again
            angle = 0.3 * far * (1 - _wave(time, 1.5, 0.25))
            return Pose(math.sin(angle), 1 - math.cos(angle), angle)
        case "stretching":
            return Pose(stretch=1 + 0.34 * far * _wave(time, 1.2))
    raise ValueError(action)


def ease(duration: float, time: float) -> float:
    """Rise smoothly from 0 to 1 at the begin and fall back to 0 at the end; 0 outside."""
    return float(smooth(min(time, duration - time) / min(EASE_SECONDS, duration / 3)))


def _wave(time: float, rate: float, phase: float = 0.0) -> float:
    """A sine of so many cycles a second, its phase in turns."""
    return math.sin(2 * math.pi * (rate * time + phase))


def _hanging(rope: float, angle: float) -> Pose:
    """A pose of what hangs from a point above."""
    return Pose(-rope * math.sin(angle), rope * (math.cos(angle) - 1), angle)
