"""How well actions are named and found: accuracy, temporal localisation, frames, places, boxes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lookhear.actions.finding import Segment
from lookhear.data.readers.activitynet import LabelledSegment
from lookhear.localisation import box_iou, interval_iou, points_into, within

THUMOS14 = (0.1, 0.2, 0.3, 0.4, 0.5)
ACTIVITYNET = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""Intersections over union of segments at which the two benchmarks count them as found."""
RECALL_FROM = 1.0
"""Weight from which on a frame counts as attended to; 1 if all counted alike."""

Floats = NDArray[np.float64]


def mean_average_precision(
    truth: Mapping[str, Sequence[LabelledSegment]],
    found: Mapping[str, Sequence[Segment]],
    ious: Sequence[float],
) -> dict[float, float]:
    """Score segments by ActivityNet's definition of mAP, at its intersections over union or others.

    For a class, all its segments go by their scores, the highest first. One is right if its IoU
    with a true one of its clip and class, which no other has taken, is at least so much; of several
    the most alike is taken. The average precision is the area under the precision, made never to
    rise, over recall; the mean is over the classes that are in the truth. (THUMOS14's own toolkit
    does not level the precision, and asks for more than the IoU. Papers on it now mostly use this.)

    Source: ActivityNet's evaluation, ``eval_detection.py``.

    Args:
        truth: clip -> what is in it.
        found: clip -> what was found in it; clips that are not in the truth count against it.
        ious: at which.

    Returns:
        IoU -> mAP, 0 to 1; NaN where the truth is empty.
    """
    ious = tuple(dict.fromkeys(ious))
    classes = sorted({of.label for segments in truth.values() for of in segments})
    of_class = [_average_precisions(truth, found, label, ious) for label in classes]
    means = np.mean(of_class, axis=0) if of_class else np.full(len(ious), np.nan)
    return dict(zip(ious, map(float, means), strict=True))


def _average_precisions(
    truth: Mapping[str, Sequence[LabelledSegment]],
    found: Mapping[str, Sequence[Segment]],
    label: str,
    ious: Sequence[float],
) -> Floats:
    wanted = {
        clip: np.array([(of.start, of.end) for of in segments if of.label == label])
        for clip, segments in truth.items()
    }
    total = sum(map(len, wanted.values()))
    ours = [
        (of.score, clip, of.start, of.end)
        for clip, segments in found.items()
        for of in segments
        if of.label == label
    ]
    ours.sort(key=lambda of: -of[0])
    taken: dict[float, set[tuple[str, int]]] = defaultdict(set)
    right = np.zeros((len(ious), len(ours)))
    for place, (_, clip, start, end) in enumerate(ours):
        true = wanted.get(clip, np.empty(0))
        if not len(true):
            continue
        alike = interval_iou(np.array([[start, end]]), true)[0]
        for row, least in enumerate(ious):
            for index in np.argsort(-alike, kind="stable").tolist():
                if alike[index] < least:
                    break
                if (clip, index) not in taken[least]:
                    taken[least].add((clip, index))
                    right[row, place] = 1
                    break
    return np.array([_area(row, total) for row in right])


def _area(right: Floats, total: int) -> float:
    """The area under precision, made never to rise, over recall."""
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(hits) + 1)
    level = np.maximum.accumulate(precision[::-1])[::-1] if len(hits) else precision
    return float((level * right).sum() / total)


def recall_of_frames(
    times: Floats,
    weights: Floats,
    segments: Sequence[tuple[float, float]],
    threshold: float = RECALL_FROM,
) -> float:
    """The authors' own figure: how many frames of the annotated segments attention weighs.

    Args:
        times: (T,), seconds of the frames.
        weights: (T,), by attention alone, 1 if all are alike.
        segments: starts and ends, seconds.
        threshold: above which a weight counts.

    Returns:
        Their share, 0 to 1; NaN where no frame is in a segment.
    """
    inside = within(times, segments)
    return float((weights[inside] > threshold).mean()) if inside.any() else float("nan")


def places(masks: NDArray[np.float32], size: tuple[int, int]) -> Floats:
    """Where masks (T, h, w) are highest, x and y in pixels of a picture (height, width): (T, 2)."""
    rows, columns = masks.shape[1:]
    y, x = np.divmod(masks.reshape(len(masks), -1).argmax(1), columns)
    return np.stack([(x + 0.5) * size[1] / columns, (y + 0.5) * size[0] / rows], 1)


def pointing(masks: NDArray[np.float32], true: Floats, size: tuple[int, int]) -> float:
    """The pointing game: how often the highest place of a mask (T, h, w) is in its box (T, 4)."""
    return float(points_into(places(masks, size), true).mean())


def mean_box_iou(boxes: Floats, true: Floats) -> float:
    """The mean IoU of boxes (T, 4) with true ones (T, 4)."""
    return float(
        np.mean([box_iou(a[None], b[None])[0, 0] for a, b in zip(boxes, true, strict=True)])
    )
