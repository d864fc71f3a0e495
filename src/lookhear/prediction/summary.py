"""Attention over a clip in a few numbers a map, gathered as the maps stream by."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookhear import maps
from lookhear.maps import Maps, Peak
from lookhear.show import heat
from lookhear.show.heat import Pixels

PROFILE_CELLS = 64
MOST_STILLS = 24
MOST_STILLS_SHOWN = 12
STILL_AREA = 450 * 253
COARSE_WIDTH = 128
STAY_RADIUS = 0.1


class Still(NamedTuple):
    """A moment to show: seconds, a small picture, its map, its strongest peak unless faint."""

    time: float
    picture: Pixels
    attention: Maps
    peak: Peak | None


@dataclass(frozen=True)
class AttentionSummary:
    """Attention over T maps, in a few numbers a map.

    Attributes:
        times: (T,) float64, seconds.
        x: (T,) float32, strongest peak from the left (0) to the right (1); NaN where none or faint.
        y: (T,) float32, the same from the top (0) to the bottom (1).
        half_area: (T,) float32, see `lookhear.maps.half_area`.
        columns: (T, 64) float16, mean attention of upright strips, left to right.
        rows: (T, 64) float16, mean attention of level strips, top to bottom.
        stills: Evenly spaced moments, at most 24.
    """

    times: NDArray[np.float64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    half_area: NDArray[np.float32]
    columns: NDArray[np.float16]
    rows: NDArray[np.float16]
    stills: tuple[Still, ...]

    @property
    def step(self) -> float:
        """Seconds for which a map stands: the median from one to the next; 0 for a lone map."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    def shown_stills(self) -> list[Still]:
        """At most 12 of the stills, each from the middle of its share of them."""
        count = min(MOST_STILLS_SHOWN, len(self.stills))
        return [self.stills[int((i + 0.5) * len(self.stills) / count)] for i in range(count)]


class Collector:
    """Gathers an `AttentionSummary` from a stream of maps whose length is not known.

    Keeps some 150 numbers a map, and the picture of every n-th: n is 1 at first and doubles,
    every other kept picture being dropped, whenever more than 24 have gathered. So the pictures
    are evenly spaced, and between 13 and 24 of them in a long clip.
    """

    def __init__(self) -> None:
        self._times = array("d")
        self._peaks = array("f")
        self._half_areas = array("f")
        self._columns, self._rows = bytearray(), bytearray()
        self._stills: dict[int, Still] = {}
        self._stride = 1

    @property
    def wants_picture(self) -> bool:
        """Whether the next map should come with its picture."""
        return len(self._times) % self._stride == 0

    def add(
        self, time: float, attention: Maps, peaks: Sequence[Peak], picture: Pixels | None = None
    ) -> None:
        """Take in one map.

        Args:
            time: Seconds.
            attention: (h, w), 0 to 1.
            peaks: Its peaks, strongest first.
            picture: The frame (H, W, 3), uint8 RGB, where `wants_picture` says so.
        """
        peak = peaks[0] if peaks and peaks[0].strength >= heat.FAINT else None
        coarse = _coarse(attention)
        if picture is not None and self.wants_picture:
            small = heat.within(picture, STILL_AREA, picture.shape[1])
            self._stills[len(self._times)] = Still(time, small, coarse, peak)
            if len(self._stills) > MOST_STILLS:
                self._thin_out()
        self._times.append(time)
        self._peaks.extend(peak[:2] if peak else (math.nan, math.nan))
        self._half_areas.append(float(maps.half_area(coarse)))
        self._columns += _profile(coarse.mean(axis=0))
        self._rows += _profile(coarse.mean(axis=1))

    def _thin_out(self) -> None:
        self._stride *= 2
        self._stills = {i: still for i, still in self._stills.items() if i % self._stride == 0}

    def summary(self) -> AttentionSummary:
        """What was gathered so far."""
        x, y = np.array(self._peaks, dtype=np.float32).reshape(-1, 2).T
        return AttentionSummary(
            times=np.array(self._times),
            x=x,
            y=y,
            half_area=np.array(self._half_areas, dtype=np.float32),
            columns=np.frombuffer(bytes(self._columns), np.float16).reshape(-1, PROFILE_CELLS),
            rows=np.frombuffer(bytes(self._rows), np.float16).reshape(-1, PROFILE_CELLS),
            stills=tuple(self._stills.values()),
        )


def _profile(means: Maps) -> bytes:
    return maps.resize(means[np.newaxis], (1, PROFILE_CELLS)).astype(np.float16).tobytes()


def _coarse(attention: Maps) -> Maps:
    """A small copy: cheap to keep and to sort; averaging areas leaves the summary as it was."""
    height, width = attention.shape
    scale = min(1, COARSE_WIDTH / width)
    return maps.resize(attention, (max(1, round(height * scale)), round(width * scale)))


class Stay(NamedTuple):
    """A while in which the strongest peak stayed near one place."""

    start: float
    end: float
    x: float
    y: float

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


def stays(attention: AttentionSummary) -> list[Stay]:
    """Split a clip into the stays of its strongest peak, in order of time.

    A stay ends when the peak is further than a tenth of the picture's width and height from the
    mean place of the stay so far, or is missing.
    """
    step = attention.step
    found: list[Stay] = []
    count = 0
    for time, x, y in zip(attention.times, attention.x, attention.y, strict=True):
        if math.isnan(x):
            count = 0
            continue
        if count and math.hypot(x - found[-1].x, y - found[-1].y) <= STAY_RADIUS:
            count += 1
            start, _, mean_x, mean_y = found.pop()
            mean_x, mean_y = mean_x + (x - mean_x) / count, mean_y + (y - mean_y) / count
            found.append(Stay(start, time + step, mean_x, mean_y))
        else:
            count = 1
            found.append(Stay(time, time + step, x, y))
    return found
