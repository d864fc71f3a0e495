"""Panels side by side: those of a frame, each under its label, or the moments of a clip."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.maps import Maps, Peak
from lookhear.media import Planes
from lookhear.show.heat import Pixels, blend_rgb, mark, thumbnail
from lookhear.show.lettering import lettered
from lookhear.words import time_label

GROUND, LETTERS = 20, 225  # grey
LEAST_LETTER_SIZE, LETTERS_IN_PANEL = 12, 24
HEADROOM = 2.0  # sizes of the letters
GAPS_IN_BOARD = 240
Y_OF_BLACK, Y_RANGE, NO_CHROMA = 16, 219, 128  # of limited range


class Board:
    """How the panels of a clip stand side by side, the same for each of its frames.

    Attributes:
        panel: height and width of a panel, even unless there is only one, as large as the clip.
        size: height and width of the board.
        count: of panels.
    """

    def __init__(self, size: tuple[int, int], names: Sequence[str], width: int) -> None:
        """Lay out a clip's (height, width) once for each name, of which a lone one is not written.

        The board is at most so many pixels wide: panels shrink to it.
        """
        self.count = count = len(names)
        gap = _even(width / GAPS_IN_BOARD)
        room = (width - gap * (count - 1)) / count
        self.panel = size
        if count > 1 or size[1] > width:
            scale = min(1, room / size[1])
            self.panel = _even(scale * size[0]), _even(scale * size[1])
        letter_size = max(LEAST_LETTER_SIZE, self.panel[1] // LETTERS_IN_PANEL)
        top = _even(HEADROOM * letter_size) if count > 1 else 0
        step = self.panel[1] + gap
        self.size = top + self.panel[0], step * count - gap
        self._places = [(top, step * index) for index in range(count)]
        self._ground = np.full(self.size, GROUND, np.uint8)
        for name, (_, left) in zip(names if top else (), self._places, strict=False):
            text = lettered(name, letter_size, self.panel[1] - letter_size)
            above, left = (top - len(text)) // 2, left + letter_size // 2
            covered = self._ground[above : above + len(text), left : left + text.shape[1]]
            covered += (text / 255 * (LETTERS - GROUND)).astype(np.uint8)

    def rgb(self, panels: Sequence[Pixels]) -> Pixels:
        """Put panels, (H, W, 3) uint8 RGB each, on the board: (H', W', 3)."""
        return self._filled(np.repeat(self._ground[..., np.newaxis], 3, axis=2), panels)

    def planes(self, panels: Sequence[Planes]) -> Planes:
        """Put panels, each uint8 y, u and v, 4:2:0 and limited range, on the board."""
        if len(panels) == 1:
            return panels[0]
        luma = (Y_OF_BLACK + self._ground * (Y_RANGE / 255)).astype(np.uint8)
        chroma = np.full((self.size[0] // 2, self.size[1] // 2), NO_CHROMA, np.uint8)
        y, u, v = zip(*panels, strict=True)
        return (
            self._filled(luma, y),
            self._filled(chroma.copy(), u, shrunk=2),
            self._filled(chroma, v, shrunk=2),
        )

    def _filled(
        self, ground: NDArray[np.uint8], panels: Sequence[Pixels], shrunk: int = 1
    ) -> NDArray[np.uint8]:
        for (top, left), panel in zip(self._places, panels, strict=True):
            rows = slice(top // shrunk, top // shrunk + panel.shape[0])
            ground[rows, left // shrunk : left // shrunk + panel.shape[1]] = panel
        return ground


def _even(length: float) -> int:
    return max(2, 2 * int(length / 2))


def contact_sheet(
    pictures: Sequence[Pixels],
    maps: Sequence[Maps],
    times: Sequence[float],
    peaks: Sequence[Peak | None],
    columns: int = 4,
    tile_width: int = 400,
) -> Pixels:
    """Moments of a clip side by side: attention, its strongest place ringed, the time below.

    Args:
        pictures: at least one (H, W, 3), uint8 RGB, all of one size.
        maps: as many (h, w), 0 to 1.
        times: as many, seconds.
        peaks: as many; None for no ring.
        columns: pictures in a row.
        tile_width: pixels to which the pictures are resized.
    """
    tile_height = len(thumbnail(pictures[0], tile_width))
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    gutter, caption = tile_width // 25, tile_width // 10
    step_x, step_y = tile_width + gutter, tile_height + caption
    size = rows * step_y + gutter, columns * step_x + gutter
    sheet = np.full((*size, 3), (20, 19, 24), dtype=np.uint8)
    moments = zip(pictures, maps, times, peaks, strict=True)
    for index, (picture, attention, time, peak) in enumerate(moments):
        top, left = (index // columns) * step_y + gutter, (index % columns) * step_x + gutter
        tile = blend_rgb(thumbnail(picture, tile_width), attention)
        if peak is not None:
            tile = mark(tile, peak)
        sheet[top : top + tile_height, left : left + tile_width] = tile
        baseline = top + tile_height + round(caption * 0.62)
        cv2.putText(
            sheet,
            time_label(time),
            (left, baseline),
            cv2.FONT_HERSHEY_SIMPLEX,
            tile_width / 850,
            (205, 202, 212),
            lineType=cv2.LINE_AA,
        )
    return sheet
