"""What is seen of clips: which frames, in colour or as motion; and what cannot be decoded."""

from pathlib import Path

import numpy as np
import pytest

from clips import counting_frames, make_clip
from lookhear import LookhearError
from lookhear.actions.clips import (
    STEP,
    Labelled,
    SpreadClips,
    SpreadMoments,
    duration_of,
    looks,
    motion,
    spread,
    tell_left_out,
)
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare, read_tagged
from lookhear.media import open_clip
from lookhear.resume import Journal

SIZE = (24, 32)


def counting(path: Path, count: int = 16, fps: int = 8) -> Path:
    """A grey clip, frame i of brightness 16 + 8 i."""
    return make_clip(path, counting_frames(count), fps)


def indices(pictures: np.ndarray) -> list[int]:
    """Which frames pictures (n, H, W) of a counting clip are."""
    return ((pictures.mean((1, 2)) - 16) / 8).round().astype(int).tolist()


def test_frames_lie_in_the_middles_of_even_parts() -> None:
    assert spread(2, 4).tolist() == [0.25, 0.75, 1.25, 1.75]


def test_each_time_is_looked_at_by_the_first_frame_at_or_after_it(tmp_path: Path) -> None:
    clip = open_clip(counting(tmp_path / "a.mp4"))
    times = [0.0, 0.25, 0.3, 0.3, 1.875, 5.0]
    seen = np.stack([*looks(clip, times, SIZE, "colour")])
    assert seen.shape == (6, *SIZE, 3)
    assert indices(seen[..., 0]) == [0, 2, 3, 3, 15, 15]


def steps(pictures: np.ndarray) -> list[int]:
    """By how many frames of a counting clip what is seen (n, ...) of motion differs."""
    means = pictures.reshape(len(pictures), -1).mean(1)
    return ((means - 128) / 8).round().astype(int).tolist()


def test_motion_is_what_colours_differ_by_from_an_eighth_of_a_second_before(
    tmp_path: Path,
) -> None:
    clip = open_clip(counting(tmp_path / "a.mp4"))
    seen = np.stack([*looks(clip, [0.0, 0.5, 1.875, 3.0], SIZE, "motion")])
    assert seen.shape == (4, *SIZE, 3)
    assert steps(seen) == [0, 1, 1, 0]
    assert STEP == 1 / 8


def test_each_colour_moves_by_itself_and_no_further_than_a_byte() -> None:
    dark, warm = np.array([[[0, 100, 255]]], np.uint8), np.array([[[200, 110, 50]]], np.uint8)
    assert motion(dark, warm).tolist() == [[[255, 138, 0]]]


def test_a_clip_of_one_frame_and_a_still_give_as_many_as_are_wanted(tmp_path: Path) -> None:
    clip = open_clip(counting(tmp_path / "a.mp4", count=1))
    assert duration_of(clip) > 0
    assert steps(np.stack([*looks(clip, spread(1, 5).tolist(), SIZE, "motion")])) == [0] * 5


def samples(clips: list[Path], tmp_path: Path, frames: int = 4) -> SpreadClips:
    labelled = [Labelled(path, number) for number, path in enumerate(clips)]
    return SpreadClips(labelled, frames, SIZE, "colour", Journal(tmp_path / "left-out.jsonl"))


def test_a_sample_is_n_frames_and_the_class(tmp_path: Path) -> None:
    data = samples([counting(tmp_path / "a.mp4"), counting(tmp_path / "b.mp4", 3)], tmp_path)
    first, short = data[0], data[1]
    assert first["frames"].shape == (1, 4, 3, *SIZE)
    assert indices(first["frames"][0, :, 0].numpy()) == [2, 6, 10, 14]
    assert (first["tag"], short["tag"]) == (0, 1)
    assert indices(short["frames"][0, :, 0].numpy()) == [1, 2, 2, 2]  # shorter than n frames


def test_clips_with_room_in_memory_are_decoded_once(tmp_path: Path) -> None:
    path = counting(tmp_path / "a.mp4")
    data = samples([path], tmp_path)
    first = data[0]
    path.unlink()
    assert data.kept
    assert (data[0]["frames"] == first["frames"]).all()


def test_a_clip_that_cannot_be_decoded_is_left_out_named_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    data = samples([broken, counting(tmp_path / "b.mp4"), tmp_path / "gone.mp4"], tmp_path)
    assert [of["tag"] for of in data.__getitems__([0, 1, 2])] == [1, 1, 1]
    assert data[0]["tag"] == 1
    assert sum("broken.mp4" in line for line in caplog.messages) == 1
    told = tell_left_out(Journal(tmp_path / "left-out.jsonl"))
    assert told is not None
    assert told.startswith("2 clips (")
    assert "broken.mp4" in told
    assert tell_left_out(Journal(tmp_path / "none.jsonl")) is None


def test_where_no_clip_can_be_decoded_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="not one clip can be decoded"):
        samples([tmp_path / "gone.mp4"], tmp_path)[0]


def test_prepared_moments_are_clips_of_eight_frames_a_second(tmp_path: Path) -> None:
    for name in ("a", "b"):
        counting(tmp_path / f"{name}.mp4", 17)
    rows = "path,tag,start,end\na.mp4,Cat,0,2\nb.mp4,Dog,0,2\n"
    (tmp_path / "clips.csv").write_text(rows)
    prepare(read_tagged(tmp_path), tmp_path / "out")
    moments = Moments(tmp_path / "out", "train", size=SIZE)
    data = SpreadMoments(moments, 4, "motion")
    assert (len(data), data.labels, data.seconds) == (2, [0, 1], 2)
    sample = data[1]
    assert sample["tag"] == 1
    assert steps(sample["frames"][0].numpy()) == [1, 1, 1, 1]
    assert steps(SpreadMoments(moments, 16, "motion")[1]["frames"][0].numpy()) == [1] * 16
    colour = SpreadMoments(moments, 4, "colour")[0]["frames"][0].numpy()
    assert indices(colour[:, 0]) == [2, 6, 10, 14]
