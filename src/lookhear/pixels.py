"""The pixels of one picture, and what more than one of `lookhear.metrics` needs of them."""

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

# Values that differ by less, relative to the largest, differ by rounding alone.
_FLAT_BELOW = 1e-12
# The square of a smaller difference is 0 in float64.
_NOTHING_BELOW = 1e-150
# Into how many cells of equal width values are put to be counted.
_CELLS = 2**12


class Values:
    """The values of a map or of a density, and what more than one metric needs of them.

    Attributes:
        values: `(N,)` float64.
        low: the smallest.
        spread: the largest less the smallest.
        is_broken: whether there is NaN or infinity among them.
        is_zero: whether they are all 0.
        is_flat: whether they are all the same but for rounding.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values.double()
        smallest, largest = self.values.aminmax()
        self.low, high = float(smallest), float(largest)
        self.spread = high - self.low
        self.is_broken = not (math.isfinite(self.low) and math.isfinite(high))
        size = max(abs(self.low), abs(high))
        self.is_zero = size == 0
        self.is_flat = self.spread <= max(_FLAT_BELOW * size, _NOTHING_BELOW)

    # Sums of products of these lose little to cancellation, unlike those of the values.
    @cached_property
    def above(self) -> Tensor:
        """`(N,)`: the values less the smallest."""
        return self.values - self.low

    @cached_property
    def total(self) -> float:
        """The sum of `above`."""
        return self.above.sum().item()

    def product(self, other: "Values") -> float:
        """N times the covariance."""
        return self.above.dot(other.above).item() - self.total * other.total / len(self.values)

    @cached_property
    def power(self) -> float:
        """N times the variance."""
        return self.product(self)


def places(marks: Tensor) -> Tensor:
    """`(n,)`: where `(N,)` is not 0."""
    marks = marks if marks.dtype == torch.bool else marks != 0
    if marks.device.type == "cpu":  # where NumPy takes a fifth of the time
        return torch.from_numpy(np.flatnonzero(marks.numpy()))
    return marks.nonzero().flatten()


def outranked(values: Values, fixated: Tensor, thresholds: Tensor) -> list[tuple[int, int]]:
    """Count the pixels above, and those at or above, the fixated ones.

    The values are put into cells. A pixel whose cell has no fixated one in it outranks the
    fixated ones of all lower cells; only the others are compared. So the counts are exact, and
    nothing but the fixated values is sorted.

    Args:
        values: Of the map, which is not flat.
        fixated: `(n,)`, the places of the fixated pixels.
        thresholds: `(n,)`, their values, ascending.

    Returns:
        For above, then for at or above: the number of pairs of a pixel and a fixated one, and the
        number of pixels that outrank the lowest fixated one.
    """
    cell = (values.above * ((_CELLS - 1) / values.spread)).int()
    fixated_in = torch.bincount(cell[fixated], minlength=_CELLS)
    is_shared = fixated_in > 0
    apart = torch.bincount(cell, minlength=_CELLS).masked_fill_(is_shared, 0)
    lower = fixated_in.cumsum(0)
    pairs, outranking = (apart * lower).sum(), (apart * (lower > 0)).sum()
    rivals = values.values[places(is_shared.index_select(0, cell))]
    counts = []
    for tie_counts in (False, True):
        beaten = torch.searchsorted(thresholds, rivals, right=tie_counts)
        counts.append((int(pairs + beaten.sum()), int(outranking + beaten.count_nonzero())))
    return counts
