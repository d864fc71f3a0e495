"""The verb evaluate, from a folder of gaze to a folder of results, or to one line."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from conftest import Run
from looked_at import RATE, write_watched
from lookhear.evaluation.evaluating import evaluate
from lookhear.evaluation.gaps import AT_STEPS, LEFT_OUT, NO_MAP
from osie_layout import make_osie

RESULTS = {"scores.json", "table.csv", "table.md", "table.tex", "report.html"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_watched(tmp_path_factory.mktemp("clips"), {"a": 9, "b": 4}, sound=["a"])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_osie(tmp_path_factory.mktemp("pictures"), count=3)


def read(folder: Path) -> Any:
    return json.loads((folder / "scores.json").read_text())


def test_models_are_scored_on_clips_and_all_is_written(
    run: Run, clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps" / "a").mkdir(parents=True)
    for frame in (1, 2, 4, 7):
        values = np.random.default_rng(frame).integers(0, 255, (48, 64), np.uint8)
        cv2.imwrite(str(tmp_path / "maps" / "a" / f"{frame}.png"), values)
    shutil.copytree(tmp_path / "maps" / "a", tmp_path / "maps" / "b")
    models = ("centre", f"ours={tiny_model}", "inter-observer", f"theirs={tmp_path / 'maps'}")
    words = [word for model in models for word in ("--model", model)]
    out = tmp_path / "out" / "deep"
    code, said, error = run("evaluate", "--data", clips, *words, "--every", 3, "--out", out)
    assert (code, error) == (0, "")
    assert "theirs: a: frames 5, 8: no map, scored as chance\n" in said
    assert f"{out}/report.html" in said
    assert {path.name for path in out.iterdir()} == RESULTS | {"clips.csv", "frames.csv"}
    scores = read(out)
    assert [*scores["means"]] == ["centre", "ours", "inter-observer", "theirs"]
    assert [len(of["times"]) for of in scores["subjects"]] == [3, 1]
    assert scores["subjects"][0]["times"] == [1 / RATE, 4 / RATE, 7 / RATE]
    for means in scores["means"].values():
        assert f"{means['NSS']:.3f}" in said
    assert any("theirs: a" in note for note in scores["notes"])
    with (out / "clips.csv").open(newline="") as file:
        assert len([*csv.reader(file)]) == 1 + 4 * 2
    page = (out / "report.html").read_text()
    assert "no map, scored as chance" in page
    assert "lookhear evaluate --data" in page


def test_models_are_scored_on_pictures(run: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("1003.jpg\n1001.jpg")
    words = ("evaluate", "--data", pictures, "--names", tmp_path / "names.txt")
    out = tmp_path / "out"
    code, said, error = run(*words, "--model", "centre", "--model", "gbvs", "--out", out)
    assert (code, error) == (0, "")
    assert {path.name for path in out.iterdir()} == RESULTS | {"pictures.csv"}
    assert [of["name"] for of in read(out)["subjects"]] == ["1003.jpg", "1001.jpg"]
    assert [*read(out)["means"]] == ["centre", "gbvs"]
    assert "gbvs" in said


@pytest.fixture
def sets(tmp_path: Path) -> list[Path]:
    """Two sets of pictures of the same names."""
    return [make_osie(tmp_path / name, count=3, seed=seed) for seed, name in enumerate("ab")]


def test_several_sets_of_pictures_have_a_table_each(
    run: Run, sets: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "of a.txt").write_text("1003.jpg\n1001.jpg")
    (tmp_path / "of b.txt").write_text("1001.jpg\n1002.jpg")
    data = [word for of in sets for word in ("--data", of)]
    names = [word for of in sets for word in ("--names", tmp_path / f"of {of.name}.txt")]
    words = ("--model", "centre", "--model", "centre-fitted", "--out", tmp_path / "out")
    code, said, error = run("evaluate", *data, *words, *names)
    assert (code, error) == (0, "")
    scores = read(tmp_path / "out")
    for of in scores["statistics"]:
        assert f"{of['estimates']['centre-fitted']['NSS']['mean']:.3f}" in said
    text = (tmp_path / "out" / "table.md").read_text()
    for heading in ("## a: 2 pictures", "## b: 2 pictures", "## All 4 pictures"):
        assert heading in text
    assert [of["name"] for of in scores["subjects"]] == [
        "a/1003.jpg",
        "a/1001.jpg",
        "b/1001.jpg",
        "b/1002.jpg",
    ]
    assert [of["group"] for of in scores["statistics"]] == ["a", "b", None]
    assert "all other pictures of the same set" in scores["protocol"]["s-AUC"]
    with (tmp_path / "out" / "pictures.csv").open(newline="") as file:
        assert [line["database"] for line in csv.DictReader(file)] == ["a", "a", "b", "b"] * 2
    page = (tmp_path / "out" / "report.html").read_text()
    for words_of_page in ("Models on a, b", "2 sets", "Each set", "a: 2 pictures", "b: 2 pictures"):
        assert words_of_page in page
    assert not (tmp_path / "out" / "frames.csv").exists()
    for of in sets:
        alone = evaluate(of, ["centre", "centre-fitted"], names=tmp_path / f"of {of.name}.txt")
        assert alone.statistics[0].as_json() in scores["statistics"]


def test_a_run_on_several_sets_that_was_stopped_keeps_no_scores_of_one_that_has_changed(
    run: Run, sets: list[Path], tmp_path: Path
) -> None:
    for of in sets:
        (tmp_path / "maps" / of.name).mkdir(parents=True)
        for number in (1001, 1002, 1003):
            values = np.random.default_rng(number).random((60, 80))
            np.save(tmp_path / "maps" / of.name / f"{number}.npy", values)
    last = tmp_path / "maps" / "b" / "1003.npy"
    whole = last.read_bytes()
    last.write_bytes(b"text")
    data = [word for of in sets for word in ("--data", of)]
    words = ("evaluate", *data, "--model", tmp_path / "maps", "--out")
    assert run(*words, tmp_path / "out")[0] == 1
    assert [*tmp_path.glob(".out.*.partial")]
    last.write_bytes(whole)
    make_osie(sets[1], count=3, seed=7)
    assert run(*words, tmp_path / "out")[0] == 0
    assert run(*words, tmp_path / "at once")[0] == 0
    assert read(tmp_path / "out") == read(tmp_path / "at once")


def test_scores_are_shown_without_a_folder(run: Run, pictures: Path, tmp_path: Path) -> None:
    sharp, soft = (
        run("evaluate", "--data", pictures, "--model", "centre", *words)
        for words in ((), ("--smooth", 4))
    )
    assert (sharp[0], soft[0]) == (0, 0)
    assert sharp[1] != soft[1]
    assert not list(tmp_path.iterdir())


def test_of_few_maps_at_even_steps_it_is_said_everywhere_that_only_those_count(
    run: Run, tmp_path: Path
) -> None:
    data = write_watched(tmp_path / "data", {"a": 40})
    (tmp_path / "maps" / "a").mkdir(parents=True)
    for frame in (2, 32):
        np.save(
            tmp_path / "maps" / "a" / f"{frame}.npy", np.random.default_rng(frame).random((9, 9))
        )
    words = ("evaluate", "--data", data, "--model", tmp_path / "maps", "--out")
    line = f"maps: a: frames 1, 3, 4 and 35 more: {AT_STEPS}"
    code, said, error = run(*words, tmp_path / "out")
    assert (code, error, said.splitlines()[1]) == (0, "", line)
    assert line in read(tmp_path / "out")["notes"]
    assert line in (tmp_path / "out" / "report.html").read_text()
    assert read(tmp_path / "out")["values"]["maps"]["NSS"][0].count(None) == 38
    for missing, what in (("skip", LEFT_OUT), ("chance", NO_MAP)):
        code, said, error = run(*words, tmp_path / missing, "--missing", missing)
        assert (code, error) == (0, "")
        assert said.splitlines()[1] == f"maps: a: frames 1, 3, 4 and 35 more: {what}"
    assert read(tmp_path / "skip")["means"] == read(tmp_path / "out")["means"]
    assert read(tmp_path / "chance")["values"]["maps"]["NSS"][0].count(0) == 38


def test_which_clips_count_is_said_everywhere(run: Run, tmp_path: Path) -> None:
    """A clip of DIEM's train list would stand beside published rows of its test list."""
    data = write_watched(tmp_path / "data", {"a": 3, "b": 3}, database="DIEM")
    lists = data / "fold_lists"
    (lists / "DIEM_list_test_1_fps.txt").unlink()
    (lists / "DIEM_list_train_fps.txt").write_text("a 3 8\n")
    (lists / "DIEM_list_test_fps.txt").write_text("b 3 8\n")
    words = ("evaluate", "--data", data, "--model", "centre", "--out", tmp_path / "out")
    line = "DIEM: 1 clip of 2 listed, by DIEM_list_test_fps.txt"
    code, said, error = run(*words)
    assert (code, error, said.splitlines()[0]) == (0, "", f"Clips: {line}")
    assert [of["name"] for of in read(tmp_path / "out")["subjects"]] == ["b"]
    assert read(tmp_path / "out")["protocol"]["Clips"] == line
    assert line in (tmp_path / "out" / "report.html").read_text()
    (lists / "DIEM_list_test_fps.txt").write_bytes(bytes(range(256)))
    code, said, error = run(*words, "--overwrite")
    assert (code, said, error.count("\n")) == (1, "", 1)
    assert "DIEM_list_test_fps.txt: not a list in UTF-8 text; replace it" in error


def test_progress_counts_what_the_set_is_of(pictures: Path, clips: Path, tmp_path: Path) -> None:
    shown: dict[str, tuple[int | None, list[int]]] = {}

    @contextmanager
    def bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        shown[what] = total, []
        yield shown[what][1].append

    evaluate(pictures, ["centre"], tmp_path / "pictures", bars=bar)
    evaluate(clips, ["centre"], tmp_path / "clips", bars=bar)
    assert [*shown] == ["scoring pictures", "drawing pictures", "scoring frames", "drawing frames"]
    assert all(sum(done) == total for total, done in shown.values())


def test_older_results_are_replaced_only_if_asked(run: Run, pictures: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--data", pictures, "--out", tmp_path / "out", "--model")
    assert run(*words, "centre")[0] == 0
    code, said, error = run(*words, "spectral-residual")
    assert (code, said, error.count("\n")) == (1, "", 1)
    assert "out: holds results; use --overwrite or choose another --out" in error
    assert [*read(tmp_path / "out")["means"]] == ["centre"]
    assert run(*words, "spectral-residual", "--overwrite")[0] == 0
    assert [*read(tmp_path / "out")["means"]] == ["spectral-residual"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_folder_or_file_of_something_else_is_never_replaced(
    run: Run, pictures: Path, tmp_path: Path, overwrite: list[str]
) -> None:
    (tmp_path / "out").mkdir()
    thesis = tmp_path / "out" / "thesis.txt"
    thesis.write_text("dear")
    for out in (tmp_path / "out", thesis):
        words = ("--model", "centre", "--out", out, *overwrite)
        code, said, error = run("evaluate", "--data", pictures, *words)
        assert (code, said, error.count("\n")) == (1, "", 1)
        assert "something else than" in error
    assert thesis.read_text() == "dear"
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("--data", "nowhere", "--model", "centre"), 1, "nowhere: no such folder; give one in"),
        (("--data", "CLIPS", "--model", "huge"), 1, "model huge: unknown"),
        (
            ("--data", "CLIPS", "--model", "centre", "--model", "centre"),
            1,
            "give it a name of its own",
        ),
        (("--data", "CLIPS", "--model", "centre", "--database", "x"), 1, "has no database x"),
        (("--data", "PICTURES", "--model", "centre", "--database", "db"), 1, "no --database"),
        (("--data", "PICTURES", "--model", "centre", "--names", "nowhere"), 1, "nowhere"),
        (
            ("--data", "PICTURES", "--data", "CLIPS", "--model", "centre"),
            1,
            "holds clips, which are scored alone",
        ),
        (
            ("--data", "PICTURES", "--data", "nowhere", "--model", "centre"),
            1,
            "nowhere: no such folder",
        ),
        (
            ("--data", "PICTURES", "--data", "else", "--names", "n.txt", "--model", "centre"),
            1,
            "--names: 1 file for 2 folders of --data",
        ),
        (("--data", "CLIPS", "--model", "centre", "--every", "0"), 2, "--every"),
        (("--data", "CLIPS", "--model", "centre", "--smooth", "-1"), 2, "--smooth"),
        (("--data", "CLIPS", "--model", "centre", "--smooth", "inf"), 2, "--smooth"),
        (("--data", "CLIPS", "--model", "centre", "--smooth", "nan"), 2, "--smooth"),
        (("--data", "CLIPS", "--model", "centre", "--missing", "both"), 2, "--missing"),
        (("--data", "CLIPS"), 2, "--model"),
        (("--model", "centre"), 2, "--data"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    run: Run,
    clips: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"CLIPS": clips, "PICTURES": pictures}
    found, said, error = run("evaluate", *(named.get(w, w) for w in words), "--out", "out/deep")
    assert (found, said, error.count("\n")) == (code, "", 1)
    assert complaint in error
    assert not list(tmp_path.iterdir())


def test_a_broken_frame_is_one_line_and_once_mended_the_results_are_whole(
    run: Run, clips: Path, tmp_path: Path
) -> None:
    shutil.copytree(clips, tmp_path / "clips")
    frame = tmp_path / "clips" / "video_frames" / "db" / "b" / "img_00003.jpg"
    whole = frame.read_bytes()
    frame.write_bytes(b"text")
    words = ("--model", "spectral-residual", "--out")
    arguments = ("evaluate", "--data", tmp_path / "clips", *words)
    code, said, error = run(*arguments, tmp_path / "out")
    assert (code, said, error.count("\n")) == (1, "", 1)
    assert f"{frame}: not a picture that can be read; copy it again" in error
    assert not (tmp_path / "out").exists()
    frame.write_bytes(whole)
    assert run(*arguments, tmp_path / "out")[0] == 0
    assert run(*arguments, tmp_path / "at once")[0] == 0
    assert read(tmp_path / "out") == read(tmp_path / "at once")
    assert {path.name for path in tmp_path.iterdir()} == {"clips", "out", "at once"}


@pytest.mark.parametrize("changed", ["maps", "gaze", "missing"])
def test_a_run_that_was_stopped_keeps_no_scores_of_what_has_changed_since(
    run: Run, clips: Path, tmp_path: Path, changed: str
) -> None:
    data = shutil.copytree(clips, tmp_path / "clips")
    for name, count in (("a", 9), ("b", 4)):
        folder = tmp_path / "maps" / "db" / name
        folder.mkdir(parents=True)
        for frame in range(count):
            values = np.random.default_rng(frame).random((48, 64))
            np.save(folder / f"{frame + 1}.npy", values)
    if changed == "missing":
        (tmp_path / "maps" / "db" / "a" / "2.npy").unlink()
    last = tmp_path / "maps" / "db" / "b" / "4.npy"
    whole = last.read_bytes()
    last.write_bytes(b"text")
    words = ["evaluate", "--data", data, "--model", tmp_path / "maps", "--out"]
    assert run(*words, tmp_path / "out")[0] == 1
    assert [*tmp_path.glob(".out.*.partial")]
    last.write_bytes(whole)
    if changed == "maps":
        np.save(tmp_path / "maps" / "db" / "a" / "2.npy", np.eye(48, 64))
    elif changed == "missing":
        words[1:1] = ["--missing", "skip"]
    else:
        shutil.copy(*(data / "annotations" / "db" / "a" / f"fixMap_0000{i}.mat" for i in (9, 1)))
    assert run(*words, tmp_path / "out")[0] == 0
    assert run(*words, tmp_path / "at once")[0] == 0
    assert read(tmp_path / "out") == read(tmp_path / "at once")


OWN = """
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def test_of_a_classifier_of_ones_own_nothing_is_kept(
    run: Run, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell whether the code has changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("untold_net.py").write_text(OWN)
    data = shutil.copytree(clips, tmp_path / "clips")
    frame = data / "video_frames" / "db" / "b" / "img_00003.jpg"
    whole = frame.read_bytes()
    frame.write_bytes(b"text")
    words = ("evaluate", "--data", data, "--model", "EigenCAM:untold_net:net", "--out", "out")
    assert run(*words)[0] == 1
    assert not [*tmp_path.glob(".out*")]
    frame.write_bytes(whole)
    assert run(*words)[0] == 0
    assert {path.name for path in Path("out").iterdir()} >= RESULTS


PLAIN = (
    "import sys; sys.modules.update(dict.fromkeys(('lightning', 'tensorboard')));"
    "from lookhear.cli import main; main()"
)


@pytest.mark.parametrize("kind", ["pictures", "clips"])
def test_all_that_only_training_needs_may_be_missing(
    kind: str, request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path
) -> None:
    """As after a plain install."""
    words = ["--data", request.getfixturevalue(kind), "--model", "centre", "--model", tiny_model]
    command = [sys.executable, "-c", PLAIN, "evaluate", *words, "--out", tmp_path / "out"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} >= RESULTS


def test_an_evaluation_can_be_had_from_python(run: Run, pictures: Path, tmp_path: Path) -> None:
    done = evaluate(pictures, ["centre", "inter-observer"], tmp_path / "out")
    assert [*done.scores.means()] == ["centre", "inter-observer"]
    assert done.statistics[-1].subjects == 3
    words = ("--model", "centre", "--model", "inter-observer", "--out", tmp_path / "by verb")
    assert run("evaluate", "--data", pictures, *words)[0] == 0
    assert read(tmp_path / "out") == read(tmp_path / "by verb")
