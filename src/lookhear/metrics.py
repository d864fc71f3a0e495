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
| NaN or infinity in a map | NaN   | NaN      | NaN | NaN | NaN                   |
"""

import math

import torch
from torch import Tensor

# MATLAB's eps, which the MIT code's KL adds.
_EPSILON = 2.0**-52
# A map whose values differ by less, relative to the largest, differs by rounding alone.
_FLAT_BELOW = 1e-12


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
    values, fixated = _aligned(maps, fixations > 0)
    pixels = values.shape[1]
    n = fixated.sum(1)
    rank = torch.arange(1, int(n.max()) + 1, dtype=values.dtype, device=values.device)
    rank = rank.expand(len(n), -1)

    # Fixated values, highest first; rows are filled up with -inf.
    thresholds = values.where(fixated, -torch.inf).topk(rank.shape[1]).values
    ascending = values.sort().values
    above = pixels - torch.searchsorted(ascending, thresholds, right=True)
    at_least = pixels - torch.searchsorted(ascending, thresholds)
    if jitter:
        descending = -thresholds
        hits_above = torch.searchsorted(descending, descending)
        hits_tied = torch.searchsorted(descending, descending, right=True) - hits_above
        others_tied = at_least - above - hits_tied
        # Of m others tied with k fixated pixels, m j / (k + 1) on average outrank the j-th.
        false_alarms = above - hits_above + others_tied * (rank - hits_above) / (hits_tied + 1)
    else:
        false_alarms = at_least - rank
    rates = (false_alarms / (pixels - n).unsqueeze(1)).where(rank <= n.unsqueeze(1), 0.0)
    last = rates.gather(1, (n - 1).clamp(min=0).unsqueeze(1)).squeeze(1) if n.any() else 0.0
    # The trapezoids of the curve (rate, rank / n), summed by parts.
    score = 1 - (rates.sum(1) - last / 2) / n
    return _settled(score, values, flat=0.5, undefined=(n == 0) | (n == pixels))


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
    values, fixated = _aligned(maps, fixations > 0)
    others = (other_fixations > 0).flatten(1).to(values.device)
    steps = round(1 / step)
    thresholds = torch.arange(steps + 1, dtype=values.dtype, device=values.device) * step
    level = torch.searchsorted(thresholds, _min_max(values), right=True) - 1

    def rates(chosen: Tensor) -> Tensor:
        """Share of the chosen pixels at or above each threshold, highest first, from 0 to 1."""
        reached = values.new_zeros(len(values), steps + 1)
        reached.scatter_add_(1, level.clamp(0, steps), chosen.to(values.dtype))
        falling = reached.flip(1).cumsum(1) / chosen.sum(1, keepdim=True)
        return torch.nn.functional.pad(falling, (1, 0))

    score = torch.trapezoid(rates(fixated), rates(others))
    undefined = ~fixated.any(1) | ~others.any(1)
    return _settled(score, values, flat=0.5, undefined=undefined)


def nss(maps: Tensor, fixations: Tensor) -> Tensor:
    """NSS: mean at the fixations of the map standardised to mean 0, deviation 1.

    Peters et al., Vision Research 45(18), 2005. The deviation is the sample's, as in MATLAB.

    Args:
        maps: `(B, h, w)`.
        fixations: `(B, H, W)`, nonzero where someone looked; twice in a pixel counts once.

    Returns:
        `(B,)` float64; 0 is chance.
    """
    values, fixated = _aligned(maps, fixations > 0)
    n = fixated.sum(1)
    deviation = values - values.mean(1, keepdim=True)
    score = (deviation * fixated).sum(1) / n / values.std(1)
    return _settled(score, values, flat=0.0, undefined=n == 0)


def cc(maps: Tensor, densities: Tensor) -> Tensor:
    """CC: Pearson's linear correlation of map and density.

    Args:
        maps: `(B, h, w)`.
        densities: `(B, H, W)`.

    Returns:
        `(B,)` float64, -1 to 1.
    """
    values, target = _aligned(maps, densities.double())
    a = values - values.mean(1, keepdim=True)
    b = target - target.mean(1, keepdim=True)
    score = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return _settled(score, values, flat=0.0, undefined=_is_flat(target))


def sim(maps: Tensor, densities: Tensor) -> Tensor:
    """SIM: histogram intersection of map and density.

    Both are normalised to 0 to 1, so that an offset gains nothing, then to sum 1.

    Args:
        maps: `(B, h, w)`.
        densities: `(B, H, W)`.

    Returns:
        `(B,)` float64, 0 to 1.
    """
    values, target = _aligned(maps, densities.double())
    p, q = _distribution(_min_max(values)), _distribution(_min_max(target))
    score = torch.minimum(p, q).sum(1)
    return _settled(score, values, undefined=~target.any(1))


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
    values, target = _aligned(maps, densities.double())
    p, q = _distribution(values.clamp(min=0)), _distribution(target)
    score = (q * torch.log(_EPSILON + q / (p + _EPSILON))).sum(1)
    return _settled(score, values, undefined=~target.any(1))


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


def _blur_matrix(n: int, sigma: float) -> Tensor:
    """`(n, n)` float64: a Gaussian along one axis, what falls outside mirrored back in."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    source = (torch.arange(n).unsqueeze(1) + offsets) % max(2 * n - 2, 1)
    source = torch.where(source < n, source, 2 * n - 2 - source)
    weights = (kernel / kernel.sum()).expand(n, -1)
    return torch.zeros(n, n, dtype=torch.float64).scatter_add_(1, source, weights)


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


def _aligned(maps: Tensor, annotation: Tensor) -> tuple[Tensor, Tensor]:
    """Maps, brought to the annotation's size, and annotation, both `(B, H * W)`."""
    if maps.ndim != 3 or annotation.ndim != 3 or len(maps) != len(annotation):
        raise ValueError(
            "maps and annotation must be (B, H, W) with one B, "
            f"not {tuple(maps.shape)} and {tuple(annotation.shape)}"
        )
    height, width = annotation.shape[1:]
    return resize_to(maps, height, width).flatten(1), annotation.flatten(1).to(maps.device)


def _is_flat(values: Tensor) -> Tensor:
    spread = values.amax(1) - values.amin(1)
    return spread <= _FLAT_BELOW * values.abs().amax(1)


def _min_max(values: Tensor) -> Tensor:
    """Each row to 0 to 1; a flat one to zeros."""
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    scaled = (values - low) / (high - low)
    return scaled.masked_fill(_is_flat(values).unsqueeze(1), 0.0)


def _distribution(values: Tensor) -> Tensor:
    """Each row over its sum; one that is 0 throughout becomes uniform."""
    total = values.sum(1, keepdim=True)
    return torch.where(total == 0, 1 / values.shape[1], values / total)


def _settled(
    score: Tensor, values: Tensor, *, undefined: Tensor, flat: float | None = None
) -> Tensor:
    """The score with the answers to degenerate input, in the order of the module's table."""
    if flat is not None:
        score = score.masked_fill(_is_flat(values), flat)
    broken = ~values.isfinite().all(1)
    return score.masked_fill(undefined | broken, torch.nan)
