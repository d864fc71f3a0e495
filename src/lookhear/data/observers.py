"""Simulated observers: a small model of where people look when they know what to look at.

Each observer makes one fixation after the other, of about 0.3 s, and sees what is looked at a
reaction time of about 0.2 s late. A fixation is at one of four, by these shares:

|               | the target | what moves most | any other thing | the picture's centre |
| ------------- | ---------- | --------------- | --------------- | -------------------- |
| with a target | 0.72       | 0.10            | 0.08            | 0.10                 |
| without       | -          | 0.45            | 0.25            | 0.30                 |

What it is at is chosen when it begins; it is a little beside the middle of a thing and follows it.
Where there is no such thing, it is at the centre.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

OBSERVERS = 15
FIXATION_SECONDS = 0.3
REACTION_SECONDS = 0.2
WITH_TARGET = (0.72, 0.10, 0.08, 0.10)  # shares of the looks, as above
WITHOUT_TARGET = (0.0, 0.45, 0.25, 0.30)
THING_SPREAD = 0.4  # standard deviation of the looks at a thing, of its radius
CENTRE_SPREAD = 0.04  # of those at the centre, of the picture's width


class Sight(NamedTuple):
    """What there is to look at, at one moment, by the things' numbers."""

    seen: tuple[int, ...]  # the things in the picture
    target: int | None  # which of them true attention is on
    mover: int | None  # which of them moves most


class Observers:
    """Fifteen people who look, each as chance decides, at one clip of so many seconds."""

    def __init__(self, chance: Generator, duration: float) -> None:
        count = int(2 * duration / FIXATION_SECONDS) + 2
        every = OBSERVERS, count
        self._reactions = REACTION_SECONDS * chance.uniform(0.7, 1.3, OBSERVERS)
        self._ends = np.cumsum(FIXATION_SECONDS * chance.uniform(0.5, 1.5, every), axis=1)
        self._begins = np.pad(self._ends, ((0, 0), (1, 0)))
        self._kinds = chance.random(every)
        self._picks = chance.random(every)
        self._besides = chance.normal(size=(*every, 2))

    def gaze(
        self,
        time: float,
        sight: Callable[[float], Sight],
        places: Floats,
        size: tuple[int, int],
    ) -> NDArray[np.float32]:
        """Say where everyone looks at a time, in seconds: (15, 2) x and y, within the picture.

        Args:
            time: now.
            sight: says what there is to look at, at a time before now, even before 0.
            places: (N, 3) where each thing is now: x, y and radius, in pixels.
            size: the picture's width and height; the first pixel's centre is (0, 0).
        """
        far = np.array(size, np.float64) - 1
        looks = np.empty((OBSERVERS, 2))
        for observer, ends in enumerate(self._ends):
            index = observer, int(np.searchsorted(ends, time, side="right"))
            seen = sight(self._begins[index] - self._reactions[observer])
            thing = _choice(seen, self._kinds[index], self._picks[index])
            if thing is None:
                looks[observer] = far / 2 + CENTRE_SPREAD * size[0] * self._besides[index]
            else:
                x, y, radius = places[thing]
                looks[observer] = (x, y) + THING_SPREAD * radius * self._besides[index]
        return looks.clip(0, far).astype(np.float32)


def _choice(sight: Sight, kind: float, pick: float) -> int | None:
    """Choose by two numbers in [0, 1) the thing to look at, or None for the centre."""
    shares = WITHOUT_TARGET if sight.target is None else WITH_TARGET
    at_target, at_mover, at_any = np.cumsum(shares)[:3]
    if kind < at_target:
        return sight.target
    if kind < at_mover:
        return sight.mover
    if kind < at_any:
        others = [thing for thing in sight.seen if thing != sight.target]
        return others[int(pick * len(others))] if others else None
    return None
