"""What pictures of things are put together from: canvas, sprite, pose, shadow, colour, pattern.

Places and sizes are in pixels of the picture, the centre of the first being (0, 0). Colours are
RGB, 0 to 1. A pattern is (h, w), 0 to 1, of coordinates (h, w), and repeats once a unit.
"""

import colorsys
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from lookhear.media.picture import Picture

Floats: TypeAlias = NDArray[np.float64]

SHARPNESS = 3.0  # of the edges of stripes and checks, over that of a sine's
SPRITE_PIXELS = 2  # on a side of a picture's pixel


class Pose(NamedTuple):
    """How far a thing is from how it rests."""

    x: float = 0.0  # pixels to the right
    y: float = 0.0  # pixels down
    angle: float = 0.0  # radians, clockwise
    stretch: float = 1.0  # its height over that at rest; its width changes the other way
    scale: float = 1.0  # its size over that at rest


class Sprite(NamedTuple):
    """A picture of a thing."""

    rgba: NDArray[np.float32]  # (h, w, 4) float32, 0 to 1, colours multiplied by alpha
    x: float  # of the thing's centre, in the sprite's own pixels, `SPRITE_PIXELS` to a picture's
    y: float  # of the thing's centre, likewise

    def outline(self) -> Floats:
        """Return the convex hull of what is more opaque than not: (N, 2), from its centre."""
        rows, columns = np.nonzero(self.rgba[..., 3] > 0.5)
        hull = cv2.convexHull(np.column_stack([columns, rows]).astype(np.float32))
        return (np.asarray(hull, np.float64).reshape(-1, 2) - (self.x, self.y)) / SPRITE_PIXELS


class Canvas:
    """A transparent picture to paint a thing on, in units of the thing's radius.

    Args:
        radius: Of the thing, in pixels.
        reach: Of the canvas each way.

    Attributes:
        x: (h, w), 0 at the thing's centre.
        y: (h, w), downwards.
        rgba: (h, w, 4) float32, 0 to 1, colours multiplied by alpha.
    """

    def __init__(self, radius: float, reach: float) -> None:
        self._reach = reach
        self.scale = radius * SPRITE_PIXELS
        places = np.arange(round(2 * reach * self.scale)) / self.scale - reach
        self.x, self.y = np.meshgrid(places, places)
        self.rgba = np.zeros((*self.x.shape, 4), np.float32)

    def sprite(self) -> Sprite:
        """Return what has been painted."""
        return Sprite(self.rgba, self._reach * self.scale, self._reach * self.scale)

    def paint(self, outside: Floats, colour: ArrayLike, opacity: ArrayLike = 1.0) -> None:
        """Paint over what is there wherever ``outside``, a signed distance, is negative."""
        window = self._window(outside)
        opaque = np.broadcast_to(np.asarray(opacity, np.float64), outside.shape)[window]
        shown = np.broadcast_to(np.asarray(colour, np.float64), (*outside.shape, 3))[window]
        self._cover(window, outside[window], shown, opaque)

    def solid(
        self, outside: Floats, colour: ArrayLike, bevel: float = 0.3, shine: float = 0.5
    ) -> None:
        """Paint as `paint` does, lit as a body whose edges are rounded, ``bevel`` wide."""
        window = self._window(outside)
        shown = np.broadcast_to(np.asarray(colour, np.float64), (*outside.shape, 3))[window]
        outside = outside[window]
        if min(outside.shape) < 2:  # too small to have a slope
            return
        down, along = np.gradient(outside)
        steep = (1 + outside / bevel).clip(0, 1) / np.maximum(np.hypot(along, down), 1e-9)
        diffuse, highlight = _light(steep * along, steep * down)
        lit = shown * (0.42 + 0.9 * diffuse)[..., np.newaxis] + shine * highlight[..., np.newaxis]
        self._cover(window, outside, lit.clip(0, 1), 1.0)

    def _window(self, outside: Floats) -> tuple[slice, slice]:
        """The smallest part of the canvas that holds all that is not outside."""
        touched = outside < 0.5 / self.scale
        return _span(touched.any(axis=1)), _span(touched.any(axis=0))

    def _cover(
        self, window: tuple[slice, slice], outside: Floats, colour: Floats, opacity: Floats | float
    ) -> None:
        cover = ((0.5 - outside * self.scale).clip(0, 1) * opacity)[..., np.newaxis]
        under = self.rgba[window]
        under *= 1 - cover
        under[..., :3] += cover * colour
        under[..., 3:] += cover

    def box(self, x: float, y: float, a: float, b: float, corner: float = 0.0) -> Floats:
        """Return the signed distance to a box of half sides ``a``, ``b`` with round corners."""
        across, down = np.abs(self.x - x) - a + corner, np.abs(self.y - y) - b + corner
        beyond = np.hypot(across.clip(0), down.clip(0))
        return np.asarray(beyond + np.maximum(across, down).clip(None, 0) - corner, np.float64)

    def polygon(self, *corners: tuple[float, float]) -> Floats:
        """Return the signed distance to a convex polygon, its corners clockwise."""
        side = np.full_like(self.x, -np.inf)
        edge = np.full_like(self.x, np.inf)
        for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
            dx, dy = x1 - x0, y1 - y0
            beyond = ((self.x - x0) * dy - (self.y - y0) * dx) / np.hypot(dx, dy)
            np.maximum(side, beyond, out=side)
            np.minimum(edge, self.stroke(x0, y0, x1, y1, 0), out=edge)
        return np.where(side < 0, side, edge)

    def disc(self, x: float, y: float, a: float, b: float | None = None, tilt: float = 0) -> Floats:
        """Return the signed distance (nearly) to an ellipse of half axes ``a``, ``b``."""
        b = a if b is None else b
        cos, sin = np.cos(tilt), np.sin(tilt)
        along = (self.x - x) * cos + (self.y - y) * sin
        across = (self.y - y) * cos - (self.x - x) * sin
        return np.asarray((np.hypot(along / a, across / b) - 1) * min(a, b), np.float64)

    def stroke(self, x0: float, y0: float, x1: float, y1: float, half_width: float) -> Floats:
        """Return the signed distance to a thick line with round ends."""
        dx, dy = x1 - x0, y1 - y0
        share = ((self.x - x0) * dx + (self.y - y0) * dy) / (dx * dx + dy * dy)
        share = share.clip(0, 1)
        return np.hypot(self.x - x0 - share * dx, self.y - y0 - share * dy) - half_width


def _span(hit: ArrayLike) -> slice:
    found = np.flatnonzero(hit)
    return slice(found[0], found[-1] + 1) if found.size else slice(0)


def _light(nx: Floats, ny: Floats) -> tuple[Floats, Floats]:
    """Diffuse light and highlight where a surface's normal leans so far right and down."""
    nz = np.sqrt((1 - nx * nx - ny * ny).clip(0))
    diffuse = (-0.48 * nx - 0.64 * ny + 0.6 * nz).clip(0)
    halfway = (-0.27 * nx - 0.36 * ny + 0.89 * nz).clip(0, 1)
    return diffuse, halfway**60


def shadow_on_wall(sprite: Sprite) -> Sprite:
    """The shadow of a thing that hangs a little before a wall."""
    dark = np.zeros_like(sprite.rgba)
    dark[..., 3] = 0.42 * cv2.GaussianBlur(sprite.rgba[..., 3], (0, 0), 5 * SPRITE_PIXELS)
    return Sprite(dark, sprite.x, sprite.y)


def stamp(frame: Picture, sprite: Sprite, pose: Pose) -> None:
    """Lay a sprite over a frame, in place; it rests with its centre at (0, 0)."""
    turned = _turned(pose) / SPRITE_PIXELS
    shift = np.array([pose.x, pose.y]) - turned @ (sprite.x, sprite.y)
    rows, columns = sprite.rgba.shape[:2]
    corners = turned @ np.array([[0, columns, 0, columns], [0, 0, rows, rows]]) + shift[:, None]
    left, top = np.maximum(np.floor(corners.min(1)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(1)) + 1, frame.shape[1::-1]).astype(int)
    if left >= right or top >= bottom:
        return
    matrix = np.column_stack([turned, shift - (left, top)])
    patch = cv2.warpAffine(sprite.rgba, matrix, (right - left, bottom - top))
    under = frame[top:bottom, left:right]
    under[...] = (under * (1 - patch[..., 3:]) + 255 * patch[..., :3] + 0.5).astype(np.uint8)


def placed(outline: Floats, pose: Pose) -> Floats:
    """Return where `stamp` lays the points of a sprite's outline: (N, 2), x and y."""
    return np.asarray(outline @ _turned(pose).T + (pose.x, pose.y), np.float64)


def _turned(pose: Pose) -> Floats:
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    widened = np.array([pose.scale / pose.stretch, pose.scale * pose.stretch])
    return np.asarray(np.array([[cos, -sin], [sin, cos]]) * widened, np.float64)


def clouds(chance: Generator, shape: tuple[int, int], down: int, across: int) -> Floats:
    """Smooth noise of deviation 1, of a (height, width), with so many cells down and across."""
    cells = chance.standard_normal((down, across))
    smooth = cv2.resize(cells, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth / smooth.std(), np.float64)


class Palette(NamedTuple):
    """Colours of a thing, RGB (3,)."""

    main: Floats  # of most of it
    shade: Floats  # the main one, darker
    second: Floats  # of its parts and patterns
    dark: Floats  # nearly black
    light: Floats  # nearly white


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
