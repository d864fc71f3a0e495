"""Animated GIF, written as it comes: Pillow would hold all frames until the end."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from lookhear.media.picture import Picture

TICKS = 100  # a second, as GIF has it
COLOURS = 256
DITHER = 6.0  # levels, from the darkest to the lightest of a pattern that stands still
WORSE = 1.25  # times the error that a palette had at first
LEAST_ERROR = 3.0  # levels, below which no palette is worth changing
THINNED = 3  # each way: a ninth of the pixels, in a ninth of the time, chooses the colours
CELL = 24  # pixels; of the picture's cells the worst counts, for heat may be small


class GifWriter:
    """Writes an animation that repeats for ever; use it in a ``with`` statement."""

    def __init__(self, path: Path, height: int, width: int) -> None:
        self._container = av.open(str(path), "w", format="gif")
        self._stream: VideoStream = self._container.add_stream("gif", Fraction(10))
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "pal8"
        context.time_base = Fraction(1, TICKS)
        self._palette = Palette()
        self._last = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def write(self, picture: Picture, time: float) -> None:
        """Write a picture, (H, W, 3) uint8 RGB, shown from a time in seconds on."""
        indexed: Any = self._palette.indexed(picture)  # which the type hint leaves out
        frame = VideoFrame.from_ndarray(indexed, "pal8")
        frame.pts = self._last = max(round(time * TICKS), self._last + 1)
        frame.time_base = Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))


class Palette:
    """The colours of an animation, kept while they suit it: what stands still does not shimmer."""

    def __init__(self) -> None:
        self._colours: Image.Image | None = None
        self._most_error = 0.0

    def indexed(self, picture: Picture) -> tuple[Picture, Picture]:
        """Indices of a picture's colours, (H, W), and the palette, (256, 4), alpha before RGB."""
        dithered = Image.fromarray(_dithered(picture))
        if self._colours is not None:
            shown = dithered.quantize(palette=self._colours, dither=Image.Dither.NONE)
            if _error(shown, picture) <= self._most_error:
                return _pal8(shown)
        sample = Image.fromarray(np.ascontiguousarray(picture[::THINNED, ::THINNED]))
        self._colours = sample.quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
        shown = dithered.quantize(palette=self._colours, dither=Image.Dither.NONE)
        self._most_error = max(LEAST_ERROR, WORSE * _error(shown, picture))
        return _pal8(shown)


def _bayer() -> NDArray[np.float64]:
    """Ordered dithering's thresholds, (8, 8), from -1/2 to 1/2."""
    pattern = np.zeros((1, 1))
    for _ in range(3):
        pattern = np.block([[4 * pattern, 4 * pattern + 2], [4 * pattern + 3, 4 * pattern + 1]])
    return (pattern + 0.5) / pattern.size - 0.5


_PATTERN = (DITHER * _bayer()).round().astype(np.int16)


def _dithered(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    pattern = np.tile(_PATTERN, (-(-height // 8), -(-width // 8)))[:height, :width, np.newaxis]
    return (picture + pattern).clip(0, 255).astype(np.uint8)


def _error(shown: Image.Image, picture: Picture) -> float:
    """How far off the colours are in the worst cell, in levels."""
    height, width = picture.shape[:2]
    off = cv2.absdiff(np.asarray(shown.convert("RGB"), np.uint8), picture)
    cells = -(-width // CELL), -(-height // CELL)
    return float(cv2.resize(off, cells, interpolation=cv2.INTER_AREA).max())


def _pal8(shown: Image.Image) -> tuple[Picture, Picture]:
    colours = np.full((COLOURS, 4), 255, np.uint8)
    listed = np.array(shown.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(listed), 1:] = listed
    return np.asarray(shown, np.uint8), colours
