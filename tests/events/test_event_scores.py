import json
import math
from pathlib import Path

import numpy as np
import pytest

from lookhear.events.scores import (
    Counts,
    Event,
    best_threshold,
    roll,
    segment_scores,
    tag_scores,
)

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "segment_based_metrics.json").read_text()
)


def golden_rolls(labels: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        tuple(
            roll([Event(*event) for event in clip[kind]], labels, clip["seconds"])
            for kind in ("estimated", "reference")
        )
        for clip in GOLDEN["clips"]
    ]


def test_segments_are_scored_as_sed_eval_does() -> None:
    scores = segment_scores(golden_rolls(GOLDEN["labels"]))
    f1, errors = GOLDEN["overall"]["f_measure"], GOLDEN["overall"]["error_rate"]
    assert scores.counts.f1 == pytest.approx(f1["f_measure"], abs=1e-12)
    assert scores.counts.precision == pytest.approx(f1["precision"], abs=1e-12)
    assert scores.counts.recall == pytest.approx(f1["recall"], abs=1e-12)
    assert scores.error_rate == pytest.approx(errors["error_rate"], abs=1e-12)
    there = scores.counts.there
    assert scores.substitutions / there == pytest.approx(errors["substitution_rate"], abs=1e-12)
    assert scores.insertions / there == pytest.approx(errors["insertion_rate"], abs=1e-12)
    assert scores.deletions / there == pytest.approx(errors["deletion_rate"], abs=1e-12)


def test_segments_of_each_class_are_scored_as_sed_eval_does() -> None:
    for label, of_class in GOLDEN["classes"].items():
        scores = segment_scores(golden_rolls([label]))
        assert scores.counts.f1 == pytest.approx(of_class["f_measure"], abs=1e-12)


def test_an_event_is_on_in_each_segment_that_it_touches() -> None:
    is_on = roll([Event("a", 0.9, 2.0), Event("b", 3.2, 3.3), Event("c", 0, 9)], ["a", "b"], 3.5)
    assert is_on.tolist() == [[1, 0], [1, 0], [0, 0], [0, 1]]


def test_counts_of_tags_are_those_of_arithmetic() -> None:
    named = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0]], bool)
    there = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0]], bool)
    scores = tag_scores(named, there)
    assert scores.classes == (Counts(2, 2, 3), Counts(1, 2, 1), Counts(0, 0, 0))
    assert scores.micro.f1 == pytest.approx(2 * 3 / (4 + 4))
    assert scores.micro.precision == pytest.approx(3 / 4)
    assert scores.micro.recall == pytest.approx(3 / 4)
    # Of a category that neither occurs nor is named there is no F1.
    assert scores.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert math.isnan(Counts(0, 0, 0).f1)


def test_no_threshold_gives_a_higher_micro_f1_than_the_best() -> None:
    chance = np.random.default_rng(1)
    for _ in range(20):
        there = chance.random((9, 4)) < 0.3
        there[0, 0] = True
        scores = (chance.normal(size=(9, 4)) + there).round(1)
        best = best_threshold(scores, there)
        reached = tag_scores(scores >= best, there).micro.f1
        for other in [*np.unique(scores), scores.max() + 1]:
            assert tag_scores(scores >= other, there).micro.f1 <= reached + 1e-12
