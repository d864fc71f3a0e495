"""Saliency Tubes: class activation in space and time (Stergiou et al., ICIP 2019).

A tube has a value for each pixel of each frame. It is kept as the layer's own coarse maps, from
which any frame of it is made when it is asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from lookhear.maps import Maps, between
from lookhear.tubes.windows import ClipWindows, Framing

FLAT_BELOW = 1e-6  # of the largest value: what differs by less, differs by rounding


@dataclass(frozen=True)
class Tube:
    """Where and when a network sees a class."""

    # (N, h, w) float32, of each frame, on the layer's grid and in its own unit.
    maps: NDArray[np.float32]
    framing: Framing  # of the frames that the network saw

    def __len__(self) -> int:
        return len(self.maps)

    @cached_property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value of the enlarged maps."""
        return float(self._extremes[:, 0].min()), float(self._extremes[:, 1].max())

    def frame(self, index: int) -> Maps:
        """Return a frame of the tube, (H, W) float32, of what the network saw.

        Cubic splines make it as large as the network's frames; all frames of the tube together
        reach from 0 to 1. A tube that is the same everywhere is 0.
        """
        low, high = self.range
        is_flat = high - low <= FLAT_BELOW * max(abs(low), abs(high))
        scale = 0.0 if is_flat else 1 / (high - low)
        return ((in_space(self.maps[index], self.framing.size) - low) * scale).astype(np.float32)

    def frames(self) -> Iterator[Maps]:
        """Give one frame after another."""
        return map(self.frame, range(len(self)))

    def peak(self) -> int:
        """Return the frame in which the tube is 1."""
        return int(self._extremes[:, 1].argmax())

    @cached_property
    def _extremes(self) -> NDArray[np.float64]:
        """(N, 2): the smallest and the largest value of each enlarged map."""
        enlarged = (in_space(coarse, self.framing.size) for coarse in self.maps)
        return np.array([(large.min(), large.max()) for large in enlarged])


class TubeInTime:
    """A tube as a map of the whole frame at any time, though the network saw less.

    Attributes:
        times: (M,) seconds, ascending, of the moments that the network saw.
        peak: index of the moment in which the tube is 1.
    """

    def __init__(self, tube: Tube, times: NDArray[np.float64]) -> None:
        """Place a tube at the (N,) seconds of its frames.

        They ascend, and are the same again where the network saw a frame again.
        """
        self._tube = tube
        self.times, starts = np.unique(times, return_index=True)
        self._bounds = [*starts.tolist(), len(times)]
        self.peak = int(np.searchsorted(self.times, times[tube.peak()]))
        self.moment = lru_cache(maxsize=2)(self._moment)

    def _moment(self, index: int) -> Maps:
        """The map of a moment, (H, W): the highest value of each pixel where it was seen again."""
        start, end = self._bounds[index : index + 2]
        highest = np.max([self._tube.frame(i) for i in range(start, end)], 0)
        return self._tube.framing.in_whole(np.asarray(highest, np.float32))

    def at(self, time: float) -> Maps:
        """The map (H, W) of a time in seconds; outside of the moments, that of the nearest."""
        after = int(np.searchsorted(self.times, time, side="right"))
        if after in (0, len(self.times)):
            return self.moment(max(after - 1, 0))
        start, end = self.times[after - 1 : after + 1].tolist()
        maps = self.moment(after - 1), self.moment(after)
        return between(*maps, (time - start) / (end - start))


def blended(
    starts: Sequence[int], maps: Iterable[NDArray[np.float32]], windows: ClipWindows
) -> NDArray[np.float32]:
    """Blend the maps (L, t, h, w) of W windows into those of the frames, (L, N, h, w).

    Each window counts most in its middle.
    """
    length, count = windows.length, len(windows.times)
    weights = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).astype(np.float32)
    sums, shares = np.zeros((1, count, 1, 1), np.float32), np.zeros((count, 1, 1), np.float32)
    for start, of_window in zip(starts, maps, strict=True):
        frames = slice(start, min(start + length, count))
        share = weights[: frames.stop - start, None, None]
        if start == starts[0]:
            sums = np.zeros((len(of_window), count, *of_window.shape[2:]), np.float32)
        sums[:, frames] += share * in_time(of_window, length)[:, : frames.stop - start]
        shares[frames] += share
    return np.asarray(sums / shares, np.float32)


def in_time(maps: NDArray[np.floating], frames: int) -> NDArray[np.float32]:
    """Spread the maps of a window, (..., t, h, w), over its frames: (..., frames, h, w) float32."""
    spread = np.einsum("nt,...thw->...nhw", spline(maps.shape[-3], frames), maps)
    return np.asarray(spread, np.float32)


def in_space(maps: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """Enlarge maps, (..., h, w), to a height and width: (..., H, W) float64."""
    rows, columns = map(spline, maps.shape[-2:], size)
    return np.asarray(rows @ maps @ columns.T, np.float64)


@lru_cache(maxsize=16)
def spline(size: int, new_size: int) -> NDArray[np.float64]:
    """Return (new_size, size): cubic-spline interpolation along an axis, by SciPy's ``zoom``.

    The first and last values stay where they are.
    """
    # By default SciPy gives 0 where rounding puts the last sample a hair beyond the end.
    return np.asarray(zoom(np.eye(size), (new_size / size, 1), order=3, mode="mirror"))
