"""Scores of actions, held to the official definition, written out."""

import math

import numpy as np
import pytest

from lookhear.actions.finding import Segment
from lookhear.actions.scores import (
    ACTIVITYNET,
    THUMOS14,
    mean_average_precision,
    mean_box_iou,
    places,
    pointing,
    recall_of_frames,
)
from lookhear.data.readers.activitynet import LabelledSegment

Truth = dict[str, list[LabelledSegment]]
Found = dict[str, list[Segment]]


def official(truth: Truth, found: Found, label: str, threshold: float) -> float:
    """ActivityNet's average precision of a class, as its evaluation does it, step by step."""
    ground = [(clip, s.start, s.end) for clip in truth for s in truth[clip] if s.label == label]
    given = [
        (s.score, clip, s.start, s.end) for clip in found for s in found[clip] if s.label == label
    ]
    given = sorted(given, key=lambda of: of[0], reverse=True)
    locked = [False] * len(ground)
    hits, misses = [], []
    for _, clip, start, end in given:
        overlaps = []
        for index, (other, from_, to) in enumerate(ground):
            if other == clip:
                both = max(0.0, min(end, to) - max(start, from_))
                overlaps.append((both / ((end - start) + (to - from_) - both), index))
        hit = False
        for overlap, index in sorted(overlaps, reverse=True):
            if overlap < threshold:
                break
            if not locked[index]:
                locked[index] = hit = True
                break
        hits.append(float(hit))
        misses.append(float(not hit))
    hit_sums, miss_sums = np.cumsum(hits), np.cumsum(misses)
    recall = [0.0, *(hit_sums / len(ground)), 1.0]
    precision = [0.0, *(hit_sums / (hit_sums + miss_sums)), 0.0]
    for index in range(len(precision) - 2, -1, -1):
        precision[index] = max(precision[index], precision[index + 1])
    return sum(
        (recall[index] - recall[index - 1]) * precision[index]
        for index in range(1, len(recall))
        if recall[index] != recall[index - 1]
    )


def chance_set(seed: int) -> tuple[Truth, Found]:
    chance = np.random.default_rng(seed)

    def span() -> tuple[float, float]:
        start = chance.uniform(0, 8)
        return start, start + chance.uniform(0.5, 4)

    labels = ["a", "b", "c"]
    clips = [f"clip{number}" for number in range(6)]
    truth = {
        clip: [LabelledSegment(str(chance.choice(labels)), *span()) for _ in range(3)]
        for clip in clips[:5]
    }
    found = {
        clip: [
            Segment(str(chance.choice(labels)), float(chance.random()), *span()) for _ in range(8)
        ]
        for clip in clips[1:]
    }
    for clip in clips[1:4]:  # some that are nearly right
        near = [Segment(of.label, 0.7, of.start + 0.1, of.end) for of in truth[clip]]
        found[clip] += near * 2
    return truth, found


@pytest.mark.parametrize("seed", range(8))
def test_map_is_activitynets(seed: int) -> None:
    truth, found = chance_set(seed)
    labels = sorted({of.label for segments in truth.values() for of in segments})
    ours = mean_average_precision(truth, found, [*THUMOS14, *ACTIVITYNET])
    for iou, value in ours.items():
        theirs = np.mean([official(truth, found, label, iou) for label in labels])
        assert value == pytest.approx(theirs, abs=1e-12)
    assert ours[0.1] >= ours[0.5] >= ours[0.95]
    assert ours[0.1] > 0.2


def test_the_benchmarks_thresholds() -> None:
    assert THUMOS14 == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert ACTIVITYNET == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_map_of_nothing_is_not_defined_and_of_nothing_found_0() -> None:
    assert math.isnan(mean_average_precision({}, {}, [0.5])[0.5])
    assert mean_average_precision({"a": [LabelledSegment("x", 0, 1)]}, {}, [0.5])[0.5] == 0


def test_recall_of_frames_counts_those_in_the_segment_that_have_weight() -> None:
    times = np.array([0.5, 1.5, 2.5, 3.5, 4.5])
    weights = np.array([3.0, 2.0, 0.5, 1.0, 1.5])
    assert recall_of_frames(times, weights, [(1, 4)]) == pytest.approx(1 / 3)
    assert recall_of_frames(times, weights, [(1, 4)], 0.4) == 1
    assert recall_of_frames(times, weights, [(0, 1), (4, 9)]) == 1
    assert math.isnan(recall_of_frames(times, weights, [(10, 11)]))


def test_places_and_boxes_are_counted_in_pixels_of_the_picture() -> None:
    masks = np.zeros((2, 4, 8), np.float32)
    masks[0, 1, 6], masks[1, 3, 0] = 1, 1
    np.testing.assert_allclose(places(masks, (40, 80)), [[65, 15], [5, 35]])
    true = np.array([[60.0, 10, 70, 20], [20, 0, 80, 40]])
    assert pointing(masks, true, (40, 80)) == 0.5
    boxes = np.array([[60.0, 10, 70, 20], [0, 0, 40, 40]])
    assert mean_box_iou(boxes, true) == pytest.approx((1 + 800 / (2400 + 1600 - 800)) / 2)
