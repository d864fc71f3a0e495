"""Where the world's things are: a background with clutter, a camera that drifts, changing light.

Places are in pixels of the picture as the camera sees it at rest, the centre of the first being
(0, 0); what is at (x, y) of the stage is seen at (x, y) less where the camera is. Grounds are
painted by chance, in colours that the things have too, so that colour alone does not find them;
colours are RGB, 0 to 1.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator

from lookhear.data.world.canvas import (
    Canvas,
    Floats,
    Palette,
    Pose,
    checks,
    clouds,
    colour,
    dots,
    make_palette,
    mix,
    shadow_on_wall,
    stamp,
    stripes,
    zigzag,
)
from lookhear.media.picture import Picture

MARGIN = 22, 14  # of the stage beyond each side of the picture, across and down
CLUTTER = 10, 26  # fewest and most pieces
COLOUR, CONTRAST = 0.35, 0.7  # that are left to ground and clutter

DRIFT_HERTZ = 0.05, 0.11  # slowest and fastest
TREMBLE_HERTZ, TREMBLE = 0.8, 0.8  # of a hand that holds the camera; pixels
LIGHT_HERTZ = 0.06, 0.2
BRIGHTER, WARMER = 0.09, 0.05  # at most, as a share, and the same the other way

REACH = 1.6  # of a canvas for clutter each way, in radii
SHADOW = 2.5, 4.0  # of clutter: pixels right and down
FLOOR = 0.68  # share of the height at which a wall meets the floor
DAY, EVENING, NIGHT = (1.0, 1.0, 1.0), (1.06, 0.92, 0.76), (0.7, 0.74, 0.92)


class Stage:
    """A background of its own for every chance, of a picture's width and height in pixels."""

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
        self._drift = _Swing(chance, DRIFT_HERTZ)
        self._tremble = _Swing(chance, (0.7 * TREMBLE_HERTZ, TREMBLE_HERTZ))
        self._light = _Swing(chance, LIGHT_HERTZ)
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
        """Return a view, and what was laid over it, lit as at a time, in seconds."""
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
    """Two numbers that go smoothly to and fro between -1 and 1, each at its own pace."""

    def __init__(self, chance: Generator, hertz: tuple[float, float]) -> None:
        self._paces = 2 * np.pi * chance.uniform(*hertz, (2, 2)) * [[1.0], [1.7]]
        self._phases = chance.uniform(0, 2 * np.pi, (2, 2))

    def __call__(self, time: float) -> Floats:
        waves = np.sin(self._paces * time + self._phases)
        return np.asarray(0.65 * waves[0] + 0.35 * waves[1], np.float64)


Clutter: TypeAlias = Callable[[Canvas, Palette, Generator], None]
"""Paints something that lies about: in all colours, but never sounding nor of any look."""


def strew(
    picture: Picture, kinds: tuple[Clutter, ...], count: int, top: float, chance: Generator
) -> None:
    """Lay so many pieces of clutter over a picture, in place, the far ones first.

    Nothing lies above the row ``top``; chance decides what lies where, how large and of which hue.
    """
    height, width = picture.shape[:2]
    for y in np.sort(chance.uniform(top, height, count)).tolist():
        kind = kinds[chance.integers(len(kinds))]
        canvas = Canvas(8 + 16 * chance.uniform() ** 2, REACH)
        kind(canvas, make_palette(chance.uniform(), chance), chance)
        sprite = canvas.sprite()
        angle = chance.uniform(-np.pi, np.pi) if kind in LYING else chance.uniform(-0.1, 0.1)
        x = chance.uniform(0, width)
        stamp(picture, shadow_on_wall(sprite), Pose(x + SHADOW[0], y + SHADOW[1], angle))
        stamp(picture, sprite, Pose(x, y, angle))


def _pebble(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    stone = palette.shade * 0.35 + chance.uniform(0.2, 0.5)
    specks = dots(canvas.x * 2.3 + chance.uniform(), canvas.y * 2.3 + chance.uniform(), 0.12)
    outside = canvas.disc(0, 0, 1, chance.uniform(0.55, 0.85))
    canvas.solid(outside, mix(specks, 0.8 * stone, stone), 0.7, 0.25)


def _leaf(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    far = chance.uniform(0.5, 1.1)
    blade = np.maximum(*(canvas.disc(0, side * far, np.hypot(1, far)) for side in (-1, 1)))
    canvas.paint(canvas.stroke(-1.35, 0, 0.8, 0, 0.05), palette.shade * 0.7)
    canvas.solid(blade, palette.main * 0.85, 0.35, 0.2)
    canvas.paint(canvas.stroke(-0.9, 0, 0.85, 0, 0.035), palette.shade * 0.75)
    for x in (-0.5, -0.1, 0.3):
        for side in (-1, 1):
            canvas.paint(canvas.stroke(x, 0, x + 0.22, side * 0.22, 0.02), palette.shade * 0.75)


def _tuft(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    for lean in chance.uniform(-0.9, 0.9, 9).tolist():
        bend = 0.4 * lean, 0.1 - 0.4 * chance.uniform(0.6, 1)
        shade = palette.main * chance.uniform(0.6, 1)
        canvas.solid(canvas.stroke(0.1 * lean, 0.7, *bend, 0.07), shade, 0.07, 0.1)
        canvas.solid(canvas.stroke(*bend, lean, -1 + 0.6 * abs(lean), 0.045), shade, 0.05, 0.1)


def _flower(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    petals = int(chance.integers(5, 8))
    for turn in (np.arange(petals) * 2 * np.pi / petals + chance.uniform()).tolist():
        x, y = 0.58 * np.cos(turn), 0.58 * np.sin(turn)
        canvas.solid(canvas.disc(x, y, 0.42, 0.27, turn), palette.main, 0.3, 0.2)
    canvas.solid(canvas.disc(0, 0, 0.3), palette.second, 0.3, 0.3)


def _mushroom(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    canvas.solid(canvas.stroke(0, 0, 0, 0.8, chance.uniform(0.18, 0.26)), palette.light, 0.2, 0.2)
    cap = np.maximum(canvas.disc(0, 0.05, 1, 0.9), canvas.y - 0.1)
    spots = dots(canvas.x * 1.7 + chance.uniform(), canvas.y * 1.7 + chance.uniform(), 0.24)
    canvas.solid(cap, mix(spots, palette.light, palette.main), 0.45)


def _star(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    turn = np.arctan2(canvas.y, canvas.x)
    edge = 0.64 + 0.32 * np.cos(5 * turn)
    outside = (np.hypot(canvas.x, canvas.y) - edge) * 0.6
    spots = dots(canvas.x * 3 + chance.uniform(), canvas.y * 3, 0.2)
    canvas.solid(outside, mix(spots, palette.light, palette.main), 0.25, 0.2)


def _parcel(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    wide, high = chance.uniform(0.7, 1.05, 2).tolist()
    canvas.solid(canvas.box(0, 0, wide, high, 0.06), palette.main * 0.85, 0.1, 0.1)
    x, y = chance.uniform(-0.3, 0.3, 2).tolist()
    tape = np.minimum(canvas.box(x, 0, 0.1, high), canvas.box(0, y, wide, 0.1))
    canvas.solid(tape, palette.second, 0.05, 0.2)


def _book(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    canvas.solid(canvas.box(0.06, 0.06, 0.72, 0.98, 0.03), palette.light, 0.08, 0.1)
    canvas.solid(canvas.box(0, 0, 0.72, 0.98, 0.05), palette.main, 0.1, 0.1)
    canvas.paint(canvas.box(-0.58, 0, 0.04, 0.98), palette.shade)
    canvas.paint(canvas.box(0.08, -0.45, 0.4, chance.uniform(0.08, 0.22), 0.03), palette.light)
    canvas.paint(canvas.box(0.08, 0.6, 0.25, 0.05), palette.second)


def _pot(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    for lean in chance.uniform(-1, 1, 7).tolist():
        x, y = 0.8 * lean, -1.1 + 0.5 * abs(lean)
        green = np.array([0.3, 0.6, 0.25]) * chance.uniform(0.6, 1.2)
        canvas.solid(canvas.disc(0.6 * x, y + 0.4, 0.52, 0.17, np.arctan2(y, x)), green, 0.15, 0.2)
    sides = canvas.polygon((-0.62, 0.1), (0.62, 0.1), (0.44, 1.05), (-0.44, 1.05))
    bands = stripes(canvas.y * chance.uniform(1, 2.5))
    canvas.solid(sides, mix(bands, palette.main, palette.shade), 0.2, 0.3)
    canvas.solid(canvas.box(0, 0.1, 0.72, 0.13, 0.05), palette.main, 0.1, 0.3)


def _bottle(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    neck = chance.uniform(0.13, 0.2)
    canvas.solid(canvas.box(0, -0.7, neck, 0.5, 0.06), palette.shade, 0.12)
    canvas.solid(canvas.box(0, 0.4, 0.42, 0.75, 0.2), palette.main, 0.25, 0.7)
    canvas.solid(canvas.box(0, 0.5, 0.42, 0.28), palette.light, 0.2, 0.1)
    canvas.paint(canvas.box(0, 0.5, 0.25, 0.08), palette.second)
    canvas.solid(canvas.box(0, -1.15, neck + 0.04, 0.1, 0.03), palette.second, 0.06)


def _cone(canvas: Canvas, palette: Palette, chance: Generator) -> None:
    canvas.solid(canvas.box(0, 0.9, 0.85, 0.13, 0.05), palette.shade, 0.08)
    sides = canvas.polygon((-0.1, -1.0), (0.1, -1.0), (0.58, 0.85), (-0.58, 0.85))
    bands = stripes(canvas.y * chance.uniform(0.8, 1.3) + chance.uniform())
    canvas.solid(sides, mix(bands, palette.light, palette.main), 0.3)


LYING = (_pebble, _leaf, _flower, _star, _parcel, _book)


class Ground(NamedTuple):
    """A kind of background, lit by one of its lights: factors of red, green and blue."""

    paint: Callable[[Floats, Floats, Generator], Floats]  # (h, w, 3) of x and y, (h, w)
    clutter: tuple[Clutter, ...]  # what lies about on it
    top: float = 0.0  # the share of its height above which nothing lies
    lights: tuple[tuple[float, float, float], ...] = (DAY, DAY, EVENING)


def _noise(of: Floats, chance: Generator, across: float, down: float | None = None) -> Floats:
    """Smooth noise as large as ``of``, of deviation 1, in cells so many pixels large."""
    rows, columns = of.shape
    cells = max(round(rows / (down or across)), 2), max(round(columns / across), 2)
    return clouds(chance, (rows, columns), *cells)


def _relief(height: Floats, strength: float) -> Floats:
    """Light on a surface of a height in pixels, as a factor (h, w, 1)."""
    down, along = np.gradient(height)
    slope = np.asarray(0.5 * along + 0.7 * down, np.float64)
    return (1 + strength * slope).clip(0.5, 1.5)[..., np.newaxis]


def _joints(place: Floats, size: float, width: Floats | float) -> Floats:
    """1 within the joints of what lies side by side, else 0."""
    beside = np.abs((place / size + 0.5) % 1 - 0.5) * size
    return np.asarray((width - beside).clip(0, 1), np.float64)


def _shades(across: Floats, down: Floats, chance: Generator) -> Floats:
    """A number of deviation 1 for each cell of a grid: (h, w, 1)."""
    table = chance.standard_normal((64, 64))
    cell = table[np.floor(down).astype(int) % 64, np.floor(across).astype(int) % 64]
    return np.asarray(cell[..., np.newaxis], np.float64)


def _pattern(x: Floats, y: Floats, size: float, chance: Generator) -> Floats:
    """One of the textures, repeating after so many pixels."""
    u, v = x / size, y / size
    patterns = stripes(u), stripes(u + v), checks(u, v), zigzag(u, v), dots(u, v, 0.26)
    return patterns[chance.integers(len(patterns))]


def _meadow(x: Floats, y: Floats, chance: Generator) -> Floats:
    hue = chance.uniform(0.2, 0.34)
    patches = _noise(x, chance, 70)[..., np.newaxis]
    grass = colour(hue, chance.uniform(0.45, 0.7), chance.uniform(0.45, 0.65))
    dry = colour(hue - 0.07, 0.5, 0.62)
    blades = _noise(x, chance, 2.2, 8) + 0.7 * _noise(x, chance, 4, 14)
    ground = mix((0.35 + 0.3 * patches[..., 0]).clip(0, 1), dry, grass)
    ground = ground * (1 + 0.1 * blades[..., np.newaxis]) * _relief(blades, 0.1)
    spread = chance.uniform(9, 15)
    u, v = ((place + 5 * _noise(x, chance, 40)) / spread for place in (x, y))
    blossoms = dots(u, v, 0.14)
    blossoms *= _noise(x, chance, 90) > 0.7
    return mix(blossoms, colour(chance.uniform(), 0.5, 0.95), ground)


def _undergrowth(x: Floats, y: Floats, chance: Generator) -> Floats:
    hue = chance.uniform(0.02, 0.36)
    ground = np.broadcast_to(colour(hue, 0.45, 0.3), (*x.shape, 3))
    for layer in range(5):
        blotches = _noise(x, chance, 26 - 4 * layer) + 0.4 * _noise(y, chance, 6)
        edge = (3 * (blotches - 0.75)).clip(0, 1)
        shade = colour(hue + chance.uniform(-0.12, 0.12), 0.55, 0.3 + 0.1 * layer)
        ground = mix(edge, shade, ground) * _relief(blotches, 0.35)
    return ground * (1 + 0.08 * _noise(x, chance, 2)[..., np.newaxis])


def _sand(x: Floats, y: Floats, chance: Generator) -> Floats:
    lean, length = chance.uniform(-0.4, 0.4), chance.uniform(13, 24)
    swing = 0.5 * _noise(x, chance, 60) + 0.12 * _noise(x, chance, 16)
    ripples = np.sin(2 * np.pi * ((y + lean * x) / length + swing))
    ripples = ripples * (0.6 + 0.4 * _noise(x, chance, 80)).clip(0, 1.2)
    base = colour(chance.uniform(0.06, 0.14), chance.uniform(0.25, 0.5), chance.uniform(0.65, 0.85))
    grains = _noise(x, chance, 1.5)[..., np.newaxis]
    hills = _noise(x, chance, 120)[..., np.newaxis]
    return base * (1 + 0.05 * grains + 0.06 * hills) * _relief(ripples, 0.9)


def _water(x: Floats, y: Floats, chance: Generator) -> Floats:
    hue = chance.uniform(0.45, 0.62)
    swell = _noise(x, chance, 44, 20) + 0.6 * _noise(x, chance, 20, 9)
    net = (1 - np.abs(swell + 0.3 * _noise(x, chance, 8, 5))).clip(0) ** 5
    deep = _noise(x, chance, 150, 90) + (y / len(y) - 0.5)
    ground = mix(
        (0.5 + 0.35 * deep).clip(0, 1),
        colour(hue, chance.uniform(0.6, 0.85), 0.42),
        colour(hue - 0.05, chance.uniform(0.4, 0.6), 0.74),
    )
    ground = ground * _relief(swell, 0.35)
    return mix(0.55 * net, (0.95, 1.0, 1.0), ground)


def _brick(x: Floats, y: Floats, chance: Generator) -> Floats:
    wide, high = chance.uniform(40, 64), chance.uniform(17, 25)
    row = np.floor(y / high)
    along = x + (row % 2) * wide / 2
    painted = chance.uniform() < 0.4
    hue = chance.uniform() if painted else chance.uniform(-0.02, 0.06)
    base = colour(hue, chance.uniform(0.35, 0.6), chance.uniform(0.5, 0.8))
    rough = _noise(x, chance, 3)[..., np.newaxis]
    stones = base * (1 + 0.11 * _shades(along / wide, row, chance) + 0.05 * rough)
    rub = _noise(x, chance, 5)
    joints = np.maximum(_joints(along, wide, 2.0 + 0.3 * rub), _joints(y, high, 2.0 + 0.3 * rub))
    mortar = (0.6 + 0.12 * chance.uniform(-1, 1)) * np.array([1.0, 0.97, 0.92])
    wall = mix(joints, mortar * (1 + 0.05 * rough), stones)
    return wall * _relief(-joints, 0.3) * (1 + 0.07 * _noise(x, chance, 60)[..., np.newaxis])


def _boards(x: Floats, y: Floats, chance: Generator) -> Floats:
    high = chance.uniform(26, 52)
    row = np.floor(y / high)
    along = x + 137 * (row % 5)
    hue, saturation = chance.uniform(0.03, 0.11), chance.uniform(0.35, 0.6)
    if chance.uniform() < 0.35:
        hue, saturation = chance.uniform(), saturation * 0.7
    base = colour(hue, saturation, chance.uniform(0.5, 0.78))
    grain = _noise(x, chance, 90, 2.5) + np.sin(0.9 * y + 5 * _noise(x, chance, 160, 14))
    fibre = _noise(x, chance, 26, 1.6)
    wood = base * (1 + 0.05 * grain + 0.04 * fibre)[..., np.newaxis]
    wood = wood * (1 + 0.09 * _shades(along / 220, row, chance))
    joints = np.maximum(_joints(y, high, 1.6), _joints(along, 220, 1.4))
    return mix(0.75 * joints, 0.35 * base, wood) * _relief(-joints, 0.25)


def _tiles(x: Floats, y: Floats, chance: Generator) -> Floats:
    size = chance.uniform(24, 54)
    palette = make_palette(chance.uniform(), chance)
    across, down = x / size, y / size
    board = (np.floor(across) + np.floor(down)) % 2 * (chance.uniform() < 0.7)
    glaze = mix(board, palette.main * 0.9, 0.75 * palette.light + 0.15 * palette.main)
    ornament = np.maximum(np.abs(across % 1 - 0.5), np.abs(down % 1 - 0.5)) < 0.2
    glaze = np.where(ornament[..., np.newaxis], palette.second, glaze)
    glaze = glaze * (1 + 0.05 * _shades(across, down, chance))
    joints = np.maximum(_joints(x, size, 1.8), _joints(y, size, 1.8))
    laid = mix(joints, np.array([0.5, 0.48, 0.45]), glaze) * _relief(-joints, 0.3)
    return laid * (1 + 0.05 * _noise(x, chance, 40)[..., np.newaxis])


def _quilt(x: Floats, y: Floats, chance: Generator) -> Floats:
    size = chance.uniform(58, 96)
    cloth = np.zeros((*x.shape, 3))
    patch = (np.floor(x / size) + 3 * np.floor(y / size)) % 5
    for index in range(5):
        palette = make_palette(chance.uniform(), chance)
        pattern = _pattern(x, y, chance.uniform(11, 25), chance)
        printed = mix(pattern, palette.main, 0.5 * (palette.main + palette.light))
        cloth = np.where((patch == index)[..., np.newaxis], printed, cloth)
    across, down = (np.abs((place / size) % 1 - 0.5) * 2 for place in (x, y))
    puffed = 14 * (1 - across**4) * (1 - down**4) + 0.5 * _noise(x, chance, 10)
    weave = 1 + 0.05 * _noise(x, chance, 1.6)[..., np.newaxis]
    return 0.85 * cloth * _relief(puffed, 0.16) * weave


def _room(x: Floats, y: Floats, chance: Generator) -> Floats:
    palette = make_palette(chance.uniform(), chance)
    paper = mix(
        0.6 * _pattern(x, y, chance.uniform(22, 44), chance),
        0.5 * palette.main + 0.35 * palette.light,
        0.8 * palette.light,
    )
    stains = 0.02 * _noise(x, chance, 3) + 0.07 * _noise(x, chance, 160)
    wall = paper * (1 + stains)[..., np.newaxis]
    floor_top = y[0, 0] + len(y) * FLOOR
    shade = 1 - 0.35 * np.exp(-np.abs(y - floor_top) / 16)[..., np.newaxis]
    floor = _boards(x, (y - floor_top) * 1.1, chance)
    skirting = (np.abs(y - floor_top + 6) < 6)[..., np.newaxis]
    room = np.where((y > floor_top)[..., np.newaxis], floor, wall) * shade
    return np.asarray(np.where(skirting, 0.85 * palette.light, room), np.float64)


def _town(x: Floats, y: Floats, chance: Generator) -> Floats:
    down = ((y - y[0, 0]) / len(y))[..., np.newaxis]
    hue = chance.uniform(0.55, 0.95)
    town = colour(hue, 0.6, 0.25) * (1 - down) + colour(hue + 0.1, 0.55, 0.75) * down
    stars = np.maximum(_noise(x, chance, 2.5) - 2.6, 0).clip(0, 0.5)[..., np.newaxis]
    town = town + stars
    for row, low in enumerate((0.25, 0.12, 0.0)):
        wide = chance.uniform(50, 90)
        house = np.floor(x / wide + chance.uniform()).astype(int) % 64
        inside = down[..., 0] > FLOOR - low - chance.uniform(0.05, 0.36, 64)[house]
        tints = hue + chance.uniform(-0.25, 0.25, 64)
        walls = np.array([colour(tint, 0.45, 0.5 - 0.1 * row) for tint in tints])[house]
        u, v = x / chance.uniform(11, 17), y / chance.uniform(15, 22)
        pane = (np.abs(u % 1 - 0.5) < 0.27) & (np.abs(v % 1 - 0.5) < 0.3)
        lit = _shades(u, v, chance)
        glow = np.array([1.3, 1.0, 0.5]) * (0.6 + 0.25 * lit.clip(0, 2))
        front = np.where(pane[..., np.newaxis], np.where(lit > 0.6, glow, 0.55 * walls), walls)
        town = np.where(inside[..., np.newaxis], front, town)
    wet = (0.5 + 0.2 * _noise(x, chance, 30, 3))[..., np.newaxis]
    mirrored = town[np.clip((2 * FLOOR * len(y) - np.arange(len(y))).astype(int), 0, len(y) - 1)]
    street = colour(hue, 0.25, 0.32) * (0.7 + 0.1 * _noise(x, chance, 2)[..., np.newaxis])
    return np.asarray(np.where(down > FLOOR, street + 0.45 * wet * mirrored, town), np.float64)


GROUNDS: dict[str, Ground] = {
    "meadow": Ground(_meadow, (_tuft, _flower, _mushroom, _pebble, _leaf)),
    "undergrowth": Ground(_undergrowth, (_leaf, _leaf, _mushroom, _tuft, _pebble)),
    "sand": Ground(_sand, (_star, _pebble, _bottle, _leaf)),
    "water": Ground(_water, (_leaf, _flower, _bottle, _star)),
    "brick": Ground(_brick, (_leaf, _pot, _flower), lights=(DAY, EVENING)),
    "boards": Ground(_boards, (_book, _parcel, _bottle, _pot)),
    "tiles": Ground(_tiles, (_pot, _bottle, _cone, _parcel)),
    "quilt": Ground(_quilt, (_book, _star, _flower, _parcel)),
    "room": Ground(_room, (_book, _pot, _parcel, _bottle), FLOOR - 0.02),
    "town": Ground(_town, (_cone, _parcel, _bottle, _leaf), FLOOR, (NIGHT,)),
}
