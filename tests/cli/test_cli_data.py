"""The verbs for data as their user runs them: world, data check, prepare."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ave_layout import HEADER, make_ave, timed_clip, write_lists
from conftest import Run
from lookhear.data.loader import Moments
from osie_layout import make_osie

PATH_TRICKS = ("../../outside", "/etc/passwd", "a/../../b", "..", "C:\\clip", "a\\b", "x\x00y")


@pytest.fixture(scope="module")
def ave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ave(tmp_path_factory.mktemp("sets") / "ave")


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_world_is_made_checked_prepared_and_loaded(run: Run, tmp_path: Path) -> None:
    world, shards = tmp_path / "world", tmp_path / "shards"
    made = run("world", world, "--clips", 10, "--seed", 5, "--seconds", 2, "--workers", 1)
    assert made[0] == 0, made[2]
    code, out, _ = run("data", "check", world)
    assert code == 0
    assert "Usable: 10 of 10 clips" in out
    assert out.count("Usable: 10 of 10 clips") == 2  # as AVE, and as eye tracking
    code, out, _ = run("prepare", world, "--out", shards, "--workers", 1)
    assert code == 0
    moments = len(Moments(shards, "train", size=(90, 160)))
    assert "of 10 clips, 0 left out" in out
    assert 8 <= moments <= 16
    code, out, _ = run("data", "check", shards)
    assert code == 0
    assert "Prepared moments" in out


def test_a_world_goes_on_and_ends_the_same(run: Run, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        assert run("world", tmp_path / name, "--clips", 2, "--seconds", 1, "--workers", 1)[0] == 0
    (tmp_path / "twice" / "truth" / "s0-00001.json").unlink()
    (tmp_path / "twice" / "AVE" / "s0-00001.mp4").write_bytes(b"half")
    assert run("world", tmp_path / "twice", "--clips", 2, "--seconds", 1)[0] == 0
    assert everything(tmp_path / "once") == everything(tmp_path / "twice")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["world", "OUT", "--clips", "0"], 2, "--clips"),
        (["world", "OUT", "--clips", "1", "--seconds", "0"], 1, "1 to 600 s"),
        (["world", "OUT", "--clips", "1", "--seconds", "nan"], 1, "1 to 600 s"),
        (["world", "OUT", "--clips", "1", "--scenario", "quiet"], 2, "sounding"),
        (["world", "FILE", "--clips", "1"], 1, "FILE"),
        (["data", "check", "NOWHERE"], 1, "no such file or folder"),
        (["data", "check", "FILE"], 1, "FILE"),
        (["data", "check", "EMPTY"], 1, "looked for Annotations.txt"),
        (["prepare", "NOWHERE", "--out", "OUT"], 1, "NOWHERE"),
        (["prepare", "EMPTY", "--out", "OUT"], 1, "no tagged clips"),
        (["prepare", "EMPTY"], 2, "--out"),
        (["prepare", "FILE", "--out", "OUT"], 1, "FILE"),
    ],
)
def test_bad_input_is_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_bytes(bytes(range(256)) * 9)
    Path("EMPTY").mkdir()
    left, _, err = run(*arguments)
    assert left == code
    assert words in err
    assert err.count("\n") == 1
    assert not Path("OUT").exists()


def test_check_says_of_each_layout_what_is_there(run: Run, tmp_path: Path, ave: Path) -> None:
    assert "Usable: 12 of 12 clips" in run("data", "check", ave)[1]
    make_osie(tmp_path / "osie")
    assert "OSIE" in run("data", "check", tmp_path / "osie")[1]


def test_check_of_a_set_without_videos_exits_with_an_error_on_one_screen(
    run: Run, tmp_path: Path
) -> None:
    lines = [f"Bark&{number:011d}&good&0&10" for number in range(500)]
    write_lists(tmp_path, {"trainSet.txt": lines})
    code, out, err = run("data", "check", tmp_path)
    assert code == 1
    assert "Missing videos: 500 of 500; expected as AVE/<VideoID>.mp4" in out
    assert len(out.splitlines()) <= 28
    assert "nothing that can be used" in err


def test_own_clips_listed_in_a_table_are_prepared(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    timed_clip(tmp_path / "mine" / "a.mp4")
    table = tmp_path / "clips.csv"
    table.write_text('path,tag,start,end\nmine/a.mp4,"Cat, old",0.2,2.9\n../b.mp4,Dog,0,1\n')
    code, out, err = run("prepare", tmp_path, "--out", tmp_path / "out", "--workers", 1)
    assert code == 0
    assert "3 moments of 1 clip, 1 left out" in out
    assert "clips.csv, line 3" in err
    assert Moments(tmp_path / "out", "train", size=(8, 8)).tags == ("Cat, old",)


def test_strict_fails_at_the_first_fault(run: Run, tmp_path: Path) -> None:
    ave = make_ave(tmp_path / "ave", (2, 1, 1))
    (ave / "AVE" / "clip02.mp4").unlink()
    out = tmp_path / "out"
    code, _, err = run("prepare", ave, "--out", out, "--workers", 1, "--strict")
    assert code == 1
    assert "AVE/clip02.mp4: not there" in err
    assert run("prepare", ave, "--out", out, "--workers", 1)[0] == 0


@pytest.mark.parametrize("seed", range(3))
def test_of_a_fuzzed_folder_all_that_is_good_is_prepared_and_nothing_escapes(
    run: Run, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    home = tmp_path / "home"
    ave = make_ave(home / "ave", (4, 1, 1))
    videos = ave / "AVE"
    whole = (videos / "clip00.mp4").read_bytes()
    broken = {
        "truncated": whole[: chance.randrange(100, len(whole) * 3 // 4)],
        "empty": b"",
        "noise": chance.randbytes(5000),
        "text": b"<html>video removed</html>",
    }
    for name, content in broken.items():
        (videos / f"{name}.mp4").write_bytes(content)
    (videos / "folder.mp4").mkdir()
    (videos / "clip99.mkv").write_bytes(whole)  # renamed: not as listed
    (tmp_path / "outside.mp4").write_bytes(whole)
    good = [f"Bark&clip0{number}&good&0&3" for number in range(4)]
    unusable = {
        **{f"AVE/{name}.mp4": f"Bark&{name}&good&0&3" for name in broken},
        "AVE/folder.mp4": "Bark&folder&good&0&3",
        "AVE/clip99.mp4": "Bark&clip99&good&0&3",
        "AVE/clip00.mp4": "Cat&clip00&good&0&9",  # annotated longer than it is
        "AVE/clip01.mp4": "Cat&clip01&good&2&2",
    }
    malformed = [
        *(f"Bark&{trick}&good&0&3" for trick in PATH_TRICKS),
        "Bark&clip01&good&3&0",
        "Bark&clip01&good&-1&3",
        "Bark&clip01&good&zero&3",
        "Bark&clip01&good&0&nan",
        "&clip01&good&0&3",
        "Bark clip01 good 0 3",
        good[2],  # listed twice
    ]
    listed = [*unusable.values(), *malformed]
    chance.shuffle(listed)
    train = [*good, *listed]
    kept = [(ave / name).read_text().strip() for name in ("valSet.txt", "testSet.txt")]
    lines = [HEADER, *train, *kept]
    (ave / "Annotations.txt").write_text("\r\n".join(lines) + "\n")
    (ave / "trainSet.txt").write_text("\n".join(train))
    before = everything(tmp_path)

    code, _, err = run("prepare", ave, "--out", home / "out", "--workers", 1)
    assert code == 0, err
    manifest = json.loads((home / "out" / "manifest.json").read_text())
    assert manifest["clips"] == {"train": 4, "val": 1, "test": 1}
    assert manifest["moments"] == {"train": 12, "val": 3, "test": 3}
    reasons = {fault["what"]: fault["reason"] for fault in manifest["faults"]}
    assert all(reasons.values())
    assert set(unusable) <= set(reasons)
    for entry in malformed:
        number = len(lines) - lines[::-1].index(entry)
        assert any(f"line {number}" in what or f"and {number}" in what for what in reasons), entry
    after = everything(tmp_path)
    assert all(name in before for name in after if not name.startswith("home/out"))
    assert all(after[name] == before[name] for name in before)

    code, out, _ = run("data", "check", ave)
    assert code == 0
    assert "Usable: 6 of" in out
    assert len(out.splitlines()) <= 28


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_at_once_and_the_next_run_goes_on(tmp_path: Path, workers: int) -> None:
    ave, out = make_ave(tmp_path / "ave", (40, 2, 1)), tmp_path / "out"
    command = [sys.executable, "-m", "lookhear", "prepare", ave, "--out", out]
    started = subprocess.Popen(
        [*map(str, command), "--workers", str(workers)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: any(out.glob("*.tar")), started)
    os.killpg(started.pid, signal.SIGINT)  # what a terminal does
    _, err = started.communicate(timeout=30)
    finished = started.returncode == 0
    assert finished or started.returncode == 130
    assert finished or err == "lookhear: interrupted; what was finished is kept\n"
    assert subprocess.run([*map(str, command), "--workers", "1"]).returncode == 0
    assert json.loads((out / "manifest.json").read_text())["clips"]["train"] == 40
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "world"
    command = [
        sys.executable,
        "-m",
        "lookhear",
        "world",
        str(out),
        "--clips",
        "50",
        "--workers",
        "2",
    ]
    started = subprocess.Popen(command, start_new_session=True)
    wait_for(lambda: any(out.glob(".*.partial")), started)
    started.kill()
    started.wait()
    wait_for(lambda: not is_group(started.pid), None)


def is_group(group: int) -> bool:
    """Whether any process of a group is alive."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str] | None) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.01)
