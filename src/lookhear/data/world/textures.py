"""Patterns that repeat once a unit, and colours to fill them with.

A pattern is (h, w), 0 to 1, of coordinates (h, w). Colours are RGB, 0 to 1.
"""

import colorsys
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from lookhear.data.world.canvas import Floats

SHARPNESS = 3.0  # of the edges of stripes and checks, over that of a sine's


class Palette(NamedTuple):
    """Colours of a thing, RGB (3,).

    Attributes:
        main: of most of it.
        shade: the main one, darker.
        second: of its parts and patterns.
        dark: nearly black.
        light: nearly white.
    """

    main: Floats
    shade: Floats
    second: Floats
    dark: Floats
    light: Floats


def stripes(u: Floats) -> Floats:
    """Stripes across u; rings where u is a distance."""
    return _sharp(np.sin(2 * np.pi * u))


def checks(u: Floats, v: Floats) -> Floats:
    """A chess board, two fields a unit."""
    return _sharp(np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v))


def zigzag(u: Floats, v: Floats) -> Floats:
    """Stripes across v that go up and down along u."""
    return stripes(v + np.abs((u % 1) - 0.5))


def dots(u: Floats, v: Floats, radius: float) -> Floats:
    """Dots in rows, every other row set off by half a unit."""
    row = np.floor(v)
    u = u + 0.5 * (row % 2)
    distance = np.hypot((u % 1) - 0.5, v - row - 0.5)
    return np.asarray(((radius - distance) * 4 * SHARPNESS + 0.5).clip(0, 1), np.float64)


def mix(pattern: Floats, inside: ArrayLike, outside: ArrayLike) -> Floats:
    """Colour a pattern: (h, w, 3)."""
    share = pattern[..., np.newaxis]
    return np.asarray(share * np.asarray(inside) + (1 - share) * np.asarray(outside), np.float64)


def colour(hue: float, saturation: float, value: float) -> Floats:
    """RGB, (3,), of a hue in turns, and of a saturation and a value of 0 to 1."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, min(saturation, 1.0), min(value, 1.0)))


def make_palette(hue: float, chance: Generator) -> Palette:
    """Choose shades of a hue, in turns, and colours that go with it."""
    saturation, value = chance.uniform(0.6, 0.85), chance.uniform(0.76, 0.95)
    second = hue + chance.uniform(0.25, 0.75)
    return Palette(
        main=colour(hue, saturation, value),
        shade=colour(hue - 0.01, saturation * 1.08, value * 0.72),
        second=colour(second, chance.uniform(0.3, 0.75), chance.uniform(0.5, 0.95)),
        dark=colour(hue + 0.02, 0.4, chance.uniform(0.13, 0.22)),
        light=colour(hue, chance.uniform(0.05, 0.16), chance.uniform(0.92, 1.0)),
    )


def _sharp(wave: Floats) -> Floats:
    return np.asarray((0.5 * SHARPNESS * wave).clip(-0.5, 0.5) + 0.5, np.float64)
