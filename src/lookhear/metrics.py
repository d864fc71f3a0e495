"""How well a map predicts where people looked: AUC-J, s-AUC, NSS, CC, SIM and KL.

The conventions and the answers are those of the MIT saliency benchmark's own code
(https://github.com/cvzoya/saliency, `code_forMetrics`; Bylinskii et al., "What do different
evaluation metrics tell us about saliency models?", arXiv 1604.03605). Where that code draws
random numbers, the functions here return what it gives on average, without drawing any.

Every metric takes arrays of any real dtype, maps `(B, h, w)` and annotations `(B, H, W)`, and
returns `(B,)` float64. A map of another size is first brought to the annotation's by `resize_to`.
*Fixations*, and *other fixations*, in other pictures or frames, count how often each pixel was
looked at; only whether it was counts here. A *density*, at least 0, is fixations blurred by
`density`.

Where a metric has no natural answer (NaN in a metric leaves a picture out of a mean, so it is
given only where the annotation, not the prediction, is to blame, or the prediction is broken):

| input                    | AUC-J | s-AUC    | NSS | CC  | SIM, KL               |
| ------------------------ | ----- | -------- | --- | --- | --------------------- |
| no fixations (density 0) | NaN   | NaN      | NaN | NaN | NaN                   |
| a fixation in each pixel | NaN   | as usual | 0   | -   | -                     |
| no other fixations       | -     | NaN      | -   | -   | -                     |
| a flat density           | -     | -        | -   | NaN | as usual, a uniform q |
| a flat map               | 0.5   | 0.5      | 0   | 0   | as usual, a uniform p |
| a broken map             | NaN   | NaN      | NaN | NaN | NaN                   |

A map is broken by NaN, infinity, and values of 1e150 and more or their negatives, which float64
cannot square. A map or density that spreads by no more than 1e-150 is flat, one of less is 0.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Numbers: TypeAlias = NDArray[Any]
"""Of any real dtype."""
Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

METRIC_NAMES = ("AUC-J", "SIM", "s-AUC", "CC", "NSS", "KL")
LOWER_IS_BETTER = frozenset({"KL"})

# MATLAB's eps, which the MIT code's KL adds.
_EPSILON = 2.0**-52
# Values that differ by less, relative to the largest, differ by rounding alone.
_FLAT_BELOW = 1e-12
# The square of a smaller difference is 0 in float64, and that of a larger value infinite.
_NOTHING_BELOW, _TOO_LARGE = 1e-150, 1e150
# Into how many cells of equal width values are put to be counted: a table that fits L1.
_CELLS = 2**12


class _Values:
    """The values of a map or of a density, and what more than one metric needs of them.

    Attributes:
        values: `(H, W)` float64.
        low: the smallest.
        spread: the largest less the smallest.
        is_broken: whether there is NaN among them, infinity, or what is close to it.
        is_zero: whether they are all 0, or too close to it.
        is_flat: whether they are all the same but for rounding.
    """

    def __init__(self, values: Numbers) -> None:
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

    def product(self, other: "_Values") -> float:
        """N times the covariance."""
        mean = self.total / self.values.size
        return _dot(self.above, other.above) - mean * other.total

    @cached_property
    def power(self) -> float:
        """N times the variance."""
        return self.product(self)


def all_metrics(
    maps: Numbers, fixations: Numbers, densities: Numbers, other_fixations: Numbers
) -> dict[str, Array]:
    """Take all six metrics, by their default settings, sharing what they have in common.

    Returns:
        Metric name -> `(B,)` float64, in the order of `METRIC_NAMES`.
    """

    def of_one(values: _Values, looked: Numbers, near: Numbers, elsewhere: Numbers) -> list[float]:
        fixated, others, target = _places(looked), _places(elsewhere), _Values(near)
        scores = {
            "AUC-J": _auc_judd(values, fixated),
            "s-AUC": _auc_shuffled(values, fixated, others),
            "NSS": _nss(values, fixated),
            "CC": _cc(values, target),
            "SIM": _sim(values, target),
            "KL": _kl(values, target),
        }
        return [scores[name] for name in METRIC_NAMES]

    scores = _one_by_one(of_one, maps, fixations, densities, other_fixations)
    columns = scores.reshape(len(maps), len(METRIC_NAMES)).T  # even of no map
    return dict(zip(METRIC_NAMES, columns, strict=True))


def auc_judd(maps: Numbers, fixations: Numbers, *, jitter: bool = True) -> Array:
    """AUC-J: area under the ROC curve of fixated against all other pixels, 0 to 1.

    The thresholds are the map's values at the fixations, one after the other (Judd et al.,
    ICCV 2009). As in the MIT code the curve's last piece runs from the last threshold to (1, 1),
    which makes the score of n fixations up to 1/(2 n) larger than the probability that a
    fixated pixel outranks another.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`.
        jitter: Equal values are ranked at random, as the MIT code does by default; the
            expectation over the ranks is returned. Without it (the MIT code's `jitter = 0`) all
            pixels equal to a fixated one are counted before it, and a map of few distinct
            values scores far too low.
    """

    def of_one(values: _Values, looked: Numbers) -> float:
        return _auc_judd(values, _places(looked), jitter=jitter)

    return _one_by_one(of_one, maps, fixations)


def auc_shuffled(
    maps: Numbers, fixations: Numbers, other_fixations: Numbers, *, step: float = 0.1
) -> Array:
    """s-AUC: area under the ROC curve of fixated pixels against those fixated elsewhere, 0 to 1.

    The others are where people looked in other pictures, so that a map cannot gain by
    preferring the centre (Zhang et al., "SUN", J. Vision 8(7):32, 2008). The MIT code averages
    over random samples of them; as its score is linear in the sample, the curve over all of
    them, given here, is what that average tends to.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`.
        other_fixations: `(B, H, W)`.
        step: Distance of the thresholds on the map, normalised to 0 to 1. The MIT code's
            default is 0.1, which published figures use; 0.01 is closer to the true area.
    """

    def of_one(values: _Values, looked: Numbers, elsewhere: Numbers) -> float:
        return _auc_shuffled(values, _places(looked), _places(elsewhere), step=step)

    return _one_by_one(of_one, maps, fixations, other_fixations)


def nss(maps: Numbers, fixations: Numbers) -> Array:
    """NSS: mean at the fixations of the map standardised to mean 0, deviation 1; 0 is chance.

    Peters et al., Vision Research 45(18), 2005. The deviation is the sample's, as in MATLAB.
    Fixations that share a pixel count once.
    """
    return _one_by_one(lambda values, looked: _nss(values, _places(looked)), maps, fixations)


def cc(maps: Numbers, densities: Numbers) -> Array:
    """CC: Pearson's linear correlation of map and density, -1 to 1."""
    return _one_by_one(lambda values, target: _cc(values, _Values(target)), maps, densities)


def sim(maps: Numbers, densities: Numbers) -> Array:
    """SIM: histogram intersection of map and density, 0 to 1.

    Both are normalised to 0 to 1, so that an offset gains nothing, then to sum 1.
    """
    return _one_by_one(lambda values, target: _sim(values, _Values(target)), maps, densities)


def kl(maps: Numbers, densities: Numbers) -> Array:
    """KL: what is lost, in nats, by taking the map for the density; at least 0, which is best.

    `sum q log(eps + q / (p + eps))` with p the map and q the density, each over its sum. Values
    below 0 count as 0: bicubic resizing undershoots by a little.
    """
    return _one_by_one(lambda values, target: _kl(values, _Values(target)), maps, densities)


def density(fixations: Numbers, sigma: float) -> NDArray[np.floating]:
    """Blur fixation maps by a Gaussian, cut at four sigma, mirrored at the middle of border pixels.

    Args:
        fixations: `(..., H, W)` counts.
        sigma: In pixels of the map.

    Returns:
        `(..., H, W)`, of the fixations' dtype where that is floating, else float32.
    """
    counts = fixations if fixations.dtype.kind == "f" else fixations.astype(np.float32)
    return np.asarray(gaussian_filter(counts, sigma, mode="mirror", truncate=4, axes=(-2, -1)))


def resize_to(maps: Numbers, height: int, width: int) -> Array:
    """Resize maps as MATLAB's `imresize` does by default, which the MIT code relies on.

    Bicubic (Keys, a = -1/2), edges repeated by reflection, antialiased where it shrinks. Values
    may leave the map's range by a little.

    Args:
        maps: `(..., h, w)`.
        height: New number of rows.
        width: New number of columns.

    Returns:
        `(..., height, width)` float64.
    """
    values: Array = maps.astype(np.float64, copy=False)
    if values.shape[-2:] == (height, width):
        return values
    of_columns = np.ascontiguousarray(_with_rows(values, height).swapaxes(-1, -2))
    return np.ascontiguousarray(_with_rows(of_columns, width).swapaxes(-1, -2))


def _with_rows(maps: Array, count: int) -> Array:
    """Maps `(..., h, w)` interpolated to `(..., count, w)`.

    Each row is a sum of a few: a product of matrices would wake the threads of BLAS, which is dear
    where cores are busy.
    """
    sources, weights = _bicubic(maps.shape[-2], count)
    rows = np.zeros((*maps.shape[:-2], count, maps.shape[-1]))
    for source, weight in zip(sources, weights, strict=True):
        rows += weight[:, np.newaxis] * maps[..., source, :]
    return rows


@lru_cache(maxsize=8)
def _bicubic(size: int, new_size: int) -> tuple[Places, Array]:
    """Which places along an axis make up each new one, and their weights, both `(k, new_size)`."""
    scale = min(new_size / size, 1.0)
    centre = (np.arange(new_size) + 0.5) * size / new_size
    taps = math.ceil(4 / scale) + 2
    source = np.floor(centre - 0.5 - 2 / scale) + np.arange(taps)[:, np.newaxis]
    x = np.abs((centre - 0.5 - source) * scale)
    square, cube = x * x, x * x * x
    near = 1.5 * cube - 2.5 * square + 1
    far = -0.5 * cube + 2.5 * square - 4 * x + 2
    weights = np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
    source = source.astype(np.intp) % (2 * size)
    source = np.where(source < size, source, 2 * size - 1 - source)
    is_used = weights.any(1)
    return source[is_used], (weights / weights.sum(0))[is_used]


def _one_by_one(
    metric: Callable[..., float | Sequence[float]], maps: Numbers, *annotations: Numbers
) -> Array:
    """Score picture by picture: fastest where one fits the cache, and memory stays flat.

    Args:
        metric: Takes a map's values, at the annotations' size, and `(H, W)` of each annotation;
            returns a score or several.
        maps: `(B, h, w)`.
        annotations: Each `(B, H, W)`.

    Returns:
        `(B,)` float64, or `(B, k)` for k scores.
    """
    for annotation in annotations:
        if maps.ndim != 3 or annotation.ndim != 3 or len(maps) != len(annotation):
            raise ValueError(
                "maps and annotation must be (B, H, W) with one B, "
                f"not {maps.shape} and {annotation.shape}"
            )
        if annotation.shape != annotations[0].shape:
            raise ValueError(
                "annotations must be of one size, "
                f"not {annotations[0].shape} and {annotation.shape}"
            )
    size = annotations[0].shape[1:]
    with np.errstate(all="ignore"):  # a picture's answer to that is in the table above
        scores = [
            metric(_Values(one if one.shape == size else resize_to(one, *size)), *annotated)
            for one, *annotated in zip(maps, *annotations, strict=True)
        ]
    return np.array(scores, np.float64)


def _auc_judd(values: _Values, fixated: Places, *, jitter: bool = True) -> float:
    n, pixels = len(fixated), values.values.size
    if values.is_broken or n in (0, pixels):
        return math.nan
    if values.is_flat:
        return 0.5
    thresholds = np.sort(values.values.take(fixated))
    above, reaching, at_lowest = _outranked(values, fixated, thresholds)
    above_lowest = int(np.count_nonzero(values.values > thresholds[0]))
    # The false alarms of all thresholds together, and those of the last, the lowest.
    if jitter:
        # Of m others tied with k fixated pixels, m / 2 on average outrank each, and
        # m k / (k + 1) the last.
        false_alarms = (above + reaching - n**2) / 2
        tied = int(np.count_nonzero(thresholds == thresholds[0]))
        others_tied = at_lowest - tied
        last = above_lowest - (n - tied) + others_tied * tied / (tied + 1)
    else:
        false_alarms = reaching - n * (n + 1) / 2
        last = above_lowest + at_lowest - n
    # The trapezoids of the curve (rate, rank / n), summed by parts.
    return 1 - (false_alarms - last / 2) / ((pixels - n) * n)


def _auc_shuffled(values: _Values, fixated: Places, others: Places, *, step: float = 0.1) -> float:
    if values.is_broken or not len(fixated) or not len(others):
        return math.nan
    if values.is_flat:
        return 0.5
    steps = round(1 / step)
    thresholds = np.arange(steps + 1) * step

    def rates(chosen: Places) -> Array:
        """Share of the chosen pixels at or above each threshold, highest first, from 0 to 1."""
        scaled = values.above.take(chosen) / values.spread
        level = thresholds.searchsorted(scaled, "right") - 1
        reached = np.bincount(level, minlength=steps + 1)[::-1].cumsum()
        return np.concatenate([[0.0], reached / len(chosen)])

    return float(np.trapezoid(rates(fixated), rates(others)))


def _nss(values: _Values, fixated: Places) -> float:
    if values.is_broken or not len(fixated):
        return math.nan
    if values.is_flat:
        return 0.0
    pixels = values.values.size
    deviation = float(values.above.take(fixated).mean()) - values.total / pixels
    return deviation / math.sqrt(values.power / (pixels - 1))


def _cc(values: _Values, target: _Values) -> float:
    if values.is_broken or target.is_broken or target.is_flat:
        return math.nan
    if values.is_flat:
        return 0.0
    return values.product(target) / math.sqrt(values.power) / math.sqrt(target.power)


def _sim(values: _Values, target: _Values) -> float:
    if values.is_broken or target.is_broken or target.is_zero:
        return math.nan
    p, p_total = values.distribution
    q, q_total = target.distribution
    scaled = q * (p_total / q_total)
    return float(np.minimum(p, scaled, out=scaled).sum()) / p_total


def _kl(values: _Values, target: _Values) -> float:
    if values.is_broken or target.is_broken or target.is_zero:
        return math.nan
    p = values if values.low >= 0 else _Values(values.values.clip(min=0))
    if p.is_zero:
        p = _Values(np.ones_like(p.values))
    gain = p.values + _EPSILON * p.sum
    np.divide(target.values, gain, out=gain)
    gain *= p.sum / target.sum
    gain += _EPSILON
    np.log(gain, out=gain)
    return _dot(target.values, gain) / target.sum


def _places(marks: Numbers) -> Places:
    """`(n,)`: where `(H, W)` is not 0, of its pixels in a row."""
    return np.flatnonzero(marks != 0)  # five times as fast on bool


def _outranked(values: _Values, fixated: Places, thresholds: Array) -> tuple[int, int, int]:
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


def _dot(first: Array, second: Array) -> float:
    """The sum of the products of `(H, W)` and `(H, W)`.

    It is taken row by row: of more numbers BLAS would make work for other threads.
    """
    return float(np.vecdot(first, second).sum())
