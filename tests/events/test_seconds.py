import io
import json
from pathlib import Path

import numpy as np
import pytest
import webdataset

from ave_layout import brightness, make_ave, timed_clip
from clips import make_clip
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare
from lookhear.data.readers.ave import read_ave
from lookhear.data.readers.tagged import once_a_clip
from lookhear.data.shards import read_manifest
from lookhear.errors import LookhearError
from lookhear.events.clips import Bags, clip_rows, parts_of
from lookhear.events.seconds import SecondsCut, seconds_of, window_starts
from lookhear.media import open_clip
from lookhear.media.spectrogram import log_mel


def test_a_second_has_the_frame_in_its_middle(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "clip.mp4", 3.0))
    seconds = [*seconds_of(clip, SecondsCut())]
    assert [second.number for second in seconds] == [0, 1, 2]
    for second in seconds:
        shown = brightness(12 + 25 * second.number)  # at 25 frames a second
        assert abs(second.picture.mean() - shown) < 2.5


def test_the_rows_of_seconds_are_the_spectrogram_of_the_clip(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "clip.mp4", 3.0))
    rows = np.concatenate([second.rows for second in seconds_of(clip, SecondsCut())])
    whole = np.concatenate([*clip.sound(), np.zeros(800, np.float32)])
    np.testing.assert_allclose(rows[:290], log_mel(whole)[:290], atol=1e-4)
    assert rows.shape == (300, 64)


def test_a_clip_without_sound_has_no_rows_and_a_short_one_a_second(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), 90, np.uint8)] * 5
    clip = open_clip(make_clip(tmp_path / "short.mp4", frames, 25))
    (second,) = seconds_of(clip, SecondsCut())
    assert second.rows.shape == (0, 64)


def test_windows_cover_all_rows() -> None:
    assert window_starts(95, 48) == []
    assert window_starts(96, 48) == [0]
    assert window_starts(300, 96) == [0, 96, 192, 204]
    assert window_starts(300, 96, first=50) == [50, 146, 204]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seconds")
    data = make_ave(root / "ave", (4, 2, 0))
    # Named a second time, with another tag and another time.
    for name in ("Annotations.txt", "trainSet.txt"):
        with (data / name).open("a") as file:
            file.write("Bark&clip01&good&1&2\n")
    prepare(once_a_clip(read_ave(data)), root / "prepared", SecondsCut(boxes=3))
    return root / "prepared"


def test_any_reader_of_webdatasets_finds_whole_seconds(prepared: Path) -> None:
    shards = [str(path) for path in sorted(prepared.glob("train-*.tar"))]
    samples = [*webdataset.WebDataset(shards, shardshuffle=False)]
    assert len(samples) == 12
    facts = json.loads(samples[3]["json"])
    assert facts["clip"] == "AVE/clip01.mp4"
    assert facts["second"] == 0
    assert np.load(io.BytesIO(samples[3]["log-mel.npy"])).shape == (100, 64)
    assert 1 <= len(np.load(io.BytesIO(samples[3]["boxes.npy"]))) <= 3


def test_a_clip_with_several_tags_is_prepared_once_with_all(prepared: Path) -> None:
    manifest = read_manifest(prepared)
    assert manifest.clips == {"train": 4, "val": 2, "test": 0}
    assert manifest.cut == {"boxes": 3, "edges": "plain"}
    parts = parts_of(prepared)
    assert parts.tags == ("Bark", "Frying (food)", "Violin, fiddle")
    assert [clip.tags for clip in parts.learnt][1] == ("Bark", "Frying (food)")
    bag = Bags(parts, parts.learnt)[1]
    assert bag["tags"].tolist() == [True, True, False]


def test_bags_hold_the_windows_of_a_clip(prepared: Path) -> None:
    parts = parts_of(prepared)
    bags = Bags(parts, parts.learnt, size=(32, 48), step=96)
    sample, rows = bags[2], clip_rows(parts.learnt[2])
    assert sample["windows"].shape == (4, 96, 64)
    assert sample["audible"].all()
    np.testing.assert_array_equal(sample["windows"][1], rows[96:192])
    assert sample["frames"].shape == (3, 3, 32, 48)
    assert sample["boxes"].shape == (3, 3, 4)
    assert sample["there"].shape == (9,)


def test_windows_begin_elsewhere_in_each_epoch(prepared: Path) -> None:
    parts = parts_of(prepared)
    bags = Bags(parts, parts.learnt, step=96, shifts=True)
    first = bags[0]["windows"]
    assert (bags[0]["windows"] == first).all()
    bags.set_epoch(1)
    assert not (bags[0]["windows"] == first).all()


def test_what_is_prepared_for_one_is_no_use_to_the_other(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="prepared for something else; prepare without"):
        Moments(prepared, "train")
    data = make_ave(tmp_path / "ave", (2, 0, 0), 1)
    prepare(read_ave(data), tmp_path / "moments")
    with pytest.raises(LookhearError, match="prepared for something else; prepare with --events"):
        parts_of(tmp_path / "moments")
    with pytest.raises(LookhearError, match="prepared in another way; choose another --out"):
        prepare(read_ave(data), tmp_path / "moments", SecondsCut())


def test_without_held_out_clips_every_tenth_is(tmp_path: Path) -> None:
    data = make_ave(tmp_path / "ave", (11, 0, 0), 1)
    prepare(once_a_clip(read_ave(data)), tmp_path / "out", SecondsCut(1))
    parts = parts_of(tmp_path / "out")
    assert len(parts.learnt) == 10
    assert [clip.path for clip in parts.held_out] == ["AVE/clip09.mp4"]
    assert parts.notes == ("1 clip of those to learn from held out to choose by",)
