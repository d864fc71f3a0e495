"""Text as pixels, in the font that comes with Pillow, or in one of the system for other scripts."""

import contextlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lookhear.show.heat import Pixels

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
LINE = 1.25  # a line's height, in sizes of the font
SMALLEST = 2 / 3  # of the size asked for
LAST_LATIN = "\u017f"
WIDER_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "Arial Unicode.ttf", "msyh.ttc")


def lettered(text: str, size: int, width: int) -> Pixels:
    """Draw a line of text in letters of a size and at most of a width, in pixels.

    What is too long becomes smaller, and then ends in an ellipsis; letters that the font lacks
    become empty boxes. Gives (h, w) uint8: how much of each pixel is covered, 255 for all of it.
    """
    is_latin = max(plain(text), default="") <= LAST_LATIN
    length = _font(size, is_latin).getlength(plain(text))
    if length > width:
        size = max(round(SMALLEST * size), int(size * width / length))
    font = _font(size, is_latin)
    line = fitted(text, lambda part: font.getlength(part) <= width)
    extent = max(1, min(width, round(font.getlength(line))))
    drawn = Image.new("L", (extent, round(LINE * size)))
    ImageDraw.Draw(drawn).text((0, LINE * size / 2), line, fill=255, font=font, anchor="lm")
    return np.asarray(drawn, np.uint8)


def fitted(text: str, fits: Callable[[str], bool]) -> str:
    """Shorten a text, made one line of plain Unicode, until it fits."""
    line = plain(text)
    length = len(line)
    shortened = line
    while length and not fits(shortened):
        length -= 1
        shortened = line[:length].rstrip() + ELLIPSIS
    return shortened


def plain(text: str) -> str:
    """A text without line breaks and without the lone surrogates of names that are no text."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


@lru_cache
def _font(size: int, is_latin: bool) -> ImageFont.FreeTypeFont:
    for name in () if is_latin else WIDER_FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # which needs the FreeType in Pillow's wheels
    return font
