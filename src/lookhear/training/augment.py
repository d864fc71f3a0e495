"""Chance variations of a batch of pictures and of where people looked in them."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import ColorJitter

from lookhear.nets.backbones import at_size

Batch: TypeAlias = dict[str, Tensor]


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

    Stills alone would leave a network without an idea of change, so a few pictures are also seen
    shifted and zoomed, the opposite way before and after.

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

    def moved(direction: int) -> Tensor:
        at = slice(moving)
        scales = scale[at] * zoom[at] ** direction
        theta = _affine(scales, shift[at] + direction * drift[at], mirror[at])
        return recolour(_view(pictures[at], theta, size))

    theta = _affine(scale, shift, mirror)
    return Views(
        target=recolour(_view(pictures, theta, size)),
        before=moved(-1),
        after=moved(1),
        density=_view(density[:, None], theta, (size[0] // 2, size[1] // 2), "zeros")[:, 0],
    )


@dataclass(frozen=True)
class Augmentation:
    """How much chance varies moments.

    Attributes:
        prepared_size: height and width to which frames are resized before they are cropped.
        smallest_crop: side of the smallest crop, as a share of the picture's; None for what is
            published: crops of the size wanted, cut pixel by pixel, nothing mirrored.
        jitter: most change of brightness, contrast, saturation and hue (turns).
        sound_noise: standard deviation of the noise that is added to log-spectrograms, which are
            also turned round in time; 0 leaves them as they are.
    """

    prepared_size: tuple[int, int]
    smallest_crop: float | None
    jitter: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 0.1)
    sound_noise: float = 0.0


def random_batch(batch: Batch, size: tuple[int, int], augmentation: Augmentation) -> Batch:
    """Vary a batch of `Moments`: cropped, mirrored, recoloured, turned round.

    All frames of a moment and of its partners are treated alike, and where people look in them,
    too.

    Returns:
        What the batch has of ``frames`` (B, M, F, 3, *size) in [0, 1], ``sound`` (B, M, F,
        frequencies, times), ``has_sound`` (B, M), ``tag`` (B,) and ``fixations`` (B, M, h, w).
    """
    varied = _wanted(batch)
    if "frames" in varied:
        count, smallest = len(varied["tag"]), augmentation.smallest_crop
        if smallest is None:
            theta = _cuts(varied["frames"], size)
        else:
            theta = _crops(smallest, count, varied["tag"].device)
        each = varied["frames"].shape[:-2]
        frames = _view(varied["frames"].flatten(1, -3), theta, size).view(*each, *size)
        recolour = ColorJitter(*augmentation.jitter)
        varied["frames"] = torch.stack([recolour(of_one) for of_one in frames])
        if "fixations" in varied:
            maps = varied["fixations"]
            varied["fixations"] = _view(maps, theta, (maps.shape[2], maps.shape[3]))
    if "sound" in varied and augmentation.sound_noise:
        sound = varied["sound"]
        turned = sound.roll(int(torch.randint(sound.shape[-1], ())), -1)
        varied["sound"] = turned + augmentation.sound_noise * torch.randn_like(sound)
    return varied


def _crops(smallest: float, count: int, device: torch.device) -> Tensor:
    """Crops of random size and place, half of them mirrored, as `_view` takes them."""
    side = smallest + (1 - smallest) * torch.rand(count, device=device)
    shift = (torch.rand(count, 2, device=device) * 2 - 1) * (1 - side[:, None])
    mirror = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    return _affine(side[:, None].expand(-1, 2), shift, mirror)


def _cuts(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Crops of that size at random pixels of frames (B, ..., H, W), as `_view` takes them."""
    count, device = len(frames), frames.device
    whole = torch.tensor(frames.shape[:-3:-1], device=device)  # x, y
    wanted = torch.tensor(size[::-1], device=device)
    corner = (torch.rand(count, 2, device=device) * (whole - wanted + 1)).floor()
    shift = (2 * corner + wanted - whole) / whole
    return _affine((wanted / whole).expand(count, 2), shift, torch.ones(count, device=device))


def plain_batch(batch: Batch, size: tuple[int, int]) -> Batch:
    """Give a batch of `Moments` as :func:`random_batch` does, but not varied."""
    plain = _wanted(batch)
    if "frames" in plain:
        frames = plain["frames"]
        plain["frames"] = at_size(frames.flatten(0, -4), size).view(*frames.shape[:-2], *size)
    return plain


def _wanted(batch: Batch) -> Batch:
    wanted = batch.keys() & {"frames", "sound", "has_sound", "tag", "fixations"}
    kept = {name: batch[name] for name in wanted}
    if "frames" in kept:
        kept["frames"] = kept["frames"].float() / 255
    return kept


def _affine(scale: Tensor, shift: Tensor, mirror: Tensor) -> Tensor:
    """What `_view` takes: scales and shifts (B, 2), x before y; -1 mirrors, 1 does not, (B,)."""
    theta = torch.zeros(len(scale), 2, 3, device=scale.device)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale[:, 0] * mirror, scale[:, 1], shift
    return theta


def _view(x: Tensor, theta: Tensor, size: tuple[int, int], outside: str = "reflection") -> Tensor:
    grid = F.affine_grid(theta, [len(x), 1, *size], align_corners=False)
    return F.grid_sample(x, grid, padding_mode=outside, align_corners=False)
