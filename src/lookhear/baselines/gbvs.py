"""Graph-based visual saliency: Harel, Koch and Perona, NIPS 2006, as their toolbox runs it.

Each pixel of a feature map is a node of a graph. A walk goes from node to node, the likelier the
nearer the other node is and the more its value differs; where it is most often found is *active*.
The active places of all feature maps, raised to a power that favours the maps with few of them,
add up to the saliency map.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lookhear.baselines import channels
from lookhear.baselines.pictures import FLAT_BELOW, Pictures, checked, fitted_size
from lookhear.baselines.pyramids import blurred, faded, resized, stretched, tensors
from lookhear.maps import Maps

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
    frames = tensors(shown)
    size = fitted_size(frames.shape[2], frames.shape[3], _LONGEST_SIDE)
    levels = channels.coloured_pyramid(frames, _LEVELS)
    features = [resized(_features(level), *size) for level in levels]
    if shown_before is not None:
        before = channels.coloured_pyramid(tensors(shown_before), _LEVELS)
        features += [
            resized(_changes(now, then), *size) for now, then in zip(levels, before, strict=True)
        ]
    contrasts = stretched(torch.cat(features, 1), FLAT_BELOW).float()
    saliency = (activity(contrasts) ** _POWER).sum(1)
    saliency = saliency * contrasts.flatten(1).any(1).view(-1, 1, 1)
    smooth = blurred(stretched(faded(saliency, _FADING_BORDER)), _BLUR * max(size))
    return np.asarray(stretched(smooth).numpy(), np.float32)


def _features(level: Tensor) -> Tensor:
    return torch.cat(
        [channels.dkl_colours(level), channels.intensity(level), channels.orientations(level)], 1
    )


def _changes(level: Tensor, before: Tensor) -> Tensor:
    return torch.cat([channels.flicker(level, before), channels.motion(level, before)], 1)


def activity(maps: Tensor) -> Tensor:
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
    nearness = _nearness(height, width).to(maps)
    weights = maps.new_empty(maps.shape[0] * maps.shape[1], height * width)
    # One map after the other, as its differences then stay in the processor's cache.
    for values, of_map in zip(maps.flatten(0, 1).flatten(1), weights, strict=True):
        differences = (values - values.unsqueeze(1)).abs_()
        of_map.copy_(torch.linalg.vecdot(differences, nearness))
    total = weights.sum(1, keepdim=True)
    often = torch.where(total > 0, weights / total, 1 / weights.shape[1])
    return often.view_as(maps)


@lru_cache(maxsize=8)
def _nearness(height: int, width: int) -> Tensor:
    """`(h w, h w)` float32: a Gaussian of the distance between two pixels."""
    sigma = _REACH * (height + width) / 2
    y, x = (torch.arange(side).float() for side in (height, width))

    def along(place: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((place - place.unsqueeze(1)) / sigma) ** 2)

    return torch.kron(along(y), along(x))
