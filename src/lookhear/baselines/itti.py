"""Itti, Koch and Niebur, "A model of saliency-based visual attention", PAMI 20(11), 1998.

As the toolbox of GBVS runs it: a feature is as strong as a place differs from its surroundings,
which are the same place of the picture at a quarter of the size; a map with one high peak counts
for more than one with many.
"""

import numpy as np

from lookhear.baselines import channels
from lookhear.baselines.pictures import Pictures, checked, fitted_size
from lookhear.baselines.pyramids import Planes, faded, planes, stretched
from lookhear.maps import Maps
from lookhear.metrics import resize_to

# Levels of the pyramid: a quarter and an eighth of the picture's size.
_CENTRES = (0, 1)
_TO_SURROUND = 2
_LEVELS = max(_CENTRES) + _TO_SURROUND + 1
_SHRINKING = 8
_HIGHEST = 10.0
_LEAST_MAXIMUM = 1.0
_FADING_BORDER = 4


def itti_koch(pictures: Pictures, previous: Pictures | None = None) -> Maps:
    """Saliency of pictures or frames by differences of centre and surround.

    With the toolbox's default parameters: two opponent colours, intensity and four orientations,
    the three channels of equal weight. The toolbox's last step, a blur by 0.03 of the width that
    is not in the model but predicts eye movements better, is left out.

    Args:
        pictures: Of fewer than 128 pixels a side are enlarged first, as the toolbox refuses them.
        previous: The frames before them, of the same shape; flicker and four directions of
            motion are then two more channels. None for still pictures.

    Returns:
        `(B, h, w)` float32, 0 to 1, an eighth of the size of the picture, enlarged or not; 0
        throughout where a picture is flat.

    Raises:
        ValueError: If the pictures are not such, or `previous` has another shape.
    """
    shown, shown_before = checked(pictures, previous)
    frames = planes(shown)
    height, width = frames.shape[2:]
    size = fitted_size(height, width, round(max(height, width) / _SHRINKING))
    levels = channels.coloured_pyramid(frames, _LEVELS)
    of_still = channels.opponent_colours, channels.intensity, channels.orientations
    features = [[channel(level) for level in levels] for channel in of_still]
    if shown_before is not None:
        before = channels.coloured_pyramid(planes(shown_before), _LEVELS)
        features += [
            [channel(now, then) for now, then in zip(levels, before, strict=True)]
            for channel in (channels.flicker, channels.motion)
        ]
    saliency = np.sum([_conspicuity(channel, size) for channel in features], axis=0)
    return stretched(faded(saliency, _FADING_BORDER)).astype(np.float32)


def _conspicuity(levels: list[Planes], size: tuple[int, int]) -> Planes:
    """What stands out in a channel, `(B, h, w)`, given its feature maps of each level."""
    contrasts = []
    for centre in _CENTRES:
        surround = resize_to(levels[centre + _TO_SURROUND], *levels[centre].shape[-2:])
        contrasts.append(resize_to((levels[centre] - surround) ** 2, *size))
    weighted = weighted_by_peaks(np.concatenate(contrasts, 1)).sum(1, keepdims=True)
    return weighted_by_peaks(weighted)[:, 0]


def weighted_by_peaks(maps: Planes) -> Planes:
    """Stretch each map to run from 0 to 10; times the square of 10 less its mean local maximum.

    A maximum is at least 1, inside the border and no lower than its four neighbours. Where there
    is one only, it is 100 that the map is multiplied by, and where there is none, 1.

    Args:
        maps: `(..., h, w)`.

    Returns:
        `(..., h, w)`.
    """
    maps = stretched(maps) * _HIGHEST
    inside = maps[..., 1:-1, 1:-1]
    is_maximum = inside >= _LEAST_MAXIMUM
    for neighbour in (
        maps[..., :-2, 1:-1],
        maps[..., 2:, 1:-1],
        maps[..., 1:-1, :-2],
        maps[..., 1:-1, 2:],
    ):
        is_maximum &= inside >= neighbour
    count = is_maximum.sum((-2, -1), keepdims=True)
    mean = (inside * is_maximum).sum((-2, -1), keepdims=True) / np.maximum(count, 1)
    factor = np.where(count > 1, (_HIGHEST - mean) ** 2, np.where(count == 1, _HIGHEST**2, 1))
    return maps * factor
