"""The world: what its files say is so, and the same seed makes the same files."""

from collections import Counter
from functools import cache, partial
from itertools import combinations, pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lookhear.data.observers import OBSERVERS
from lookhear.data.readers.ave import CATEGORIES as AVE_CATEGORIES
from lookhear.data.world.canvas import Pose
from lookhear.data.world.categories import CATEGORIES, Category
from lookhear.data.world.clip import HEIGHT, WIDTH, WorldClip
from lookhear.data.world.motions import ACTIONS, ease, pose_in_action, pose_with_sound
from lookhear.data.world.scenarios import (
    FRAMES_PER_SECOND,
    SCENARIOS,
    Scenario,
    split_of,
    tag_of,
    tags_of,
)
from lookhear.data.world.truth import Box, Course, Truth
from lookhear.data.world.voices import Envelope, make_envelope

BY_NAME = {category.name: category for category in CATEGORIES}


@cache
def clip_of(scenario: Scenario, number: int) -> WorldClip:
    return WorldClip(scenario, 3, number)


def clips_of(scenario: Scenario, count: int) -> list[WorldClip]:
    return [clip_of(scenario, number) for number in range(count)]


def segments(truth: Truth, what: str, category: str | None = None) -> list[tuple[float, float]]:
    return [
        (segment.start, segment.end)
        for segment in truth.segments
        if segment.what == what and category in (None, segment.category)
    ]


def target_course(truth: Truth) -> Course:
    (course,) = (thing for thing in truth.things if thing.role == "target")
    return course


def alike(one: str, other: str) -> bool:
    a, b = BY_NAME[one], BY_NAME[other]
    return a.look == b.look or a.voice == b.voice


def in_box(points: NDArray[np.float32], box: Box) -> NDArray[np.bool_]:
    x, y = points.T
    return (x >= box.left) & (x <= box.right) & (y >= box.top) & (y <= box.bottom)


def motion_in(pictures: list[NDArray[np.float32]], courses: tuple[Course, ...]) -> np.ndarray:
    """How much the picture changes about each thing, from frame to frame: (things, T - 1)."""
    changes = []
    for index, (before, after) in enumerate(pairwise(pictures)):
        change = np.abs(after - before)
        changes.append([])
        for course in courses:
            left, top, right, bottom = map(int, course.boxes[index] or ())
            changes[-1].append(change[top : bottom + 1, left : right + 1].mean())
    return np.array(changes).T


# What a clip is, by its number


def test_categories_are_those_of_ave_in_whose_published_order_they_are_sorted() -> None:
    assert sorted(category.name for category in CATEGORIES) == list(AVE_CATEGORIES)


@pytest.mark.parametrize("scenario", SCENARIOS)
@given(seed=st.integers(0, 2**40), block=st.integers(0, 40))
@settings(max_examples=10, deadline=None)
def test_every_block_has_each_tag_once_and_one_of_each_split(
    scenario: Scenario, seed: int, block: int
) -> None:
    count = len(tags_of(scenario))
    tags = [tag_of(scenario, seed, block * count + place) for place in range(count)]
    assert sorted(tags) == sorted(tags_of(scenario))
    splits = Counter(split_of(scenario, seed, block * 10 + place) for place in range(10))
    assert splits == {"train": 8, "val": 1, "test": 1}


def test_tags_are_those_of_ave_or_the_actions() -> None:
    assert len(tags_of("sounding")) == 28
    assert tags_of("sounding") == tags_of("unsynchronised") == tuple(BY_NAME)
    assert tags_of("actions") == ACTIONS
    assert tag_of("sounding", 0, 0) in BY_NAME
    assert [tag_of("sounding", 0, n) for n in range(9)] != [
        tag_of("sounding", 1, n) for n in range(9)
    ]


@pytest.mark.parametrize("scenario", SCENARIOS)
@given(seed=st.integers(0, 2**32), number=st.integers(0, 999), duration=st.floats(1, 12))
@settings(max_examples=5, deadline=None)
def test_truth_is_within_clip_and_picture(
    scenario: Scenario, seed: int, number: int, duration: float
) -> None:
    clip = WorldClip(scenario, seed, number, duration)
    truth = clip.truth()
    assert 0 <= clip.start < clip.end <= duration
    for segment in truth.segments:
        assert 0 <= segment.start < segment.end <= duration + 1e-9
    for course in truth.things:
        assert len(course.boxes) == len(clip.times) == round(duration * FRAMES_PER_SECOND)
        for box in filter(None, course.boxes):
            assert 0 <= box.left < box.right <= WIDTH - 1
            assert 0 <= box.top < box.bottom <= HEIGHT - 1
    for time in (*clip.times[::9], duration):
        gaze = clip.gaze(time)
        assert gaze.shape == (OBSERVERS, 2)
        assert (gaze >= 0).all()
        assert (gaze <= (WIDTH - 1, HEIGHT - 1)).all()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_things_are_apart_and_only_where_things_move_are_two_alike(scenario: Scenario) -> None:
    for clip in clips_of(scenario, 6):
        truth = clip.truth()
        pairs = [*combinations(truth.things, 2)]
        same = [one for one, other in pairs if one.category == other.category]
        assert len(same) == (scenario == "moving")
        for one, other in pairs:
            assert one.category == other.category or not alike(one.category, other.category)
            for a, b in zip(one.boxes, other.boxes, strict=True):
                if a and b:
                    across = min(a.right, b.right) - max(a.left, b.left)
                    down = min(a.bottom, b.bottom) - max(a.top, b.top)
                    assert across < 8 or down < 8


# What each scenario promises


def test_sounding_has_its_one_sound_from_the_target_in_whole_seconds() -> None:
    spans = []
    for clip in clips_of("sounding", 16):
        truth = clip.truth()
        assert 2 <= len(truth.things) <= 4
        assert target_course(truth).category == clip.tag
        assert segments(truth, "sound") == [(clip.start, clip.end)]
        assert segments(truth, "sound", clip.tag)
        assert clip.start.is_integer()
        assert clip.end.is_integer()
        assert clip.end - clip.start >= 3
        for time in clip.times[::10]:
            assert (clip.target(time) is not None) == (clip.start <= time < clip.end)
        spans.append(clip.end - clip.start)
    assert 0.3 < np.mean(np.array(spans) == 10) < 0.9


def test_offscreen_is_heard_and_nothing_like_it_is_seen() -> None:
    for clip in clips_of("offscreen", 10):
        truth = clip.truth()
        assert segments(truth, "sound", clip.tag) == [(clip.start, clip.end)]
        assert not any(alike(clip.tag, thing.category) for thing in truth.things)
        assert {thing.role for thing in truth.things} == {"other"}
        assert all(clip.target(time) is None for time in clip.times[::10])


def test_unsynchronised_is_seen_and_heard_at_times_of_their_own() -> None:
    overlaps = []
    for clip in clips_of("unsynchronised", 10):
        truth = clip.truth()
        ((seen_from, seen_to),) = segments(truth, "sight", clip.tag)
        ((heard_from, heard_to),) = segments(truth, "sound", clip.tag)
        overlap = min(seen_to, heard_to) - max(seen_from, heard_from)
        overlaps.append(overlap / (seen_to - seen_from))
        assert (clip.start, clip.end) == (0, clip.duration)
        seen = {segment.category for segment in truth.segments if segment.what == "sight"}
        heard = {segment.category for segment in truth.segments if segment.what == "sound"}
        others = (seen | heard) - {clip.tag}
        assert len(seen) >= 2
        assert seen & heard == {clip.tag}
        assert not any(alike(clip.tag, other) for other in others)
        for other in heard - {clip.tag}:
            ((start, end),) = segments(truth, "sound", other)
            assert end <= heard_from + 0.01 or start >= heard_to - 0.01
    assert max(overlaps) < 0.6
    assert np.mean(np.array(overlaps) <= 0) > 0.5


@pytest.mark.parametrize("scenario", ["unsynchronised", "actions", "busy"])
def test_boxes_are_there_just_while_the_thing_is_seen(scenario: Scenario) -> None:
    for clip in clips_of(scenario, 6):
        truth = clip.truth()
        for thing in truth.things:
            ((start, end),) = segments(truth, "sight", thing.category)
            for time, box in zip(clip.times, thing.boxes, strict=True):
                assert (box is not None) == (start - 1e-6 <= time < end - 1e-6)


def test_actions_are_done_in_their_stretch_and_otherwise_little_is() -> None:
    for clip in clips_of("actions", len(ACTIONS)):
        truth = clip.truth()
        ((start, end),) = segments(truth, "action", clip.tag)
        assert 2 <= end - start <= 5
        assert not segments(truth, "sound")
        for thing in truth.things:
            boxes = np.array(thing.boxes)
            moved = np.abs(np.diff(boxes, axis=0)).sum(1)
            within = (np.array(clip.times)[1:] > start) & (np.array(clip.times)[1:] < end)
            assert moved[~within].mean() < 2.5
            if thing.role == "target":
                assert moved[within].mean() > 1.5 * moved[~within].mean()
        for time in clip.times[::5]:
            assert (clip.target(time) is not None) == (start <= time < end)


def test_in_busy_clips_all_moves_all_the_time_and_one_thing_acts() -> None:
    shares = []
    for clip in clips_of("busy", 2 * len(ACTIONS)):
        truth = clip.truth()
        ((start, end),) = segments(truth, "action", clip.tag)
        assert clip.tag in ACTIONS
        assert (clip.start, clip.end) == (0, clip.duration)
        times = np.array(clip.times)[1:]
        within = (times > start) & (times < end)
        still = []
        for thing in truth.things:
            middles = np.array(thing.boxes).reshape(-1, 2, 2).mean(1)
            moved = np.hypot(*np.diff(middles, axis=0).T)
            assert moved[~within].mean() > 0.5
            still.append(np.mean(moved < 0.1))
            if thing.role == "other":
                assert moved[within].mean() > 0.5
                along = np.diff(middles, axis=0)[moved > 1.5]
                slant = np.abs(np.arctan2(along[:, 1], along[:, 0]))
                assert np.median(np.minimum(slant, np.pi - slant)) == pytest.approx(
                    np.pi / 4, abs=np.pi / 9
                )
        shares.append(np.mean(still))
    assert np.mean(shares) < 0.1


def test_moving_has_one_mover_whose_like_may_stand_still_beside_it() -> None:
    has_like = []
    for clip in clips_of("moving", 24):
        truth = clip.truth()
        assert 3 <= len(truth.things) <= 4
        assert target_course(truth).category == clip.tag
        kinds = {thing.category for thing in truth.things}
        assert {segment.category for segment in truth.segments if segment.what == "sound"} == kinds
        assert segments(truth, "sound", clip.tag) == [(0, clip.duration)]
        still, moving = [], []
        times = np.array(clip.times)[1:]
        within = (times > clip.start + 0.1) & (times < clip.end - 0.1)
        for thing in truth.things:
            moved = np.abs(np.diff(np.array(thing.boxes), axis=0)).sum(1)[within].mean()
            (moving if thing.role == "target" else still).append(moved)
        assert moving[0] > 2 * max(still)
        has_like.append(sum(thing.category == clip.tag for thing in truth.things) == 2)
    assert 0.2 < np.mean(has_like) < 0.7


def test_pausing_is_looked_at_throughout_and_heard_now_and_then() -> None:
    shares = []
    for clip in clips_of("pausing", 16):
        truth = clip.truth()
        assert 2 <= len(truth.things) <= 4
        assert (clip.start, clip.end) == (0, clip.duration)
        assert target_course(truth).category == clip.tag
        assert all(clip.target(time) is not None for time in clip.times[::10])
        assert {of.category for of in truth.segments if of.what == "sound"} == {clip.tag}
        heard = segments(truth, "sound", clip.tag)
        shares.append(sum(end - start for start, end in heard) / clip.duration)
        assert shares[-1] < 0.7
        moved = [
            np.mean(np.abs(np.diff(np.array(thing.boxes), axis=0)).sum(1) > 0.5)
            for thing in truth.things
        ]
        assert min(moved) > 0.2  # nothing stands out by its stillness
    assert 0.2 < np.mean(shares) < 0.5


def test_a_pausing_clip_too_short_for_pauses_is_heard_all_the_same() -> None:
    for number in range(20):
        truth = WorldClip("pausing", 3, number, 1.0).truth()
        assert segments(truth, "sound", truth.tag)


# Sound, sight and gaze go together


def test_target_moves_with_the_sound_and_the_others_do_not() -> None:
    with_sound, without = [], []
    for number in range(5):
        clip = WorldClip("sounding", 11, number, 4.0)
        samples, rate = clip.sound()
        loudness = np.sqrt((samples.reshape(-1, rate // FRAMES_PER_SECOND) ** 2).mean(1))[1:]
        pictures = [
            cv2.GaussianBlur(picture.mean(2, dtype=np.float32), (0, 0), 2)
            for _, picture in clip.frames()
        ]
        truth = clip.truth()
        heard = slice(round(clip.start * FRAMES_PER_SECOND), round(clip.end * FRAMES_PER_SECOND))
        for thing, motion in zip(truth.things, motion_in(pictures, truth.things), strict=True):
            smooth = [gaussian_filter1d(values[heard], 2) for values in (loudness, motion)]
            together = with_sound if thing.role == "target" else without
            together.append(np.corrcoef(smooth)[0, 1])
    assert np.mean(with_sound) > 0.5
    assert abs(np.mean(without)) < 0.25


def test_most_observers_look_at_the_target_while_there_is_one() -> None:
    shares = []
    for clip in clips_of("sounding", 6):
        times = [time for time in clip.times[::5] if clip.start + 0.5 < time < clip.end]
        shares += [in_box(clip.gaze(time), clip.target(time)).mean() for time in times]
    assert 0.6 < np.mean(shares) < 0.95


def test_sound_has_the_clips_length_and_is_quiet_before_and_after() -> None:
    clip = next(clip for clip in clips_of("sounding", 30) if clip.start > 0 and clip.end < 10)
    samples, rate = clip.sound()
    assert samples.dtype == np.float32
    assert len(samples) == 10 * rate
    assert np.abs(samples).max() <= 1
    start, end = (round(time * rate) for time in (clip.start, clip.end))
    loudness = np.sqrt((samples[start:end] ** 2).mean())
    for silent in (samples[:start], samples[end:]):
        assert np.sqrt((silent**2).mean()) < 0.3 * loudness


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_motions_rest_in_silence_and_are_seen_when_it_is_loud(category: Category) -> None:
    motion = partial(pose_with_sound, category.motion)
    envelope = make_envelope(category.voice, 3.0, np.random.default_rng(0))
    assert motion(Envelope(np.zeros(601), np.array([0.0])), 1.0)[:2] == (0, 0)
    at_end = motion(envelope, 3.0)
    assert at_end._replace(angle=np.sin(at_end.angle)) == pytest.approx(Pose(), abs=0.02)
    poses = np.array([motion(envelope, time) for time in np.arange(0, 3, 0.04)])
    assert np.abs(poses - np.array(Pose())).max() > 0.25
    assert np.abs(poses[:, :2]).max() < 0.8


@pytest.mark.parametrize("name", ACTIONS)
@given(duration=st.floats(0.5, 6))
@settings(max_examples=10, deadline=None)
def test_actions_start_and_end_at_rest_and_never_jump(name: str, duration: float) -> None:
    times = np.linspace(0, duration, 2000)
    poses = np.array([pose_in_action(name, duration, time) for time in times])
    for at_rest in (poses[0], poses[-1]):
        whole_turns = np.round(at_rest[2] / (2 * np.pi)) * 2 * np.pi
        assert at_rest - (0, 0, whole_turns, 0, 0) == pytest.approx(np.array(Pose()), abs=1e-6)
    assert np.abs(np.diff(poses, axis=0)).max() < 0.2
    assert np.abs(poses - poses[0]).max() > 0.2


def test_ease_is_whole_in_the_middle_and_nothing_outside() -> None:
    assert [ease(2, time) for time in (-1, 0, 1, 2, 3)] == [0, 0, 1, 0, 0]
