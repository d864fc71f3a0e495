"""Simulated observers look where their model says, as often as it says."""

import numpy as np
import pytest

from lookhear.data.observers import (
    FIXATION_SECONDS,
    OBSERVERS,
    WITH_TARGET,
    WITHOUT_TARGET,
    Observers,
    Sight,
)

SIZE = (1000, 600)
TARGET, MOVER, OTHER = 0, 1, 2
PLACES = np.array([(150, 150, 20), (850, 150, 20), (150, 450, 20)], np.float64)
LONG = 120.0  # seconds


def shares(sight: Sight) -> list[float]:
    """How much of all looking is within 3 radii of each thing, and elsewhere."""
    observers = Observers(np.random.default_rng(0), LONG)
    looks = np.concatenate(
        [observers.gaze(time, lambda _: sight, PLACES, SIZE) for time in np.arange(0, LONG, 0.5)]
    )
    near = [np.hypot(*(looks - (x, y)).T) < 3 * radius for x, y, radius in PLACES]
    return [*(float(of_one.mean()) for of_one in near), float((~np.any(near, axis=0)).mean())]


def test_looks_are_shared_out_as_documented() -> None:
    to_target, to_mover, to_any, to_centre = WITH_TARGET
    assert sum(WITH_TARGET) == pytest.approx(1)
    assert shares(Sight((TARGET, MOVER, OTHER), TARGET, MOVER)) == pytest.approx(
        [to_target, to_mover + to_any / 2, to_any / 2, to_centre], abs=0.03
    )


def test_without_a_target_looks_are_at_what_moves_at_anything_and_at_the_centre() -> None:
    _, to_mover, to_any, to_centre = WITHOUT_TARGET
    assert sum(WITHOUT_TARGET) == pytest.approx(1)
    assert shares(Sight((TARGET, MOVER, OTHER), None, MOVER)) == pytest.approx(
        [to_any / 3, to_mover + to_any / 3, to_any / 3, to_centre], abs=0.03
    )


def test_where_there_is_nothing_everyone_looks_at_the_centre() -> None:
    assert shares(Sight((), None, None)) == [0, 0, 0, 1]


def test_sight_is_a_reaction_time_late() -> None:
    observers = Observers(np.random.default_rng(0), LONG)
    asked: list[float] = []

    def sight(time: float) -> Sight:
        asked.append(time)
        return Sight((TARGET,), TARGET, None)

    observers.gaze(1.0, sight, PLACES, SIZE)
    late = 1 - np.array(asked)
    longest = 1.5 * FIXATION_SECONDS  # ago that a fixation of now has begun
    assert late.min() > 0.1
    assert late.max() < 0.3 + longest


def test_looks_follow_what_they_are_at_and_jump_between_fixations() -> None:
    observers = Observers(np.random.default_rng(0), LONG)
    sight = Sight((TARGET, MOVER, OTHER), TARGET, MOVER)
    times = np.arange(0, 60, 0.02)
    resting = np.array([observers.gaze(time, lambda _: sight, PLACES, SIZE) for time in times])
    places = PLACES + np.array([7, 0, 0])
    moving = np.array([observers.gaze(time, lambda _: sight, places, SIZE) for time in times])
    along = (moving - resting)[..., 0]
    at_things = np.isclose(along, 7, atol=1e-3)
    assert np.isclose(along[~at_things], 0).all()
    assert at_things.mean() == pytest.approx(1 - WITH_TARGET[3], abs=0.03)
    jumps = (np.abs(np.diff(resting, axis=0)).max(-1) > 1e-3).sum()
    assert jumps / OBSERVERS / 60 == pytest.approx(1 / FIXATION_SECONDS, rel=0.1)


def test_what_moves_most_may_change_without_a_look_jumping_in_mid_fixation() -> None:
    observers = Observers(np.random.default_rng(0), LONG)
    times = np.arange(0, 60, 0.02)

    def sight(time: float) -> Sight:
        return Sight((TARGET, MOVER, OTHER), None, int(time * 8) % 3)

    looks = np.array([observers.gaze(time, sight, PLACES, SIZE) for time in times])
    jumps = (np.abs(np.diff(looks, axis=0)).max(-1) > 1e-3).sum()
    assert jumps / OBSERVERS / 60 == pytest.approx(1 / FIXATION_SECONDS, rel=0.1)
