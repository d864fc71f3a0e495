"""The scene of the demo: the truth is where the thing is that moves and sounds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.data.observers import OBSERVERS
from lookhear.data.scene import FRAMES_PER_SECOND, HEIGHT, WIDTH, Scene
from lookhear.data.things import BALL, BEETLE, BELL, Beats, Thing
from lookhear.data.world.canvas import Pose
from lookhear.data.world.synthesis import SAMPLE_RATE
from lookhear.media.picture import Picture

THINGS = {"bell": BELL, "ball": BALL, "beetle": BEETLE}
LOUDEST_HERTZ = {BELL.radius: (580, 595), BALL.radius: (70, 130), BEETLE.radius: (145, 190)}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(seed=0)


@pytest.fixture(scope="module")
def pictures(scene: Scene) -> list[Picture]:
    return [picture for _, picture in scene.frames()]


def turns(scene: Scene) -> list[tuple[float, list[float]]]:
    """Who sounds, told by its radius, and the times of the frames of each turn."""
    grouped = itertools.groupby(scene.times, lambda time: scene.target(time).radius)
    return [(radius, list(times)) for radius, times in grouped]


def within(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return np.asarray(np.hypot(columns - x, rows - y) <= radius)


def test_same_seed_gives_the_same_clip_and_another_seed_another() -> None:
    one, same, other = Scene(3, 1.0), Scene(3, 1.0), Scene(4, 1.0)
    for (time, picture), (_, again), (_, different) in zip(
        one.frames(), same.frames(), other.frames(), strict=True
    ):
        assert np.array_equal(picture, again)
        assert not np.array_equal(picture, different)
        assert np.array_equal(one.gaze(time), same.gaze(time))
        assert one.target(time) == same.target(time)
    assert np.array_equal(one.sound()[0], same.sound()[0])


def test_frames_sound_and_times_are_of_one_length() -> None:
    scene = Scene(duration=1.48)
    samples, rate = scene.sound()
    frames = list(scene.frames())
    assert [time for time, _ in frames] == scene.times
    assert len(frames) == 37
    assert len(samples) == round(1.48 * rate)
    assert samples.dtype == np.float32
    assert {(picture.shape, picture.dtype) for _, picture in frames} == {
        ((HEIGHT, WIDTH, 3), np.dtype(np.uint8))
    }


@pytest.mark.parametrize("seed", range(5))
def test_three_things_take_four_turns_inside_the_picture(seed: int) -> None:
    scene = Scene(seed)
    sounding = [radius for radius, _ in turns(scene)]
    assert len(sounding) == 4
    assert set(sounding) == {thing.radius for thing in THINGS.values()}
    for time in scene.times:
        x, y, radius = scene.target(time)
        assert radius < x < WIDTH - radius
        assert radius < y < HEIGHT - radius


def test_pictures_change_most_at_the_target(scene: Scene, pictures: list[Picture]) -> None:
    for _, times in turns(scene):
        at_target, elsewhere = [], []
        for time in times[1:-1]:
            index = round(time * FRAMES_PER_SECOND)
            before, after = (pictures[i].mean(axis=2) for i in (index, index + 1))
            change = np.abs(after - before)
            inside = within(*scene.target(time))
            at_target.append(change[inside].mean())
            elsewhere.append(change[~inside].mean())
        assert np.mean(at_target) > 5 * np.mean(elsewhere)


def test_what_changes_has_its_middle_at_the_target(scene: Scene, pictures: list[Picture]) -> None:
    for radius, times in turns(scene):
        distances = []
        for time in times[1:-1]:
            index = round(time * FRAMES_PER_SECOND)
            change = np.abs(pictures[index + 1].astype(float) - pictures[index]).sum(axis=2)
            rows, columns = np.nonzero(change > 90)
            if rows.size > 100:
                ends = [scene.target(t)[:2] for t in times[times.index(time) :][:2]]
                x, y = np.mean(ends, axis=0)
                distances.append(np.hypot(columns.mean() - x, rows.mean() - y))
        assert np.median(distances) < 0.6 * radius


def test_things_that_do_not_sound_rest(scene: Scene, pictures: list[Picture]) -> None:
    """Where a thing was a turn ago, little more than the camera moves now."""
    for (_, earlier), (_, times) in itertools.pairwise(turns(scene)):
        x, y, radius = scene.target(earlier[-1])
        index = round(times[len(times) // 4] * FRAMES_PER_SECOND)
        inside = within(x, y, 1.5 * radius)
        before, after = (pictures[i].astype(float)[inside] for i in (index, index + 1))
        assert np.abs(after - before).mean() < 6


def test_sound_is_that_of_the_target(scene: Scene) -> None:
    samples, rate = scene.sound()
    for radius, times in turns(scene):
        heard = samples[round(times[1] * rate) : round(times[-1] * rate)]
        loudest = int(np.abs(np.fft.rfft(heard)).argmax()) * rate / len(heard)
        low, high = LOUDEST_HERTZ[radius]
        assert low <= loudest <= high


def test_sound_is_never_silent_for_long_nor_clipped(scene: Scene) -> None:
    samples, rate = scene.sound()
    assert np.abs(samples).max() <= 0.9
    stretches = samples[: len(samples) // (rate // 2) * (rate // 2)].reshape(-1, rate // 2)
    assert np.abs(stretches).max(axis=1).min() > 0.05


def test_most_observers_look_at_the_target_after_a_reaction_time(scene: Scene) -> None:
    soon, later = [], []
    for _, times in turns(scene)[1:]:
        for time in times:
            x, y, radius = scene.target(time)
            gaze = scene.gaze(time)
            near = np.mean(np.hypot(*(gaze - (x, y)).T) < 1.5 * radius)
            since = time - times[0]
            if since < 0.1:
                soon.append(near)
            elif since > 0.3:
                later.append(near)
    assert np.mean(soon) < 0.3
    assert 0.7 < np.mean(later) < 0.95


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_gaze_is_inside_the_picture(seed: int, share: float) -> None:
    gaze = Scene(seed, 4.0).gaze(4.0 * share)
    assert gaze.shape == (OBSERVERS, 2)
    assert (gaze >= 0).all()
    assert (gaze <= (WIDTH - 1, HEIGHT - 1)).all()


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
@given(duration=st.floats(0.1, 6))
@settings(max_examples=20, deadline=None)
def test_a_turn_begins_with_a_beat_and_ends_at_rest_and_in_silence(
    thing: Thing, duration: float
) -> None:
    beats = Beats(thing.rhythm(duration), duration)
    assert beats.starts[0] == 0
    assert (np.diff(beats.starts) > 0).all()
    assert beats.starts[-1] < duration
    assert thing.motion(beats, duration) == pytest.approx(Pose(), abs=1e-6)
    times = np.linspace(0, duration, round(duration * SAMPLE_RATE))
    voice = thing.voice(beats, times, np.random.default_rng(0))
    assert voice.shape == times.shape
    assert np.abs(voice[-20:]).max() < 1e-3 * np.abs(voice).max()


@pytest.mark.parametrize("thing", [BELL, BEETLE], ids=["bell", "beetle"])
def test_effort_that_is_seen_goes_with_the_loudness_that_is_heard(thing: Thing) -> None:
    beats = Beats(thing.rhythm(2.4), 2.4)
    times = np.arange(0, 2.4, 1 / SAMPLE_RATE)
    voice = thing.voice(beats, times, np.random.default_rng(0)).reshape(60, -1)
    loudness = np.sqrt((voice**2).mean(axis=1))
    effort = [thing.motion(beats, (i + 0.5) / FRAMES_PER_SECOND).effort for i in range(60)]
    assert np.corrcoef(loudness, effort)[0, 1] > 0.5


@given(duration=st.floats(1, 6))
@settings(deadline=None)
def test_ball_is_on_the_table_when_it_thumps_and_in_the_air_between(duration: float) -> None:
    beats = Beats(BALL.rhythm(duration), duration)
    for start, end in itertools.pairwise(beats.starts):
        assert abs(BALL.motion(beats, start).y) < 5
        assert BALL.motion(beats, (start + end) / 2).y < -2


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
def test_things_move_but_never_jump(thing: Thing) -> None:
    beats = Beats(thing.rhythm(2.3), 2.3)
    poses = [thing.motion(beats, time) for time in np.arange(0, 2.4, 1 / FRAMES_PER_SECOND)]
    steps = np.hypot(*np.diff([(pose.x, pose.y) for pose in poses], axis=0).T)
    assert steps.max() < 1.2 * thing.radius
    assert steps.max() > 2


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
def test_looks_are_premultiplied_and_stay_on_their_canvas(thing: Thing) -> None:
    for sounding in (False, True):
        rgba = thing.sprite(sounding).rgba
        assert rgba.min() >= 0
        assert (rgba[..., :3] <= rgba[..., 3:] + 1e-6).all()
        assert rgba[-1, :, 3].max() < 0.02
        assert rgba[:, [0, -1], 3].max() < 0.02
    assert not np.array_equal(thing.sprite(True).rgba, thing.sprite(False).rgba)
