"""Steps that Itti-Koch and GBVS share: pyramids, borders, blurs and scaling.

They are those of the GBVS toolbox (J. Harel, 2012), which took some of them from the Saliency
Toolbox (D. Walther, 2006).
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.baselines.pictures import Pictures
from lookhear.metrics import resize_to

# Below it the toolbox refuses a picture: its small levels would be too small to tell apart.
_TOOLBOX_LEAST_SIDE = 128
# Sides of at most so many pixels are not halved again.
_SMALLEST_HALVED = 10
_HALVING_TAPS = (1.0, 5.0, 10.0, 10.0, 5.0, 1.0)
_TAPS_BEFORE = 2


def tensors(pictures: Pictures) -> Tensor:
    """Pictures `(B, H, W, 3)` as `(B, 3, H, W)`, enlarged to 128 pixels a side if need be."""
    of_channels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    height, width = of_channels.shape[2:]
    scale = _TOOLBOX_LEAST_SIDE / min(height, width)
    if scale <= 1:
        return of_channels.float()
    return resized(of_channels, round(height * scale), round(width * scale)).clamp(0, 1).float()


def resized(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps `(..., h, w)` as `(..., height, width)` float64, by `lookhear.metrics.resize_to`."""
    return torch.from_numpy(resize_to(maps.numpy(), height, width))


def pyramid(maps: Tensor, levels: int) -> list[Tensor]:
    """Maps `(B, C, H, W)` at a quarter of their size, at an eighth and so on."""
    smaller = [halved(halved(maps))]
    while len(smaller) < levels:
        smaller.append(halved(smaller[-1]))
    return smaller


def halved(maps: Tensor) -> Tensor:
    """Smooth maps `(B, C, H, W)` and keep every second pixel: `(B, C, H // 2, W // 2)`.

    Taps beyond the border do not count. Maps of which a side has no more than 10 pixels stay as
    they are.
    """
    if min(maps.shape[-2:]) <= _SMALLEST_HALVED:
        return maps
    return _halved_along(_halved_along(maps, 3), 2)


def stretched(maps: Tensor, flat_below: float = 1e-12) -> Tensor:
    """Stretch each map of `(..., h, w)` to run from 0 to 1.

    One that spans less than `flat_below`, which rounding may make of a flat map, becomes 0.
    """
    low = maps.amin((-2, -1), keepdim=True)
    span = maps.amax((-2, -1), keepdim=True) - low
    return torch.where(span > flat_below, (maps - low) / span.clamp(min=flat_below), 0.0)


def faded(maps: Tensor, border: int) -> Tensor:
    """Let maps `(..., h, w)` fade linearly over `border` pixels at each side.

    These are half of the shorter side at most.
    """
    height, width = maps.shape[-2:]
    border = min(border, height // 2, width // 2)
    return maps * _ramp(height, border).to(maps).unsqueeze(1) * _ramp(width, border).to(maps)


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Blur maps `(B, h, w)` by a Gaussian of so many pixels, cut at two sigma.

    Border pixels are repeated outwards.
    """
    radius = math.floor(2 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2).to(maps.dtype)
    kernel = kernel / kernel.sum()
    padded = F.pad(maps.unsqueeze(1), [radius] * 4, mode="replicate")
    along_y = F.conv2d(padded, kernel.view(1, 1, -1, 1))
    return F.conv2d(along_y, kernel.view(1, 1, 1, -1)).squeeze(1)


def _halved_along(maps: Tensor, axis: int) -> Tensor:
    lines = maps.movedim(axis, -1)
    weights = _every_second(lines.new_ones(lines.shape[-1]))
    return (_every_second(lines) / weights).movedim(-1, axis)


def _every_second(lines: Tensor) -> Tensor:
    """Weighted sums around every second value of lines `(..., n)`, 0 beyond their ends."""
    size = lines.shape[-1] // 2
    padded = F.pad(lines, [_TAPS_BEFORE, _TAPS_BEFORE])
    # Several times faster than a convolution, or a product with a matrix of zeros for the most.
    total = lines.new_zeros(1)
    for first, tap in enumerate(_HALVING_TAPS):
        total = torch.add(total, padded[..., first : first + 2 * size : 2], alpha=tap)
    return total


@lru_cache(maxsize=64)
def _ramp(size: int, border: int) -> Tensor:
    """`(size,)` float32: 1, but for `border` values rising from 0 at each end."""
    inside = torch.minimum(torch.arange(size), torch.arange(size).flip(0)) + 1
    return (inside / (border + 1)).clamp(max=1)
