"""A clip of the world: its pictures and its sound, and all that is true of it.

Places and sizes are in pixels of the picture, the centre of the first being (0, 0).
"""

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lookhear.data.observers import Observers, Sight
from lookhear.data.world.canvas import Floats, placed, shadow_on_wall, stamp
from lookhear.data.world.categories import HUE_RANGE
from lookhear.data.world.looks import paint
from lookhear.data.world.scenarios import (
    FRAMES_PER_SECOND,
    Script,
    Thing,
    Use,
    chance_of,
    split_of,
    tag_of,
    write_script,
)
from lookhear.data.world.stage import Stage
from lookhear.data.world.synthesis import SAMPLE_RATE
from lookhear.data.world.truth import Box, Course, Role, Scenario, Truth
from lookhear.data.world.voices import ambience, sing
from lookhear.media.picture import Picture

WIDTH, HEIGHT = 480, 270
SOUND_GAIN = (0.6, 1.0)
TRIALS = 300  # of ways to place the things
GAP = 6  # pixels between things, if there is room
SHADOW = (4.0, 7.0)  # how far it falls beside the thing, to the right and down
LEAST_SPEED = 0.3  # radii a second; slower things draw no look


class WorldClip:
    """A clip of 480 x 270 pixels, 25 frames a second and mono sound, with its truth.

    It depends on the arguments alone, and it is cheap to make: pictures and sound are rendered
    when they are asked for.

    Attributes:
        name: of its files, `s7-00012` for clip 12 of the sounding world of seed 7.
        tag: its category, or its action.
        split: what it is for.
        duration: seconds.
    """

    def __init__(self, scenario: Scenario, seed: int, number: int, duration: float = 10.0) -> None:
        self._scenario: Scenario = scenario
        self._seed = seed
        self._number = number
        self._frame_count = round(duration * FRAMES_PER_SECOND)
        self.name = f"{scenario[0]}{seed}-{number:05d}"
        self.tag = tag_of(scenario, seed, number)
        self.split = split_of(scenario, seed, number)
        self.duration = duration

    @property
    def start(self) -> float:
        """Seconds, where the annotation has the tag begin."""
        return self._script.start

    @property
    def end(self) -> float:
        """Seconds, where the annotation has the tag end."""
        return self._script.end

    @property
    def times(self) -> list[float]:
        """Seconds at which there is a frame."""
        return [index / FRAMES_PER_SECOND for index in range(self._frame_count)]

    def frames(self) -> Iterator[tuple[float, Picture]]:
        """Give the frames one by one: time in seconds, and RGB (270, 480, 3) uint8."""
        for index, time in enumerate(self.times):
            yield time, self.picture(index)

    def picture(self, index: int) -> Picture:
        """Render the frame of a number."""
        time = self.times[index]
        frame = self._stage.view(time)
        for actor in self._actors:
            actor.stamp(frame, index)
        return self._stage.light(frame, time)

    def sound(self) -> tuple[NDArray[np.float32], int]:
        """Return mono samples, float32 in [-1, 1], and how many make a second."""
        chance = self._chance(Use.SOUND)
        samples = ambience(self.duration, chance)
        for sound in self._script.sounds:
            voice = sing(sound.category.voice, sound.pitch, sound.envelope, chance)
            first = round(sound.start * SAMPLE_RATE)
            part = samples[first : first + len(voice)]
            part += np.float32(chance.uniform(*SOUND_GAIN)) * voice[: len(part)]
        return samples.clip(-1, 1), SAMPLE_RATE

    def target(self, time: float) -> Box | None:
        """Say where what true attention is on at a time, in seconds, is then, if anything."""
        target = self._sight(time).target
        return None if target is None else self.boxes(time)[target]

    def boxes(self, time: float) -> list[Box | None]:
        """Say where each of the things is at a time, in seconds; None is not in the picture."""
        index = self._index(time)
        return [actor.box(index) for actor in self._actors]

    def gaze(self, time: float) -> NDArray[np.float32]:
        """Say where the 15 observers look at a time, in seconds: (15, 2) float32, x and y."""
        places = np.array([actor.places[self._index(time)] for actor in self._actors])
        return self._observers.gaze(time, self._sight, places, (WIDTH, HEIGHT))

    def truth(self) -> Truth:
        """Return all that is true of it."""
        things = []
        for number, actor in enumerate(self._actors):
            boxes = tuple(actor.box(index) for index in range(self._frame_count))
            role: Role = "target" if number == self._script.target else "other"
            things.append(Course(actor.thing.category.name, role, boxes))
        segments = self._script.segments
        return Truth(self._scenario, self.tag, FRAMES_PER_SECOND, segments, tuple(things))

    def _chance(self, use: Use) -> Generator:
        return chance_of(self._scenario, self._seed, self._number, use)

    def _index(self, time: float) -> int:
        """Of the frame that is shown."""
        return min(max(math.floor(time * FRAMES_PER_SECOND + 1e-6), 0), self._frame_count - 1)

    def _sight(self, time: float) -> Sight:
        return self._sights[self._index(time)]

    @cached_property
    def _script(self) -> Script:
        return write_script(self._scenario, self._seed, self._number, self.duration)

    @cached_property
    def _stage(self) -> Stage:
        return Stage(self._chance(Use.STAGE), WIDTH, HEIGHT)

    @cached_property
    def _observers(self) -> Observers:
        return Observers(self._chance(Use.GAZE), self.duration)

    @cached_property
    def _actors(self) -> "list[_Actor]":
        chance = self._chance(Use.LOOKS)
        actors = [_Actor(thing, self.times, chance) for thing in self._script.things]
        cameras = np.array([self._stage.camera(time) for time in self.times])
        _place(actors, cameras, self._chance(Use.PLACES))
        return actors

    @cached_property
    def _sights(self) -> list[Sight]:
        """What there is to look at in each frame."""
        sights = []
        begin, end = self._script.attended
        speeds = np.array([actor.speeds for actor in self._actors])
        for index, time in enumerate(self.times):
            seen = tuple(i for i, actor in enumerate(self._actors) if actor.thing.is_seen(time))
            mover = max(seen, key=lambda thing: speeds[thing, index], default=None)
            if mover is not None and speeds[mover, index] < LEAST_SPEED:
                mover = None
            target = self._script.target if begin <= time < end else None
            sights.append(Sight(seen, target, mover))
        return sights


class _Actor:
    """A thing of a clip, painted, with its course."""

    def __init__(self, thing: Thing, times: list[float], chance: Generator) -> None:
        self.thing = thing
        hue = thing.category.hue + chance.uniform(0, HUE_RANGE)
        self._sprite = paint(thing.category.look, hue, thing.radius, chance)
        self._shadow = shadow_on_wall(self._sprite)
        self._seen = [thing.is_seen(time) for time in times]
        poses = [thing.pose(time) for time in times]
        self._poses = [p._replace(x=p.x * thing.radius, y=p.y * thing.radius) for p in poses]
        # (T, 3): x, y and radius in each frame, from its own place until it is moved there.
        self.places = np.array([(p.x, p.y, thing.radius * p.scale) for p in self._poses])
        outline = self._sprite.outline()
        outlines = np.array([placed(outline, pose) for pose in self._poses])  # (T, N, 2)
        self._boxes = np.concatenate([outlines.min(1), outlines.max(1)], axis=1)
        while_seen = self._boxes[self._seen]
        # (4,): left, top, right, bottom of all its boxes, from its own place.
        self.reach = np.concatenate([while_seen[:, :2].min(0), while_seen[:, 2:].max(0)])
        steps = np.hypot(*np.moveaxis(np.diff(outlines, axis=0, prepend=outlines[:1]), 2, 0))
        # (T,): how far its outline moves on the stage, in its radii a second.
        self.speeds = steps.mean(1) * FRAMES_PER_SECOND / thing.radius

    def move(self, path: Floats) -> None:
        """Move it to where its own place is in each frame: (T, 2) x and y."""
        self.places[:, :2] += path
        self._boxes += np.tile(path, 2)

    def box(self, index: int) -> Box | None:
        """Say where it is in a frame."""
        if not self._seen[index]:
            return None
        left, top, right, bottom = self._boxes[index].round(1).tolist()
        return Box(max(left, 0), max(top, 0), min(right, WIDTH - 1), min(bottom, HEIGHT - 1))

    def stamp(self, frame: Picture, index: int) -> None:
        """Lay it over a frame, in place."""
        if not self._seen[index]:
            return
        pose, (x, y, _) = self._poses[index], self.places[index]
        right, down = (pose.scale * far for far in SHADOW)
        stamp(frame, self._shadow, pose._replace(x=x + right, y=y + down))
        stamp(frame, self._sprite, pose._replace(x=x, y=y))


def _place(actors: list[_Actor], cameras: Floats, chance: Generator) -> None:
    """Move actors to places where they stay in the picture and apart, as far as possible."""
    reaches = np.array([actor.reach for actor in actors])
    least = cameras.max(0) - reaches[:, :2]
    most = np.array([WIDTH - 1, HEIGHT - 1]) + cameras.min(0) - reaches[:, 2:]
    shares = chance.random((TRIALS, len(actors), 2))
    places = least + shares * np.maximum(most - least, 0)
    boxes = np.tile(places, 2) + reaches  # (TRIALS, N, 4)
    one, other = boxes[:, :, np.newaxis], boxes[:, np.newaxis]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    overlaps = np.triu((sides + GAP).clip(0).prod(-1), 1).sum((1, 2))
    for actor, place in zip(actors, places[overlaps.argmin()], strict=True):
        actor.move(place - cameras)
