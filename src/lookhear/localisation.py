"""Where and when something was found against where and when it is: boxes, places and stretches.

Boxes are (left, top, right, bottom) in pixels, intervals (start, end) in seconds, as arrays.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def box_iou(ours: Floats, theirs: Floats) -> NDArray[np.float64]:
    """Return the intersection over union of each box of (N, 4) with each of (M, 4): (N, M), 0 to 1.

    >>> box_iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])).round(3)
    array([[0.333]])
    """
    one, other = np.asarray(ours, float)[:, None], np.asarray(theirs, float)[None]
    across = _overlap(one[..., 0::2], other[..., 0::2])
    down = _overlap(one[..., 1::2], other[..., 1::2])
    return _over_union(across * down, _area(one), _area(other))


def interval_iou(ours: Floats, theirs: Floats) -> NDArray[np.float64]:
    """Return the intersection over union of each interval of (N, 2) with each of (M, 2): (N, M)."""
    one, other = np.asarray(ours, float)[:, None], np.asarray(theirs, float)[None]
    return _over_union(_overlap(one, other), _length(one), _length(other))


def points_into(places: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Say of each place (N, 2), x and y, whether its box of (N, 4) holds it: the pointing game.

    Source: Zhang et al., Top-down neural attention by excitation backprop, ECCV 2016, section 4.1.
    """
    at, box = np.asarray(places, float), np.asarray(boxes, float)
    inside = (box[:, :2] <= at) & (at <= box[:, 2:])
    return inside[:, 0] & inside[:, 1]


def within(times: Floats, intervals: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Say of each time (T,) whether any interval holds it, of which the end is not part."""
    inside = np.zeros(len(times), bool)
    for start, end in intervals:
        inside |= (start <= times) & (times < end)
    return inside


def stretches(is_on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where a row is on: from which index to before which, in order.

    >>> stretches(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(is_on, np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in zip(edges[0::2], edges[1::2], strict=True)]


def _overlap(one: Floats, other: Floats) -> NDArray[np.float64]:
    end = np.minimum(one[..., 1], other[..., 1])
    overlap: NDArray[np.float64] = end - np.maximum(one[..., 0], other[..., 0])
    return np.maximum(overlap, 0)


def _length(of: Floats) -> NDArray[np.float64]:
    length: NDArray[np.float64] = np.maximum(of[..., 1] - of[..., 0], 0)
    return length


def _area(boxes: Floats) -> NDArray[np.float64]:
    return _length(boxes[..., 0::2]) * _length(boxes[..., 1::2])


def _over_union(both: Floats, one: Floats, other: Floats) -> NDArray[np.float64]:
    union = one + other - both
    iou: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(union), where=union > 0)
    return iou
