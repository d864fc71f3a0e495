import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import webdataset

from ave_layout import make_ave, timed_clip, write_lists
from lookhear.data.moment import REACH, cut, second_of
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.ave import read_ave
from lookhear.data.shards import MEMBERS, read_manifest, read_record
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.media.spectrogram import VGGSOUND, log_spectrogram

DIE = """
import os, signal, sys
from pathlib import Path
import lookhear.data.prepare as room
from lookhear.data.readers.ave import read_ave

data, out, moments = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
write = room.TarWriter.write

def write_or_die(self, sample):
    global moments
    moments -= 1
    if moments < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, sample)

room.TarWriter.write = write_or_die
room.prepare(read_ave(data), out)
"""


@pytest.fixture(scope="module")
def ave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ave(tmp_path_factory.mktemp("sets") / "ave")


@pytest.fixture(scope="module")
def prepared(ave: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "shards"
    prepare(read_ave(ave), out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_manifest_says_what_is_there(prepared: Path) -> None:
    manifest = read_manifest(prepared)
    assert manifest.complete
    assert manifest.tags == ("Bark", "Frying (food)", "Violin, fiddle")
    assert manifest.clips == {"train": 6, "val": 3, "test": 3}
    assert manifest.moments == {"train": 18, "val": 9, "test": 9}
    assert manifest.faults == ()


def test_any_reader_of_webdatasets_finds_whole_moments(ave: Path, prepared: Path) -> None:
    shards = [str(path) for path in sorted(prepared.glob("train-*.tar"))]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert len(samples) == 18
    assert len({sample["__key__"] for sample in samples}) == 18
    sample = samples[4]  # the second moment of the second clip
    facts = json.loads(sample["json"])
    assert facts["clip"] == "AVE/clip01.mp4"
    assert facts["tag"] == "Frying (food)"
    assert facts["time"] == 1.5
    assert facts["frame_times"] == [1 + i / 8 for i in range(9)]
    moment = list(cut(open_clip(ave / "AVE" / "clip01.mp4"), 0, 3))[1]
    assert [sample[f"frame{i}.jpg"] for i in range(2 * REACH + 1)] == list(moment.jpegs)
    sound = np.load(io.BytesIO(sample["sound.npy"]))
    np.testing.assert_array_equal(sound, moment.sound)
    kept = np.load(io.BytesIO(sample["vggsound.npy"]))
    assert kept.shape == (257, 98)
    expected = log_spectrogram(second_of(moment.sound, 0), *VGGSOUND)
    np.testing.assert_allclose(kept, expected, rtol=1e-3, atol=1e-3)
    assert {name for name in sample if not name.startswith("__")} == {*MEMBERS}


def test_the_records_find_every_file_in_the_shards(prepared: Path) -> None:
    for path in prepared.glob("*.tar"):
        shard = path.read_bytes()
        for clip in read_record(path.with_suffix(".json")).clips:
            for place in clip.moments:
                offset, size = place.span("json")
                assert json.loads(shard[offset : offset + size])["time"] == place.time
                for member in MEMBERS[:9]:
                    offset, size = place.span(member)
                    assert shard[offset : offset + 2] == b"\xff\xd8"
                    assert shard[offset + size - 2 : offset + size] == b"\xff\xd9"


@pytest.mark.parametrize("how", [{"workers": 4}, {"workers": 2, "ray_address": "local"}])
def test_processes_and_ray_make_the_same_files(
    ave: Path, prepared: Path, tmp_path: Path, how: dict[str, object]
) -> None:
    if "ray_address" in how:
        pytest.importorskip("ray")
    prepare(read_ave(ave), tmp_path / "out", **how)
    assert contents(tmp_path / "out") == contents(prepared)


@pytest.mark.parametrize("moments", [0, 7, 20, 35])
def test_killed_hard_and_run_again_ends_with_the_same_files(
    ave: Path, prepared: Path, tmp_path: Path, moments: int
) -> None:
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", DIE, str(ave), str(out), str(moments)])
    assert killed.returncode == -9
    assert not read_manifest(out).complete
    finished = {path: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    assert len(finished) == (moments > 18) + (moments > 27)
    prepare(read_ave(ave), out)
    assert contents(out) == contents(prepared)
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())


def test_progress_counts_every_clip_once_also_those_done_before(
    ave: Path, prepared: Path, tmp_path: Path
) -> None:
    for out in (tmp_path / "new", prepared):
        done: list[int] = []
        prepare(read_ave(ave), out, advance=done.append)
        assert sum(done) == 12


def test_broken_clips_are_left_out_with_their_reason(tmp_path: Path) -> None:
    ave = make_ave(tmp_path / "ave", (5, 0, 1))
    (ave / "AVE" / "clip01.mp4").write_bytes(b"")
    whole = (ave / "AVE" / "clip02.mp4").read_bytes()
    (ave / "AVE" / "clip02.mp4").write_bytes(whole[: len(whole) // 2])
    (ave / "AVE" / "clip03.mp4").unlink()
    timed_clip(ave / "AVE" / "clip04.mp4", seconds=1)
    manifest = prepare(read_ave(ave), tmp_path / "out")
    reasons = {fault.what: fault.reason for fault in manifest.faults}
    assert list(reasons) == [f"AVE/clip0{number}.mp4" for number in (1, 2, 3, 4)]
    assert reasons["AVE/clip03.mp4"] == "not there"
    assert "ends at 1.0 s" in reasons["AVE/clip04.mp4"]
    assert all(str(tmp_path) not in reason for reason in reasons.values())
    assert manifest.clips == {"train": 1, "val": 0, "test": 1}
    assert manifest == read_manifest(tmp_path / "out")


def test_strict_makes_the_first_broken_clip_an_error(tmp_path: Path) -> None:
    ave = make_ave(tmp_path / "ave", (2, 1, 1))
    (ave / "AVE" / "clip01.mp4").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(LookhearError, match=r"clip01\.mp4: .*--strict"):
            prepare(read_ave(ave), tmp_path / "out", strict=True)
    assert not read_manifest(tmp_path / "out").complete
    timed_clip(ave / "AVE" / "clip01.mp4")
    assert prepare(read_ave(ave), tmp_path / "out", strict=True).clips["train"] == 2


def test_only_shards_of_changed_clips_are_made_again(tmp_path: Path) -> None:
    ave, out = make_ave(tmp_path / "ave", (2, 1, 1)), tmp_path / "out"
    (ave / "AVE" / "clip00.mp4").rename(ave / "away.mp4")
    assert prepare(read_ave(ave), out).clips["train"] == 1
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    (ave / "away.mp4").rename(ave / "AVE" / "clip00.mp4")
    assert prepare(read_ave(ave), out).clips["train"] == 2
    changed = {p.name for p in out.glob("*.tar") if p.stat().st_mtime_ns != times[p.name]}
    assert changed == {"train-00000.tar"}


def test_shards_of_a_longer_list_are_cleared_away(tmp_path: Path) -> None:
    ave, out = make_ave(tmp_path / "ave", (1, 1, 1)), tmp_path / "out"
    prepare(read_ave(ave), out)
    write_lists(ave, {"trainSet.txt": ["Bark&clip00&good&0&3"]})
    assert prepare(read_ave(ave), out).shards == {"train": ("train-00000",), "val": (), "test": ()}
    assert {path.name for path in out.glob("*.tar")} == {"train-00000.tar"}


def test_a_folder_with_something_else_is_left_alone(ave: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(LookhearError, match="holds something else"):
        prepare(read_ave(ave), tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"mine"}


def test_shards_of_another_data_set_are_left_alone(prepared: Path, tmp_path: Path) -> None:
    before = contents(prepared)
    write_lists(tmp_path / "other", {"trainSet.txt": ["Bark&another&good&0&3"]})
    with pytest.raises(LookhearError, match="another data set"):
        prepare(read_ave(tmp_path / "other"), prepared)
    assert contents(prepared) == before


def test_a_data_set_that_was_moved_is_the_same(tmp_path: Path) -> None:
    ave, out = make_ave(tmp_path / "ave", (1, 1, 1)), tmp_path / "out"
    prepare(read_ave(ave), out)
    before = contents(out)
    (tmp_path / "disk").mkdir()
    prepare(read_ave(ave.rename(tmp_path / "disk" / "ave")), out)
    assert contents(out) == before


def test_what_is_prepared_outlives_its_videos(tmp_path: Path) -> None:
    ave, out = make_ave(tmp_path / "ave", (2, 1, 1)), tmp_path / "out"
    manifest = prepare(read_ave(ave), out)
    before = contents(out)
    (ave / "AVE").rename(tmp_path / "unmounted")
    assert prepare(read_ave(ave), out) == manifest
    assert contents(out) == before


def test_a_damaged_shard_of_the_same_size_is_made_again(tmp_path: Path) -> None:
    ave, out = make_ave(tmp_path / "ave", (2, 1, 1)), tmp_path / "out"
    prepare(read_ave(ave), out)
    before = contents(out)
    shard = out / "train-00000.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    prepare(read_ave(ave), out)
    assert contents(out) == before


@pytest.mark.parametrize("text", ["{", '{"lookhear": 0}', "[]", '{"lookhear": 1, "moments": {}}'])
def test_a_damaged_or_older_manifest_is_made_again(tmp_path: Path, text: str) -> None:
    ave, out = make_ave(tmp_path / "ave", (1, 1, 1)), tmp_path / "out"
    prepare(read_ave(ave), out)
    before = contents(out)
    (out / "manifest.json").write_text(text)
    with pytest.raises(LookhearError, match="prepare again"):
        read_manifest(out)
    prepare(read_ave(ave), out)
    assert contents(out) == before


def test_a_finished_folder_stays_finished_whatever_comes_after(tmp_path: Path) -> None:
    ave, out = make_ave(tmp_path / "ave", (2, 1, 1)), tmp_path / "out"
    (ave / "AVE" / "clip00.mp4").unlink()
    prepare(read_ave(ave), out)
    before = contents(out)
    with pytest.raises(LookhearError, match="--strict"):
        prepare(read_ave(ave), out, strict=True)
    prepare(read_ave(ave), out, ray_address="127.0.0.1:1")  # nothing is left to do there
    assert contents(out) == before


def test_two_runs_keep_out_of_each_others_way(ave: Path, prepared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def intrude(_: int) -> None:
        with pytest.raises(LookhearError, match="another run is at work there"):
            prepare(read_ave(ave), out)

    prepare(read_ave(ave), out, advance=intrude)
    assert contents(out) == contents(prepared)


def test_a_category_without_a_clip_keeps_its_number(tmp_path: Path) -> None:
    ave = make_ave(tmp_path / "ave", (3, 1, 1))
    tags = prepare(read_ave(ave), tmp_path / "whole").tags
    for number in (0, 3):
        (ave / "AVE" / f"clip0{number}.mp4").unlink()
    assert prepare(read_ave(ave), tmp_path / "part").tags == tags


def test_a_clip_that_no_file_system_takes_is_its_own_fault_only(tmp_path: Path) -> None:
    timed_clip(tmp_path / "good.mp4")
    long = "/".join(["part"] * 1200)
    table = tmp_path / "clips.csv"
    table.write_text(f"path,tag,start,end\ngood.mp4,Cat,0,3\n{long},Cat,0,3\n")
    manifest = prepare(read_tagged(table), tmp_path / "out")
    assert manifest.clips["train"] == 1
    assert [fault.reason for fault in manifest.faults] == ["not there"]


def test_an_absurd_end_costs_nothing(tmp_path: Path) -> None:
    timed_clip(tmp_path / "clip.mp4")
    (tmp_path / "clips.csv").write_text("path,tag,start,end\nclip.mp4,Cat,0,1000000\n")
    with pytest.raises(LookhearError, match="not one clip can be prepared"):
        prepare(read_tagged(tmp_path), tmp_path / "out")
    (fault,) = read_manifest(tmp_path / "out").faults
    assert fault.reason == "ends at 3.0 s, but is said to hold its tag until 1000000 s"


def test_nothing_to_prepare_is_an_error(tmp_path: Path) -> None:
    write_lists(tmp_path / "ave", {"trainSet.txt": ["Bark&clip00&good&0&3"]})
    with pytest.raises(LookhearError, match="not one clip can be prepared") as caught:
        prepare(read_ave(tmp_path / "ave"), tmp_path / "out")
    assert "(the first: AVE/clip00.mp4: not there)" in str(caught.value)


def test_a_cluster_that_is_not_there_is_one_line(ave: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(LookhearError, match="no Ray cluster that takes us"):
        prepare(read_ave(ave), tmp_path / "out", ray_address="127.0.0.1:1")
    assert not (tmp_path / "out").exists()


def test_clips_of_a_table_may_lie_elsewhere(ave: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    clip = next((ave / "AVE").iterdir())
    table = tmp_path / "tables" / "clips.csv"
    table.write_text(f"path,tag,start,end\n{clip},Cat,0,2\n{clip},Cat,1,3\n")
    manifest = prepare(read_tagged(table, [ave]), tmp_path / "out")
    assert sum(manifest.moments.values()) == 4
    assert manifest.faults == ()
