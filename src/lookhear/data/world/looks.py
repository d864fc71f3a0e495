"""What the world's things look like: fourteen silhouettes, each with its texture.

No two things of a look are the same: proportions, textures and shades vary by chance.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from lookhear.data.world.canvas import (
    Canvas,
    Floats,
    Palette,
    Sprite,
    checks,
    dots,
    make_palette,
    mix,
    stripes,
    zigzag,
)

REACH = 1.5  # of a canvas each way, in radii; leaves room for a soft shadow
VARIATION = 0.12  # of proportions, each way

Look: TypeAlias = Callable[[Canvas, Palette, Generator], None]


def paint(look: str, hue: float, radius: float, chance: Generator) -> Sprite:
    """Paint a thing of one of `LOOKS`, of a hue in turns; chance decides what varies within a look.

    Its radius is in pixels of the picture; it reaches a little farther in some directions.
    """
    canvas = Canvas(radius, REACH)
    LOOKS[look](canvas, make_palette(hue, chance), chance)
    return canvas.sprite()


def _varied(chance: Generator, *sizes: float) -> list[float]:
    """Sizes times a little more or less than one, each by itself."""
    factors = chance.uniform(1 - VARIATION, 1 + VARIATION, len(sizes))
    return [float(size * factor) for size, factor in zip(sizes, factors, strict=True)]


def _joined(one: Floats, other: Floats, softly: float) -> Floats:
    """Signed distance to two shapes grown together."""
    overlap = (softly - np.abs(one - other)).clip(0) / softly
    return np.asarray(np.minimum(one, other) - 0.25 * softly * overlap * overlap, np.float64)


def _eye(canvas: Canvas, x: float, y: float, size: float, palette: Palette) -> None:
    canvas.solid(canvas.disc(x, y, size), palette.light, size)
    canvas.paint(canvas.disc(x + 0.15 * size, y + 0.1 * size, 0.6 * size), palette.dark)
    canvas.paint(canvas.disc(x - 0.1 * size, y - 0.2 * size, 0.2 * size), (1, 1, 1))


def _wheel(canvas: Canvas, x: float, y: float, size: float, palette: Palette) -> None:
    canvas.solid(canvas.disc(x, y, size), palette.dark, 0.35 * size, 0.2)
    canvas.solid(canvas.disc(x, y, 0.55 * size), palette.light * 0.85, 0.3 * size)
    canvas.paint(canvas.disc(x, y, 0.18 * size), palette.dark)


def _strings(canvas: Canvas, top: float, bottom: float, half: float, palette: Palette) -> None:
    for x in np.linspace(-half, half, 4).tolist():
        canvas.paint(canvas.stroke(0.6 * x, top, x, bottom, 0.011), palette.light, 0.9)


def _pegs(canvas: Canvas, y: float, half: float, palette: Palette) -> None:
    for side in (-1, 1):
        for step in (-0.08, 0.08):
            canvas.solid(canvas.disc(side * half, y + step, 0.06, 0.045), palette.light, 0.05)


def _ribbed_box(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    half, height, bellows = _varied(chance, 1.08, 0.66, 0.6)
    folds = int(chance.integers(5, 8)) / (2 * bellows)
    fold = np.abs((canvas.x - bellows) * folds % 1 - 0.5)
    edge = height * (0.82 + 0.24 * fold)
    ribs = np.maximum(np.abs(canvas.x) - bellows, (np.abs(canvas.y) - edge) * 0.9)
    crease = mix(stripes(canvas.x * folds + chance.uniform()), palette.main, palette.shade)
    canvas.solid(ribs, crease * (0.72 + 0.6 * fold[..., np.newaxis]), 0.12, 0.2)
    width = (half - bellows) / 2 + 0.05
    rows = int(chance.integers(3, 6))
    for side in (-1, 1):
        middle = side * (bellows + width - 0.05)
        canvas.solid(canvas.box(middle, 0, width, height * 1.06, 0.1), palette.main, 0.18)
        for y in np.linspace(-0.7, 0.7, rows).tolist():
            canvas.solid(canvas.disc(middle, y * height, 0.085), palette.second, 0.08)


def _guitar(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    low, high, width, neck = _varied(chance, 0.58, 0.44, 1.15, 0.09)
    body = _joined(
        canvas.disc(0, 0.52, low * width, low), canvas.disc(0, -0.1, high * width, high), 0.12
    )
    canvas.solid(body - 0.05, palette.dark, 0.16)
    wave = chance.uniform(4, 7) * canvas.x + 0.3 * np.sin(3 * canvas.y + 6 * canvas.x)
    canvas.solid(body, mix(stripes(wave), palette.main, 0.9 * palette.main), 0.16)
    canvas.paint(canvas.disc(0, 0.1, 0.21), palette.second)
    canvas.paint(canvas.disc(0, 0.1, 0.16), palette.dark)
    canvas.solid(canvas.box(0, 0.66, 0.27, 0.055, 0.03), palette.dark, 0.05)
    canvas.solid(canvas.box(0, -0.5, neck, 0.58), palette.shade * 0.6, 0.06, 0.2)
    for y in np.linspace(-0.95, -0.3, 6).tolist():
        canvas.paint(canvas.box(0, y, neck, 0.012), palette.light, 0.8)
    canvas.solid(canvas.box(0, -1.15, 0.15, 0.16, 0.05), palette.shade, 0.08)
    _pegs(canvas, -1.15, 0.19, palette)
    _strings(canvas, -1.15, 0.66, 0.1, palette)


def _blob(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    wide, high, bump = _varied(chance, 1.0, 0.86, 0.06)
    turn = np.arctan2(canvas.y, canvas.x)
    lobes, phase = chance.integers(4, 8), chance.uniform(0, 2 * np.pi)
    size = 1 + bump * np.sin(lobes * turn + phase) + 0.08 * np.sin(turn)
    for x in (-0.45, 0.45):
        canvas.solid(canvas.disc(x, 0.84 * high, 0.3, 0.17), palette.second, 0.15)
    for lean in (-0.22, 0.0, 0.2):
        tuft = canvas.stroke(0.3 * lean, -0.7 * high, lean, -1.18 * high, 0.045)
        canvas.solid(tuft, palette.shade, 0.05)
    spread = chance.uniform(2.2, 3.2)
    spots = dots(canvas.x * spread + chance.uniform(), canvas.y * spread + chance.uniform(), 0.26)
    body = (np.hypot(canvas.x / wide, canvas.y / high) - size) * high
    canvas.solid(body, mix(spots, palette.second, palette.main), 0.75, 0.6)
    apart, eye = _varied(chance, 0.33, 0.2)
    for side in (-1, 1):
        _eye(canvas, side * apart, -0.2, eye, palette)
        canvas.paint(canvas.disc(side * (apart + 0.22), 0.12, 0.12, 0.08), palette.light, 0.35)
    smile = np.maximum(canvas.disc(0, 0.2, 0.2, 0.17), 0.2 - canvas.y)
    canvas.paint(smile, palette.dark)


def _disc(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    rim, stem = _varied(chance, 0.2, 0.13)
    for x in (-0.5, 0.5):
        canvas.solid(canvas.stroke(x, 0.8, 1.25 * x, 1.08, 0.09), palette.shade, 0.09)
    canvas.solid(canvas.box(0, -1.05, stem, 0.13, 0.05), palette.second, 0.1)
    canvas.solid(canvas.disc(0, 0, 1), palette.main, 0.14)
    far = np.hypot(canvas.x, canvas.y)
    rings = stripes(far * chance.uniform(2.2, 3.4) + chance.uniform())
    face = mix(rings, palette.light, 0.55 * palette.light + 0.45 * palette.main)
    canvas.solid(canvas.disc(0, 0, 1 - rim), face, 0.05, 0.1)
    for turn in np.arange(12) * np.pi / 6:
        x, y = np.sin(turn), np.cos(turn)
        canvas.solid(canvas.disc(x * (1 - rim / 2), y * (1 - rim / 2), 0.055), palette.light, 0.05)
        inner, outer = 0.86 * (1 - rim), 0.95 * (1 - rim)
        canvas.paint(canvas.stroke(x * inner, y * inner, x * outer, y * outer, 0.02), palette.dark)
    for reach, half in ((0.62, 0.035), (0.4, 0.055)):
        turn = chance.uniform(0, 2 * np.pi)
        tip = reach * np.sin(turn), -reach * np.cos(turn)
        canvas.solid(canvas.stroke(0, 0, *tip, half), palette.dark, 0.04)
    canvas.solid(canvas.disc(0, 0, 0.1), palette.second, 0.1)


def _eared_head(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    wide, high, ear, muzzle = _varied(chance, 0.94, 0.8, 1.12, 0.45)
    for side in (-1, 1):
        base, tip = 0.88 * wide, 0.74 * wide
        inner, outer = (side * 0.12, -0.55), (side * base, -0.1)
        corners = (outer, (side * tip, -ear), inner)
        whole = canvas.polygon(*(corners if side < 0 else corners[::-1]))
        canvas.solid(whole - 0.06, palette.main, 0.2)
        canvas.solid(whole + 0.12, palette.second, 0.15)
    head = canvas.disc(0, 0.14, wide, high)
    canvas.solid(head, palette.main, 0.6)
    bars = stripes(canvas.x * chance.uniform(2.4, 3.4) + 0.25)
    brow = np.maximum(head, canvas.y + 0.28 + 0.25 * np.abs(canvas.x))
    canvas.paint(brow, palette.shade, bars * (np.abs(canvas.x) < 0.5))
    for side in (-1, 1):
        _eye(canvas, side * 0.4, -0.02, 0.17, palette)
        canvas.solid(canvas.disc(side * 0.2, 0.5, muzzle * 0.62, 0.27), palette.light, 0.3)
        for lean in (-0.08, 0.06):
            whisker = canvas.stroke(
                side * 0.45, 0.5 + lean, side * 0.88 * wide, 0.46 + 2.2 * lean, 0.014
            )
            canvas.paint(whisker, palette.dark, 0.8)
    mouth = canvas.stroke(0, 0.4, 0, 0.66, 0.025)
    canvas.paint(mouth, palette.dark)
    canvas.solid(canvas.disc(0, 0.34, 0.16, 0.12), palette.dark, 0.15)


def _long_box(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    half, high, belt = _varied(chance, 1.2, 0.46, 0.12)
    canvas.solid(canvas.box(0, -0.1 - high, 0.55 * half, 0.07, 0.05), palette.second, 0.08)
    canvas.solid(canvas.box(0, -0.1, half, high, 0.15), palette.main, 0.2)
    band = canvas.box(0, high * 0.35, half - 0.02, belt, 0.05)
    slanted = stripes((canvas.x + canvas.y) * chance.uniform(1.4, 2.4) + chance.uniform())
    canvas.solid(band, mix(slanted, palette.second, palette.light), 0.04, 0.1)
    panes = int(chance.integers(4, 7))
    pitch = 2 * (half - 0.12) / panes
    for index in range(panes):
        x = -half + 0.12 + (index + 0.5) * pitch
        canvas.paint(canvas.box(x, -0.28, 0.42 * pitch, 0.17, 0.05), palette.dark)
        glass = 0.75 + 0.5 * (canvas.x - x) - 0.5 * (canvas.y + 0.3)
        sky = glass[..., np.newaxis] * (0.62, 0.8, 0.92)
        canvas.paint(canvas.box(x, -0.28, 0.42 * pitch - 0.03, 0.14, 0.04), sky.clip(0, 1))
    for x in (-0.66, 0.0, 0.66)[:: int(chance.integers(1, 3))]:
        _wheel(canvas, x * half, 0.36, 0.21, palette)
    canvas.solid(canvas.disc(half - 0.06, 0.12, 0.07), (1.0, 0.95, 0.7), 0.08)


def _handled(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    size, grip = _varied(chance, 0.8, 0.13)
    canvas.solid(canvas.stroke(0.1, 0.02, 0.62, -0.1, 0.085), palette.dark, 0.08)
    handle = canvas.stroke(0.62, -0.1, 1.24, -0.26, grip)
    wrapped = stripes(canvas.x * chance.uniform(4, 6))
    canvas.solid(handle, mix(wrapped, palette.second, 0.75 * palette.second), grip)
    canvas.paint(canvas.disc(1.2, -0.25, 0.05), palette.dark)
    x, y = canvas.x + 0.36, canvas.y - 0.06
    far, turn = np.hypot(x, y), np.arctan2(y, x)
    teeth = int(chance.integers(12, 19))
    tooth = (turn / (2 * np.pi) * teeth + chance.uniform()) % 1
    canvas.solid(far - size * (0.96 + 0.13 * tooth), palette.shade, 0.1)
    sectors = checks(turn * 2 / np.pi, far * chance.uniform(1.2, 1.7) + chance.uniform())
    canvas.solid(far - 0.86 * size, mix(sectors, palette.main, 0.8 * palette.main), 0.1)
    canvas.solid(far - 0.42 * size, palette.second, 0.12)
    for place in np.arange(5) * 2 * np.pi / 5:
        hub = np.hypot(x - 0.24 * size * np.cos(place), y - 0.24 * size * np.sin(place))
        canvas.paint(hub - 0.06, palette.dark)
    canvas.solid(far - 0.1 * size, palette.light, 0.1)


def _bell(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    shoulder, waist, lip = _varied(chance, 0.42, 0.56, 0.98)
    canvas.solid(np.abs(canvas.disc(0, -0.98, 0.17)) - 0.06, palette.second, 0.06)
    canvas.solid(canvas.disc(0, 0.86, 0.2), palette.dark, 0.2)
    heights = (-0.9, -0.82, -0.66, -0.4, 0.1, 0.45, 0.7, 0.84)
    widths = (0.1, 0.26, 0.36, shoulder, waist, 0.5 * (waist + lip), 0.88 * lip, lip)
    half = np.interp(canvas.y, heights, widths)
    side = (np.abs(canvas.x) - half) * 0.8
    outside = np.maximum(side, np.maximum(-0.9 - canvas.y, canvas.y - 0.84))
    around = np.arcsin((canvas.x / half).clip(-1, 1))
    teeth, phase = chance.uniform(0.8, 1.3), chance.uniform()
    band = zigzag(around * teeth * 2 + phase, canvas.y * 3.2 + phase)
    on_band = (np.abs(canvas.y - 0.22) < 0.24) * band
    canvas.solid(outside, mix(on_band, palette.second, palette.main), 0.5, 0.7)
    for y in (-0.5, -0.04, 0.48):
        groove = np.maximum(np.abs(canvas.y - y) - 0.018, outside)
        canvas.paint(groove, palette.shade, 0.8)
    canvas.solid(canvas.box(0, 0.76, lip + 0.04, 0.09, 0.08), palette.main, 0.09)


def _face(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    wide, high, hair, brow = _varied(chance, 0.66, 0.8, 0.86, 0.13)
    shirt = canvas.disc(0, 1.2, 0.98, 0.42)
    plaid = checks(canvas.x * chance.uniform(1.5, 2.5), canvas.y * 2)
    collar = np.maximum(shirt, canvas.y - 1.16)
    canvas.solid(collar, mix(plaid, palette.second, palette.light), 0.12, 0.2)
    locks = stripes(canvas.x * chance.uniform(2.5, 4) + 0.12 * np.sin(7 * canvas.y))
    strands = mix(locks, palette.dark, 2.2 * palette.dark)
    canvas.solid(canvas.disc(0, -0.22, hair, 0.92), strands, 0.3)
    for side in (-1, 1):
        canvas.solid(canvas.disc(side * wide, 0.08, 0.14, 0.19), palette.main, 0.14)
    face = canvas.disc(0, 0.08, wide, high)
    canvas.solid(face, 0.65 * palette.main + 0.35 * palette.light, 0.5, 0.3)
    parting = chance.uniform(-0.25, 0.25)
    fringe = np.maximum(face - 0.02, canvas.y + 0.3 - 0.35 * np.abs(canvas.x - parting))
    canvas.solid(fringe, strands, 0.12)
    for side in (-1, 1):
        _eye(canvas, side * 0.27, 0.0, 0.13, palette)
        line = canvas.stroke(side * 0.16, -0.2, side * 0.4, -0.2 + brow - 0.13, 0.04)
        canvas.paint(line, palette.dark)
        canvas.paint(canvas.disc(side * 0.4, 0.32, 0.13, 0.09), palette.main, 0.7)
    canvas.solid(canvas.disc(0, 0.2, 0.07, 0.13), palette.main, 0.1)
    canvas.solid(canvas.disc(0, 0.52, 0.2, 0.08 + brow / 4), (0.55, 0.12, 0.14), 0.1)
    canvas.paint(canvas.box(0, 0.485, 0.14, 0.025, 0.02), (1, 1, 1))


def _cross(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    span, body, sweep = _varied(chance, 1.2, 0.21, 0.16)
    tail = canvas.polygon((-0.45, 1.0), (-0.4, 0.84), (0.0, 0.66), (0.4, 0.84), (0.45, 1.0))
    canvas.solid(tail - 0.03, palette.second, 0.08)
    for side in (-1, 1):
        back, front = -0.02 + sweep, -0.24 + sweep
        corners = ((0.0, -0.42), (side * span, front), (side * span, back), (0.0, 0.16))
        wing = canvas.polygon(*(corners if side > 0 else corners[::-1]))
        bars = stripes(canvas.x * chance.uniform(1.6, 2.4) + chance.uniform())
        canvas.solid(wing - 0.03, mix(bars, palette.main, palette.shade), 0.1)
        for size, paint_of in ((0.13, palette.light), (0.08, palette.second)):
            canvas.paint(canvas.disc(side * 0.76 * span, -0.08 + 0.8 * sweep, size), paint_of)
        canvas.solid(canvas.disc(side * 0.45, -0.22, 0.085, 0.2), palette.dark, 0.08)
    canvas.solid(canvas.disc(0, -0.03, body, 1.12), palette.main, 0.2, 0.7)
    canvas.solid(canvas.disc(0, -0.66, 0.6 * body, 0.2), (0.35, 0.55, 0.72), 0.1, 0.9)
    for y in np.linspace(-0.25, 0.55, 5).tolist():
        canvas.paint(canvas.disc(0, y, 0.05), palette.light)
    canvas.solid(canvas.box(0, 0.9, 0.045, 0.22, 0.04), palette.second, 0.05)
    canvas.solid(canvas.disc(0, -1.1, 0.1), palette.dark, 0.1)


def _tube(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    thick, flare, bend = _varied(chance, 0.13, 0.3, 0.3)
    along = 0.82 * canvas.x - 0.57 * canvas.y
    across = 0.57 * canvas.x + 0.82 * canvas.y + bend * (along * along - 0.5)
    half = thick * (1 + 0.25 * along) + flare * (along - 0.75).clip(0) ** 1.5 * 2
    long = np.abs(along) - 1.15
    slope = np.sqrt(1 + (2 * bend * along) ** 2)
    wide = (np.abs(across) - half) / slope
    outside = np.maximum(wide, long).clip(None, 0) + np.hypot(wide.clip(0), long.clip(0)) - 0.07
    bands = stripes(along * chance.uniform(1.2, 1.9) + chance.uniform())
    canvas.solid(outside, mix(bands, palette.main, palette.shade), 0.16, 0.7)
    mouthpiece = np.maximum(outside - 0.03, np.abs(along + 1.1) - 0.12)
    canvas.solid(mouthpiece, palette.second, 0.1)
    canvas.solid(np.maximum(outside - 0.03, np.abs(along - 1.18) - 0.06), palette.second, 0.06)
    for place in np.linspace(-0.62, 0.62, int(chance.integers(5, 8))).tolist():
        far = np.hypot(along - place, across)
        canvas.solid(far - 0.085, palette.light, 0.06)
        canvas.paint(far - 0.05, palette.dark)


def _horned_head(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    cheek, nose, horn = _varied(chance, 0.5, 0.3, 1.0)
    for side in (-1, 1):
        ear = canvas.disc(side * 0.66, -0.3, 0.34, 0.13, side * 0.35)
        canvas.solid(ear, palette.shade, 0.12)
        curve = ((0.2, -0.5), (0.3, -0.85), (0.52, -1.08), (0.82, -1.16), (1.02, -1.0))
        for index in range(4):
            (x0, y0), (x1, y1) = curve[index], curve[index + 1]
            part = canvas.stroke(side * horn * x0, y0, side * horn * x1, y1, 0.15 - 0.03 * index)
            canvas.solid(part, palette.light * (0.92 - 0.1 * (index % 2)), 0.13)
    canvas.solid(canvas.polygon((-0.14, 0.9), (0.14, 0.9), (0.0, 1.2)) - 0.07, palette.dark, 0.1)
    heights = (-0.68, -0.55, -0.2, 0.15, 0.55, 0.85, 1.02)
    widths = (0.2, 0.4, cheek, 0.9 * cheek, nose, 1.1 * nose, 0.6 * nose)
    edge = np.interp(canvas.y, heights, widths)
    beyond = np.maximum(-0.68 - canvas.y, canvas.y - 1.02)
    head = np.maximum((np.abs(canvas.x) - edge) * 0.9, beyond)
    spread = chance.uniform(1.8, 2.6)
    patches = dots(canvas.x * spread + chance.uniform(), canvas.y * spread, 0.3)
    canvas.solid(head, mix(patches, palette.shade, palette.main), 0.4)
    blaze = canvas.polygon((0.0, -0.55), (0.13, -0.1), (0.0, 0.5), (-0.13, -0.1))
    canvas.solid(blaze, palette.second, 0.08)
    muzzle = np.maximum(head + 0.03, 0.6 - canvas.y)
    canvas.solid(muzzle, palette.light, 0.2)
    for side in (-1, 1):
        _eye(canvas, side * 0.62 * cheek, -0.14, 0.13, palette)
        canvas.paint(canvas.disc(side * 0.13, 0.78, 0.045, 0.075), palette.dark)


def _drop(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    belly, neck, hole = _varied(chance, 0.72, 0.09, 0.17)
    low, tip = 1.1 - belly, 0.07
    sin = (belly - tip) / (low + 0.72)
    cos = np.sqrt(1 - sin * sin)
    (x0, y0), (x1, y1) = (cos * tip, -0.72 - sin * tip), (cos * belly, low - sin * belly)
    cone = canvas.polygon((-x0, y0), (x0, y0), (x1, y1), (-x1, y1))
    body = _joined(canvas.disc(0, low, belly), cone, 0.12)
    around = np.arctan2(canvas.x, canvas.y + 1.0)
    ribs = stripes(around * chance.uniform(2.6, 3.8))
    canvas.solid(body - 0.04, palette.dark, 0.1)
    canvas.solid(body, mix(ribs, palette.main, 0.75 * palette.main + 0.25 * palette.light), 0.2)
    canvas.paint(canvas.disc(0, 0.26, hole + 0.05), palette.second)
    canvas.paint(canvas.disc(0, 0.26, hole), palette.dark)
    canvas.solid(canvas.box(0, 0.76, 0.24, 0.05, 0.03), palette.dark, 0.05)
    canvas.solid(canvas.box(0, -0.5, neck, 0.5), palette.shade * 0.6, 0.06, 0.2)
    canvas.solid(canvas.disc(0, -1.1, 0.19), palette.shade, 0.15)
    canvas.solid(canvas.disc(0, -1.1, 0.1), palette.second, 0.1)
    _pegs(canvas, -0.86, 0.16, palette)
    _strings(canvas, -1.0, 0.76, 0.1, palette)


def _low_car(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    half, cabin, wheel = _varied(chance, 1.2, 0.5, 0.27)
    canvas.solid(canvas.stroke(-half + 0.2, 0.0, -half + 0.1, -0.3, 0.045), palette.dark, 0.04)
    canvas.solid(canvas.box(-half + 0.14, -0.33, 0.24, 0.06, 0.04), palette.second, 0.06)
    dome = np.maximum(canvas.disc(-0.12, 0.04, cabin + 0.1, 0.52), canvas.y - 0.1)
    canvas.solid(dome, palette.main, 0.12)
    glass = np.maximum(canvas.disc(-0.12, 0.04, cabin, 0.41), canvas.y - 0.02)
    panes = np.maximum(glass, 0.03 - np.abs(canvas.x + 0.14))
    canvas.solid(panes, (0.4, 0.6, 0.75), 0.1, 0.9)
    wedge = canvas.polygon((-half, -0.06), (0.45, -0.06), (half, 0.2), (half, 0.44), (-half, 0.44))
    canvas.solid(wedge - 0.05, palette.main, 0.16)
    flag = canvas.box(0.0, 0.28, 0.4 * half, 0.1)
    squares = checks(canvas.x * chance.uniform(2.0, 3.0), (canvas.y - 0.28) * 5)
    canvas.paint(flag, mix(squares, palette.second, palette.light))
    canvas.solid(canvas.disc(-0.16, 0.17, 0.17), palette.light, 0.05)
    canvas.paint(canvas.disc(-0.16, 0.17, 0.08), palette.dark)
    for x in (-0.62, 0.64):
        _wheel(canvas, x * half, 0.46, wheel, palette)
    canvas.solid(canvas.disc(half - 0.06, 0.2, 0.09, 0.06), (1.0, 0.95, 0.7), 0.06)


_LOOKS = (
    _ribbed_box, _guitar, _blob, _disc, _eared_head, _long_box, _handled, _bell, _face, _cross,
    _tube, _horned_head, _drop, _low_car,
)  # fmt: skip
LOOKS: dict[str, Look] = {look.__name__.strip("_").replace("_", " "): look for look in _LOOKS}
