"""A clip as windows: as many frames in a row as a network takes at once."""

import math
from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.media import Clip, Picture
from lookhear.media.ticks import Due

Selection = Literal["dense", "even"]


class Window(NamedTuple):
    """Some frames that a network sees at once."""

    start: int  # index of the first among all frames that are looked at
    # (T, H, W, 3) uint8 RGB; the last is repeated where the clip is too short.
    frames: NDArray[np.uint8]


class ClipWindows:
    """The windows of a clip, as often as they are asked for, a window's frames held at a time.

    Attributes:
        length: frames in a window, T.
        size: height and width of the frames, in pixels.
        times: (N,) seconds, of all frames that are looked at; known once all windows were given.
    """

    def __init__(
        self, clip: Clip, length: int, size: tuple[int, int], rate: float, selection: Selection
    ) -> None:
        """Set out to look at a clip.

        Args:
            clip: that is looked at.
            length: frames in a window.
            size: height and width to which frames are resized.
            rate: frames a second, each the first at or after its tick.
            selection: ``dense`` for windows of which each begins in the middle of the one before;
                ``even`` for a single one, whose frames are spread evenly over the clip.

        Raises:
            LookhearError: the rate is not above 0, or there is no such selection.
        """
        if selection not in get_args(Selection):
            raise LookhearError(f"selection {selection!r}: must be dense or even")
        if not 0 < rate < math.inf:
            raise LookhearError(f"{rate} frames a second: must be above 0")
        self.length = length
        self.size = size
        self.times: list[float] = []
        self._clip = clip
        self._rate = rate
        self._selection = selection

    @property
    def expected(self) -> int | None:
        """How many there may be, by the clip's header."""
        if self._selection == "even":
            return 1
        if self._clip.duration is None:
            return None
        rate = min(self._rate, self._clip.frame_rate or self._rate)
        beyond_first = self._clip.duration * rate - self.length
        return 1 + max(0, math.ceil(beyond_first / self._step))

    @property
    def _step(self) -> int:
        return max(1, self.length // 2)

    def __iter__(self) -> Iterator[Window]:
        return self._dense() if self._selection == "dense" else self._even()

    def _dense(self) -> Iterator[Window]:
        latest: deque[Picture] = deque(maxlen=self.length)
        times: list[float] = []
        start = 0
        due = Due(self._rate)
        for frame in self._clip.frames():
            if not due.by(frame.time):
                continue
            latest.append(frame.rgb(self.size))
            times.append(frame.time)
            start = len(times) - self.length
            if start >= 0 and start % self._step == 0:
                yield Window(start, np.stack(latest))
        if start < 0:
            latest.extend([latest[-1]] * -start)
            yield Window(0, np.stack(latest))
        elif start % self._step:
            yield Window(start, np.stack(latest))
        self.times = times

    def _even(self) -> Iterator[Window]:
        count = sum(1 for _ in self._clip.frames())
        chosen = np.linspace(0, count - 1, self.length).round().astype(int).tolist()
        pictures, times = [], []
        for frame in self._clip.frames():
            for _ in range(chosen.count(frame.index)):
                pictures.append(frame.rgb(self.size))
                times.append(frame.time)
        yield Window(0, np.stack(pictures))
        self.times = times
