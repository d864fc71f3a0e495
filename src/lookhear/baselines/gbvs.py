"""Graph-based visual saliency: Harel, Koch and Perona, NIPS 2006, as their toolbox runs it.

Each pixel of a feature map is a node of a graph. A walk goes from node to node, the likelier the
nearer the other node is and the more its value differs; where it is most often found is *active*.
The active places of all feature maps, raised to a power that favours the maps with few of them,
add up to the saliency map.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lookhear.baselines import channels
from lookhear.baselines.pictures import FLAT_BELOW, Pictures, checked, fitted_size
from lookhear.baselines.pyramids import Planes, blurred, faded, planes, stretched
from lookhear.maps import Maps
from lookhear.metrics import resize_to

_LONGEST_SIDE = 32
# Of the pyramid: a quarter, an eighth and a sixteenth of the picture's size.
_LEVELS = 3
# Of the mean of the map's sides.
_REACH = 0.15
_POWER = 1.5
_FADING_BORDER = 4
# Of the map's longer side.
_BLUR = 0.02


def gbvs(pictures: Pictures, previous: Pictures | None = None) -> Maps:
    """Saliency of pictures or frames by graphs over their features.

    With the toolbox's default parameters: three DKL colour axes, intensity and four orientations,
    at a quarter, an eighth and a sixteenth of the picture's size, all of equal weight.

    Args:
        pictures: Of fewer than 128 pixels a side are enlarged first, as the toolbox refuses them.
        previous: The frames before them, of the same shape; flicker and four directions of
            motion then count, too. None for still pictures.

    Returns:
        `(B, h, w)` float32, 0 to 1, the longer side 32; 0 throughout where a picture is flat.

    Raises:
        ValueError: If the pictures are not such, or `previous` has another shape.
    """
    shown, shown_before = checked(pictures, previous)
    frames = planes(shown)
    size = fitted_size(frames.shape[2], frames.shape[3], _LONGEST_SIDE)
    levels = channels.coloured_pyramid(frames, _LEVELS)
    features = [resize_to(_features(level), *size) for level in levels]
    if shown_before is not None:
        before = channels.coloured_pyramid(planes(shown_before), _LEVELS)
        features += [
            resize_to(_changes(now, then), *size) for now, then in zip(levels, before, strict=True)
        ]
    contrasts = stretched(np.concatenate(features, 1), FLAT_BELOW).astype(np.float32)
    saliency = (activity(contrasts) ** _POWER).sum(1)
    saliency *= contrasts.max((1, 2, 3), keepdims=True)[:, 0] > 0
    smooth = blurred(stretched(faded(saliency, _FADING_BORDER)), _BLUR * max(size))
    return stretched(smooth).astype(np.float32)


def _features(level: Planes) -> Planes:
    return np.concatenate(
        [channels.dkl_colours(level), channels.intensity(level), channels.orientations(level)], 1
    )


def _changes(level: Planes, before: Planes) -> Planes:
    return np.concatenate([channels.flicker(level, before), channels.motion(level, before)], 1)


def activity(maps: Maps) -> Maps:
    """How often the walk over each map is at each place; sums to 1 over a map.

    The toolbox follows the walk step by step until it settles. But nodes differ from one another
    equally both ways, and a walk over an undirected graph is at a node in proportion to the sum of
    its edges' weights (Levin and Peres, "Markov chains and mixing times", section 1.6).

    Args:
        maps: `(B, K, h, w)` float32.

    Returns:
        `(B, K, h, w)` float32; the same everywhere where a map is flat.
    """
    height, width = maps.shape[-2:]
    values = maps.reshape(-1, height * width)
    weights, differences = np.empty_like(values), np.empty_like(values)
    # One place after the other, as its differences then stay in the processor's cache.
    for place, nearness in enumerate(_nearness(height, width)):
        np.subtract(values, values[:, place, np.newaxis], out=differences)
        np.abs(differences, out=differences)
        np.vecdot(differences, nearness, out=weights[:, place])
    total = weights.sum(1, keepdims=True)
    often = np.full_like(weights, 1 / (height * width))
    np.divide(weights, total, out=often, where=total > 0)
    return often.reshape(maps.shape)


@lru_cache(maxsize=8)
def _nearness(height: int, width: int) -> NDArray[np.float32]:
    """`(h w, h w)`: a Gaussian of the distance between two pixels."""
    sigma = _REACH * (height + width) / 2

    def along(size: int) -> NDArray[np.float64]:
        place = np.arange(size)
        return np.exp(-0.5 * ((place - place[:, np.newaxis]) / sigma) ** 2)

    return np.kron(along(height), along(width)).astype(np.float32)
