"""Which frames are due: the first at or after each of some ticks."""

import math
from bisect import bisect_right
from collections.abc import Iterable

from lookhear.media.clip import TIMESTAMP_ERROR


class Due:
    """Tells, while a clip goes by, how many ticks have come: a frame is due if any has."""

    def __init__(self, ticks: float | Iterable[float]) -> None:
        """Set the ticks.

        Args:
            ticks: how many a second, from 0 seconds on, or the seconds of each.
        """
        self._ticks = ticks if isinstance(ticks, int | float) else sorted(ticks)
        self._come = 0

    def by(self, time: float) -> int:
        """How many have come since it was last asked, by a time in seconds, which ascends."""
        before, latest = self._come, time + TIMESTAMP_ERROR
        if isinstance(self._ticks, list):
            self._come = bisect_right(self._ticks, latest)
        else:
            self._come = 1 + math.floor(latest * self._ticks)
        return self._come - before
