"""Panels side by side, one for each label, its name above it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lookhear.media import Planes
from lookhear.show.heat import Pixels
from lookhear.show.lettering import lettered

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
    """

    def __init__(self, size: tuple[int, int], names: Sequence[str], width: int) -> None:
        """Lay out a board.

        Args:
            size: height and width of the clip.
            names: of the labels; a lone one is not written.
            width: pixels, at most: panels shrink to it.
        """
        count = len(names)
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
