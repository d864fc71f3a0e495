import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

import lookhear.data.prepare as room
from ave_layout import FPS, brightness, make_ave, write_lists
from clips import make_clip, quadrants
from lookhear.data import Partners
from lookhear.data.derived import BOXES, FIXATIONS, write_derived
from lookhear.data.loader import Moments, View
from lookhear.data.moment import cut, second_of
from lookhear.data.prepare import prepare
from lookhear.data.readers.ave import read_ave
from lookhear.data.shards import MANIFEST, OLDER_MEMBERS, read_manifest
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.media.spectrogram import REPORT, VGGSOUND, log_spectrogram

SIZE = (24, 32)
PARTNERS: tuple[Partners, ...] = ("short", "long", "cross")


@pytest.fixture(scope="module")
def ave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ave(tmp_path_factory.mktemp("sets") / "ave", (9, 1, 0), seconds=4)


@pytest.fixture(scope="module")
def folder(ave: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "shards"
    prepare(read_ave(ave), out)
    return out


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one
    )


def shade(frame: torch.Tensor) -> float:
    return float(frame.float().mean())


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("partners", [None, *PARTNERS])
def test_frames_are_those_of_their_times(folder: Path, frames: Any, partners: Any) -> None:
    moments = Moments(folder, "train", size=SIZE, frames=frames, partners=partners)
    for index in range(0, len(moments), 5):
        sample = moments[index]
        count = 3 if partners else 1
        assert sample["frames"].shape == (count, frames, 3, *SIZE)
        assert sample["frames"].dtype == torch.uint8
        for m in range(count):
            for f in range(frames):
                time = float(sample["time"][m]) + (f - frames // 2) / 8
                number = min(int(time * FPS + 1e-6), 4 * FPS - 1)
                wanted = brightness(number, shade=int(sample["clip"][m]))
                assert shade(sample["frames"][m, f]) == pytest.approx(wanted, abs=1.5)


def test_short_partners_are_before_and_after(folder: Path) -> None:
    for frames, step in ((1, 1), (3, 3)):
        moments = Moments(folder, "train", size=SIZE, frames=frames, partners="short")  # type: ignore[arg-type]
        sample = moments[5]
        assert sample["time"].tolist() == [1.5, 1.5 - step / 8, 1.5 + step / 8]
        assert sample["clip"].tolist() == [1, 1, 1]


def test_long_partners_are_two_other_moments_of_the_clip(folder: Path) -> None:
    moments = Moments(folder, "train", size=SIZE, partners="long")
    for sample in (moments[index] for index in range(len(moments))):
        assert len(set(sample["time"].tolist())) == 3
        assert len(set(sample["clip"].tolist())) == 1


def test_cross_partners_are_of_two_other_clips_of_the_category(folder: Path) -> None:
    moments = Moments(folder, "train", size=SIZE, partners="cross")
    for sample in (moments[index] for index in range(len(moments))):
        clips = sample["clip"].tolist()
        assert len(set(clips)) == 3
        assert {clip % 3 for clip in clips} == {sample["clip"][0].item() % 3}  # tags in turn
        assert (
            moments.tags[sample["tag"]] == ("Bark", "Frying (food)", "Violin, fiddle")[clips[0] % 3]
        )


def test_as_released_short_partners_are_the_frame_before_and_the_target_once_more(
    folder: Path,
) -> None:
    """And of triplets all in the order of time, the target second."""
    for frames, shifts in ((1, (0, -1, 0)), (3, (-3, 0, 3))):
        options: dict[str, Any] = {"size": SIZE, "frames": frames, "windows": REPORT}
        options |= {"partners": "short", "as_released": True}
        sample = Moments(folder, "train", **options)[5]
        assert sample["time"].tolist() == [1.5 + shift / 8 for shift in shifts]
        plain = Moments(folder, "train", **options | {"as_released": False})[5]
        of_shift = {0: 0, -(3 if frames == 3 else 1): 1, 3 if frames == 3 else 1: 2}
        for node, shift in enumerate(shifts):
            for name in ("frames", "sound"):
                assert torch.equal(sample[name][node], plain[name][of_shift[shift]]), name


@pytest.mark.parametrize("partners", ["long", "cross"])
def test_other_partners_are_as_released_in_any_case(folder: Path, partners: Partners) -> None:
    released = Moments(folder, "train", size=SIZE, partners=partners, as_released=True)
    assert same(released[5], Moments(folder, "train", size=SIZE, partners=partners)[5])


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("partners", [None, *PARTNERS])
def test_views_tell_of_what_a_sample_is_and_give_each_part_of_it(
    folder: Path, frames: Any, partners: Any
) -> None:
    options: dict[str, Any] = {"frames": frames, "windows": REPORT, "partners": partners}
    moments = Moments(folder, "train", size=SIZE, **options)
    for index in (0, 5, 11):
        sample, views = moments[index], moments.views(index)
        assert views[0] == (index, 0)
        for node, view in enumerate(views):
            time = moments.time(view.moment) + view.offset / 8
            assert time == pytest.approx(float(sample["time"][node]))
            assert moments.clip(view.moment) == sample["clip"][node]
            assert np.array_equal(moments.seen(view), sample["frames"][node])
            assert np.array_equal(moments.heard(view), sample["sound"][node])
            for f in range(frames):
                own = View(view.moment, view.offset + f - frames // 2)
                assert np.array_equal(moments.frame(own), sample["frames"][node, f])


def test_a_lone_clip_of_a_category_has_partners_of_its_own(folder: Path) -> None:
    sample = Moments(folder, "val", size=SIZE, partners="cross")[0]
    assert set(sample["clip"].tolist()) == {0}
    assert len(set(sample["time"].tolist())) == 3


@pytest.mark.parametrize(("windows", "shape"), [(REPORT, (81, 199)), (VGGSOUND, (257, 98))])
def test_sound_is_that_of_the_second_around_each_frame(
    ave: Path, folder: Path, windows: Any, shape: tuple[int, int]
) -> None:
    moments = Moments(folder, "train", size=SIZE, frames=3, windows=windows, partners="short")
    sample = moments[5]
    assert sample["sound"].shape == (3, 3, *shape)
    assert sample["has_sound"].tolist() == [True] * 3
    moment = list(cut(open_clip(ave / "AVE" / "clip01.mp4"), 0, 4))[1]
    for m, middle in enumerate((0, -3, 3)):
        for f in range(3):
            wave = second_of(moment.sound, middle + f - 1)
            expected = log_spectrogram(wave, *windows)
            np.testing.assert_allclose(sample["sound"][m, f], expected, rtol=1e-3, atol=1e-3)


def test_older_shards_with_a_second_spectrogram_load_and_are_not_made_again(
    ave: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older_contents(*args: Any) -> dict[str, bytes]:
        return contents(*args) | {"report.npy": b"of 81 x 199 numbers"}

    contents = room._contents
    with monkeypatch.context() as patched:
        patched.setattr(room, "_contents", older_contents)
        patched.setattr(room, "MEMBERS", OLDER_MEMBERS)
        prepare(read_ave(ave), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert before[tmp_path / "train-00000.tar"] != (folder / "train-00000.tar").read_bytes()
    wanted = {"size": SIZE, "frames": 3, "windows": VGGSOUND, "partners": "long"}
    older, newer = (Moments(of, "train", **wanted) for of in (tmp_path, folder))  # type: ignore[arg-type]
    assert all(same(older[index], newer[index]) for index in range(0, len(newer), 4))
    prepare(read_ave(ave), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("partners", PARTNERS)
def test_every_worker_and_rank_draws_the_same_samples(folder: Path, partners: Partners) -> None:
    moments = Moments(folder, "train", size=SIZE, partners=partners, seed=3)
    alone = [moments[index] for index in range(len(moments))]
    seen = {}
    for rank in range(2):
        sampler = DistributedSampler(moments, num_replicas=2, rank=rank, shuffle=True, seed=1)
        loader = DataLoader(moments, batch_size=None, sampler=sampler, num_workers=rank * 2)
        for index, sample in zip(sampler, loader, strict=True):
            assert index not in seen
            seen[index] = same(sample, alone[index])
    assert seen == dict.fromkeys(range(len(moments)), True)


def test_an_epoch_draws_others_and_a_seed_too(folder: Path) -> None:
    def times(seed: int, epoch: int) -> list[list[float]]:
        moments = Moments(folder, "train", size=SIZE, partners="long", seed=seed)
        moments.set_epoch(epoch)
        return [moments[index]["time"].tolist() for index in range(len(moments))]

    assert times(0, 0) == times(0, 0)
    assert times(0, 0) != times(0, 1)
    assert times(0, 0) != times(1, 0)


def test_the_epoch_reaches_workers_that_live_on(folder: Path) -> None:
    moments = Moments(folder, "train", size=SIZE, partners="long")
    loader = DataLoader(moments, batch_size=None, num_workers=1, persistent_workers=True)
    first = [sample["time"].tolist() for sample in loader]
    moments.set_epoch(1)
    second = [sample["time"].tolist() for sample in loader]
    assert first != second
    assert second == [moments[index]["time"].tolist() for index in range(len(moments))]


def test_samples_make_batches(folder: Path) -> None:
    moments = Moments(folder, "train", size=SIZE, windows=REPORT, partners="cross")
    batch = next(iter(DataLoader(moments, batch_size=4)))
    assert batch["frames"].shape == (4, 3, 1, 3, *SIZE)
    assert batch["sound"].shape == (4, 3, 1, 81, 199)
    assert batch["tag"].tolist() == [0] * 4


def test_what_is_not_prepared_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="lookhear prepare"):
        Moments(tmp_path, "train", size=SIZE)
    with pytest.raises(LookhearError, match="no moment for test"):
        Moments(folder, "test", size=SIZE)
    manifest = (folder / MANIFEST).read_text()
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(LookhearError, match="damaged"):
        Moments(tmp_path, "train", size=SIZE)
    (tmp_path / MANIFEST).write_text(manifest.replace('"complete": true', '"complete": false'))
    with pytest.raises(LookhearError, match="not prepared to the end"):
        Moments(tmp_path, "train", size=SIZE)


@pytest.mark.parametrize("name", ["../train-00000", "/etc/passwd", "train-0", ""])
def test_a_manifest_cannot_lead_out_of_its_folder(folder: Path, tmp_path: Path, name: str) -> None:
    text = (folder / MANIFEST).read_text().replace("train-00000", name)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(LookhearError, match="damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("count", [[3], "3", None, -1, 2.5])
def test_a_manifest_whose_counts_are_none_is_damaged(
    folder: Path, tmp_path: Path, count: Any
) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["clips"]["train"] = count
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(LookhearError, match="damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda moment: moment[2].__setitem__(0, 10**12), "outside its shard"),
        (lambda moment: moment[2].__setitem__(0, -1), "no shard can hold"),
        (lambda moment: moment.__setitem__(1, 10**15), "outside its shard"),
        (lambda moment: moment.__setitem__(1, -512), "no shard can hold"),
        (lambda moment: moment.__setitem__(2, [1]), "no shard can hold"),
        (lambda moment: moment.__setitem__(0, float("nan")), "outside its shard"),
    ],
)
def test_a_record_cannot_lead_out_of_its_shard(
    folder: Path, tmp_path: Path, edit: Any, message: str
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / "train-00000.json"
    record = json.loads(path.read_text())
    edit(record["clips"][0]["moments"][0])
    path.write_text(json.dumps(record))
    with pytest.raises(LookhearError, match=f"train-00000.json: .*{message}"):
        Moments(tmp_path / "copy", "train", size=SIZE)


@pytest.mark.parametrize("windows", [None, REPORT])
def test_a_damaged_shard_is_named(folder: Path, tmp_path: Path, windows: Any) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    shard = tmp_path / "copy" / "train-00000.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    moments = Moments(tmp_path / "copy", "train", size=SIZE, windows=windows)
    with pytest.raises(LookhearError, match=r"train-00000\.tar: .* prepare again"):
        moments[0]


def test_moments_can_be_copied_and_indexed_from_the_end(folder: Path) -> None:
    moments = Moments(folder, "train", size=SIZE, partners="long")
    assert same(moments[-1], moments[len(moments) - 1])
    assert same(copy.deepcopy(moments)[3], moments[3])
    assert same(pickle.loads(pickle.dumps(moments))[3], moments[3])


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of two moments, two clips to a shard, of a picture with coloured corners."""
    root = tmp_path_factory.mktemp("sets") / "corners"
    (root / "AVE").mkdir(parents=True)
    for name in "abc":
        make_clip(root / "AVE" / f"{name}.mp4", [quadrants()] * 16, 8)
    lines = [f"{tag}&{name}&good&0&2" for name, tag in (("a", "Cat"), ("b", "Dog"), ("c", "Cat"))]
    write_lists(root, {"trainSet.txt": lines})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("lookhear.data.prepare.CLIPS_A_SHARD", 2)
        prepare(read_ave(root), root / "moments")
    return root / "moments"


def derived(folder: Path, name: str, rows: Any) -> Path:
    """Keep the rows of six moments in two shards."""
    rows = np.asarray(rows, np.float32 if name == BOXES else np.float16)
    write_derived(folder, "train-00000", {name: rows[:4]})
    write_derived(folder, "train-00001", {name: rows[4:]})
    return folder


def test_shards_clips_and_times_are_told_without_reading(corners: Path) -> None:
    moments = Moments(corners, "train")
    assert moments.shards == {"train-00000": range(4), "train-00001": range(4, 6)}
    assert moments.clips == ["AVE/a.mp4", "AVE/b.mp4", "AVE/c.mp4"]
    assert [moments.clip(index) for index in range(6)] == [0, 0, 1, 1, 2, 2]
    assert [moments.tags[moments.tag(index)] for index in range(0, 6, 2)] == ["Cat", "Dog", "Cat"]
    assert [moments.time(index) for index in range(6)] == [0.5, 1.5] * 3
    assert moments.clip_moments() == {
        "AVE/a.mp4": [0, 1],
        "AVE/b.mp4": [2, 3],
        "AVE/c.mp4": [4, 5],
    }


def test_without_a_size_no_frame_is_read(folder: Path) -> None:
    sample = Moments(folder, "train", windows=REPORT)[0]
    assert sample.keys() == {"sound", "has_sound", "time", "clip", "tag"}
    assert sample["sound"].shape == (1, 1, 81, 199)
    assert "sound" not in Moments(folder, "train", size=SIZE)[0]


def test_a_crop_is_the_part_of_the_frames_in_the_box_of_its_moment(
    corners: Path, tmp_path: Path
) -> None:
    halves = (0, 0.5), (0.5, 1)
    boxes = [(x0, y0, x1, y1) for y0, y1 in halves for x0, x1 in halves]  # row by row
    crops = derived(tmp_path / "crops", BOXES, [*boxes, (0, 0, 1, 1), boxes[1]])
    moments = Moments(corners, "train", size=SIZE, frames=3, crops=crops)
    colours = [(200, 30, 30), (30, 180, 30), (220, 220, 220), (30, 30, 200)]
    for index, corner in ((0, 0), (1, 1), (2, 2), (3, 3), (5, 1)):
        frames = moments[index]["frames"]
        assert frames.shape == (1, 3, 3, *SIZE)
        inner = frames[0, :, :, 2:-2, 2:-2].float()
        for frame in inner:
            mean = frame.mean((1, 2))
            np.testing.assert_allclose(mean, colours[corner], atol=6)
        assert inner.flatten(2).std(2).max() < 6
    full = (48, 64)  # of the clips, so that nothing is resized
    uncropped = Moments(corners, "train", size=full)[4]["frames"]
    of_all = Moments(corners, "train", size=full, crops=crops)[4]["frames"]
    assert torch.equal(of_all, uncropped)


@pytest.mark.parametrize(
    "box", [(0.5, 0.5, 0.5, 0.5), (1, 1, 1, 1), (-1, -1, 0, 0), (0.9, 0.9, 2, 2), (1, 1, 0, 0)]
)
def test_no_box_is_too_small_or_too_far_out(corners: Path, tmp_path: Path, box: Any) -> None:
    crops = derived(tmp_path, BOXES, [box] * 6)
    frames = Moments(corners, "train", size=SIZE, crops=crops)[0]["frames"]
    assert frames.shape == (1, 1, 3, *SIZE)
    assert frames.float().flatten(3).std(3).max() < 6


def test_fixations_and_derived_rows_are_those_of_their_moment(
    corners: Path, tmp_path: Path
) -> None:
    maps = np.arange(6)[:, None, None] / 8 + np.zeros((6, 3, 4))
    given = derived(tmp_path, FIXATIONS, maps)
    moments = Moments(corners, "train", fixations=given)
    for index in (0, 3, 4, 5):
        expected = np.full((3, 4), index / 8)
        sample = moments[index]["fixations"]
        assert sample.dtype == torch.float32
        np.testing.assert_array_equal(sample, expected[None])
        np.testing.assert_array_equal(moments.fixations(index), expected)
        np.testing.assert_array_equal(moments.derived(given, FIXATIONS, index), expected)
    batch = next(iter(DataLoader(moments, batch_size=3)))
    assert batch["fixations"].shape == (3, 1, 3, 4)


def test_partners_have_their_own_moments_fixations(corners: Path, tmp_path: Path) -> None:
    maps = np.arange(6)[:, None, None] / 8 + np.zeros((6, 3, 4))
    given = derived(tmp_path, FIXATIONS, maps)
    moments = Moments(corners, "train", fixations=given, partners="long")
    times = {(moments.clip(index), moments.time(index)): index for index in range(6)}
    for index in range(6):
        sample = moments[index]
        drawn = zip(sample["clip"].tolist(), sample["time"].tolist(), strict=True)
        expected = [times[key] / 8 for key in drawn]
        np.testing.assert_array_equal(sample["fixations"][:, 0, 0], expected)


@pytest.mark.parametrize("what", ["crops", "fixations"])
def test_what_was_derived_from_other_moments_is_refused(
    corners: Path, folder: Path, tmp_path: Path, what: str
) -> None:
    name = BOXES if what == "crops" else FIXATIONS
    derived(tmp_path, name, np.ones((6, 4, 4)))
    with pytest.raises(LookhearError, match=r"train-00000.* belongs to other moments"):
        Moments(folder, "train", **{what: tmp_path})  # type: ignore[arg-type]
    with pytest.raises(LookhearError, match=r"train-00000.* missing or damaged"):
        Moments(corners, "train", **{what: tmp_path / "nowhere"})  # type: ignore[arg-type]
    with pytest.raises(LookhearError, match=r"other\.npy: missing"):
        Moments(corners, "train").derived(tmp_path, "other", 0)
