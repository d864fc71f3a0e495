from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.events.proposals import plain_edges, propose
from lookhear.localisation import box_iou


def with_squares(*places: tuple[int, int], side: int = 60) -> NDArray[np.uint8]:
    """Squares at (left, top) on a grey ground of 240 x 320."""
    picture = np.full((240, 320, 3), 128, np.uint8)
    for number, (left, top) in enumerate(places):
        picture[top : top + side, left : left + side] = [(220, 40, 40), (40, 60, 220)][number % 2]
    return picture


def test_things_are_proposed_whatever_they_are() -> None:
    places = [(40, 50), (200, 130)]
    boxes = propose(with_squares(*places))
    true = np.array([[left, top, left + 60, top + 60] for left, top in places])
    overlaps = box_iou(true, boxes[:, :4] * np.array([320, 240, 320, 240]))
    assert overlaps.max(1).min() > 0.7


def test_the_best_come_first_and_no_more_than_are_wanted() -> None:
    boxes = propose(with_squares((40, 50), (200, 130)), count=3)
    assert boxes.shape == (3, 5)
    assert boxes.dtype == np.float32
    assert (np.diff(boxes[:, 4]) <= 0).all()
    assert (boxes[:, :2] < boxes[:, 2:4]).all()
    assert boxes[:, :4].min() >= 0
    assert boxes[:, :4].max() <= 1


@pytest.mark.parametrize("shape", [(240, 320), (1, 1), (2, 900)])
def test_where_nothing_is_the_whole_picture_is_proposed(shape: tuple[int, int]) -> None:
    assert propose(np.full((*shape, 3), 77, np.uint8)).tolist() == [[0, 0, 1, 1, 0]]


def test_edges_lie_where_the_colour_changes_and_point_across_it() -> None:
    picture = np.full((60, 80, 3), 100, np.uint8)
    picture[:, 40:] = (200, 60, 60)
    strength, across = plain_edges(picture)
    rows, columns = np.nonzero(strength > 0.5)
    assert {*columns.tolist()} <= {39, 40}
    assert len({*rows.tolist()}) == 60
    assert np.minimum(across[rows, columns], np.pi - across[rows, columns]).max() < 1e-3


def test_a_file_that_is_no_forest_is_named(tmp_path: Path) -> None:
    picture = with_squares((40, 50))
    with pytest.raises(LookhearError, match="no such file"):
        propose(picture, forest=tmp_path / "model.yml.gz")
    (tmp_path / "other.yml").write_text("no forest")
    with pytest.raises(LookhearError, match=r"other\.yml: not OpenCV's model"):
        propose(picture, forest=tmp_path / "other.yml")
