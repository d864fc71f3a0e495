"""Steps that Itti-Koch and GBVS share: pyramids, borders, blurs and scaling.

They are those of the GBVS toolbox (J. Harel, 2012), which took some of them from the Saliency
Toolbox (D. Walther, 2006).
"""

import math
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.baselines.pictures import Pictures
from lookhear.metrics import resize_to

Planes: TypeAlias = NDArray[np.floating]
"""Maps `(..., h, w)`, float32 or float64."""

# Below it the toolbox refuses a picture: its small levels would be too small to tell apart.
_TOOLBOX_LEAST_SIDE = 128
# Sides of at most so many pixels are not halved again.
_SMALLEST_HALVED = 10
_HALVING_TAPS = np.array([1, 5, 10, 10, 5, 1], np.float32)
_TAPS_BEFORE = 2


def planes(pictures: Pictures) -> Planes:
    """Pictures `(B, H, W, 3)` as `(B, 3, H, W)` float32, of 128 pixels a side at least.

    Smaller ones are enlarged.
    """
    of_colours = np.moveaxis(pictures, 3, 1)
    height, width = of_colours.shape[2:]
    scale = _TOOLBOX_LEAST_SIDE / min(height, width)
    if scale > 1:
        enlarged = resize_to(of_colours, round(height * scale), round(width * scale))
        of_colours = enlarged.clip(0, 1)
    return np.ascontiguousarray(of_colours, np.float32)


def pyramid(maps: Planes, levels: int) -> list[Planes]:
    """Maps `(B, C, H, W)` at a quarter of their size, at an eighth and so on."""
    smaller = [halved(halved(maps))]
    while len(smaller) < levels:
        smaller.append(halved(smaller[-1]))
    return smaller


def halved(maps: Planes) -> Planes:
    """Smooth maps `(B, C, H, W)` and keep every second pixel: `(B, C, H // 2, W // 2)`.

    Taps beyond the border do not count. Maps of which a side has no more than 10 pixels stay as
    they are.
    """
    height, width = maps.shape[-2:]
    if min(height, width) <= _SMALLEST_HALVED:
        return maps
    sums = np.empty((*maps.shape[:-2], height // 2, width // 2), maps.dtype)
    for of in np.ndindex(maps.shape[:-2]):
        sums[of] = _every_second(maps[of])
    return sums / _every_second(np.ones((height, width), maps.dtype))


def stretched(maps: Planes, flat_below: float = 1e-12) -> Planes:
    """Stretch each map of `(..., h, w)` to run from 0 to 1.

    One that spans less than `flat_below`, which rounding may make of a flat map, becomes 0.
    """
    low = maps.min((-2, -1), keepdims=True)
    span = maps.max((-2, -1), keepdims=True) - low
    return np.where(span > flat_below, (maps - low) / np.maximum(span, flat_below), 0)


def faded(maps: Planes, border: int) -> Planes:
    """Let maps `(..., h, w)` fade linearly over `border` pixels at each side.

    These are half of the shorter side at most.
    """
    height, width = maps.shape[-2:]
    border = min(border, height // 2, width // 2)
    return maps * _ramp(height, border)[:, np.newaxis] * _ramp(width, border)


def blurred(maps: Planes, sigma: float) -> Planes:
    """Blur maps `(B, h, w)` by a Gaussian of so many pixels, cut at two sigma.

    Border pixels are repeated outwards.
    """
    taps = 2 * math.floor(2 * sigma + 0.5) + 1
    smooth = np.empty_like(maps)
    for of in range(len(maps)):
        smooth[of] = cv2.GaussianBlur(
            maps[of], (taps, taps), sigma, borderType=cv2.BORDER_REPLICATE
        )
    return smooth


def _every_second(plane: Planes) -> Planes:
    """Weighted sums around every second pixel of `(h, w)`, 0 beyond its border."""
    height, width = (side // 2 * 2 for side in plane.shape)
    # Faster than to sum by NumPy around those pixels alone.
    sums = cv2.sepFilter2D(
        plane,
        -1,
        _HALVING_TAPS,
        _HALVING_TAPS,
        anchor=(_TAPS_BEFORE, _TAPS_BEFORE),
        borderType=cv2.BORDER_CONSTANT,
    )
    return np.asarray(sums[:height:2, :width:2])


@lru_cache(maxsize=64)
def _ramp(size: int, border: int) -> NDArray[np.float32]:
    """`(size,)`: 1, but for `border` values rising from 0 at each end."""
    inside = np.arange(1, size + 1)
    nearest = np.minimum(inside, inside[::-1])
    return np.minimum(nearest / (border + 1), 1).astype(np.float32)
