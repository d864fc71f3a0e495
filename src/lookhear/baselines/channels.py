"""The feature channels of Itti-Koch and GBVS, as the GBVS toolbox computes them.

A channel turns a level of a pyramid of pictures, `(B, 4, h, w)` red, green, blue and intensity,
into its feature maps `(B, K, h, w)`; flicker and motion also take the level of the frame before.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.baselines.pyramids import Planes, faded, pyramid

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


def coloured_pyramid(pictures: Planes, levels: int) -> list[Planes]:
    """Levels `(B, 4, h, w)` of pictures `(B, 3, H, W)`: red, green, blue and their maximum.

    The first is a quarter of the picture's size, the next an eighth and so on.
    """
    return pyramid(np.concatenate([pictures, pictures.max(1, keepdims=True)], 1), levels)


def intensity(level: Planes) -> Planes:
    """The brightest of red, green and blue: `(B, 1, h, w)`."""
    return level[:, 3:]


def opponent_colours(level: Planes) -> Planes:
    """Blue against yellow and red against green, each over the intensity: `(B, 2, h, w)`.

    Itti, Koch and Niebur, PAMI 20(11), 1998, without their signs.
    """
    red, green, blue = level[:, 0], level[:, 1], level[:, 2]
    opponents = np.abs(np.stack([blue - np.minimum(red, green), red - green], 1))
    light, of_light = intensity(level), np.zeros_like(opponents)
    np.divide(opponents, light, out=of_light, where=light > 0)
    return of_light


def dkl_colours(level: Planes) -> Planes:
    """Luminance, red against green and blue against yellow: `(B, 3, h, w)` float32.

    The axes along which cells of the lateral geniculate nucleus respond (Derrington, Krauskopf and
    Lennie, J. Physiology 357, 1984), on a monitor whose light the toolbox tabulates. Each is given
    up to its length and origin, to which nothing that follows is sensitive.
    """
    # The toolbox rounds up to a row of its table. The margin keeps a whole value with a rounding
    # error in it from being rounded up, too.
    rows = np.ceil(level[:, :3] * 255 - 1e-3).astype(np.intp).clip(1, 256) - 1
    of_phosphors = [table.take(rows[:, i], axis=1) for i, table in enumerate(_dkl_tables())]
    axes: Planes = np.sum(of_phosphors, axis=0)
    return axes.swapaxes(0, 1)


def orientations(level: Planes) -> Planes:
    """How much of an edge or a line at each of `ANGLES` there is: `(B, 4, h, w)`.

    The sum of the magnitudes of an even and an odd Gabor filter's answers to the intensity.
    """
    light = intensity(level)
    # The filters sum to 0 but for rounding, which a flat picture would show.
    light = light - light.mean((-2, -1), keepdims=True)
    even, odd = np.split(np.abs(_answers(light, _gabors())), 2, axis=1)
    return faded(even + odd, _FADING_BORDER)


def flicker(level: Planes, before: Planes) -> Planes:
    """How much the intensity has changed: `(B, 1, h, w)`."""
    return np.abs(intensity(level) - intensity(before))


def motion(level: Planes, before: Planes) -> Planes:
    """How much of a motion along each of `ANGLES` there is: `(B, 4, h, w)`.

    Reichardt's detector: what is here now and was a pixel further, less what was here and is now a
    pixel further (Itti, Dhavale and Pighin, SPIE 5200, 2003).
    """
    now, then = intensity(level), intensity(before)
    return np.abs(now * _answers(then, _shifts()) - then * _answers(now, _shifts()))


def _answers(light: Planes, filters: NDArray[np.float32]) -> Planes:
    """Of each filter `(K, k, k)` to `(B, 1, h, w)`, its border repeated: `(B, K, h, w)`."""
    answers = np.empty((len(light), len(filters), *light.shape[2:]), light.dtype)
    for one, of in np.ndindex(answers.shape[:2]):
        answers[one, of] = cv2.filter2D(
            light[one, 0], -1, filters[of], borderType=cv2.BORDER_REPLICATE
        )
    return answers


@lru_cache
def _dkl_tables() -> NDArray[np.float32]:
    """`(3, 3, 256)`: what red, green and blue add to each DKL axis, by their values."""
    knots = np.arange(0, 256, 5)
    light = np.stack([np.interp(np.arange(256), knots, values) for values in _PHOSPHORS])
    long, middle, short = (of_phosphors[:, np.newaxis] * light for of_phosphors in np.array(_CONES))
    l0, m0, s0 = _ADAPTED_TO
    luminance = (long + middle) / (l0 + m0)
    axes = luminance, long / l0 - middle / m0, short / s0 - luminance
    return np.stack(axes, axis=1).astype(np.float32)


@lru_cache
def _gabors() -> NDArray[np.float32]:
    """`(8, k, k)`: the even filters of `ANGLES`, then the odd ones; sum 0, norm 1."""
    y, x = np.mgrid[-_GABOR_RADIUS : _GABOR_RADIUS + 1, -_GABOR_RADIUS : _GABOR_RADIUS + 1]
    filters = []
    for phase in (0, math.pi / 2):
        for angle in map(math.radians, ANGLES):
            across = y * math.cos(angle) - x * math.sin(angle)
            along = y * math.sin(angle) + x * math.cos(angle)
            wave = np.cos(2 * math.pi / _GABOR_PERIOD * across + phase)
            envelope = (across / _GABOR_SIGMA_ACROSS) ** 2 + (along / _GABOR_SIGMA_ALONG) ** 2
            gabor = wave * np.exp(-0.5 * envelope)
            gabor -= gabor.mean()
            filters.append(gabor / np.sqrt((gabor**2).sum()))
    return np.stack(filters).astype(np.float32)


@lru_cache
def _shifts() -> NDArray[np.float32]:
    """`(4, 3, 3)`: look a pixel further along each of `ANGLES`, bilinearly."""

    def nearness(offset: float) -> NDArray[np.float64]:
        return (1 - np.abs(np.array([-1.0, 0.0, 1.0]) - offset)).clip(min=0)

    further = [(-math.sin(angle), math.cos(angle)) for angle in map(math.radians, ANGLES)]
    return np.stack([np.outer(nearness(y), nearness(x)) for y, x in further]).astype(np.float32)
