"""The pixels of one picture, and what more than one of `lookhear.metrics` needs of them."""

from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

# Values that differ by less, relative to the largest, differ by rounding alone.
_FLAT_BELOW = 1e-12
# The square of a smaller difference is 0 in float64, and that of a larger value infinite.
_NOTHING_BELOW, _TOO_LARGE = 1e-150, 1e150
# Into how many cells of equal width values are put to be counted: a table that fits L1.
_CELLS = 2**12


def dot(first: Array, second: Array) -> float:
    """The sum of the products of `(H, W)` and `(H, W)`.

    It is taken row by row: of more numbers BLAS would make work for other threads.
    """
    return float(np.vecdot(first, second).sum())


class Values:
    """The values of a map or of a density, and what more than one metric needs of them.

    Attributes:
        values: `(H, W)` float64.
        low: the smallest.
        spread: the largest less the smallest.
        is_broken: whether there is NaN among them, infinity, or what is close to it.
        is_zero: whether they are all 0, or too close to it.
        is_flat: whether they are all the same but for rounding.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self.low, high = float(values.min()), float(values.max())
        self.values: Array = values.astype(np.float64, copy=False)
        self.spread = high - self.low
        self.is_broken = not (self.low > -_TOO_LARGE and high < _TOO_LARGE)  # NaN is neither
        size = max(abs(self.low), abs(high))
        self.is_zero = size <= _NOTHING_BELOW
        self.is_flat = self.spread <= max(_FLAT_BELOW * size, _NOTHING_BELOW)

    # Sums of products of these lose little to cancellation, unlike those of the values.
    @cached_property
    def above(self) -> Array:
        """`(H, W)`: the values less the smallest."""
        return self.values - self.low

    @cached_property
    def total(self) -> float:
        """The sum of `above`."""
        return float(self.above.sum())

    @property
    def sum(self) -> float:
        """The sum of the values."""
        return self.total + self.low * self.values.size

    @property
    def distribution(self) -> tuple[Array, float]:
        """`above`, or ones where that is nothing, and its sum."""
        if self.is_flat:
            return np.ones_like(self.above), float(self.above.size)
        return self.above, self.total

    def product(self, other: "Values") -> float:
        """N times the covariance."""
        mean = self.total / self.values.size
        return dot(self.above, other.above) - mean * other.total

    @cached_property
    def power(self) -> float:
        """N times the variance."""
        return self.product(self)


def places(marks: NDArray[Any]) -> Places:
    """`(n,)`: where `(H, W)` is not 0, of its pixels in a row."""
    return np.flatnonzero(marks != 0)  # five times as fast on bool


def outranked(values: Values, fixated: Places, thresholds: Array) -> tuple[int, int, int]:
    """Count the pixels that do as well as fixated ones.

    The values are put into cells. A pixel whose cell has no fixated one in it outranks the
    fixated ones of all lower cells; only the others are compared. So the counts are exact, and
    nothing but the fixated values is sorted.

    Args:
        values: Of the map, which is not flat.
        fixated: `(n,)`, the places of the fixated pixels.
        thresholds: `(n,)`, their values, ascending.

    Returns:
        The pairs of a pixel and a fixated one of less than its value; those of one of no more;
        and the pixels that are equal to the lowest fixated one.
    """
    cell = (values.above * ((_CELLS - 1) / values.spread)).astype(np.int32)
    fixated_in = np.bincount(cell.take(fixated), minlength=_CELLS)
    lower = np.where(fixated_in > 0, -1.0, fixated_in.cumsum())
    beaten = lower.take(cell, mode="clip")  # the fastest mode
    rivals = values.values[beaten < 0]
    apart = int(beaten.sum()) + len(rivals)
    less, no_more = (int(thresholds.searchsorted(rivals, side).sum()) for side in ("left", "right"))
    return apart + less, apart + no_more, int(np.count_nonzero(rivals == thresholds[0]))
