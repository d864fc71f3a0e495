"""Key frames side by side, for a figure: each label's heat and focus over time, its peak marked."""

import math
from collections.abc import Sequence

import numpy as np

from lookhear.media import Clip, Frame
from lookhear.media.ticks import Due
from lookhear.show import heat
from lookhear.show.films import LOOKS, shrunk
from lookhear.show.heat import Pixels
from lookhear.show.lettering import lettered
from lookhear.show.panels import Board
from lookhear.tubes.tube import TubeInTime
from lookhear.words import time_label

MOMENTS = 8
TILE_AREA = 320 * 180  # pixels
MARGIN, GAP, OUTLINE, BETWEEN_LABELS = 16, 12, 6, 20
NAME_SIZE, LOOK_SIZE, TIME_SIZE, TAG_SIZE = 40, 32, 36, 28  # of letters; 7 pt across a page
INK, QUIET, ACCENT, WHITE = (28, 25, 34), (98, 92, 108), (156, 31, 135), (255, 255, 255)


class Strip:
    """Gathers the key frames while the clip goes by, and puts them together."""

    def __init__(self, clip: Clip, tubes: Sequence[TubeInTime], names: Sequence[str]) -> None:
        """Choose the moments of a clip that will go by, for the tubes and names of its labels."""
        self._tubes, self._names = tubes, names
        self._indices = key_moments(len(tubes[0].times), [tube.peak for tube in tubes])
        self._times = [float(tubes[0].times[index]) for index in self._indices]
        self._due = Due(self._times)
        aspect = float(clip.width * clip.sample_aspect_ratio / clip.height)
        sides = math.sqrt(TILE_AREA / aspect), math.sqrt(TILE_AREA * aspect)
        self._tile = max(1, round(sides[0])), max(1, round(sides[1]))
        self._pictures: list[Pixels] = []

    def add(self, frame: Frame) -> None:
        """Take the next frame of the clip."""
        self._pictures += [frame.rgb(self._tile) for _ in range(self._due.by(frame.time))]

    def picture(self) -> Pixels:
        """The strip, (H, W, 3), uint8 RGB, on white."""
        height, width = self._tile
        left = MARGIN + round(1.4 * NAME_SIZE) + round(1.4 * LOOK_SIZE)
        across, down = width + GAP, height + GAP
        block = len(LOOKS) * down + BETWEEN_LABELS
        lefts = [left + across * column for column in range(len(self._pictures))]
        tops = [MARGIN + block * row for row in range(len(self._tubes))]
        bottom = tops[-1] + block - BETWEEN_LABELS
        size = bottom + round(1.3 * TIME_SIZE) + MARGIN, lefts[-1] + width + MARGIN
        strip = np.full((*size, 3), 255, np.uint8)
        for tube, name, top in zip(self._tubes, self._names, tops, strict=True):
            pair = len(LOOKS) * down - GAP
            written = np.rot90(lettered(name, NAME_SIZE, pair))
            _ink(strip, written, top + (pair - len(written)) // 2, MARGIN, INK)
            for row, look in enumerate(LOOKS):
                self._draw_row(strip, tube, look, top + row * down, lefts)
        for index, time in enumerate(self._times[: len(lefts)]):
            text = lettered(time_label(time), TIME_SIZE, across)
            _ink(strip, text, bottom, lefts[index] + (width - text.shape[1]) // 2, INK)
        return strip

    def poster(self, look: str) -> Pixels:
        """The moment of the first label's peak as ``heat`` or ``focus`` show it, (H, W, 3)."""
        index = self._tubes[0].peak
        picture = self._pictures[min(self._indices.index(index), len(self._pictures) - 1)]
        board = Board(self._tile, self._names, len(self._names) * self._tile[1])
        picture = shrunk(picture, board.panel)
        return board.rgb(
            [heat.blend_rgb(picture, tube.moment(index), LOOKS[look]) for tube in self._tubes]
        )

    def _draw_row(
        self, strip: Pixels, tube: TubeInTime, look: str, top: int, lefts: Sequence[int]
    ) -> None:
        height, width = self._tile
        word = np.rot90(lettered(look, LOOK_SIZE, height))
        beside = lefts[0] - GAP - word.shape[1]
        _ink(strip, word, top + (height - len(word)) // 2, beside, QUIET)
        for picture, index, left in zip(self._pictures, self._indices, lefts, strict=False):
            if index == tube.peak:
                _paint(strip, top - OUTLINE, left - OUTLINE, self._tile, 2 * OUTLINE)
            strip[top : top + height, left : left + width] = heat.blend_rgb(
                picture, tube.moment(index), LOOKS[look]
            )
            if index == tube.peak and look == next(iter(LOOKS)):
                tag = lettered("peak", TAG_SIZE, width)
                _paint(strip, top, left, tag.shape, TAG_SIZE // 2)
                _ink(strip, tag, top + TAG_SIZE // 8, left + TAG_SIZE // 4, WHITE)


def key_moments(count: int, peaks: Sequence[int]) -> list[int]:
    """Choose which of so many moments to show: evenly spaced, but each peak for the nearest."""
    even = np.linspace(0, count - 1, min(count, MOMENTS)).round().astype(int).tolist()
    for peak in set(peaks):
        if even:
            even.remove(min(even, key=lambda index: abs(index - peak)))
    return sorted({*even, *peaks})


def _paint(strip: Pixels, top: int, left: int, size: tuple[int, ...], more: int) -> None:
    """Fill a box, ``more`` pixels larger than the size each way, that marks a peak."""
    strip[top : top + size[0] + more, left : left + size[1] + more] = ACCENT


def _ink(
    strip: Pixels, coverage: Pixels, top: int, left: int, colour: tuple[int, int, int]
) -> None:
    """Write letters; what would stand outside is left out."""
    region = strip[top : top + coverage.shape[0], left : left + coverage.shape[1]]
    share = coverage[: region.shape[0], : region.shape[1], np.newaxis] / 255
    region[:] = (region * (1 - share) + np.array(colour) * share).round()
