"""Clips with a label each, in all layouts that those who train on actions have."""

import json
import math
from pathlib import Path

import pytest

from ave_layout import write_lists
from lookhear import LookhearError
from lookhear.data.labelled import read_labelled
from lookhear.data.readers.activitynet import LabelledSegment, read_activitynet, read_segments
from lookhear.data.readers.class_folders import read_class_folders
from lookhear.data.readers.path_label import read_path_labels
from lookhear.data.readers.tagged import TaggedClips


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")


def told(clips: TaggedClips) -> set[tuple[str, str, str]]:
    root = clips.root if clips.root.is_dir() else clips.root.parent
    assert all((of.start, of.end) == (0, math.inf) for of in clips.clips)
    return {(of.path.relative_to(root).as_posix(), of.tag, of.split) for of in clips.clips}


def test_a_folder_for_each_class_is_for_training(tmp_path: Path) -> None:
    touch(tmp_path, "golf/a.mp4", "golf/b.AVI", "long jump/c.webm", "golf/notes.txt", "golf/.x.mp4")
    clips = read_labelled(tmp_path)
    assert told(clips) == {
        ("golf/a.mp4", "golf", "train"),
        ("golf/b.AVI", "golf", "train"),
        ("long jump/c.webm", "long jump", "train"),
    }
    assert [str(fault) for fault in clips.faults] == ["golf/notes.txt: not a video file"]
    assert clips.notes == ("There are no splits: all is for training",)


def test_folders_of_splits_hold_folders_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, "train/golf/a.mp4", "validation/golf/b.mp4", "test/golf/c.mp4")
    assert told(read_labelled(tmp_path)) == {
        ("train/golf/a.mp4", "golf", "train"),
        ("validation/golf/b.mp4", "golf", "val"),
        ("test/golf/c.mp4", "golf", "test"),
    }


def test_a_folder_without_clips_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "golf/readme.txt")
    with pytest.raises(LookhearError, match="no labelled clips"):
        read_labelled(tmp_path)
    with pytest.raises(LookhearError, match="no clips in folders of classes"):
        read_class_folders(tmp_path)


def test_lists_of_path_and_label_are_read_as_mmaction2_has_them(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("archery\ngolf swing\n")
    (tmp_path / "train.txt").write_text("some/a b.mp4 1\nframes_of 163 0\nc.mp4 7\nd.mp4\n")
    (tmp_path / "val_videos.txt").write_text("e.mp4 0\n")
    touch(tmp_path, "videos/e.mp4")
    clips = read_labelled(tmp_path)
    assert told(clips) == {
        ("some/a b.mp4", "golf swing", "train"),
        ("frames_of", "archery", "train"),
        ("videos/e.mp4", "archery", "val"),
    }
    assert [fault.reason for fault in clips.faults] == [
        "the label is none of the 2 classes",
        "not a path and a label with a space between them",
    ]


def test_one_list_may_have_labels_that_are_names(tmp_path: Path) -> None:
    listed = tmp_path / "mine.txt"
    listed.write_text("a.mp4 golf\na.mp4 golf\n../b.mp4 golf\n/etc/passwd golf\n")
    clips = read_labelled(listed)
    assert told(clips) == {("a.mp4", "golf", "train")}
    assert len(clips.faults) == 3
    assert "val.txt" in " ".join(clips.notes)


def test_ucf101_is_read_by_its_first_split(tmp_path: Path) -> None:
    touch(tmp_path, "UCF-101/Archery/v_Archery_g01_c01.avi")
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text(
        "Archery/v_Archery_g08_c01.avi 1\nnonsense\nlone.avi 1\n"
    )
    (lists / "testlist01.txt").write_text("Archery/v_Archery_g01_c01.avi\n")
    clips = read_labelled(tmp_path)
    assert told(clips) == {
        ("UCF-101/Archery/v_Archery_g08_c01.avi", "Archery", "train"),
        ("UCF-101/Archery/v_Archery_g01_c01.avi", "Archery", "test"),
    }
    assert len(clips.faults) == 2


def test_hmdb51_is_read_by_its_first_split(tmp_path: Path) -> None:
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    marks = "one.avi 1 \ntwo.avi 2 \nthree.avi 0 \nfour.avi 3\n../five.avi 1\n"
    (lists / "brush_hair_test_split1.txt").write_text(marks)
    (lists / "brush_hair_test_split2.txt").write_text("six.avi 1\n")
    clips = read_labelled(tmp_path)
    assert told(clips) == {
        ("brush_hair/one.avi", "brush_hair", "train"),
        ("brush_hair/two.avi", "brush_hair", "test"),
    }
    assert len(clips.faults) == 2


DATABASE = {
    "version": "VERSION 1.3",
    "database": {
        "aaa": {"subset": "training", "annotations": [{"label": "Golf", "segment": [1.5, 4]}]},
        "bbb": {
            "subset": "validation",
            "annotations": [
                {"label": "Golf", "segment": [0, 2]},
                {"label": "Golf", "segment": [5, 6]},
            ],
        },
        "two": {
            "subset": "training",
            "annotations": [
                {"label": "Golf", "segment": [0, 1]},
                {"label": "Polo", "segment": [1, 2]},
            ],
        },
        "test": {"subset": "testing", "annotations": []},
        "none": {"subset": "training", "annotations": []},
        "odd": {"subset": "training", "annotations": [{"label": "Golf", "segment": [3, 1]}]},
        "../out": {"subset": "training", "annotations": []},
        "lost": {"subset": "somewhere"},
    },
}


def test_activitynets_json_gives_labels_and_segments(
    tmp_path: Path,
) -> None:
    file = tmp_path / "activity_net.v1-3.min.json"
    file.write_text(json.dumps(DATABASE))
    touch(tmp_path, "videos/v_aaa.mkv", "bbb.mp4")
    clips = read_labelled(tmp_path)
    assert told(clips) == {
        ("videos/v_aaa.mkv", "Golf", "train"),
        ("bbb.mp4", "Golf", "val"),
    }
    assert {fault.reason for fault in clips.faults} == {
        "has several labels",
        "has no annotation",
        "the end is before the start",
        "the name is not a plain file name",
        "its subset is none of training, validation and testing",
    }
    assert told(read_activitynet(file)) == told(clips)
    annotated, _ = read_segments(tmp_path)
    assert annotated["bbb"].segments == (
        LabelledSegment("Golf", 0, 2),
        LabelledSegment("Golf", 5, 6),
    )
    assert len(annotated["two"].segments) == 2


@pytest.mark.parametrize("content", ['{"database": [1]}', '{"database": {"a": 3', "[" * 10_000])
def test_a_damaged_json_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "damaged.json"
    file.write_text('{"database"' if content.startswith("[") else content)
    with pytest.raises(LookhearError, match="damaged"):
        read_activitynet(file)


def test_aves_layout_and_tables_are_still_known(tmp_path: Path) -> None:
    write_lists(tmp_path / "ave", {"trainSet.txt": ["Bark&one&good&0&10"]})
    assert [clip.tag for clip in read_labelled(tmp_path / "ave").clips] == ["Bark"]
    (tmp_path / "clips.csv").write_text("path,tag,start,end\na.mp4,Cat,0,1\n")
    assert [clip.tag for clip in read_labelled(tmp_path).clips] == ["Cat"]


def test_no_folder_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="no such folder"):
        read_labelled(tmp_path / "nowhere")
    with pytest.raises(LookhearError, match="no lists of clips"):
        read_path_labels(tmp_path)
