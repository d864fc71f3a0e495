"""Small things that lie about on a stage: in all colours, but never sounding nor of any look."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from lookhear.data.world.canvas import (
    Canvas,
    Palette,
    Pose,
    dots,
    make_palette,
    mix,
    shadow_on_wall,
    stamp,
    stripes,
)
from lookhear.media.picture import Picture

REACH = 1.6  # of a canvas each way, in radii
SHADOW = 2.5, 4.0  # pixels right and down

Clutter: TypeAlias = Callable[[Canvas, Palette, Generator], None]


def strew(
    picture: Picture, kinds: tuple[Clutter, ...], count: int, top: float, chance: Generator
) -> None:
    """Lay so many pieces of clutter over a picture, in place, the far ones first.

    Nothing lies above the row ``top``; chance decides what lies where, how large and of which hue.
    """
    height, width = picture.shape[:2]
    for y in np.sort(chance.uniform(top, height, count)).tolist():
        kind = kinds[chance.integers(len(kinds))]
        canvas = Canvas(8 + 16 * chance.uniform() ** 2, (-REACH, -REACH, REACH, REACH))
        kind(canvas, make_palette(chance.uniform(), chance), chance)
        sprite = canvas.sprite()
        angle = chance.uniform(-np.pi, np.pi) if kind in LYING else chance.uniform(-0.1, 0.1)
        x = chance.uniform(0, width)
        stamp(picture, shadow_on_wall(sprite), Pose(x + SHADOW[0], y + SHADOW[1], angle))
        stamp(picture, sprite, Pose(x, y, angle))


def pebble(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A grey stone with a tinge."""
    stone = palette.shade * 0.35 + chance.uniform(0.2, 0.5)
    specks = dots(canvas.x * 2.3 + chance.uniform(), canvas.y * 2.3 + chance.uniform(), 0.12)
    outside = canvas.disc(0, 0, 1, chance.uniform(0.55, 0.85))
    canvas.solid(outside, mix(specks, 0.8 * stone, stone), 0.7, 0.25)


def leaf(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A pointed leaf with its veins."""
    far = chance.uniform(0.5, 1.1)
    blade = np.maximum(*(canvas.disc(0, side * far, np.hypot(1, far)) for side in (-1, 1)))
    canvas.paint(canvas.stroke(-1.35, 0, 0.8, 0, 0.05), palette.shade * 0.7)
    canvas.solid(blade, palette.main * 0.85, 0.35, 0.2)
    canvas.paint(canvas.stroke(-0.9, 0, 0.85, 0, 0.035), palette.shade * 0.75)
    for x in (-0.5, -0.1, 0.3):
        for side in (-1, 1):
            canvas.paint(canvas.stroke(x, 0, x + 0.22, side * 0.22, 0.02), palette.shade * 0.75)


def tuft(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """Blades of grass from one root."""
    for lean in chance.uniform(-0.9, 0.9, 9).tolist():
        bend = 0.4 * lean, 0.1 - 0.4 * chance.uniform(0.6, 1)
        shade = palette.main * chance.uniform(0.6, 1)
        canvas.solid(canvas.stroke(0.1 * lean, 0.7, *bend, 0.07), shade, 0.07, 0.1)
        canvas.solid(canvas.stroke(*bend, lean, -1 + 0.6 * abs(lean), 0.045), shade, 0.05, 0.1)


def flower(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """Petals about a centre."""
    petals = int(chance.integers(5, 8))
    for turn in (np.arange(petals) * 2 * np.pi / petals + chance.uniform()).tolist():
        x, y = 0.58 * np.cos(turn), 0.58 * np.sin(turn)
        canvas.solid(canvas.disc(x, y, 0.42, 0.27, turn), palette.main, 0.3, 0.2)
    canvas.solid(canvas.disc(0, 0, 0.3), palette.second, 0.3, 0.3)


def mushroom(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A stem under a dotted cap."""
    canvas.solid(canvas.stroke(0, 0, 0, 0.8, chance.uniform(0.18, 0.26)), palette.light, 0.2, 0.2)
    cap = np.maximum(canvas.disc(0, 0.05, 1, 0.9), canvas.y - 0.1)
    spots = dots(canvas.x * 1.7 + chance.uniform(), canvas.y * 1.7 + chance.uniform(), 0.24)
    canvas.solid(cap, mix(spots, palette.light, palette.main), 0.45)


def star(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A starfish."""
    turn = np.arctan2(canvas.y, canvas.x)
    edge = 0.64 + 0.32 * np.cos(5 * turn)
    outside = (np.hypot(canvas.x, canvas.y) - edge) * 0.6
    spots = dots(canvas.x * 3 + chance.uniform(), canvas.y * 3, 0.2)
    canvas.solid(outside, mix(spots, palette.light, palette.main), 0.25, 0.2)


def parcel(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A box done up with tape."""
    wide, high = chance.uniform(0.7, 1.05, 2).tolist()
    canvas.solid(canvas.box(0, 0, wide, high, 0.06), palette.main * 0.85, 0.1, 0.1)
    x, y = chance.uniform(-0.3, 0.3, 2).tolist()
    tape = np.minimum(canvas.box(x, 0, 0.1, high), canvas.box(0, y, wide, 0.1))
    canvas.solid(tape, palette.second, 0.05, 0.2)


def book(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A closed book."""
    canvas.solid(canvas.box(0.06, 0.06, 0.72, 0.98, 0.03), palette.light, 0.08, 0.1)
    canvas.solid(canvas.box(0, 0, 0.72, 0.98, 0.05), palette.main, 0.1, 0.1)
    canvas.paint(canvas.box(-0.58, 0, 0.04, 0.98), palette.shade)
    canvas.paint(canvas.box(0.08, -0.45, 0.4, chance.uniform(0.08, 0.22), 0.03), palette.light)
    canvas.paint(canvas.box(0.08, 0.6, 0.25, 0.05), palette.second)


def pot(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A plant in a pot."""
    for lean in chance.uniform(-1, 1, 7).tolist():
        x, y = 0.8 * lean, -1.1 + 0.5 * abs(lean)
        green = np.array([0.3, 0.6, 0.25]) * chance.uniform(0.6, 1.2)
        canvas.solid(canvas.disc(0.6 * x, y + 0.4, 0.52, 0.17, np.arctan2(y, x)), green, 0.15, 0.2)
    sides = canvas.polygon((-0.62, 0.1), (0.62, 0.1), (0.44, 1.05), (-0.44, 1.05))
    bands = stripes(canvas.y * chance.uniform(1, 2.5))
    canvas.solid(sides, mix(bands, palette.main, palette.shade), 0.2, 0.3)
    canvas.solid(canvas.box(0, 0.1, 0.72, 0.13, 0.05), palette.main, 0.1, 0.3)


def bottle(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A bottle with a label."""
    neck = chance.uniform(0.13, 0.2)
    canvas.solid(canvas.box(0, -0.7, neck, 0.5, 0.06), palette.shade, 0.12)
    canvas.solid(canvas.box(0, 0.4, 0.42, 0.75, 0.2), palette.main, 0.25, 0.7)
    canvas.solid(canvas.box(0, 0.5, 0.42, 0.28), palette.light, 0.2, 0.1)
    canvas.paint(canvas.box(0, 0.5, 0.25, 0.08), palette.second)
    canvas.solid(canvas.box(0, -1.15, neck + 0.04, 0.1, 0.03), palette.second, 0.06)


def cone(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    """A cone that keeps the traffic off."""
    canvas.solid(canvas.box(0, 0.9, 0.85, 0.13, 0.05), palette.shade, 0.08)
    sides = canvas.polygon((-0.1, -1.0), (0.1, -1.0), (0.58, 0.85), (-0.58, 0.85))
    bands = stripes(canvas.y * chance.uniform(0.8, 1.3) + chance.uniform())
    canvas.solid(sides, mix(bands, palette.light, palette.main), 0.3)


LYING = (pebble, leaf, flower, star, parcel, book)
