"""Boxes, places and stretches against counts of pixels."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookhear.localisation import box_iou, interval_iou, points_into, stretches

SIDE = 12
corners = st.tuples(*[st.integers(0, SIDE)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


def painted(box: tuple[int, ...]) -> np.ndarray:
    left, top, right, bottom = box
    canvas = np.zeros((SIDE, SIDE), bool)
    canvas[top:bottom, left:right] = True
    return canvas


@given(st.lists(corners, min_size=1, max_size=3), st.lists(corners, min_size=1, max_size=3))
def test_box_iou_is_that_of_painted_pixels(ours: list, theirs: list) -> None:
    found = box_iou(np.array(ours), np.array(theirs))
    for i, j in np.ndindex(found.shape):
        one, other = ours[i], theirs[j]
        union = (painted(one) | painted(other)).sum()
        both = (painted(one) & painted(other)).sum()
        assert found[i, j] == (both / union if union else 0)


def test_interval_iou() -> None:
    found = interval_iou(np.array([[0.0, 4.0], [5.0, 5.0]]), np.array([[2.0, 6.0], [7.0, 9.0]]))
    np.testing.assert_allclose(found, [[2 / 6, 0], [0, 0]])


def test_a_place_on_the_edge_of_its_box_is_in_it() -> None:
    places = np.array([[1.0, 1.0], [3.0, 1.0], [3.1, 1.0]])
    boxes = np.array([[1.0, 0.0, 3.0, 2.0]] * 3)
    assert points_into(places, boxes).tolist() == [True, True, False]


@given(st.lists(st.booleans(), max_size=20))
def test_stretches_paint_the_row_again(row: list[bool]) -> None:
    again = np.zeros(len(row), bool)
    found = stretches(np.array(row, bool))
    for start, stop in found:
        assert start < stop
        again[start:stop] = True
    assert again.tolist() == row
    assert all(stop < start for (_, stop), (start, _) in pairwise(found))
