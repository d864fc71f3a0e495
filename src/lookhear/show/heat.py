"""Attention made visible: over video, over stills, as grey pictures, in words.

It is laid over as heat, or as the dark from which what was attended to stands out.

Pictures are uint8 RGB (H, W, 3), maps float32 (h, w) from 0 to 1 of any size: they are
stretched over the picture.
"""

import math
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from lookhear.maps import Maps, Peak, peaks, resize, through_log_odds
from lookhear.words import place_name

Pixels = NDArray[np.uint8]
"""Pictures (H, W, 3) or planes (H, W), uint8."""

_HEAT_STOPS = ((0, "3b0f70"), (0.35, "a3238e"), (0.6, "f1605d"), (0.8, "fd9a44"), (1, "fff3b0"))
"""Violet to pale yellow, ever lighter: its order survives grey print and colour blindness."""

_CLEAR_BELOW, _FULL_ABOVE, _STRONGEST_ALPHA = 0.1, 0.8, 0.72
"""Heat is invisible where attention is low and never opaque, so the picture stays readable."""

_DARKEST_ALPHA = 0.88
"""Where attention is none, the picture can just be made out."""

FAINT = 0.05
"""Attention that is nowhere stronger than this has no place worth showing."""

ENLARGED = 8
"""How many times, each way, a map is enlarged before colours are looked up: no facets."""

_RED_AND_BLUE_IN_LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
Place: TypeAlias = tuple[slice, slice]
"""Rows and columns of a plane."""

_YUV_ZERO = np.array([16, 128, 128])


def _heat_colours() -> NDArray[np.float64]:
    places = [place for place, _ in _HEAT_STOPS]
    colours = np.array([list(bytes.fromhex(colour)) for _, colour in _HEAT_STOPS])
    levels = np.linspace(0, 1, 256)
    return np.stack([np.interp(levels, places, channel) for channel in colours.T], axis=1)


def _heat_alpha() -> NDArray[np.float64]:
    rise = (np.linspace(0, 1, 256) - _CLEAR_BELOW) / (_FULL_ABOVE - _CLEAR_BELOW)
    rise = rise.clip(0, 1)
    return _STRONGEST_ALPHA * rise * rise * (3 - 2 * rise)


HEAT = _heat_colours().round().astype(np.uint8)
"""RGB of attention 0/255 to 255/255, uint8 (256, 3)."""


class Look(NamedTuple):
    """What lies over a picture, by its attention from 0/255 to 255/255."""

    colours: NDArray[np.float64]  # (256, 3) float64, RGB from 0 to 255
    alpha: NDArray[np.float64]  # (256,) float64, from 0, where the picture stays as it is, to 1

    @property
    def keep(self) -> Pixels:
        """The share of the picture that stays, (256,), uint8, 255 for all of it."""
        return np.asarray((255 * (1 - self.alpha)).round(), np.uint8)

    @property
    def added(self) -> Pixels:
        """What it adds to RGB, (256, 3), uint8."""
        return np.asarray((self.alpha[:, np.newaxis] * self.colours).round(), np.uint8)

    def added_yuv(self, red: float, blue: float) -> Pixels:
        """What it adds to y, u and v, (3, 256), limited range, by the shares of colours in luma."""
        luma = np.array([red, 1 - red - blue, blue])
        to_yuv = np.stack(
            [
                219 * luma,
                112 * (np.array([0, 0, 1]) - luma) / (1 - blue),
                112 * (np.array([1, 0, 0]) - luma) / (1 - red),
            ]
        )
        colours = self.colours / 255 @ to_yuv.T + _YUV_ZERO
        return np.asarray((self.alpha * colours.T).round(), np.uint8)


HEAT_LOOK = Look(_heat_colours(), _heat_alpha())
FOCUS_LOOK = Look(np.zeros((256, 3)), _DARKEST_ALPHA * np.linspace(1, 0, 256))


class Overlay:
    """Blends attention into the planes of YUV 4:2:0 frames of one size.

    The work is a few 8-bit passes: colour and transparency are looked up at the size of the
    map, then enlarged, so a frame never becomes RGB or floating point; and only where there is
    anything to see of them. What is returned lies in memory that is used anew after ``held`` more,
    as fresh memory costs more than what is done in it.
    """

    def __init__(
        self,
        height: int,
        width: int,
        matrix: str = "bt709",
        look: Look = HEAT_LOOK,
        *,
        held: int = 1,
    ) -> None:
        self._keep_by_level = look.keep
        self._added_by_level = look.added_yuv(*_RED_AND_BLUE_IN_LUMA[matrix])
        chroma = (height + 1) // 2, (width + 1) // 2
        self._keep, self._added = np.empty((2, height, width), np.uint8)
        self._chroma_keep, self._chroma_added = np.empty((2, *chroma), np.uint8)
        self._out = cycle(
            [
                (np.empty((height, width), np.uint8), *np.empty((2, *chroma), np.uint8))
                for _ in range(held)
            ]
        )

    def blend(
        self, y: Pixels, u: Pixels, v: Pixels, attention: Maps
    ) -> tuple[Pixels, Pixels, Pixels]:
        """Lay one map over the planes of a frame, which are left as they were.

        Their range is limited and rows may be padded; chroma has half the size, rounded up.
        """
        levels = grey(attention)
        keep = cv2.LUT(levels, self._keep_by_level)
        added_y, added_u, added_v = self._added_by_level
        seen, seen_y, seen_uv = _seen(keep, self._keep.shape, self._chroma_keep.shape)
        keep, levels = keep[seen], levels[seen]

        def over(
            plane: Pixels, place: Place, added: Pixels, kept: Pixels, more: Pixels, out: Pixels
        ) -> Pixels:
            _stretch(cv2.LUT(levels, added), more[place])
            if out[place].shape != out.shape:
                out[:] = plane
            _blend(plane[place], kept[place], more[place], out[place])
            return out

        _stretch(keep, self._keep[seen_y])
        _stretch(keep, self._chroma_keep[seen_uv])
        chroma, out = (self._chroma_keep, self._chroma_added), next(self._out)
        return (
            over(y, seen_y, added_y, self._keep, self._added, out[0]),
            over(u, seen_uv, added_u, *chroma, out[1]),
            over(v, seen_uv, added_v, *chroma, out[2]),
        )


def _seen(keep: MatLike, *sizes: tuple[int, ...]) -> tuple[Place, ...]:
    """Where a map shows anything, in it and in planes of other sizes that it is stretched to.

    The parts begin and end where pixels of the map and of the planes do, so that stretching a part
    gives what stretching the whole would have there; and have a margin, beyond which there is
    nothing to see.
    """
    parts = []
    for axis, length in enumerate(keep.shape):
        step = math.lcm(*(length // math.gcd(length, size[axis]) for size in sizes))
        (shown,) = np.nonzero(keep.min(1 - axis) < 255)
        first, last = (shown[0], shown[-1]) if len(shown) else (0, 0)
        start = max(first // step - 1, 0) * step
        stop = min((last // step + 2) * step, length)
        parts.append(
            [(start, stop)] + [(start * s[axis] // length, stop * s[axis] // length) for s in sizes]
        )
    rows, columns = parts
    return tuple((slice(*r), slice(*c)) for r, c in zip(rows, columns, strict=True))


def _stretch(small: MatLike, full: Pixels) -> None:
    cv2.resize(small, full.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)


def _blend(pixels: Pixels, keep: Pixels, added: Pixels, out: Pixels) -> None:
    cv2.multiply(pixels, keep, dst=out, scale=1 / 255)
    cv2.add(out, added, dst=out)


def shown(attention: Maps) -> Maps:
    """What a network predicts, as it is shown: enlarged smoothly, and 1 at its strongest place.

    Pictures show where attention is more than how much, but where all of it is faint (a black
    frame) it stays faint. It becomes (8 h, 8 w), through its log-odds, as `lookhear.maps.enlarge`
    does it, but bicubic: bilinear ones would show the network's grid.
    """
    return _strongest_is_1(through_log_odds(attention, _smooth))


def shown_map(attention: Maps) -> Maps:
    """Any other map from 0 to 1, such as a class map, as it is shown; see `shown`."""
    return _strongest_is_1(_smooth(attention))


def _smooth(maps: Maps) -> Maps:
    height, width = maps.shape
    size = ENLARGED * width, ENLARGED * height
    return np.asarray(cv2.resize(maps, size, interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _strongest_is_1(attention: Maps) -> Maps:
    strongest = max(attention.max(), FAINT)
    return np.asarray((attention / strongest).clip(0, 1), dtype=np.float32)


def blend_rgb(picture: Pixels, attention: Maps, look: Look = HEAT_LOOK) -> Pixels:
    """Lay one map over a picture, which is left as it was."""
    height, width = picture.shape[:2]
    levels = grey(resize(attention, (height, width)))
    keep = cv2.cvtColor(cv2.LUT(levels, look.keep), cv2.COLOR_GRAY2RGB)
    added = cv2.LUT(cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB), look.added[np.newaxis])
    blended = np.empty_like(picture)
    _blend(picture, np.asarray(keep, np.uint8), np.asarray(added, np.uint8), blended)
    return blended


def grey(attention: Maps) -> Pixels:
    """A map as an 8-bit grey picture (h, w): 0 for no attention, 255 for 1, whatever it holds.

    This is how maps are saved as PNG; divide by 255 to read them back, exact to 1/510.
    """
    return np.asarray(cv2.convertScaleAbs(attention, alpha=255), dtype=np.uint8)


def thumbnail(picture: Pixels, width: int) -> Pixels:
    """A picture (H, W, 3), uint8, at another width and its own aspect ratio."""
    size = width, max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def within(picture: Pixels, area: int, width: int) -> Pixels:
    """A picture (H, W, 3), uint8, of about so many pixels and at most so wide, in its own shape."""
    height, own_width = picture.shape[:2]
    return thumbnail(picture, max(1, min(width, round(math.sqrt(area * own_width / height)))))


def mark(picture: Pixels, peak: Peak) -> Pixels:
    """Ring a peak of attention in a picture, which is left as it was."""
    height, width = picture.shape[:2]
    fraction_bits = 4
    x, y = (round(place * 2**fraction_bits) for place in peak.in_pixels(width, height))
    radius = max(4.0, min(height, width) / 24)
    marked = picture.copy()
    for colour, thickness in (((20, 16, 28), 0.42), ((255, 255, 255), 0.18)):
        size, line = round(radius * 2**fraction_bits), max(1, round(radius * thickness))
        cv2.circle(marked, (x, y), size, colour, line, cv2.LINE_AA, fraction_bits)
    return marked


def outlined(picture: Pixels, box: Sequence[float]) -> Pixels:
    """Draw a box (left, top, right, bottom, in shares of the sides) on a copy of a picture."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    corners = round(left * width), round(top * height), round(right * width), round(bottom * height)
    drawn = picture.copy()
    thin = max(1, round(min(height, width) / 90))
    for colour, thickness in (((20, 16, 28), 2 * thin + 1), ((255, 255, 255), thin)):
        cv2.rectangle(drawn, corners[:2], corners[2:], colour, thickness, cv2.LINE_AA)
    return drawn


def strongest(attention: Maps) -> Peak | None:
    """The strongest peak of a map (h, w), 0 to 1; None where there is none or it is faint."""
    found = peaks(attention, 1)
    return found[0] if found and found[0].strength >= FAINT else None


def in_words(peak: Peak | None) -> str:
    """How attention is that has such a strongest place: "strongest in the centre", or "even"."""
    return f"strongest in the {place_name(peak.x, peak.y)}" if peak else "even"
