"""A world's files: the readers of the real sets read them, and the same world has the same ones."""

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lookhear.data.observers import OBSERVERS
from lookhear.data.readers.ave import read_ave
from lookhear.data.readers.stavis import read_stavis
from lookhear.data.readers.tagged import size_of
from lookhear.data.world.clip import HEIGHT, WIDTH, WorldClip
from lookhear.data.world.files import World, write_world
from lookhear.data.world.truth import read_truth
from lookhear.errors import LookhearError
from lookhear.media import open_clip

SMALL = World("sounding", clips=3, seed=5, duration=1.2)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "new" / "small"
    write_world(out, SMALL)
    return out


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_same_world_has_the_same_files_whoever_makes_it_and_however_many_it_is_of(
    small: Path, tmp_path: Path
) -> None:
    done: list[int] = []
    write_world(tmp_path / "again", SMALL, workers=2, advance=done.append)
    assert digests(tmp_path / "again") == digests(small)
    assert sum(done) == 3
    write_world(tmp_path / "fewer", World("sounding", clips=1, seed=5, duration=1.2))
    of_clip = {
        name: digest for name, digest in digests(tmp_path / "fewer").items() if "s5-00000" in name
    }
    assert len(of_clip) == 3 * 30 + 3
    assert of_clip.items() <= digests(small).items()


def test_another_seed_is_another_world() -> None:
    one, other = WorldClip("sounding", 1, 0, 1.0), WorldClip("sounding", 2, 0, 1.0)
    assert not np.array_equal(one.sound()[0], other.sound()[0])
    assert not np.array_equal(next(one.frames())[1], next(other.frames())[1])
    assert not np.array_equal(one.gaze(0.5), other.gaze(0.5))


def test_world_is_read_by_the_readers_of_the_real_sets(small: Path) -> None:
    clips = [SMALL.clip(number) for number in range(SMALL.clips)]
    tagged = read_ave(small)
    assert not tagged.faults
    assert all(size_of(clip.path) for clip in tagged.clips)
    assert [(clip.name, clip.tag, clip.start, clip.end, clip.split) for clip in tagged.clips] == [
        (clip.name, clip.tag, clip.start, clip.end, clip.split) for clip in clips
    ]
    (of_world,) = read_stavis(small)
    assert not of_world.faults
    read = {clip.name: clip for clip in of_world.clips}
    assert read.keys() == {clip.name for clip in clips}
    for clip in clips:
        fixated = read[clip.name]
        assert (fixated.frame_count, fixated.frame_rate) == (30, 25)
        for index, time in enumerate(clip.times[:3]):
            counts = fixated.fixation_map(index)
            assert counts.shape == (HEIGHT, WIDTH)
            columns, rows = np.rint(clip.gaze(time)).astype(int).T
            assert counts.sum() == OBSERVERS
            assert (counts[rows, columns] > 0).all()
            assert fixated.density(index).max() == pytest.approx(1, abs=0.02)


def test_clip_file_has_the_frames_and_the_sound(small: Path) -> None:
    clip = SMALL.clip(0)
    media = open_clip(small / "AVE" / f"{clip.name}.mp4")
    heard = np.concatenate(list(media.sound()))
    assert len(heard) / 16_000 == pytest.approx(1.2, abs=0.1)
    assert np.abs(heard).max() > 0.2
    for frame, (time, picture) in zip(media.frames(), clip.frames(), strict=True):
        assert frame.time == pytest.approx(time, abs=1e-3)
        # The video has colour at half the size only.
        assert np.abs(frame.rgb().mean(2) - picture.mean(2)).mean() < 6
    jpeg = cv2.imread(str(small / "video_frames" / "world" / clip.name / "img_00001.jpg"))
    first = next(clip.frames())[1]
    assert np.abs(jpeg[..., ::-1].astype(float) - first).mean() < 6


def test_truth_is_read_as_it_was(small: Path) -> None:
    clip = SMALL.clip(2)
    assert read_truth(small / "truth" / f"{clip.name}.json") == clip.truth()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"tag": 1}', '{"things": null}', "\udcff", "[" * 100_000]
)
def test_damaged_truth_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(LookhearError, match=r"broken\.json") as caught:
        read_truth(path)
    assert "\n" not in str(caught.value)


def test_interrupted_world_goes_on_and_equals_one_that_was_not(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "world"
    shutil.copytree(small, out)
    whole = digests(out)
    for name in ("Annotations.txt", "testSet.txt"):
        (out / name).unlink()
    shutil.rmtree(out / "fold_lists")
    # The second was being put in its place, the third was being made.
    (out / "truth" / "s5-00001.json").unlink()
    (out / "AVE" / "s5-00001.mp4").write_bytes(b"half")
    (out / "video_frames" / "world" / "s5-00001" / "img_00007.jpg").unlink()
    shutil.rmtree(out / "annotations" / "world" / "s5-00001")
    (out / "truth" / "s5-00002.json").unlink()
    (out / ".s5-00002.partial" / "AVE").mkdir(parents=True)
    (out / ".s5-00002.partial" / "AVE" / ".s5-00002.mp4.17.part").write_bytes(b"half")
    done: list[int] = []
    write_world(out, SMALL, advance=done.append)
    assert digests(out) == whole
    assert done == [1, 1, 1]


def test_stopped_world_has_no_half_a_clip(tmp_path: Path) -> None:
    def stop(clips: int) -> None:
        if clips:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path / "world", World("actions", 3, 1, 1.0), advance=stop)
    assert [path.name for path in (tmp_path / "world" / "truth").iterdir()] == ["a1-00000.json"]
    assert not (tmp_path / "world" / "Annotations.txt").exists()


def test_folder_of_another_world_or_of_anything_else_is_refused(
    small: Path, tmp_path: Path
) -> None:
    before = digests(small)
    for other in (
        World("offscreen", 3, 5, 1.2),
        World("sounding", 4, 5, 1.2),
        World("sounding", 3, 6, 1.2),
        World("sounding", 3, 5, 1.3),
    ):
        with pytest.raises(LookhearError, match="other settings"):
            write_world(small, other)
    assert digests(small) == before
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(LookhearError, match="something else"):
        write_world(tmp_path, SMALL)
    with pytest.raises(LookhearError, match="cannot be written"):
        write_world(tmp_path / "letter.txt", SMALL)
    with pytest.raises(LookhearError, match="cannot be written"):
        write_world(tmp_path / "letter.txt" / "world", SMALL)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "world.json").write_text(json.dumps({})[:1])
    with pytest.raises(LookhearError, match="damaged"):
        write_world(damaged, SMALL)


@pytest.mark.parametrize("duration", [0.0, -1.0, 0.9, 601.0, float("nan"), float("inf")])
def test_duration_that_cannot_be_made_is_refused(tmp_path: Path, duration: float) -> None:
    with pytest.raises(LookhearError, match="1 to 600"):
        write_world(tmp_path / "world", World("sounding", 1, 0, duration))
    assert not (tmp_path / "world").exists()
