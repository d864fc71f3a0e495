"""A short clip of the project's own: things that move and sound, and where people would look.

A bell hangs over a table on which a beetle and a ball are. They take turns: at every time exactly
one of them sounds, and moves with its sound. The camera drifts and the light changes, so that
everything else moves a little, too. The same seed gives the same clip.

Places and sizes are in pixels of the picture, the centre of the first being (0, 0).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lookhear.data.observers import Observers, Sight
from lookhear.data.things import BALL, BEETLE, BELL, Beats, Thing
from lookhear.data.world.canvas import (
    Canvas,
    Floats,
    Pose,
    Sprite,
    clouds,
    shadow_on_table,
    shadow_on_wall,
    stamp,
)
from lookhear.data.world.synthesis import SAMPLE_RATE
from lookhear.media.picture import Picture

WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 25
TURNS = 4

MARGIN = 16  # of the set beyond each side of the picture, for the camera to drift in
TABLE_TOP = 228  # from the picture's top


class Target(NamedTuple):
    """Where the thing that sounds is.

    Attributes:
        x: of its centre.
        y: of its centre.
        radius: of a circle about it.
    """

    x: float
    y: float
    radius: float


class Scene:
    """A clip of 640 x 360 pixels, 25 frames a second and mono sound, with its truth.

    Args:
        seed: decides who is where, who sounds when, the set, and where each observer looks.
        duration: seconds.
    """

    def __init__(self, seed: int = 0, duration: float = 9.0) -> None:
        chance = np.random.default_rng(seed)
        self.duration = duration
        places = WIDTH * (np.array([0.2, 0.5, 0.79]) + chance.uniform(-0.03, 0.03, 3))
        things = (BELL, BEETLE, BALL)
        self._actors = [_Actor(thing, x) for thing, x in zip(things, places, strict=True)]
        self._turns = _turns(self._actors, duration, chance)
        self._observers = Observers(chance, duration)
        self._drift = chance.uniform(0, 2 * np.pi, 3)
        self._set = _paint_set(chance)
        self._sound_seed = int(chance.integers(2**32))

    @property
    def times(self) -> list[float]:
        """Seconds at which there is a frame."""
        return [i / FRAMES_PER_SECOND for i in range(round(self.duration * FRAMES_PER_SECOND))]

    def frames(self) -> Iterator[tuple[float, Picture]]:
        """Give the frames one by one: time in seconds, and RGB (360, 640, 3) uint8."""
        for time in self.times:
            yield time, self._frame(time)

    def sound(self) -> tuple[NDArray[np.float32], int]:
        """Return mono samples, float32 in [-1, 1], and how many make a second."""
        chance = np.random.default_rng(self._sound_seed)
        samples = np.zeros(round(self.duration * SAMPLE_RATE), np.float32)
        for turn in self._turns:
            start, end = turn.start, turn.start + turn.beats.duration
            part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            voice = turn.actor.thing.voice(turn.beats, np.arange(len(part)) / SAMPLE_RATE, chance)
            part += (0.7 * voice / np.abs(voice).max()).astype(np.float32)
        return samples, SAMPLE_RATE

    def target(self, time: float) -> Target:
        """Say where the thing that sounds at a time, in seconds, is then."""
        actor = self._turn(time).actor
        x, y = self._place(actor, time)
        return Target(x, y, actor.thing.radius)

    def gaze(self, time: float) -> NDArray[np.float32]:
        """Say where the 15 observers look at a time, in seconds: (15, 2) float32, x and y.

        Their target, and what moves most, is what sounds; `lookhear.data.observers` has the model.
        """
        places = [(*self._place(actor, time), actor.thing.radius) for actor in self._actors]
        return self._observers.gaze(time, self._sight, np.array(places), (WIDTH, HEIGHT))

    def _frame(self, time: float) -> Picture:
        left, top = self._camera(time) + MARGIN
        crop = np.array([[1, 0, -left], [0, 1, -top]])
        seen = cv2.warpAffine(self._set, crop, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        frame = np.asarray(seen, np.uint8)
        for actor in self._actors:
            x, y = self._place(actor, time)
            actor.paint(frame, x, y, self._pose(actor, time))
        light = 1 + 0.035 * np.sin(0.9 * time + self._drift[2])
        return np.asarray(cv2.convertScaleAbs(frame, alpha=light), np.uint8)

    def _camera(self, time: float) -> Floats:
        """Where the camera has drifted to: x and y, within the margin."""
        turn = self._drift[:2] + time * np.array([0.55, 0.41])
        return np.sin(turn) * (11, 5)

    def _turn(self, time: float) -> "_Turn":
        return [turn for turn in self._turns if turn.start <= max(time, 0)][-1]

    def _pose(self, actor: "_Actor", time: float) -> Pose:
        turn = self._turn(time)
        if turn.actor is not actor:
            return Pose()
        return actor.thing.motion(turn.beats, max(time - turn.start, 0))

    def _place(self, actor: "_Actor", time: float) -> Floats:
        pose = self._pose(actor, time)
        return np.array([actor.x + pose.x, actor.thing.height + pose.y]) - self._camera(time)

    def _sight(self, time: float) -> Sight:
        sounding = self._actors.index(self._turn(time).actor)
        return Sight(tuple(range(len(self._actors))), sounding, sounding)


@dataclass(frozen=True)
class _Turn:
    actor: "_Actor"
    start: float
    beats: Beats


class _Actor:
    """A thing in its place on the set, painted beforehand."""

    def __init__(self, thing: Thing, x: float) -> None:
        self.thing = thing
        self.x = x
        self._resting, self._sounding = thing.sprite(sounding=False), thing.sprite(sounding=True)
        hangs = thing.foot is None
        self._shadow = shadow_on_wall(self._resting) if hangs else shadow_on_table(thing.radius)

    def paint(self, frame: Picture, x: float, y: float, pose: Pose) -> None:
        thing = self.thing
        if thing.foot is None:
            stamp(frame, self._shadow, x + 15, y + 20, pose.angle)
        else:
            ground = y - pose.y + thing.foot * thing.radius
            height = max(-pose.y, 0) / thing.radius
            strength = 1 / (1 + 0.5 * height)
            stamp(frame, self._shadow, x + 9 * height, ground, strength=strength)
        stamp(frame, self._body(pose.effort), x, y, pose.angle, pose.stretch)

    def _body(self, effort: float) -> Sprite:
        if effort <= 0:
            return self._resting
        mixed = cv2.addWeighted(self._resting.rgba, 1 - effort, self._sounding.rgba, effort, 0)
        return self._resting._replace(rgba=np.asarray(mixed, np.float32))


def _turns(actors: list[_Actor], duration: float, chance: Generator) -> list[_Turn]:
    order = chance.permutation(len(actors))
    lengths = chance.uniform(0.85, 1.15, TURNS)
    lengths *= duration / lengths.sum()
    turns, start = [], 0.0
    for index, length in enumerate(lengths.tolist()):
        actor = actors[order[index % len(order)]]
        turns.append(_Turn(actor, start, Beats(actor.thing.rhythm(length), length)))
        start += length
    return turns


def _paint_set(chance: Generator) -> Picture:
    """Paint wall, window light, table and clutter, a margin larger than the picture."""
    rows, columns = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    shape = rows, columns
    y, x = np.mgrid[-MARGIN : rows - MARGIN, -MARGIN : columns - MARGIN].astype(np.float64)

    plaster = (
        0.84
        + 0.07 * clouds(chance, shape, 5, 8)
        + 0.035 * clouds(chance, shape, 24, 40)
        + 0.022 * clouds(chance, shape, 150, 260)
    )
    plaster *= 1.14 - 0.52 * np.hypot((x - 230) / WIDTH, (y - 100) / HEIGHT)
    wall = plaster[..., np.newaxis] * (0.35, 0.46, 0.5)
    wall *= 1 + _window_light(x, y)[..., np.newaxis] * (0.88, 0.46, 0.14)
    _hang_landscapes(wall, chance)
    above_table = np.exp(-(TABLE_TOP - y).clip(0) / 9)
    wall *= 1 - 0.35 * above_table[..., np.newaxis]

    grain = 0.8 + 0.09 * clouds(chance, shape, 60, 3) + 0.05 * clouds(chance, shape, 170, 9)
    grain += 0.18 * (y - TABLE_TOP) / (HEIGHT - TABLE_TOP)
    grain *= 1.12 - 0.34 * np.abs((x - 260) / WIDTH)
    for seam in (262, 318):
        grain *= 1 - 0.35 * np.exp(-(((y - seam) / 1.1) ** 2))
    wood = grain[..., np.newaxis] * (0.58, 0.37, 0.24)
    on_table = (y - TABLE_TOP + 0.5).clip(0, 1)[..., np.newaxis]
    painted = wall * (1 - on_table) + wood * on_table
    picture = np.asarray(255 * painted.clip(0, 1) + 0.5, np.uint8)
    _lay_books(picture)
    _strew_pebbles(picture, chance)
    return picture


def _window_light(x: Floats, y: Floats) -> Floats:
    """Sun through a window of three by two panes, aslant on the wall: (h, w), 0 to 1."""
    across, down = (x - 222 - 0.3 * y) / 58, (y - 16 + 0.1 * x) / 84
    light = np.exp(-(((y - 60) / 190) ** 2))
    for place, panes in ((across, 3), (down, 2)):
        to_bar = np.abs(place - place.round().clip(0, panes)) - 0.04
        within = np.minimum(place, panes - place)
        light *= (np.minimum(to_bar, within) / 0.09).clip(0, 1)
    return light


def _hang_landscapes(wall: Floats, chance: Generator) -> None:
    """Hang two small pictures on the wall, with their shadows, a little out of focus."""
    for left, top, width, height in ((455, 48, 84, 64), (560, 78, 58, 74)):
        left, top = left + MARGIN, top + MARGIN
        shadow = np.zeros(wall.shape[:2])
        shadow[top + 6 : top + height + 6, left + 5 : left + width + 5] = 1
        wall *= 1 - 0.4 * cv2.GaussianBlur(shadow, (0, 0), 5)[..., np.newaxis]
        framed = wall[top : top + height, left : left + width]
        framed[...] = (0.3, 0.21, 0.15)
        framed[4:-4, 4:-4] = (0.82, 0.79, 0.72)
        view = framed[13:-13, 13:-13]
        down = np.linspace(0, 1, len(view))[:, np.newaxis, np.newaxis]
        along = np.linspace(0, 1, view.shape[1])[:, np.newaxis]
        view[...] = (0.8, 0.66, 0.5) + down * (-0.1, -0.02, 0.1)
        for hill, colour in enumerate(((0.42, 0.5, 0.52), (0.3, 0.4, 0.38), (0.2, 0.28, 0.24))):
            a, b = chance.uniform(0, 2 * np.pi, 2)
            ridge = 0.42 + 0.2 * hill + 0.08 * np.sin(5 * along + a) + 0.04 * np.sin(11 * along + b)
            view[...] = np.where(down > ridge, colour, view)
        framed[...] = cv2.GaussianBlur(framed, (0, 0), 0.8)


def _lay_books(picture: Picture) -> None:
    """Lay three books on one another at the back of the table."""
    canvas = Canvas(10, (-9, -6, 9, 4))
    shadow = np.hypot(canvas.x / 7.2, (canvas.y - 2.2) / 1.0)
    canvas.rgba[..., 3] = 0.6 * np.exp(-(shadow**4))
    books = (
        (0.3, 1.4, 5.6, (0.24, 0.3, 0.42)),
        (-0.4, -0.1, 5.0, (0.62, 0.44, 0.22)),
        (0.2, -1.45, 4.3, (0.45, 0.19, 0.2)),
    )
    for x, y, half, colour in books:
        u, v = np.abs(canvas.x - x) - half, np.abs(canvas.y - y) - 0.62
        shade = (1.05 - 0.35 * (canvas.y - y) - 0.03 * canvas.x)[..., np.newaxis]
        title = (np.abs(v + 0.5) < 0.1) & (np.abs(u + half) < 0.4 * half)
        bands = (np.abs(u + 0.7) < 0.12) | title
        cloth = np.where(bands[..., np.newaxis], (0.86, 0.74, 0.5), colour) * shade
        canvas.paint(np.maximum(u, v) - 0.1, cloth.clip(0, 1))
    stamp(picture, canvas.sprite(), 84 + MARGIN, 228 + MARGIN)


def _strew_pebbles(picture: Picture, chance: Generator) -> None:
    tones = ((0.62, 0.6, 0.56), (0.5, 0.46, 0.44), (0.7, 0.63, 0.53), (0.42, 0.45, 0.48))
    for x in (212, 236, 395, 418, 447, 598):
        radius = chance.uniform(4.5, 9)
        canvas = Canvas(radius, (-2.5, -1.2, 2.5, 1.6))
        shadow = np.hypot((canvas.x - 0.3) / 1.3, (canvas.y - 0.45) / 0.4)
        canvas.rgba[..., 3] = 0.6 * np.exp(-(shadow**3))
        light, shine = canvas.round_light(0, 0, 1, 0.62)
        stone = (0.4 + 0.65 * light + 0.12 * shine)[..., np.newaxis] * tones[chance.integers(4)]
        canvas.paint(canvas.disc(0, 0, 1, 0.62), stone.clip(0, 1))
        y = chance.uniform(322, 350) if x < 500 else chance.uniform(262, 300)
        stamp(picture, canvas.sprite(), x + chance.uniform(-8, 8) + MARGIN, y + MARGIN)
