"""`data check` says on one screen what a data set is, what is missing and what is broken."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ave_layout import make_ave
from clips import beep, counting_frames, make_clip
from lookhear.data.check import check
from lookhear.data.check.findings import SCREEN_COLUMNS, SCREEN_LINES, Findings, render
from lookhear.data.prepare import prepare
from lookhear.data.readers.ave import ave_video, read_ave, write_ave
from lookhear.data.readers.stavis import write_fold, write_gaze, write_sound
from lookhear.data.readers.tagged import TaggedClip
from lookhear.errors import LookhearError
from osie_layout import make_osie


def said(findings: Findings) -> str:
    """What is printed, which must fit on a screen."""
    console = Console(file=io.StringIO(), width=SCREEN_COLUMNS, highlight=False, soft_wrap=True)
    console.print(render(findings))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    _path, *lines = text.splitlines()
    assert len(lines) < SCREEN_LINES
    assert all(len(line) <= SCREEN_COLUMNS for line in lines)
    return text


def ave(root: Path, count: int, videos: bool = True) -> list[TaggedClip]:
    """A folder in AVE's layout, with clips of two seconds named v0, v1, ..."""
    (root / "AVE").mkdir(parents=True, exist_ok=True)
    splits = ("train", "train", "val", "test")
    clips = [
        TaggedClip(ave_video(root, f"v{i}"), ("Cat", "Dog, big")[i % 2], 0, 2, splits[i % 4])
        for i in range(count)
    ]
    write_ave(root, clips)
    for clip in clips if videos else []:
        make_clip(clip.path, counting_frames(8), 4.0, sound=beep(2, [1]))
    return clips


def gaze(root: Path, database: str = "world", frames: int = 2) -> None:
    """A folder in STAViS's layout with two clips, c0 and c1."""
    for name in ("c0", "c1"):
        for frame in range(frames):
            write_gaze(root, database, name, frame, np.zeros((18, 32, 3), np.uint8), [(5, 5)])
        write_sound(root, database, name, np.zeros(99), 44_100)
    write_fold(root, database, "train", 1, [("c0", frames, 25)])
    write_fold(root, database, "test", 1, [("c1", frames, 25)])


def test_a_whole_ave_folder(tmp_path):
    ave(tmp_path, 4)
    looked: list[int] = []
    findings = check(tmp_path, looked.append)
    text = said(findings)
    assert findings.usable == sum(looked) == 4
    assert "Usable: 4 of 4 clips" in text
    assert ["train", "2", "2", "4", "2", "1", "1"] in [line.split() for line in text.splitlines()]
    assert "Categories without a clip in a split: 2" in text
    assert "Missing" not in text


def test_ave_lists_without_any_video(tmp_path):
    ave(tmp_path, 400, videos=False)
    findings = check(tmp_path)
    text = said(findings)
    assert findings.usable == 0
    assert "Missing videos: 400 of 400; expected as AVE/<VideoID>.mp4" in text
    assert "v0.mp4; v1.mp4; v2.mp4; v3.mp4; v4.mp4; and 395 more" in text
    assert "Usable: 0 of 400 clips" in text


def test_balance_names_the_smallest_and_the_largest_category(tmp_path):
    (tmp_path / "Annotations.txt").write_text(
        "".join(f"{'Cat' if i % 3 else 'Dog'}&v{i}&good&0&1\n" for i in range(9))
    )
    text = said(check(tmp_path))
    assert "Balance: Dog has 3, Cat 6: 2.0 times as many" in text
    assert "There are no split lists: all is for training" in text


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:600])


def _silence(path: Path) -> None:
    make_clip(path, counting_frames(8), 4.0)


def _shorten(path: Path) -> None:
    make_clip(path, counting_frames(4), 4.0, sound=beep(2, [1]))


@pytest.mark.parametrize(
    ("harm", "line", "usable"),
    [
        (Path.unlink, "Missing videos: 1 of 4; expected as AVE/<VideoID>.mp4 (v1.mp4)", 3),
        (_truncate, "Videos that cannot be opened: 1 of 4", 3),
        (_shorten, "Videos that end before their annotation: 1 (v1.mp4 at 1.0 of 2 s)", 3),
        (_silence, "Videos without sound: 1 of 4 (v1.mp4)", 4),
        (
            lambda p: p.with_name("stray.mp4").touch(),
            "in AVE/ that no list names: 1 (stray.mp4)",
            4,
        ),
    ],
)
def test_what_is_wrong_with_a_video_is_said(
    tmp_path, harm: Callable[[Path], object], line: str, usable: int
):
    clips = ave(tmp_path, 4)
    harm(clips[1].path)
    findings = check(tmp_path)
    assert line in said(findings)
    assert findings.usable == usable


def test_what_is_wrong_with_the_lists_is_said(tmp_path):
    entries = [f"Cat&../x{i}&good&0&1" for i in range(42)]
    entries += ["Cat&a&good&0&0", "Cat&b&good&0&5", "Dog&b&good&0&5"]
    (tmp_path / "Annotations.txt").write_text("\n".join(entries))
    (tmp_path / "trainSet.txt").write_text("\n".join(entries[-3:-1]))
    (tmp_path / "testSet.txt").write_text(entries[-1])
    text = said(check(tmp_path))
    assert "The VideoID is not a plain file name: 42" in text
    assert "Annotations.txt, line 1, '../x0'" in text
    assert "and 37 more" in text
    assert "Annotations without the middle of a second: 1 (AVE/a.mp4, 0 to 0 s)" in text
    assert "Videos that are in two splits: 1 of 2" in text
    assert "b.mp4" in text


def test_a_world_is_both_a_set_of_tagged_clips_and_one_of_gaze(tmp_path):
    ave(tmp_path, 4)
    gaze(tmp_path)
    findings = check(tmp_path)
    text = said(findings)
    assert [section.usable for section in findings.sections] == [4, 2]
    assert "AVE's layout" in text
    row = ["world", "2", "1", "0", "4", "4", "4", "4"]
    assert row in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("file", "content", "line", "usable"),
    [
        ("video_frames/world/c0/img_00002.jpg", None, "Clips that lack pictures: 1 of 2", 1),
        ("annotations/world/c0/fixMap_00001.mat", None, "lack fixation maps: 1 of 2", 1),
        ("annotations/world/c0/maps/eyeMap_00001.jpg", None, "lack densities: 1 of 2", 1),
        ("annotations/world/c0/fixMap_00002.mat", b"junk", "Files that cannot be read: 1", 1),
        ("video_frames/world/c0/img_00001.jpg", b"junk", "Files that cannot be read: 1", 1),
        ("video_audio/world/c0/c0.wav", None, "Clips without sound: 1 of 2 (world/c0)", 2),
        (
            "fold_lists/world_list_test_1_fps.txt",
            b"c1 2 25\n.. 1 25",
            "not a plain file name: 1",
            2,
        ),
    ],
)
def test_what_is_wrong_with_recorded_gaze_is_said(tmp_path, file, content, line, usable):
    gaze(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    findings = check(tmp_path)
    assert line in said(findings)
    assert findings.usable == usable


def test_pictures_and_maps_of_two_sizes(tmp_path):
    gaze(tmp_path)
    other = tmp_path / "other"
    write_gaze(other, "world", "c0", 0, np.zeros((36, 64, 3), np.uint8), [])
    picture = "video_frames/world/c0/img_00001.jpg"
    (tmp_path / picture).write_bytes((other / picture).read_bytes())
    text = said(check(tmp_path))
    assert "Clips whose pictures and maps differ in size: 1 of 2" in text
    assert "world/c0, 32 x 18 and 64 x 36" in text


def test_osie(tmp_path):
    make_osie(tmp_path, count=3, people=4)
    (tmp_path / "data" / "stimuli" / "1002.jpg").unlink()
    findings = check(tmp_path)
    text = said(findings)
    assert findings.usable == 2
    assert "Fixations: 40; people: 4" in text
    assert "Missing pictures: 1 of 3; expected in data/stimuli/ (1002.jpg)" in text


def test_tables_in_a_folder_or_by_name(tmp_path):
    make_clip(tmp_path / "a.mp4", counting_frames(8), 4.0, sound=beep(2, [1]))
    clips, looks = tmp_path / "clips.csv", tmp_path / "fixations.csv"
    clips.write_text("path,tag,start,end\na.mp4,Cat,0,2\ngone.mp4,Cat,0,2\n")
    looks.write_text("clip,time,x,y,observer\na.mp4,0,1,1,ann\na.mp4,0,99,1,ann\n")
    both = check(tmp_path)
    assert [section.usable for section in both.sections] == [1, 1]
    assert "Missing videos: 1 of 2 (gone.mp4)" in said(both)
    assert "Looks: 1; frames with any: 1" in said(check(looks))
    assert "Looks outside the picture, left out: 1" in said(check(looks))
    assert check(clips).usable == 1
    renamed = clips.rename(tmp_path / "any name.csv")
    assert check(renamed).usable == 1


def test_a_prepared_folder(tmp_path):
    ave, out = make_ave(tmp_path / "ave", (17, 2, 1)), tmp_path / "out"
    (ave / "AVE" / "clip03.mp4").unlink()
    prepare(read_ave(ave), out)
    findings = check(out)
    assert findings.usable == 3 * 19
    assert "Not there: 1 (AVE/clip03.mp4)" in said(findings)
    shards = sorted(out.glob("*.tar"))
    os.truncate(shards[0], 5000)
    shards[1].write_bytes(bytes(shards[1].stat().st_size))
    findings = check(out)
    assert findings.usable == 0
    text = said(findings)
    assert "Missing or damaged shards: 2 of 4; run lookhear prepare again" in text
    assert shards[0].name in text
    assert shards[1].name in text


def test_what_cannot_be_read_at_all_does_not_hide_the_rest(tmp_path):
    gaze(tmp_path)
    (tmp_path / "Annotations.txt").write_bytes(bytes(999))
    findings = check(tmp_path)
    assert [section.usable for section in findings.sections] == [0, 2]
    assert "Annotations.txt: not a list in UTF-8 text" in said(findings)


def test_everything_wrong_at_once_still_fits(tmp_path):
    for database in "abcdefghijkl":
        write_fold(tmp_path, database, "train", 1, [(f"clip {i}", 9, 25) for i in range(9)])
        write_fold(tmp_path, database, "test", 1, [("clip 1", 9, 25), ("..", 1, 1), ("x", 0, 0)])
    kinds = ["x", "&a&b&0&1", "C&..&g&0&1", "C&a&g&x&1", "C&a&g&0&x", "C&a&g&2&1", "C&a&g&-1&1"]
    kinds += ["C&a&g&nan&1", "C&a&g&0&nan", "C&a&g&0&1e9", "C&a&g&0&0", "C&" + "x" * 300 + "&g&0&1"]
    (tmp_path / "Annotations.txt").write_text("\n".join(kinds * 9))
    text = said(check(tmp_path))
    assert "Other kinds: " in text
    assert "and 4 more" in text


def test_nothing_from_a_list_reaches_the_terminal_as_a_command(tmp_path):
    (tmp_path / "AVE").mkdir()
    (tmp_path / "AVE" / "\x1b[2J[red]x.mp4").touch()
    (tmp_path / "Annotations.txt").write_text("[bold]C&\x1b[31m&good&0&1\n[bold]C&v&good&0&1")
    text = said(check(tmp_path))
    assert "\x1b[2J" not in text
    assert "[red]x.mp4" in text


def test_what_is_no_data_set_is_one_line(tmp_path):
    with pytest.raises(LookhearError, match=r"Annotations\.txt \(AVE\), fold_lists/") as caught:
        check(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(LookhearError, match="no such file or folder"):
        check(tmp_path / "nowhere")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LookhearError, match="first row must name path,tag,start,end or clip"):
        check(tmp_path / "x.csv")
