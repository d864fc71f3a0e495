"""How well a map predicts where people looked: AUC-J, s-AUC, NSS, CC, SIM and KL.

The conventions and the answers are those of the MIT saliency benchmark's own code
(https://github.com/cvzoya/saliency, `code_forMetrics`; Bylinskii et al., "What do different
evaluation metrics tell us about saliency models?", arXiv 1604.03605). Where that code draws
random numbers, the functions here return what it gives on average, without drawing any.

Every metric takes maps `(B, h, w)` of any real dtype and an annotation `(B, H, W)`, and returns
`(B,)` float64 on the maps' device. A map of another size is first brought to the annotation's
by `resize_to`. A *fixation map* counts how often each pixel was looked at; only whether it was
counts here. A *density* is a fixation map blurred by `density`.

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
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lookhear.pixels import Array, Places, Values, dot, outranked, places

Marks: TypeAlias = NDArray[Any]

METRIC_NAMES = ("AUC-J", "SIM", "s-AUC", "CC", "NSS", "KL")
LOWER_IS_BETTER = frozenset({"KL"})

# MATLAB's eps, which the MIT code's KL adds.
_EPSILON = 2.0**-52


def all_metrics(
    maps: Tensor, fixations: Tensor, densities: Tensor, other_fixations: Tensor
) -> dict[str, Tensor]:
    """Take all six metrics, by their default settings, sharing what they have in common.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`, nonzero where someone looked.
        densities: `(B, H, W)`, at least 0.
        other_fixations: `(B, H, W)`, nonzero where someone looked in other pictures.

    Returns:
        Metric name -> `(B,)` float64, in the order of `METRIC_NAMES`.
    """

    def of_one(values: Values, looked: Marks, density: Marks, elsewhere: Marks) -> list[float]:
        fixated, others, target = places(looked), places(elsewhere), Values(density)
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
    columns = scores.view(len(maps), len(METRIC_NAMES)).unbind(1)  # even of no map
    return dict(zip(METRIC_NAMES, columns, strict=True))


def auc_judd(maps: Tensor, fixations: Tensor, *, jitter: bool = True) -> Tensor:
    """AUC-J: area under the ROC curve of fixated against all other pixels.

    The thresholds are the map's values at the fixations, one after the other (Judd et al.,
    ICCV 2009). As in the MIT code the curve's last piece runs from the last threshold to (1, 1),
    which makes the score of n fixations up to 1/(2 n) larger than the probability that a
    fixated pixel outranks another.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`, nonzero where someone looked.
        jitter: Equal values are ranked at random, as the MIT code does by default; the
            expectation over the ranks is returned. Without it (the MIT code's `jitter = 0`) all
            pixels equal to a fixated one are counted before it, and a map of few distinct
            values scores far too low.

    Returns:
        `(B,)` float64, 0 to 1.
    """

    def of_one(values: Values, looked: Marks) -> float:
        return _auc_judd(values, places(looked), jitter=jitter)

    return _one_by_one(of_one, maps, fixations)


def auc_shuffled(
    maps: Tensor, fixations: Tensor, other_fixations: Tensor, *, step: float = 0.1
) -> Tensor:
    """s-AUC: area under the ROC curve of fixated pixels against those fixated elsewhere.

    The others are where people looked in other pictures, so that a map cannot gain by
    preferring the centre (Zhang et al., "SUN", J. Vision 8(7):32, 2008). The MIT code averages
    over random samples of them; as its score is linear in the sample, the curve over all of
    them, given here, is what that average tends to.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`, nonzero where someone looked.
        other_fixations: `(B, H, W)`, nonzero where someone looked in other pictures.
        step: Distance of the thresholds on the map, normalised to 0 to 1. The MIT code's
            default is 0.1, which published figures use; 0.01 is closer to the true area.

    Returns:
        `(B,)` float64, 0 to 1.
    """

    def of_one(values: Values, looked: Marks, elsewhere: Marks) -> float:
        return _auc_shuffled(values, places(looked), places(elsewhere), step=step)

    return _one_by_one(of_one, maps, fixations, other_fixations)


def nss(maps: Tensor, fixations: Tensor) -> Tensor:
    """NSS: mean at the fixations of the map standardised to mean 0, deviation 1.

    Peters et al., Vision Research 45(18), 2005. The deviation is the sample's, as in MATLAB.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`, nonzero where someone looked; twice in a pixel counts once.

    Returns:
        `(B,)` float64; 0 is chance.
    """
    return _one_by_one(lambda values, looked: _nss(values, places(looked)), maps, fixations)


def cc(maps: Tensor, densities: Tensor) -> Tensor:
    """CC: Pearson's linear correlation of map and density.

    Args:
        maps: `(B, h, w)`.
        densities: `(B, H, W)`.

    Returns:
        `(B,)` float64, -1 to 1.
    """
    return _one_by_one(lambda values, target: _cc(values, Values(target)), maps, densities)


def sim(maps: Tensor, densities: Tensor) -> Tensor:
    """SIM: histogram intersection of map and density.

    Both are normalised to 0 to 1, so that an offset gains nothing, then to sum 1.

    Args:
        maps: `(B, h, w)`.
        densities: `(B, H, W)`.

    Returns:
        `(B,)` float64, 0 to 1.
    """
    return _one_by_one(lambda values, target: _sim(values, Values(target)), maps, densities)


def kl(maps: Tensor, densities: Tensor) -> Tensor:
    """KL: what is lost, in nats, by taking the map for the density.

    `sum q log(eps + q / (p + eps))` with p the map and q the density, each over its sum. Values
    below 0 count as 0: bicubic resizing undershoots by a little.

    Args:
        maps: `(B, h, w)`, at least 0.
        densities: `(B, H, W)`, at least 0.

    Returns:
        `(B,)` float64, at least 0; 0 is best.
    """
    return _one_by_one(lambda values, target: _kl(values, Values(target)), maps, densities)


def density(fixations: Tensor, sigma: float) -> Tensor:
    """Blur fixation maps by a Gaussian, mirrored at the middle of the border pixels.

    The kernel is cut at four sigma, as SciPy's `gaussian_filter(mode="mirror")` cuts it.

    Args:
        fixations: `(..., H, W)` counts.
        sigma: In pixels of the map.

    Returns:
        `(..., H, W)`, of the fixations' dtype where that is floating, else float32.
    """
    counts = fixations if fixations.is_floating_point() else fixations.float()
    rows, columns = (_blur_matrix(n, sigma).to(counts) for n in counts.shape[-2:])
    return rows @ counts @ columns.T


def resize_to(maps: Tensor, height: int, width: int) -> Tensor:
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
    maps = maps.double()
    if maps.shape[-2:] == (height, width):
        return maps
    rows = _bicubic_matrix(maps.shape[-2], height).to(maps)
    columns = _bicubic_matrix(maps.shape[-1], width).to(maps)
    return rows @ maps @ columns.T


def _auc_judd(values: Values, fixated: Places, *, jitter: bool = True) -> float:
    n, pixels = len(fixated), values.values.size
    if values.is_broken or n in (0, pixels):
        return math.nan
    if values.is_flat:
        return 0.5
    thresholds = np.sort(values.values.take(fixated))
    above, reaching, at_lowest = outranked(values, fixated, thresholds)
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


def _auc_shuffled(values: Values, fixated: Places, others: Places, *, step: float = 0.1) -> float:
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


def _nss(values: Values, fixated: Places) -> float:
    if values.is_broken or not len(fixated):
        return math.nan
    if values.is_flat:
        return 0.0
    pixels = values.values.size
    deviation = float(values.above.take(fixated).mean()) - values.total / pixels
    return deviation / math.sqrt(values.power / (pixels - 1))


def _cc(values: Values, target: Values) -> float:
    if values.is_broken or target.is_broken or target.is_flat:
        return math.nan
    if values.is_flat:
        return 0.0
    return values.product(target) / math.sqrt(values.power) / math.sqrt(target.power)


def _sim(values: Values, target: Values) -> float:
    if values.is_broken or target.is_broken or target.is_zero:
        return math.nan
    p, p_total = values.distribution
    q, q_total = target.distribution
    scaled = q * (p_total / q_total)
    return float(np.minimum(p, scaled, out=scaled).sum()) / p_total


def _kl(values: Values, target: Values) -> float:
    if values.is_broken or target.is_broken or target.is_zero:
        return math.nan
    p = values if values.low >= 0 else Values(values.values.clip(min=0))
    if p.is_zero:
        p = Values(np.ones_like(p.values))
    gain = p.values + _EPSILON * p.sum
    np.divide(target.values, gain, out=gain)
    gain *= p.sum / target.sum
    gain += _EPSILON
    np.log(gain, out=gain)
    return dot(target.values, gain) / target.sum


def _one_by_one(
    metric: Callable[..., float | Sequence[float]], maps: Tensor, *annotations: Tensor
) -> Tensor:
    """Score picture by picture: fastest where one fits the cache, and memory stays flat.

    NumPy does it, wherever the maps are: it counts, finds and takes logarithms in a third of the
    time that torch takes on a CPU, and an accelerator would wait at each of the many small steps.

    Args:
        metric: Takes a map's values, at the annotations' size, and `(H, W)` of each annotation;
            returns a score or several.
        maps: `(B, h, w)`.
        annotations: Each `(B, H, W)`.

    Returns:
        `(B,)` float64, or `(B, k)` for k scores, on the maps' device.
    """
    for annotation in annotations:
        if maps.ndim != 3 or annotation.ndim != 3 or len(maps) != len(annotation):
            raise ValueError(
                "maps and annotation must be (B, H, W) with one B, "
                f"not {tuple(maps.shape)} and {tuple(annotation.shape)}"
            )
        if annotation.shape != annotations[0].shape:
            raise ValueError(
                "annotations must be of one size, "
                f"not {tuple(annotations[0].shape)} and {tuple(annotation.shape)}"
            )
    height, width = annotations[0].shape[1:]
    annotated = [_array(of) for of in annotations]

    @np.errstate(all="ignore")  # a picture's answer to that is in the table above
    def score(index: int) -> float | Sequence[float]:
        picture = maps[index]
        if picture.shape != (height, width):
            picture = resize_to(picture, height, width)
        values = Values(_array(picture))
        return metric(values, *(of[index] for of in annotated))

    scores = [score(index) for index in range(len(maps))]
    return torch.tensor(scores, dtype=torch.float64, device=maps.device)


def _array(tensor: Tensor) -> NDArray[Any]:
    """The same for NumPy, which knows no bfloat16 and other small floats."""
    try:
        return tensor.numpy(force=True)
    except TypeError:
        return tensor.float().numpy(force=True)


def _blur_matrix(n: int, sigma: float) -> Tensor:
    """`(n, n)` float64: a Gaussian along one axis, what falls outside mirrored back in."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    source = (torch.arange(n).unsqueeze(1) + offsets) % max(2 * n - 2, 1)
    source = torch.where(source < n, source, 2 * n - 2 - source)
    weights = (kernel / kernel.sum()).expand(n, -1)
    return torch.zeros(n, n, dtype=torch.float64).scatter_add_(1, source, weights)


@lru_cache(maxsize=8)
def _bicubic_matrix(size: int, new_size: int) -> Tensor:
    """`(new_size, size)` float64: bicubic interpolation along one axis."""
    scale = min(new_size / size, 1.0)
    centre = (torch.arange(new_size, dtype=torch.float64).unsqueeze(1) + 0.5) * size / new_size
    taps = math.ceil(4 / scale) + 2
    source = (centre - 0.5 - 2 / scale).floor() + torch.arange(taps)
    x = ((centre - 0.5 - source) * scale).abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = torch.where(x <= 1, near, torch.where(x <= 2, far, 0.0))
    source = source.long() % (2 * size)
    source = torch.where(source < size, source, 2 * size - 1 - source)
    matrix = torch.zeros(new_size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, source, weights / weights.sum(1, keepdim=True))
