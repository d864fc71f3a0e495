"""The verbs of actions, from clips to a network, from it to a folder of results and to scores."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from clips import beep, make_clip
from conftest import Run
from little_actions import FPS, LABELS, action_frames, write_action, write_class_folders
from lookhear.actions.net import WhereWhen
from lookhear.nets.saved import load_network
from pages import Page, addresses, pictures

FILES = {
    "activitynet.json",
    "masks.npz",
    "overlay.mp4",
    "report.html",
    "segments.csv",
    "settings.json",
    "weights.csv",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_class_folders(tmp_path_factory.mktemp("data"), {"train": 3, "val": 1, "test": 2})


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    given = ["train", "actions", "--data", data, "--out", out, "--preset", "tiny"]
    subprocess.run([sys.executable, "-m", "lookhear", *map(str, given)], check=True)
    return out


def test_a_clip_gets_a_folder_with_all_that_was_found(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "<b>&.mp4"
    frames, _ = action_frames("redden", 2, 0.5, 1.25)
    make_clip(clip, frames, FPS, sound=beep(2, [1.0]))
    out = tmp_path / "out"
    code, said, error = run("actions", clip, "--model", trained, "--out", out)
    assert (code, error) == (0, "")
    folder = out / "<b>&"
    assert {path.name for path in folder.iterdir()} == FILES
    assert said.split(":")[0] == clip.name
    assert said.split()[1] in " ".join(LABELS)
    with av.open(str(folder / "overlay.mp4")) as film:
        assert film.streams.audio
        assert sum(1 for _ in film.decode(video=0)) == len(frames)
    with np.load(folder / "masks.npz", allow_pickle=False) as saved:
        masks, times, weights = saved["masks"], saved["times"], saved["weights"]
    assert masks.shape == (6, 6, 8)
    assert ((masks >= 0) & (masks <= 1)).all()
    np.testing.assert_allclose(times, (np.arange(6) + 0.5) / 3, atol=0.01)
    assert weights.mean() == pytest.approx(1, abs=1e-5)
    with (folder / "weights.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    np.testing.assert_allclose([float(row["weight"]) for row in rows], weights, atol=1e-3)
    assert {"left", "top", "right", "bottom", *LABELS} <= rows[0].keys()
    kept = json.loads((folder / "activitynet.json").read_text())
    assert set(kept) == {"version", "results", "external_data"}
    with (folder / "segments.csv").open(newline="") as file:
        segments = [*csv.DictReader(file)]
    of_clip = kept["results"]["<b>&"]
    assert [of["label"] for of in of_clip] == [row["label"] for row in segments]
    assert all(0 <= of["segment"][0] < of["segment"][1] <= 2.1 for of in of_clip)
    assert json.loads((out / "activitynet.json").read_text())["results"] == kept["results"]


def test_the_page_shows_it_and_needs_no_other_site(run: Run, trained: Path, tmp_path: Path) -> None:
    clip = write_action(tmp_path / "a <i> clip.mp4", "redden")
    run("actions", clip, "--model", trained, "--out", tmp_path / "out")
    folder = tmp_path / "out" / "a <i> clip"
    html = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    assert "a <i> clip.mp4" in page.text
    assert "sure that it is" in page.text
    assert len(pictures(html)) == 6
    for address in addresses(page):
        assert address.startswith(("data:", "./"))
    assert page.paths()["line"]
    assert all(label in page.text for label in LABELS)
    assert "It knows 3 actions and names one of them whatever it sees" in page.text
    weights = [
        float(row.split(",")[1]) for row in (folder / "weights.csv").read_text().splitlines()[1:]
    ]
    assert ("No moment counts for much more" in page.text) is (max(weights) < 1.5)


def test_done_already_failed_and_overwritten(run: Run, trained: Path, tmp_path: Path) -> None:
    clip = write_action(tmp_path / "a.mp4", "redden")
    broken = tmp_path / "b.mp4"
    broken.write_bytes(b"no video")
    out = tmp_path / "out"
    given = "actions", clip, broken, "--model", trained, "--out", out, "--no-overlay"
    code, said, error = run(*given)
    assert code == 1
    assert "a.mp4: " in said
    assert "b.mp4" in error
    assert "1 of 2 clips failed" in error
    assert {path.name for path in out.iterdir()} == {"a", "activitynet.json"}
    assert {path.name for path in (out / "a").iterdir()} == FILES - {"overlay.mp4"}
    code, said, _ = run("actions", clip, *given[3:])
    assert (code, "done already" in said) == (0, True)
    code, _, error = run("actions", clip, *given[3:], "--threshold", 1.5)
    assert (code, "--overwrite" in error) == (1, True)
    code, _, error = run("actions", clip, *given[3:], "--threshold", 1.5, "--overwrite")
    assert code == 0
    code, _, error = run("actions", clip, *given[3:], "--threshold", 0)
    assert code == 1
    assert error.count("\n") == 1


def test_a_still_picture_is_a_clip_too(run: Run, trained: Path, tmp_path: Path) -> None:
    import cv2

    picture = tmp_path / "still.png"
    cv2.imwrite(str(picture), action_frames("redden", 1, 0, 1)[0][0])
    code, _, error = run("actions", picture, "--model", trained, "--out", tmp_path / "out")
    assert (code, error) == (0, "")
    assert (tmp_path / "out" / "still" / "overlay.png").is_file()


def test_networks_of_actions_are_scored_as_such(
    run: Run, data: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    given = "evaluate", "--data", data, "--model", trained, "--model", f"again={trained}"
    code, said, error = run(*given, "--out", out)
    assert (code, error) == (0, "")
    assert "those of its test split alone count" in said
    with (out / "clips.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 2 * 2 * len(LABELS)
    kept = json.loads((out / "scores.json").read_text())
    named = np.mean([row["named"] == row["label"] for row in rows[: len(rows) // 2]])
    assert kept["figures"]["again"]["accuracy"] == pytest.approx(named)
    assert kept["figures"]["again"]["mAP@0.5"] is None  # nobody says when
    assert "| again |" in (out / "table.md").read_text()


def test_actions_are_scored_by_activitynets_json(run: Run, trained: Path, tmp_path: Path) -> None:
    database = {}
    for number, label in enumerate(LABELS):
        write_action(tmp_path / f"v_{number}.mp4", label, seed=number)
        segment = {"label": label, "segment": [0.5, 1.25]}
        database[str(number)] = {"subset": "validation", "annotations": [segment]}
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    out = tmp_path / "scores"
    code, _, error = run("evaluate", "--data", tmp_path, "--model", trained, "--out", out)
    assert (code, error) == (0, "")
    figures = json.loads((out / "scores.json").read_text())["figures"]
    model, without = figures.values()
    assert 0 <= model["mAP 0.1-0.5"] <= 1
    assert without["mAP 0.1-0.5"] is not None
    assert model["pointing"] is None  # nobody says where
    assert 0 <= model["recall"] <= 1
    database["0"]["annotations"][0]["label"] = "flying"
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    code, _, error = run("evaluate", "--data", tmp_path, "--model", trained)
    assert (code, error.count("\n")) == (1, 1)
    assert "1 label (flying) that" in error


def test_a_training_that_is_killed_goes_on_to_the_same_end(data: Path, tmp_path: Path) -> None:
    def given(out: Path) -> list[str]:
        options = ["--data", data, "--out", out, "--preset", "tiny", "--seed", "3"]
        return [sys.executable, "-m", "lookhear", "train", "actions", *map(str, options)]

    subprocess.run(given(tmp_path / "whole"), check=True)
    killed = subprocess.Popen(given(tmp_path / "killed"))
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    while killed.poll() is None and not last.exists():
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert last.exists()
    subprocess.run(given(tmp_path / "killed"), check=True, env={**os.environ})
    one, other = (
        load_network(WhereWhen, tmp_path / name, "cpu").state_dict() for name in ("whole", "killed")
    )
    for key, weights in one.items():
        np.testing.assert_allclose(weights, other[key], atol=1e-6, err_msg=key)


def test_data_that_is_none_is_told_in_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = "train", "actions", "--data", tmp_path / "empty", "--out", tmp_path / "run"
    code, _, error = run(*given)
    assert (code, error.count("\n")) == (1, 1)
    assert "no labelled clips" in error
    code, _, error = run(*given, "--preset", "huge")
    assert "there are paper, small, light, tiny" in error
