"""Where the world's things are: a background with clutter, a camera that drifts, changing light.

Places are in pixels of the picture as the camera sees it at rest, the centre of the first being
(0, 0); what is at (x, y) of the stage is seen at (x, y) less where the camera is.
"""

import cv2
import numpy as np
from numpy.random import Generator

from lookhear.data.world.canvas import Floats, clouds
from lookhear.data.world.clutter import strew
from lookhear.data.world.grounds import GROUNDS
from lookhear.media.picture import Picture

MARGIN = 22, 14  # of the stage beyond each side of the picture, across and down
CLUTTER = 10, 26  # fewest and most pieces
COLOUR, CONTRAST = 0.35, 0.7  # that are left to ground and clutter

DRIFT_HERTZ = 0.05, 0.11  # slowest and fastest
TREMBLE_HERTZ, TREMBLE = 0.8, 0.8  # of a hand that holds the camera; pixels
LIGHT_HERTZ = 0.06, 0.2
BRIGHTER, WARMER = 0.09, 0.05  # at most, as a share, and the same the other way


class Stage:
    """A background of its own for every chance.

    Args:
        chance: decides all of it.
        width: of the picture, in pixels.
        height: likewise.
    """

    def __init__(self, chance: Generator, width: int, height: int) -> None:
        self._size = width, height
        ground = GROUNDS[list(GROUNDS)[chance.integers(len(GROUNDS))]]
        x, y = np.meshgrid(
            np.arange(-MARGIN[0], width + MARGIN[0], dtype=np.float64),
            np.arange(-MARGIN[1], height + MARGIN[1], dtype=np.float64),
        )
        painted = ground.paint(x, y, chance)
        painted *= 1 + 0.08 * clouds(chance, x.shape, 3, 5)[..., np.newaxis]
        picture = np.asarray(255 * painted.clip(0, 1) + 0.5, np.uint8)
        pieces = int(chance.integers(CLUTTER[0], CLUTTER[1] + 1))
        strew(picture, ground.clutter, pieces, ground.top * len(y), chance)
        self._picture = _muted(picture)

        self._reach = np.array(MARGIN) - 2 * TREMBLE
        self._drift = _Swing(chance, 2, DRIFT_HERTZ)
        self._tremble = _Swing(chance, 2, (0.7 * TREMBLE_HERTZ, TREMBLE_HERTZ))
        self._light = _Swing(chance, 2, LIGHT_HERTZ)
        self._colour = np.array(ground.lights[chance.integers(len(ground.lights))])

    def camera(self, time: float) -> tuple[float, float]:
        """Where the camera has drifted to at a time, in seconds: x and y, within the margin."""
        x, y = self._reach * self._drift(time) + TREMBLE * self._tremble(time)
        return float(x), float(y)

    def view(self, time: float) -> Picture:
        """What the camera sees at a time, in seconds: RGB (height, width, 3) uint8."""
        x, y = self.camera(time)
        width, height = self._size
        middle = x + MARGIN[0] + (width - 1) / 2, y + MARGIN[1] + (height - 1) / 2
        return np.asarray(cv2.getRectSubPix(self._picture, self._size, middle), np.uint8)

    def light(self, frame: Picture, time: float) -> Picture:
        """Light up a view, and what was laid over it, as at a time in seconds.

        Args:
            frame: RGB (height, width, 3) uint8; left as it is.
            time: seconds.
        """
        brighter, warmer = self._light(time) * (BRIGHTER, WARMER)
        gain = self._colour * (1 + brighter) * (1 + warmer, 1.0, 1 - warmer)
        levels = np.arange(256)[:, np.newaxis] * gain + 0.5
        table = levels.clip(0, 255).astype(np.uint8)[np.newaxis]
        return np.asarray(cv2.LUT(frame, table), np.uint8)


def _muted(picture: Picture) -> Picture:
    """Take colour and contrast from a picture, so that what is laid over it is the more vivid."""
    pixels = picture.astype(np.float32)
    grey = pixels.mean(2, keepdims=True)
    mean = grey.mean()
    muted = mean + CONTRAST * (grey - mean) + COLOUR * (pixels - grey)
    return np.asarray(muted.clip(0, 255) + 0.5, np.uint8)


class _Swing:
    """Numbers that go smoothly to and fro between -1 and 1, each at its own pace."""

    def __init__(self, chance: Generator, count: int, hertz: tuple[float, float]) -> None:
        self._paces = 2 * np.pi * chance.uniform(*hertz, (2, count)) * [[1.0], [1.7]]
        self._phases = chance.uniform(0, 2 * np.pi, (2, count))

    def __call__(self, time: float) -> Floats:
        waves = np.sin(self._paces * time + self._phases)
        return np.asarray(0.65 * waves[0] + 0.35 * waves[1], np.float64)
