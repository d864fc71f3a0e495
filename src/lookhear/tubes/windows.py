"""A clip as windows: as many frames as a network takes at once, as it sees them."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.maps import Maps
from lookhear.media import Clip, Frame, Picture
from lookhear.media.stills import read_still
from lookhear.media.ticks import Due

Selection = Literal["dense", "even", "script"]


@dataclass(frozen=True)
class Framing:
    """What a network sees of each frame, and how large.

    With ``whole`` it is what the published script of Saliency Tubes makes of a frame: a picture
    file is read by OpenCV (FFmpeg decodes a JPEG up to 14 of 255 levels otherwise), stretched to
    that size whatever its shape, bilinearly, and the middle of it is taken.
    """

    size: tuple[int, int]  # height and width, in pixels, of what is seen
    # Height and width of the picture whose middle that is; None for the whole frame, made that
    # large by averaging areas.
    whole: tuple[int, int] | None = None

    def picture(self, frame: Frame) -> Picture:
        """Return what is seen of a frame, (H, W, 3) uint8 RGB."""
        if self.whole is None:
            return frame.rgb(self.size)
        try:
            stored = frame.rgb() if frame.path is None else read_still(frame.path)
        except LookhearError:  # which OpenCV does not read
            stored = frame.rgb()
        large = cv2.resize(stored, self.whole[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(large[self._middle], np.uint8)

    def in_whole(self, attention: Maps) -> Maps:
        """Put a map (H, W) of what is seen where that is in the whole frame: 0 beside it."""
        if self.whole is None:
            return attention
        placed = np.zeros(self.whole, np.float32)
        placed[self._middle] = attention
        return placed

    @property
    def _middle(self) -> tuple[slice, slice]:
        assert self.whole is not None
        # To the even neighbour where a half is left, as Python rounds.
        top, left = (round((of - size) / 2) for of, size in zip(self.whole, self.size, strict=True))
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])


class Window(NamedTuple):
    """Some frames that a network sees at once."""

    start: int  # index of the first among all frames that are looked at
    # (T, H, W, 3) uint8 RGB; the last is repeated where the clip is too short.
    frames: NDArray[np.uint8]


class ClipWindows:
    """The windows of a clip, as often as they are asked for, a window's frames held at a time.

    Attributes:
        length: frames in a window, T.
        framing: what is seen of each frame.
        times: (N,) seconds, of all frames that are looked at; known once all windows were given.
    """

    def __init__(
        self, clip: Clip, length: int, framing: Framing, rate: float, selection: Selection
    ) -> None:
        """Set out to look at a clip.

        Args:
            clip: that is looked at.
            length: frames in a window.
            framing: what is seen of each frame.
            rate: frames a second, each the first at or after its tick.
            selection: ``dense`` for windows of which each begins in the middle of the one before;
                ``even`` for a single one, whose frames are spread evenly over the clip, the first
                and the last among them; ``script`` for the same, but each is the frame before
                its even place, not the one nearest to it, as the published script of Saliency
                Tubes chooses. Both repeat frames of a clip that has too few.

        Raises:
            LookhearError: the rate is not finite and above 0, or there is no such selection.
        """
        if selection not in get_args(Selection):
            raise LookhearError(
                f"selection {selection!r}: must be one of {', '.join(get_args(Selection))}"
            )
        if not 0 < rate < math.inf:
            raise LookhearError(f"--fps {rate:g}: must be a finite number above 0")
        self.length = length
        self.framing = framing
        self.times: list[float] = []
        self._clip = clip
        self._rate = rate
        self._selection = selection

    @property
    def expected(self) -> int | None:
        """How many there may be, by the clip's header."""
        if self._selection != "dense":
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
        return self._dense() if self._selection == "dense" else self._spread()

    def _dense(self) -> Iterator[Window]:
        latest: deque[Picture] = deque(maxlen=self.length)
        times: list[float] = []
        start = 0
        due = Due(self._rate)
        for frame in self._clip.frames():
            if not due.by(frame.time):
                continue
            latest.append(self.framing.picture(frame))
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

    def _spread(self) -> Iterator[Window]:
        count = sum(1 for _ in self._clip.frames())
        places = np.linspace(0, count - 1, self.length)
        # Truncated to a whole number, as NumPy does where whole numbers are asked for.
        chosen = (places if self._selection == "script" else places.round()).astype(int).tolist()
        pictures: list[Picture] = []
        times: list[float] = []
        for frame in self._clip.frames():
            if times_over := chosen.count(frame.index):
                pictures += [self.framing.picture(frame)] * times_over
                times += [frame.time] * times_over
        yield Window(0, np.stack(pictures))
        self.times = times
