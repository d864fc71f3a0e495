"""Anyone's own data: two tables, read whatever the order of their columns, faults named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import counting_frames, make_clip
from lookhear import metrics
from lookhear.data.readers.tables import read_clips, read_fixations
from lookhear.data.readers.tagged import TaggedClip
from lookhear.errors import LookhearError

HEADER = "path,tag,start,end\n"
REFUSED = "the path is not one inside the table's folder; say with --root DIR where they may lie"
LOOKS = "clip,time,x,y,observer\n"


def table(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of 10 frames of 64 x 48, 25 a second, in a folder of its own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "day one").mkdir()
    make_clip(folder / "day one" / "a.mp4", counting_frames(10))
    return folder


def test_reads_clips(tmp_path):
    path = table(tmp_path, "clips.csv", f'{HEADER}a.mp4,Cat,0,10\nsub/b.mov,"Dog, big",1.5,2\n')
    clips = read_clips(path)
    assert clips.clips == (
        TaggedClip(tmp_path / "a.mp4", "Cat", 0, 10),
        TaggedClip(tmp_path / "sub" / "b.mov", "Dog, big", 1.5, 2),
    )
    assert clips.faults == ()


@pytest.mark.parametrize(
    "content",
    [
        "end,notes,path,start,tag\r\n10,,a.mp4,0,Cat\r\n",
        "\ufeffPath,TAG, start ,end\n\n a.mp4 , Cat ,0, 10\n,,,\n",
        'path,tag,start,end,more\n"a.mp4","Cat","0","10","a\nb"',
    ],
)
def test_columns_in_any_order_and_what_spreadsheets_write(tmp_path, content):
    clips = read_clips(table(tmp_path, "c.csv", content))
    assert clips.clips == (TaggedClip(tmp_path / "a.mp4", "Cat", 0, 10),)
    assert clips.faults == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.mp4,Cat,0", "has too few fields"),
        (",Cat,0,1", "the path is empty"),
        ("../a.mp4,Cat,0,1", REFUSED),
        ("sub/../../a.mp4,Cat,0,1", REFUSED),
        ("/etc/passwd,Cat,0,1", REFUSED),
        ("C:\\a.mp4,Cat,0,1", REFUSED),
        ("sub\\a.mp4,Cat,0,1", REFUSED),
        ("sub//a.mp4,Cat,0,1", REFUSED),
        ("a\0.mp4,Cat,0,1", REFUSED),
        ("a.mp4,,0,1", "the tag is empty"),
        ("a.mp4,Cat,soon,1", "the start is not a number"),
        ("a.mp4,Cat,0,nan", "the end is not finite"),
        ("a.mp4,Cat,-1,1", "the start is negative"),
        ("a.mp4,Cat,2,1", "the end is before the start"),
        (b"\xff.mp4,Cat,0,1", "not UTF-8 text"),
        ("x" * 140_000, "not a row (field larger than field limit (131072))"),
    ],
)
def test_a_bad_row_is_named_with_line_and_reason_and_the_others_are_read(tmp_path, row, reason):
    raw = row if isinstance(row, bytes) else row.encode()
    content = HEADER.encode() + b"one.mp4,Cat,0,1\n" + raw + b"\ntwo.mp4,Cat,0,1"
    clips = read_clips(table(tmp_path, "clips.csv", content))
    assert [clip.name for clip in clips.clips] == ["one", "two"]
    (fault,) = clips.faults
    assert fault.what.startswith("clips.csv, line 3")
    assert fault.reason == reason


def test_a_row_counts_once(tmp_path):
    content = f"{HEADER}a.mp4,Cat,0,1\na.mp4,Cat,1,2\na.mp4,Cat,0,1.0"
    clips = read_clips(table(tmp_path, "clips.csv", content))
    assert len(clips.clips) == 2
    assert [str(fault) for fault in clips.faults] == ["clips.csv, lines 2 and 4: listed twice"]


@pytest.mark.parametrize("content", ["", "path;tag;start;end\n", "path,tag,start\na,b,0\n"])
def test_a_column_that_is_missing_is_one_line(tmp_path, content):
    with pytest.raises(LookhearError, match=r"has no column .*end; the first row must name"):
        read_clips(table(tmp_path, "clips.csv", content))


@pytest.mark.parametrize("read", [read_clips, read_fixations])
def test_what_is_no_table_is_one_line(tmp_path, read):
    with pytest.raises(LookhearError, match="not a list in UTF-8 text"):
        read(table(tmp_path, "x.csv", bytes(range(256)) * 20))
    with pytest.raises(LookhearError, match="no such file"):
        read(tmp_path / "y.csv")


CELLS = st.sampled_from(["a.mp4", "../a", "Cat", "0", "5", "-1", "nan", "", '"', "\r", "\0", "😀"])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=8), st.binary(max_size=20))
def test_a_fuzzed_table_is_read_or_refused_in_one_line(tmp_path, rows, tail):
    path = table(tmp_path, "clips.csv", (HEADER + "\n".join(rows)).encode() + tail)
    try:
        clips = read_clips(path)
    except LookhearError as error:
        assert "not a list in UTF-8" in str(error)  # noqa: PT017
        return
    assert all(clip.path.is_relative_to(tmp_path) for clip in clips.clips)
    assert all(".." not in clip.path.parts for clip in clips.clips)
    assert all(fault.what.startswith("clips.csv, line") for fault in clips.faults)


def test_reads_looks_by_frame(folder):
    path = table(
        folder,
        "fixations.csv",
        f"{LOOKS}day one/a.mp4,0.12,5.5,6.5,ann\nday one/a.mp4,0.0,63.9,47.9,bob\n"
        "day one/a.mp4,0.159,5.9,6.1,bob\n",
    )
    videos = read_fixations(path)
    (clip,) = videos.clips
    assert (clip.name, clip.frame_count, clip.frame_rate) == ("day one/a.mp4", 10, 25)
    assert clip.fixation_map(0).shape == (48, 64)
    assert clip.fixation_map(0)[47, 63] == clip.fixation_map(0).sum() == 1
    assert clip.fixation_map(3)[6, 5] == clip.fixation_map(3).sum() == 2
    assert sum(clip.fixation_map(i).sum() for i in range(10)) == 3
    assert clip.observer.tolist() == [1, 0, 1]
    assert (videos.faults, videos.outside_picture, videos.outside_time) == ((), 0, 0)


@pytest.mark.parametrize("frame", range(10))
def test_a_frames_own_time_belongs_to_it_however_it_was_rounded(folder, frame):
    path = table(folder, "f.csv", f"{LOOKS}day one/a.mp4,{frame / 25!r},5,6,ann\n")
    (clip,) = read_fixations(path).clips
    assert clip.frame.tolist() == [frame]


def test_looks_outside_are_counted(folder):
    rows = "".join(
        f"day one/a.mp4,{time},{x},{y},ann\n"
        for time, x, y in [
            (0, -0.1, 5),
            (0, 64, 5),
            (0, 5, 48),
            (0.4, 5, 5),
            (9, 99, 99),
            (0, 1, 1),
        ]
    )
    videos = read_fixations(table(folder, "f.csv", LOOKS + rows))
    assert (videos.outside_picture, videos.outside_time) == (3, 2)
    assert len(videos.clips[0].frame) == 1


def test_density_and_metrics_of_the_truth(folder):
    chance = np.random.default_rng(0)
    rows = "".join(
        f"day one/a.mp4,0.1,{x:.2f},{y:.2f},p{person}\n"
        for person, (x, y) in enumerate(chance.normal((40, 20), 3, (15, 2)))
    )
    (clip,) = read_fixations(table(folder, "f.csv", LOOKS + rows)).clips
    density = clip.density(2)[None]
    assert metrics.cc(density, density).item() == pytest.approx(1)
    assert metrics.nss(density, clip.fixation_map(2)[None]).item() > 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../a.mp4,0,1,1,ann", REFUSED),
        ("day one/a.mp4,-1,1,1,ann", "the time is negative"),
        ("day one/a.mp4,now,1,1,ann", "the time is not a number"),
        ("day one/a.mp4,0,left,1,ann", "x is not a number"),
        ("day one/a.mp4,0,1,inf,ann", "y is not finite"),
        ("day one/a.mp4,0,1,1,", "the observer is empty"),
        ("day one/a.mp4,0,1,1", "has too few fields"),
    ],
)
def test_a_bad_look_is_named(folder, row, reason):
    videos = read_fixations(table(folder, "f.csv", f"{LOOKS}{row}\nday one/a.mp4,0,1,1,ann\n"))
    assert len(videos.clips) == 1
    (fault,) = videos.faults
    assert fault.what.startswith("f.csv, line 2")
    assert fault.reason == reason


def test_a_clip_that_cannot_be_opened_is_named_once(folder):
    (folder / "broken.mp4").write_bytes(b"junk" * 100)
    rows = "broken.mp4,0,1,1,ann\ngone.mp4,0,1,1,ann\n" * 3
    opened: list[int] = []
    videos = read_fixations(table(folder, "f.csv", LOOKS + rows), opened.append)
    assert videos.clips == ()
    assert [fault.what for fault in videos.faults] == ["broken.mp4", "gone.mp4"]
    assert [fault.reason.split(";")[0].split(" (")[0] for fault in videos.faults] == [
        "not a media file that can be read",
        "no such file",
    ]
    assert sum(opened) == 2


def test_a_path_that_is_refused_says_how_to_allow_it(tmp_path):
    clips = read_clips(table(tmp_path, "clips.csv", f"{HEADER}/somewhere/a.mp4,Cat,0,1\n"))
    assert "--root DIR says" not in clips.faults[0].reason
    assert "say with --root DIR where they may lie" in clips.faults[0].reason


def test_roots_say_where_else_clips_may_lie(tmp_path):
    for place in ("tables", "disk/day", "other"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "disk" / "day" / "a.mp4").touch()
    rows = [tmp_path / "disk" / "day" / "a.mp4", "../disk/day/a.mp4", "day/a.mp4", "not/there.mp4"]
    content = HEADER + "".join(f"{row},Cat,{n},9\n" for n, row in enumerate(rows))
    path = table(tmp_path / "tables", "clips.csv", content)
    clips = read_clips(path, [tmp_path / "other", tmp_path / "disk"])
    assert clips.faults == ()
    *found, absent = (clip.path for clip in clips.clips)
    assert {file.resolve() for file in found} == {tmp_path / "disk" / "day" / "a.mp4"}
    assert absent == tmp_path / "tables" / "not" / "there.mp4"


@pytest.mark.parametrize("row", ["/etc/passwd", "../other/a.mp4", "../disk/../other/a.mp4", "link"])
def test_nothing_beside_the_roots_is_reached(tmp_path, row):
    for place in ("tables", "disk", "other"):
        (tmp_path / place).mkdir()
    (tmp_path / "other" / "a.mp4").touch()
    (tmp_path / "disk" / "link").symlink_to(tmp_path / "other" / "a.mp4")
    path = table(tmp_path / "tables", "clips.csv", f"{HEADER}{row},Cat,0,1\n")
    clips = read_clips(path, [tmp_path / "disk"])
    assert not any(clip.path.exists() for clip in clips.clips)


@pytest.mark.parametrize(
    ("scale", "seconds", "reason"),
    [
        ((1 / 64, 1 / 48), 1, "all looks lie in one pixel of the corner"),
        ((1e-6, 1e-6), 1, "all looks lie in one pixel of the corner"),
        ((0, 30), 1000, "most looks come after its end; times must be in seconds"),
        ((30, 30), 1, "most looks are outside its picture"),
    ],
)
def test_numbers_that_mean_something_else_are_a_fault_of_the_clip(folder, scale, seconds, reason):
    chance = np.random.default_rng(0)
    places = chance.uniform(2, (63, 47), (40, 2)) * scale
    times = chance.uniform(0.01, 0.39, 40) * seconds
    rows = [f"day one/a.mp4,{t},{x},{y},p\n" for t, (x, y) in zip(times, places, strict=True)]
    videos = read_fixations(table(folder, "odd.csv", LOOKS + "".join(rows)))
    assert videos.clips == ()
    (fault,) = videos.faults
    assert reason in fault.reason
    assert (fault.what, videos.named) == ("day one/a.mp4", 1)


def test_looks_of_which_all_are_at_one_pixel_are_a_fault(folder):
    rows = [f"day one/a.mp4,{n / 100},20.{n},30.5,p\n" for n in range(10, 39)]
    (fault,) = read_fixations(table(folder, "one.csv", LOOKS + "".join(rows))).faults
    assert "all looks lie in one pixel" in fault.reason
