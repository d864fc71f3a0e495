"""The OSIE reader takes the public layout as it is, and says what is wrong with one that is not."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from lookhear.data.readers.osie import FixatedPicture, read_osie
from lookhear.errors import LookhearError
from osie_layout import make_osie, write_osie


def picture(x: list[float], y: list[float], height: int = 30, width: int = 40) -> FixatedPicture:
    columns = (np.array(x), np.array(y), np.zeros(len(x), np.int64), np.zeros(len(x)))
    return FixatedPicture(Path("a.jpg"), height, width, *columns)


def test_reads_positions_people_and_durations(tmp_path):
    write_osie(tmp_path, {"a.jpg": [[(3.5, 4.25), (39.9, 29.9)], [], [(0.0, 0.0)]]})
    (read,) = read_osie(tmp_path)
    assert (read.name, read.height, read.width) == ("a.jpg", 30, 40)
    assert read.x.tolist() == [3.5, 39.9, 0.0]
    assert read.y.tolist() == [4.25, 29.9, 0.0]
    assert read.observer.tolist() == [0, 0, 2]
    assert read.duration.tolist() == [200, 200, 200]
    assert read.pixels().shape == (30, 40, 3)


def test_pixels_are_rgb(tmp_path):
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    write_osie(tmp_path, {"a.jpg": [[]]}, {"a.jpg": red})
    assert read_osie(tmp_path)[0].pixels()[4, 4, 0] > 200


def test_drops_positions_outside_the_picture(tmp_path):
    outside = [(-0.1, 5), (40.0, 5), (5, 30.0), (5, -1), (float("nan"), 5), (5, float("inf"))]
    write_osie(tmp_path, {"a.jpg": [[*outside, (5, 6)]]})
    (read,) = read_osie(tmp_path)
    assert (read.x.tolist(), read.y.tolist()) == ([5], [6])


def test_a_position_falls_into_the_pixel_it_lies_in():
    counts = picture([0.0, 0.99, 1.0, 39.99], [0.0, 0.99, 0.0, 29.99]).fixation_map()
    assert counts[0, 0] == 2
    assert counts[0, 1] == 1
    assert counts[29, 39] == 1
    assert counts.sum() == 4


def test_fixation_map_on_another_grid():
    counts = picture([39.9, 20.0], [29.9, 15.0]).fixation_map(12, 16)
    assert counts.shape == (12, 16)
    assert counts[11, 15] == 1
    assert counts[6, 8] == 1


def test_more_than_255_fixations_in_a_pixel_do_not_wrap():
    assert picture([1.0] * 300, [1.0] * 300).fixation_map().max() == 255


@given(
    st.integers(1, 50), st.integers(1, 50), st.floats(0, 1, exclude_max=True), st.integers(1, 900)
)
def test_every_fixation_is_on_every_grid(height, width, place, grid):
    x, y = place * width, place * height
    assert picture([x], [y], height, width).fixation_map(grid, grid).sum() == 1


def test_names_choose_and_order_and_exclude_leaves_out(tmp_path):
    make_osie(tmp_path, count=4)
    chosen = read_osie(tmp_path, ["1003.jpg", "1001.jpg"])
    assert [p.name for p in chosen] == ["1003.jpg", "1001.jpg"]
    rest = read_osie(tmp_path, exclude=["1003.jpg", "1001.jpg"])
    assert [p.name for p in rest] == ["1002.jpg", "1004.jpg"]


@pytest.mark.parametrize("argument", ["names", "exclude"])
def test_an_unknown_name_is_an_error_so_no_split_is_silently_wrong(tmp_path, argument):
    make_osie(tmp_path, count=2)
    with pytest.raises(LookhearError, match=r"has no 7\.jpg, 8\.jpg; check"):
        read_osie(tmp_path, **{argument: ["7.jpg", "8.jpg"]})


def test_no_names_is_not_all_names(tmp_path):
    make_osie(tmp_path, count=2)
    with pytest.raises(LookhearError, match="no picture is left"):
        read_osie(tmp_path, [])


def test_absent_pictures_are_left_out_with_one_line(tmp_path, caplog):
    make_osie(tmp_path, count=4)
    for name in ("1002.jpg", "1003.jpg"):
        (tmp_path / "data" / "stimuli" / name).unlink()
    assert [p.name for p in read_osie(tmp_path)] == ["1001.jpg", "1004.jpg"]
    assert len(caplog.records) == 1
    assert "1002.jpg, 1003.jpg" in caplog.text


def test_absent_pictures_that_were_asked_for_are_an_error(tmp_path):
    make_osie(tmp_path, count=2)
    (tmp_path / "data" / "stimuli" / "1002.jpg").unlink()
    with pytest.raises(LookhearError, match=r"has no 1002\.jpg"):
        read_osie(tmp_path, ["1001.jpg", "1002.jpg"])


def test_all_pictures_absent_is_an_error(tmp_path):
    make_osie(tmp_path, count=2)
    for path in (tmp_path / "data" / "stimuli").iterdir():
        path.unlink()
    with pytest.raises(LookhearError, match=r"has no 1001\.jpg, 1002\.jpg, which"):
        read_osie(tmp_path)


def test_a_folder_of_another_layout(tmp_path):
    with pytest.raises(LookhearError, match=r"data/eye/fixations\.mat"):
        read_osie(tmp_path)


@pytest.mark.parametrize(
    "name", ["../../secret.jpg", "/etc/passwd", "sub/a.jpg", "..\\a.jpg", "a.jpg/"]
)
def test_names_cannot_leave_the_folder(tmp_path, name):
    (tmp_path / "secret.jpg").write_bytes(b"")
    write_osie(tmp_path / "osie", {name: [[(1, 1)]], "b.jpg": [[(1, 1)]]})
    with pytest.raises(LookhearError, match="not the name of a file"):
        read_osie(tmp_path / "osie")


@pytest.mark.parametrize(
    ("start", "rest"), [(0, b""), (0, b"text" * 300), (400, b""), (200, bytes(400))]
)
def test_a_damaged_fixation_file_is_one_line(tmp_path, start, rest):
    path = make_osie(tmp_path, count=2) / "data" / "eye" / "fixations.mat"
    path.write_bytes(path.read_bytes()[:start] + rest)
    with pytest.raises(LookhearError, match=r"fixations\.mat") as caught:
        read_osie(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"other": 1},
        {"fixations": np.arange(3)},
        {"fixations": {"img": "1001.jpg"}},
        {"fixations": {"img": 5, "subjects": {"fix_x": 1, "fix_y": 1, "fix_duration": 1}}},
        {"fixations": {"img": "1001.jpg", "subjects": {"fix_x": [1, 2], "fix_y": 1}}},
        {"fixations": {"img": "1001.jpg", "subjects": {"fix_x": "one", "fix_y": "two"}}},
    ],
)
def test_another_mat_file_is_one_line(tmp_path, content):
    make_osie(tmp_path, count=1)
    scipy.io.savemat(tmp_path / "data" / "eye" / "fixations.mat", content)
    with pytest.raises(LookhearError, match=r"fixations\.mat"):
        read_osie(tmp_path)


def test_one_picture_one_person_one_fixation(tmp_path):
    write_osie(tmp_path, {"a.jpg": [[(2.5, 3.5)]]})
    assert read_osie(tmp_path)[0].fixation_map()[3, 2] == 1


def test_a_picture_that_cannot_be_read(tmp_path):
    make_osie(tmp_path, count=2)
    (tmp_path / "data" / "stimuli" / "1001.jpg").write_bytes(b"not a picture")
    with pytest.raises(LookhearError, match=r"1001\.jpg: not a picture"):
        read_osie(tmp_path)


def test_positions_in_shares_of_the_sides_are_refused(tmp_path):
    looks = {"a.png": [[(0.1, 0.5), (0.9, 0.2)], [(0.4, 0.4), (0.7, 1.0)]]}
    with pytest.raises(LookhearError, match="all looks lie in one pixel of the corner"):
        read_osie(write_osie(tmp_path, looks))
