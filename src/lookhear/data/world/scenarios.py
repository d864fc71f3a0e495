"""What happens in a clip of the world: what is seen, how it moves and what is heard.

- *sounding*: two to four things, one of which sounds, and moves with its sound. The others move,
  too, by rhythms of the same kind, but silently. True attention is on the one that sounds.
- *offscreen*: the same, but what sounds is not in the picture, nor is anything like it.
- *unsynchronised*: the thing of the tag is in the picture in one part of the clip and is heard in
  another. Other things come and go, and others, that are never seen, are heard at other times.
- *actions*: what one of two or three things does makes the tag. It does so in one stretch.
- *moving*: three or four things, two of them alike, all of which sound; one moves, and what it is
  makes the tag. Where it is the one that has its like, nothing but its motion tells it apart.
- *pausing*: two to four things, all of which move now and then. Of one, every other time is heard:
  it makes the tag, and true attention stays on it. In the pauses only what was heard before, or
  will be, tells it apart.
- *busy*: as *actions*, but everything moves all the time: things drift to and fro along slanted
  lines, as no action does, and so does the one that acts, before and after. That something moves
  tells neither when the action is nor where; how it moves does.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, SeedSequence

from lookhear.data.readers.tagged import Split
from lookhear.data.world.canvas import Pose
from lookhear.data.world.categories import CATEGORIES, PITCH_RANGE, Category
from lookhear.data.world.motions import (
    ACTIONS,
    EASE_SECONDS,
    TRAVELS,
    ease,
    pose_in_action,
    pose_with_sound,
)
from lookhear.data.world.truth import SCENARIOS, Scenario, Segment
from lookhear.data.world.voices import Envelope, make_envelope, smooth

FRAMES_PER_SECOND = 25
SPLIT_BLOCK = 10  # clips in a row, of which one is for validation and one for testing
SHORTEST_SOUND = 3  # seconds, as in AVE
SOUNDS_THROUGHOUT = 2 / 3  # of the sounding clips
SMALLEST_RADIUS = 24.0  # pixels
LARGEST_RADIUS = {2: 48.0, 3: 40.0, 4: 34.0}  # by the number of things
MOVING_SECONDS, RESTING_SECONDS = (0.8, 2.0), (0.5, 1.3)  # of what moves silently: 60 % of the time
TRAVEL_SECONDS = (1.2, 2.4)  # of one way to move, before the next
DRIFT_RATE, DRIFT_FAR = (0.45, 0.8), (0.55, 0.95)  # cycles a second; radii either way
DRIFT_SLANT = (math.radians(30), math.radians(60))


Use = IntEnum("Use", "TAGS SPLITS SCRIPT LOOKS STAGE PLACES SOUND GAZE", start=0)
"""What random numbers are for; each use has a stream of its own."""


def chance_of(scenario: Scenario, seed: int, number: int, use: Use) -> Generator:
    """The random numbers for one use of a clip, or of a block of clips."""
    key = SCENARIOS.index(scenario), number, use
    return np.random.default_rng(SeedSequence(seed, spawn_key=key))


def tags_of(scenario: Scenario) -> tuple[str, ...]:
    """Everything that can be the tag of a clip."""
    return (
        ACTIONS
        if scenario in ("actions", "busy")
        else tuple(category.name for category in CATEGORIES)
    )


def tag_of(scenario: Scenario, seed: int, number: int) -> str:
    """A clip's tag; in each block of as many clips as there are tags, every tag comes once."""
    tags = tags_of(scenario)
    block, place = divmod(number, len(tags))
    order = chance_of(scenario, seed, block, Use.TAGS).permutation(len(tags))
    return tags[int(order[place])]


def split_of(scenario: Scenario, seed: int, number: int) -> Split:
    """What a clip is for; in each block of ten, one is for validation and one for testing."""
    block, place = divmod(number, SPLIT_BLOCK)
    val, test = chance_of(scenario, seed, block, Use.SPLITS).choice(SPLIT_BLOCK, 2, replace=False)
    return "val" if place == val else "test" if place == test else "train"


class Move(NamedTuple):
    """A motion from a start to an end, in seconds: its pose at a time since the start."""

    start: float
    end: float
    pose: Callable[[float], Pose]


@dataclass(frozen=True)
class Thing:
    """A thing and all it does."""

    category: Category  # what it is
    radius: float  # pixels
    start: float  # seconds, when it comes into the picture
    end: float  # seconds, when it has left
    duration: float  # seconds of the clip, at whose ends nothing comes or leaves
    moves: tuple[Move, ...]  # what it does meanwhile, one on top of the other

    def is_seen(self, time: float) -> bool:
        """Whether it is in the picture at a time, in seconds."""
        return self.start <= time < self.end

    def pose(self, time: float) -> Pose:
        """Its pose at a time, in seconds; places are in radii."""
        poses = [m.pose(time - m.start) for m in self.moves if m.start <= time < m.end]
        since = time - self.start if self.start > 0 else math.inf
        left = self.end - time if self.end < self.duration else math.inf
        size = 0.15 + 0.85 * float(smooth(min(since, left) / EASE_SECONDS))
        return Pose(
            sum(pose.x for pose in poses),
            sum(pose.y for pose in poses) + 1 - size,
            sum(pose.angle for pose in poses),
            math.prod(pose.stretch for pose in poses),
            scale=size * math.prod(pose.scale for pose in poses),
        )


class Sound(NamedTuple):
    """A voice from a start, in seconds, so many semitones above its lowest note."""

    category: Category
    start: float
    envelope: Envelope
    pitch: float


class _Bout(NamedTuple):
    """A stretch, in seconds, of moving as an envelope has it."""

    start: float
    end: float
    envelope: Envelope


@dataclass(frozen=True)
class Script:
    """All that happens in a clip."""

    start: float  # seconds, where the annotation has the tag begin
    end: float  # seconds, where it has it end
    things: tuple[Thing, ...]  # what is seen
    sounds: tuple[Sound, ...]  # what is heard, but for the ambience
    segments: tuple[Segment, ...]  # when what is
    target: int | None = None  # which of the things true attention is on, if any
    attended: tuple[float, float] = (0.0, 0.0)  # from when to when, in seconds


def write_script(scenario: Scenario, seed: int, number: int, duration: float) -> Script:
    """Decide what happens in a clip of so many seconds."""
    chance = chance_of(scenario, seed, number, Use.SCRIPT)
    tag = tag_of(scenario, seed, number)
    if scenario in ("actions", "busy"):
        script = _actions(tag, duration, chance, busy=scenario == "busy")
    else:
        category = next(category for category in CATEGORIES if category.name == tag)
        if scenario == "unsynchronised":
            script = _unsynchronised(category, duration, chance)
        elif scenario == "moving":
            script = _moving(category, duration, chance)
        elif scenario == "pausing":
            script = _pausing(category, duration, chance)
        else:
            script = _sounding(category, duration, chance, offscreen=scenario == "offscreen")
    # By chance, so that what lies on top of what tells nothing.
    order = chance.permutation(len(script.things)).tolist()
    target = None if script.target is None else order.index(script.target)
    return replace(script, things=tuple(script.things[i] for i in order), target=target)


def _sounding(tag: Category, duration: float, chance: Generator, *, offscreen: bool) -> Script:
    start, end = _annotated(duration, chance)
    count = int(chance.integers(2, 5))
    others = _different(count - (not offscreen), [tag], chance)
    things = [_silent(of, count, (0, duration), duration, chance) for of in others]
    sound = _sound(tag, start, end, chance)
    if not offscreen:
        follow = Move(start, end, partial(pose_with_sound, tag.motion, sound.envelope))
        things.append(Thing(tag, _radius(count, chance), 0, duration, duration, (follow,)))
    segments = (*map(_sight, things), Segment("sound", tag.name, start, end))
    target = None if offscreen else len(things) - 1
    return Script(start, end, tuple(things), (sound,), segments, target, (start, end))


def _unsynchronised(tag: Category, duration: float, chance: Generator) -> Script:
    seen, heard = _apart(duration, chance)
    count = int(chance.integers(2, 5))
    others = _different(count - 1, [tag], chance)
    things = [_silent(tag, count, seen, duration, chance)]
    for other in others:
        stretch = _stretch(duration, (0.3, 0.65), chance)
        things.append(_silent(other, count, stretch, duration, chance))
    sounds = [_sound(tag, *heard, chance)]
    unseen = _different(2, [tag, *others], chance)
    pauses = ((0.0, heard[0]), (heard[1], duration))
    for other, (start, end) in zip(unseen, pauses, strict=True):
        if end - start > 0.15 * duration:
            begin, stop = _stretch(end - start, (0.5, 0.9), chance)
            sounds.append(_sound(other, start + begin, start + stop, chance))
    heard_segments = (
        Segment("sound", of.category.name, of.start, _on_frame(of.start + of.envelope.duration))
        for of in sounds
    )
    segments = (*map(_sight, things), *heard_segments)
    return Script(0, duration, tuple(things), tuple(sounds), segments, 0, seen)


def _actions(tag: str, duration: float, chance: Generator, *, busy: bool) -> Script:
    start, end = _stretch(duration, (0.25, 0.5), chance)
    count = int(chance.integers(2, 4))
    things = []
    for index, category in enumerate(_different(count, [], chance)):
        sway = partial(_sway_a_little, *chance.uniform(0, 2 * math.pi, 2))
        moves = [Move(0, duration, sway)]
        if busy:
            at_rest = (start, end) if index == 0 else (duration, duration)
            moves += _drifts(duration, at_rest, chance)
        if index == 0:
            moves.append(Move(start, end, partial(pose_in_action, tag, end - start)))
        radius = chance.uniform(SMALLEST_RADIUS, 36)
        things.append(Thing(category, radius, 0, duration, duration, tuple(moves)))
    segments = (*map(_sight, things), Segment("action", tag, start, end))
    return Script(0, duration, tuple(things), (), segments, 0, (start, end))


def _drifts(duration: float, at_rest: tuple[float, float], chance: Generator) -> list[Move]:
    """Going to and fro along one slanted line, but for a stretch at rest."""
    slant = chance.uniform(*DRIFT_SLANT) * chance.choice([-1, 1])
    far, rate = chance.uniform(*DRIFT_FAR), chance.uniform(*DRIFT_RATE)
    return [
        Move(start, end, partial(_drift, slant, far, rate, chance.uniform(), end - start))
        for start, end in ((0.0, at_rest[0]), (at_rest[1], duration))
        if end > start
    ]


def _moving(tag: Category, duration: float, chance: Generator) -> Script:
    start, end = _annotated(duration, chance)
    kinds = [tag, *_different(int(chance.integers(1, 3)), [tag], chance)]
    still = [*kinds[1:], kinds[int(chance.integers(len(kinds)))]]
    travels = []
    time = start
    while time < end:
        travel, seconds = _travel(chance)
        stop = min(time + seconds, end)
        travels.append(Move(time, stop, partial(pose_in_action, travel, stop - time)))
        time = stop
    things = [Thing(tag, _radius(len(still) + 1, chance), 0, duration, duration, tuple(travels))]
    for other in still:
        travel, seconds = _travel(chance)
        # In the middle of a way to move, so that no picture alone tells which thing moves.
        held = pose_in_action(travel, seconds, chance.uniform(0, seconds))
        moves = (Move(0, duration, partial(_stay, held)),)
        things.append(Thing(other, _radius(len(still) + 1, chance), 0, duration, duration, moves))
    sounds = tuple(_sound(of, 0, duration, chance) for of in kinds)
    heard = (Segment("sound", of.name, 0, duration) for of in kinds)
    segments = (*map(_sight, things), *heard)
    return Script(start, end, tuple(things), sounds, segments, 0, (start, end))


def _pausing(tag: Category, duration: float, chance: Generator) -> Script:
    count = int(chance.integers(2, 5))
    whole = 0.0, duration
    bouts = _bouts(tag, whole, chance)
    if not bouts:
        bouts = [_Bout(*whole, make_envelope(tag.voice, duration, chance))]
    heard = bouts[int(chance.integers(2)) :: 2] or bouts
    others = _different(count - 1, [tag], chance)
    things = [_moved_in(bouts, tag, count, whole, duration, chance)]
    things += [_silent(of, count, whole, duration, chance) for of in others]
    pitch = tag.pitch + chance.uniform(0, PITCH_RANGE)
    sounds = tuple(Sound(tag, bout.start, bout.envelope, pitch) for bout in heard)
    of_sounds = (
        Segment("sound", tag.name, bout.start, _on_frame(bout.start + bout.envelope.duration))
        for bout in heard
    )
    segments = (*map(_sight, things), *of_sounds)
    return Script(*whole, tuple(things), sounds, segments, 0, whole)


def _travel(chance: Generator) -> tuple[str, float]:
    """A way to change place, and for how many seconds."""
    return str(chance.choice(TRAVELS)), float(chance.uniform(*TRAVEL_SECONDS))


def _stay(pose: Pose, _: float) -> Pose:
    return pose


def _annotated(duration: float, chance: Generator) -> tuple[float, float]:
    """The whole clip, or whole seconds of it."""
    seconds = int(duration)
    if seconds <= SHORTEST_SOUND or chance.random() < SOUNDS_THROUGHOUT:
        return 0.0, duration
    length = int(chance.integers(SHORTEST_SOUND, seconds))
    start = int(chance.integers(seconds - length + 1))
    return float(start), float(start + length)


def _apart(duration: float, chance: Generator) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two stretches, one after the other, in any order; the second may begin within the first."""
    lengths = duration * chance.uniform(0.25, 0.45, 2)
    gap = chance.uniform(-0.1 * duration, duration - lengths.sum())
    first = chance.uniform(0, duration - lengths.sum() - gap)
    second = first + lengths[0] + gap
    stretches = [
        (_on_frame(start), _on_frame(start + length))
        for start, length in zip((first, second), lengths, strict=True)
    ]
    if chance.random() < 0.5:
        stretches.reverse()
    return stretches[0], stretches[1]


def _stretch(
    duration: float, shares: tuple[float, float], chance: Generator
) -> tuple[float, float]:
    """A stretch that takes a share of the time."""
    length = duration * chance.uniform(*shares)
    start = chance.uniform(0, duration - length)
    return _on_frame(start), _on_frame(start + length)


def _on_frame(time: float) -> float:
    return math.floor(time * FRAMES_PER_SECOND + 1e-6) / FRAMES_PER_SECOND


def _different(count: int, taken: Sequence[Category], chance: Generator) -> list[Category]:
    """Categories of which none has the look or the voice of another, or of what is taken."""
    there = [*taken]
    for index in chance.permutation(len(CATEGORIES)):
        category = CATEGORIES[index]
        alike = any(category.look == of.look or category.voice == of.voice for of in there)
        if len(there) < len(taken) + count and not alike:
            there.append(category)
    return there[len(taken) :]


def _silent(
    category: Category,
    count: int,
    seen: tuple[float, float],
    duration: float,
    chance: Generator,
) -> Thing:
    """A thing that moves now and then as if it sounded."""
    return _moved_in(_bouts(category, seen, chance), category, count, seen, duration, chance)


def _bouts(category: Category, seen: tuple[float, float], chance: Generator) -> list[_Bout]:
    """When a thing that is seen moves as if it sounded."""
    start, end = seen
    bouts = []
    time = start + chance.uniform(0, RESTING_SECONDS[1])
    while time < end - MOVING_SECONDS[0] / 2:
        stop = min(time + chance.uniform(*MOVING_SECONDS), end)
        bouts.append(_Bout(time, stop, make_envelope(category.voice, stop - time, chance)))
        time = stop + chance.uniform(*RESTING_SECONDS)
    return bouts


def _moved_in(
    bouts: Sequence[_Bout],
    category: Category,
    count: int,
    seen: tuple[float, float],
    duration: float,
    chance: Generator,
) -> Thing:
    moves = tuple(
        Move(bout.start, bout.end, partial(pose_with_sound, category.motion, bout.envelope))
        for bout in bouts
    )
    return Thing(category, _radius(count, chance), *seen, duration, moves)


def _sound(category: Category, start: float, end: float, chance: Generator) -> Sound:
    envelope = make_envelope(category.voice, end - start, chance)
    return Sound(category, start, envelope, category.pitch + chance.uniform(0, PITCH_RANGE))


def _radius(count: int, chance: Generator) -> float:
    return float(chance.uniform(SMALLEST_RADIUS, LARGEST_RADIUS[count]))


def _sway_a_little(phase: float, tilt: float, time: float) -> Pose:
    x, y = 0.07 * math.sin(1.3 * time + phase), 0.04 * math.sin(1.7 * time + tilt)
    return Pose(x, y, 0.04 * math.sin(1.1 * time + tilt))


def _drift(
    slant: float, far: float, rate: float, phase: float, duration: float, time: float
) -> Pose:
    along = far * ease(duration, time) * math.sin(2 * math.pi * (rate * time + phase))
    return Pose(along * math.cos(slant), along * math.sin(slant))


def _sight(thing: Thing) -> Segment:
    return Segment("sight", thing.category.name, thing.start, thing.end)
