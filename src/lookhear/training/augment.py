"""Chance variations of a batch of pictures and of where people looked in them."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import ColorJitter


class Views(NamedTuple):
    """One view of each picture, and of the first M also how it looked just before and after.

    Attributes:
        target: (B, 3, H, W), in [0, 1].
        before, after: (M, 3, H, W): the target as a drifting camera sees it.
        density: (B, H / 2, W / 2), of the target.
    """

    target: Tensor
    before: Tensor
    after: Tensor
    density: Tensor


def random_views(
    pictures: Tensor,
    density: Tensor,
    size: tuple[int, int],
    *,
    smallest_crop: float,
    moving: int,
) -> Views:
    """Crop, stretch, mirror and recolour at random.

    Stills alone would leave the time gate without an idea of change, so a few pictures are also
    seen shifted and zoomed, the opposite way before and after.

    Args:
        pictures: (B, 3, h, w), in [0, 1].
        density: (B, h', w'), not negative.
        size: of the views, in pixels.
        smallest_crop: side of the smallest crop, as a share of the picture's.
        moving: how many pictures (M) move.
    """
    batch, device = len(pictures), pictures.device

    def spread(width: float, *shape: int) -> Tensor:
        return (torch.rand(batch, *shape, device=device) * 2 - 1) * width

    side = smallest_crop + (1 - smallest_crop) * torch.rand(batch, device=device)
    stretch = torch.exp(spread(0.15))
    scale = torch.stack([side * stretch, side / stretch], 1).clamp(max=1)  # B, 2: x, y
    shift = spread(1, 2) * (1 - scale)
    mirror = torch.where(torch.rand(batch, device=device) < 0.5, -1.0, 1.0)
    drift = spread(0.1, 2)
    zoom = torch.exp(spread(0.05, 1))
    contrast, saturation = 1 + spread(0.3, 1, 1, 1), 1 + spread(0.45, 1, 1, 1)
    brightness = (1 + spread(0.3, 1, 1, 1)) * (1 + spread(0.08, 3, 1, 1))

    def recolour(x: Tensor) -> Tensor:
        x = x * brightness[: len(x)]
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * contrast[: len(x)] + mean
        grey = x.mean(1, keepdim=True)
        return ((x - grey) * saturation[: len(x)] + grey).clamp(0, 1)

    def view(
        x: Tensor, scale: Tensor, shift: Tensor, size: tuple[int, int], outside: str
    ) -> Tensor:
        affine = torch.zeros(len(x), 2, 3, device=device)
        affine[:, 0, 0] = scale[:, 0] * mirror[: len(x)]
        affine[:, 1, 1] = scale[:, 1]
        affine[:, :, 2] = shift
        grid = F.affine_grid(affine, [len(x), 1, *size], align_corners=False)
        return F.grid_sample(x, grid, padding_mode=outside, align_corners=False)

    def moved(direction: int) -> Tensor:
        at = slice(moving)
        scales = scale[at] * zoom[at] ** direction
        shifts = shift[at] + direction * drift[at]
        return recolour(view(pictures[at], scales, shifts, size, "reflection"))

    return Views(
        target=recolour(view(pictures, scale, shift, size, "reflection")),
        before=moved(-1),
        after=moved(1),
        density=view(density[:, None], scale, shift, (size[0] // 2, size[1] // 2), "zeros")[:, 0],
    )


def random_moments(
    frames: Tensor, size: tuple[int, int], *, smallest_crop: float, jitter: tuple[float, ...]
) -> Tensor:
    """Crop, mirror and recolour moments at random, all frames of one alike.

    Args:
        frames: (B, F, 3, h, w), in [0, 1].
        size: of the result, in pixels.
        smallest_crop: side of the smallest crop, as a share of the picture's.
        jitter: most change of brightness, contrast, saturation and hue (turns); (0.3, 0.3, 0.3,
            0.1) in the paper.

    Returns:
        (B, F, 3, *size), in [0, 1].
    """
    batch, count = frames.shape[:2]
    device = frames.device
    side = smallest_crop + (1 - smallest_crop) * torch.rand(batch, device=device)
    shift = (torch.rand(batch, 2, device=device) * 2 - 1) * (1 - side[:, None])
    mirror = torch.where(torch.rand(batch, device=device) < 0.5, -1.0, 1.0)
    theta = torch.zeros(batch, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = side * mirror, side, shift
    theta = theta.repeat_interleave(count, 0)
    grid = F.affine_grid(theta, [batch * count, 3, *size], align_corners=False)
    cropped = F.grid_sample(
        frames.flatten(0, 1), grid, padding_mode="reflection", align_corners=False
    )
    brightness, contrast, saturation, hue = jitter
    recolour = ColorJitter(brightness, contrast, saturation, hue)
    moments = cropped.view(batch, count, *cropped.shape[1:])
    return torch.stack([recolour(moment) for moment in moments])
