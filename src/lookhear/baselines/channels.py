"""The feature channels of Itti-Koch and GBVS, as the GBVS toolbox computes them.

A channel turns a level of a pyramid of pictures, `(B, 4, h, w)` red, green, blue and intensity,
into its feature maps `(B, K, h, w)`; flicker and motion also take the level of the frame before.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.baselines.pyramids import faded, pyramid

ANGLES = (0, 45, 90, 135)
"""Degrees, of the edges that orientation and of the ways that motion tells apart."""

_GABOR_SIGMA_ACROSS, _GABOR_SIGMA_ALONG = 2.0, 4.0
_GABOR_RADIUS = math.ceil(_GABOR_SIGMA_ALONG * math.sqrt(10))
_GABOR_PERIOD = math.pi
_FADING_BORDER = 13

# Light of a monitor's red, green and blue phosphor at the values 0, 5, 10, ..., 255 of a pixel.
# fmt: off
_PHOSPHORS = (
    (.024935, .02513, .025649, .026136, .026623, .027597, .028896, .029935, .031623, .034286,
     .037662, .042468, .049416, .058442, .068182, .07987, .091558, .1039, .11883, .13506,
     .15325, .17338, .19675, .22078, .2474, .27532, .30649, .33701, .36818, .3987,
     .42987, .46169, .49286, .51883, .54675, .57208, .59545, .62143, .64351, .66883,
     .68831, .70779, .72727, .75325, .77273, .7987, .83117, .85714, .88961, .92208,
     .95455, 1.),
    (.0076954, .0079158, .0082966, .0088978, .0096994, .010802, .011764, .013287, .01517, .017856,
     .022044, .028056, .036072, .046493, .057715, .069739, .082766, .096994, .11343, .13106,
     .1507, .17315, .19719, .22244, .2505, .28056, .31263, .34469, .37675, .40882,
     .44088, .47094, .501, .53106, .55912, .58517, .60922, .63327, .65731, .67735,
     .69739, .72144, .73948, .75952, .78156, .80762, .83367, .85972, .89178, .92585,
     .96192, 1.),
    (.042291, .042566, .042841, .043392, .043943, .044934, .046366, .047797, .050441, .053414,
     .058811, .064978, .074119, .085903, .096366, .10914, .12225, .13767, .15529, .17401,
     .19493, .21806, .24229, .26872, .29626, .32599, .35793, .38767, .4174, .44604,
     .47577, .5033, .52863, .55507, .57819, .60242, .62225, .64648, .6685, .68943,
     .71035, .72907, .7511, .77093, .79626, .82159, .84802, .87225, .90198, .93943,
     .96696, 1.),
)
# fmt: on
# What red, green and blue phosphor at full light add to the long, middle and short cones, and
# what the cones are adapted to.
_CONES = ((18.32535, 44.60077, 7.46216), (4.09544, 28.20135, 6.66066), (0.02114, 0.10325, 1.05258))
_ADAPTED_TO = (34.9185389578, 19.3147966765, 0.5856108185)


def coloured_pyramid(pictures: Tensor, levels: int) -> list[Tensor]:
    """Levels `(B, 4, h, w)` of pictures `(B, 3, H, W)`: red, green, blue and their maximum.

    The first is a quarter of the picture's size, the next an eighth and so on.
    """
    return pyramid(torch.cat([pictures, pictures.amax(1, keepdim=True)], 1), levels)


def intensity(level: Tensor) -> Tensor:
    """The brightest of red, green and blue: `(B, 1, h, w)`."""
    return level[:, 3:]


def opponent_colours(level: Tensor) -> Tensor:
    """Blue against yellow and red against green, each over the intensity: `(B, 2, h, w)`.

    Itti, Koch and Niebur, PAMI 20(11), 1998, without their signs.
    """
    red, green, blue, light = level.unbind(1)
    opponents = torch.stack([blue - torch.minimum(red, green), red - green], 1).abs()
    return torch.where(light.unsqueeze(1) > 0, opponents / light.unsqueeze(1), 0.0)


def dkl_colours(level: Tensor) -> Tensor:
    """Luminance, red against green and blue against yellow: `(B, 3, h, w)`.

    The axes along which cells of the lateral geniculate nucleus respond (Derrington, Krauskopf and
    Lennie, J. Physiology 357, 1984), on a monitor whose light the toolbox tabulates. Each is given
    up to its length and origin, to which nothing that follows is sensitive.
    """
    # The toolbox rounds up to a row of its table. The margin keeps a whole value with a rounding
    # error in it from being rounded up, too.
    rows = (level[:, :3] * 255 - 1e-3).ceil().long().clamp(1, 256) - 1
    tables = _dkl_tables().to(level)
    of_phosphors = [tables[phosphor, rows[:, phosphor]] for phosphor in range(3)]
    return torch.stack(of_phosphors).sum(0).movedim(-1, 1)


def orientations(level: Tensor) -> Tensor:
    """How much of an edge or a line at each of `ANGLES` there is: `(B, 4, h, w)`.

    The sum of the magnitudes of an even and an odd Gabor filter's answers to the intensity.
    """
    light = intensity(level)
    # The filters sum to 0 but for rounding, which a flat picture would show.
    light = light - light.mean((-2, -1), keepdim=True)
    padded = F.pad(light, [_GABOR_RADIUS] * 4, mode="replicate")
    even, odd = F.conv2d(padded, _gabors().to(level)).abs().chunk(2, dim=1)
    return faded(even + odd, _FADING_BORDER)


def flicker(level: Tensor, before: Tensor) -> Tensor:
    """How much the intensity has changed: `(B, 1, h, w)`."""
    return (intensity(level) - intensity(before)).abs()


def motion(level: Tensor, before: Tensor) -> Tensor:
    """How much of a motion along each of `ANGLES` there is: `(B, 4, h, w)`.

    Reichardt's detector: what is here now and was a pixel further, less what was here and is now a
    pixel further (Itti, Dhavale and Pighin, SPIE 5200, 2003).
    """
    now, then = intensity(level), intensity(before)
    return (now * _shifted(then) - then * _shifted(now)).abs()


def _shifted(light: Tensor) -> Tensor:
    """`(B, 1, h, w)` as seen a pixel further along each of `ANGLES`: `(B, 4, h, w)`."""
    return F.conv2d(F.pad(light, [1] * 4, mode="replicate"), _shifts().to(light))


@lru_cache
def _dkl_tables() -> Tensor:
    """`(3, 256, 3)` float32: what each value of red, green and blue adds to each DKL axis."""
    knots = np.arange(0, 256, 5)
    light = np.stack([np.interp(np.arange(256), knots, values) for values in _PHOSPHORS])
    long, middle, short = (
        np.outer(of_phosphors, np.ones(256)) * light for of_phosphors in np.array(_CONES)
    )
    l0, m0, s0 = _ADAPTED_TO
    luminance = (long + middle) / (l0 + m0)
    axes = luminance, long / l0 - middle / m0, short / s0 - luminance
    return torch.from_numpy(np.stack(axes, axis=-1)).float()


@lru_cache
def _gabors() -> Tensor:
    """`(8, 1, k, k)` float32: the even filters of `ANGLES`, then the odd ones; sum 0, norm 1."""
    place = torch.arange(-_GABOR_RADIUS, _GABOR_RADIUS + 1, dtype=torch.float64)
    y, x = place.unsqueeze(1), place
    filters = []
    for phase in (0, math.pi / 2):
        for angle in map(math.radians, ANGLES):
            across = y * math.cos(angle) - x * math.sin(angle)
            along = y * math.sin(angle) + x * math.cos(angle)
            wave = torch.cos(2 * math.pi / _GABOR_PERIOD * across + phase)
            envelope = (across / _GABOR_SIGMA_ACROSS) ** 2 + (along / _GABOR_SIGMA_ALONG) ** 2
            gabor = wave * torch.exp(-0.5 * envelope)
            gabor = gabor - gabor.mean()
            filters.append(gabor / gabor.norm())
    return torch.stack(filters).unsqueeze(1).float()


@lru_cache
def _shifts() -> Tensor:
    """`(4, 1, 3, 3)` float32: look a pixel further along each of `ANGLES`, bilinearly."""
    place = torch.tensor([-1.0, 0.0, 1.0])

    def nearness(offset: float) -> Tensor:
        return (1 - (place - offset).abs()).clamp(min=0)

    further = [(-math.sin(angle), math.cos(angle)) for angle in map(math.radians, ANGLES)]
    return torch.stack([torch.outer(nearness(y), nearness(x)) for y, x in further]).unsqueeze(1)
