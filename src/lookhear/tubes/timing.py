"""A tube at any time of its clip, though the network saw few of the frames."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lookhear.maps import Maps, between
from lookhear.tubes.tube import Tube


class TubeInTime:
    """A tube as a map of any time.

    Attributes:
        times: (M,) seconds, ascending, of the moments that the network saw.
        peak: index of the moment in which the tube is 1.
    """

    def __init__(self, tube: Tube, times: NDArray[np.float64]) -> None:
        """Place a tube in time.

        Args:
            tube: of N frames.
            times: (N,) seconds, ascending; the same again where the network saw a frame again.
        """
        self._tube = tube
        self.times, starts = np.unique(times, return_index=True)
        self._bounds = [*starts.tolist(), len(times)]
        self.peak = int(np.searchsorted(self.times, times[tube.peak()]))
        self.moment = lru_cache(maxsize=2)(self._moment)

    def _moment(self, index: int) -> Maps:
        """The map of a moment, (H, W): the highest value of each pixel where it was seen again."""
        start, end = self._bounds[index : index + 2]
        return np.asarray(np.max([self._tube.frame(i) for i in range(start, end)], 0), np.float32)

    def at(self, time: float) -> Maps:
        """The map (H, W) of a time in seconds; outside of the moments, that of the nearest."""
        after = int(np.searchsorted(self.times, time, side="right"))
        if after in (0, len(self.times)):
            return self.moment(max(after - 1, 0))
        start, end = self.times[after - 1 : after + 1].tolist()
        maps = self.moment(after - 1), self.moment(after)
        return between(*maps, (time - start) / (end - start))
