from pathlib import Path

import pytest

from lookhear.data.prepare import read_tagged
from lookhear.data.readers.dcase import read_dcase
from lookhear.data.readers.tagged import once_a_clip, tags_in
from lookhear.errors import LookhearError

LINES = """-0B9_30.000_40.000.wav\t30.000\t40.000\tTrain horn
-0B9_30.000_40.000.wav\t30.000\t40.000\tAir horn, truck horn
sub/xyz_0.000_7.200.wav\t0.000\t7.200\tCar
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_clip_has_an_entry_for_each_label_with_its_commas(tmp_path: Path) -> None:
    data = read_dcase(write(tmp_path / "list.csv", LINES))
    assert data.tags == ("Air horn, truck horn", "Car", "Train horn")
    assert [(clip.tag, clip.start, clip.end) for clip in data.clips] == [
        ("Train horn", 30.0, 40.0),
        ("Air horn, truck horn", 30.0, 40.0),
        ("Car", 0.0, 7.2),
    ]
    joined = once_a_clip(data)
    assert [tags_in(clip.tag) for clip in joined.clips] == [
        ("Air horn, truck horn", "Train horn"),
        ("Car",),
    ]


def test_the_clip_with_a_picture_counts_before_its_sound(tmp_path: Path) -> None:
    (tmp_path / "-0B9_30.000_40.000.mp4").touch()
    clips = read_dcase(write(tmp_path / "list.csv", LINES)).clips
    assert [clip.path.suffix for clip in clips] == [".mp4", ".mp4", ".wav"]


def test_the_lists_of_a_folder_are_its_splits(tmp_path: Path) -> None:
    write(tmp_path / "training_set.csv", LINES)
    write(tmp_path / "testing_set.csv", "filename\tonset\toffset\tevent_label\nq.mp4\t1\t2\tCar\n")
    data = read_tagged(tmp_path)
    assert [clip.split for clip in data.clips] == ["train", "train", "train", "val"]
    assert not data.faults


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.wav\t0\t10", "not a file, a start, an end and a label between tabs"),
        ("../a.wav\t0\t10\tCar", "not one inside the list's folder"),
        ("/a.wav\t0\t10\tCar", "not one inside the list's folder"),
        ("a.wav\t10\t0\tCar", "the end is before the start"),
        ("a.wav\tx\t10\tCar", "the start is not a number"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_fault(tmp_path: Path, line: str, reason: str) -> None:
    data = read_dcase(write(tmp_path / "list.csv", f"{LINES}{line}\n"))
    assert len(data.clips) == 3
    assert reason in str(data.faults[0])


def test_a_folder_without_lists_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match=r"holds none of training_set\.csv"):
        read_dcase(tmp_path)


def test_a_clips_csv_names_several_tags(tmp_path: Path) -> None:
    write(tmp_path / "clips.csv", "path,tag,start,end\na.mp4,Bark;Flute,0,3\na.mp4,Cat,0,9\n")
    (clip,) = once_a_clip(read_tagged(tmp_path)).clips
    assert tags_in(clip.tag) == ("Bark", "Cat", "Flute")
    assert (clip.start, clip.end) == (0, 9)
