"""The verb explain, from a clip and a network to a folder of results, or to one line."""

import json
import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from clips import beep, make_clip
from conftest import Run
from lookhear.files import partial_of
from red_then_green import COUNT, RATE, scene

ALWAYS = {
    "explanation.json",
    "report.html",
    "scores.csv",
    "scores.svg",
    "strip.png",
    "tube.npz",
}
OF_FAITHFULNESS = {"faithfulness.csv", "faithfulness.svg"}
NETWORK = "--network", "colour_nets:clips"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "scene.mp4"
    return make_clip(path, map(scene, range(COUNT)), RATE, sound=beep(COUNT / RATE, [1.0]))


def test_a_clip_is_explained_and_all_is_written(run: Run, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    code, said, error = run("explain", clip, *NETWORK, "--label", "red", "--out", out)
    assert (code, error) == (0, "")
    assert "tube of layer features, prediction layer head" in said
    assert "red: probability 0." in said
    assert "deletion 0." in said
    assert f"{out}/report.html" in said
    assert {path.name for path in out.iterdir()} == {
        *ALWAYS,
        *OF_FAITHFULNESS,
        "heat.mp4",
        "focus.mp4",
    }
    for name in ("heat.mp4", "focus.mp4"):
        with av.open(str(out / name)) as film:
            assert film.streams.audio
            assert sum(1 for _ in film.decode(video=0)) == COUNT
    with np.load(out / "tube.npz", allow_pickle=False) as arrays:
        assert arrays["tubes"].shape == (1, COUNT, 24, 32)
        assert arrays["labels"].tolist() == ["red"]
    assert json.loads((out / "explanation.json").read_text())["labels"][0]["name"] == "red"


def test_formats_labels_and_frames_are_chosen(run: Run, clip: Path, tmp_path: Path) -> None:
    code, _, error = run(
        *("explain", clip, *NETWORK, "--label", "top-2", "--label", "blue", "--frames", "even"),
        *("--format", "gif", "--format", "png", "--no-faithfulness", "--method", "gradcam"),
        *("--out", tmp_path / "out"),
    )
    assert (code, error) == (0, "")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {*ALWAYS, "heat.gif", "focus.gif", "heat", "focus"}
    assert len([*(tmp_path / "out" / "heat").glob("*.png")]) == 6
    told = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert len(told["labels"]) == 3
    assert told["method"] == "GradCAM"


def test_results_are_replaced_only_if_that_is_wanted(run: Run, clip: Path, tmp_path: Path) -> None:
    command = "explain", clip, *NETWORK, "--no-faithfulness", "--out", tmp_path / "out"
    assert run(*command)[0] == 0
    code, _, error = run(*command)
    assert code == 1
    assert "--overwrite" in error
    assert run(*command, "--overwrite")[0] == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    code, _, error = run("explain", clip, *NETWORK, "--out", other, "--overwrite")
    assert code == 1
    assert "something else" in error
    assert (other / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--label", "pink"), "label 'pink': .* top-1 to top-3"),
        (("--label", "top-9"), "label 'top-9'"),
        (("--layer", "layer4"), "layer 'layer4': .* features"),
        (("--method", "tubes"), "method 'tubes': .* tube, CAM, GradCAM"),
        (("--network", "r3d_81", "--weights", "random"), "network r3d_81: .* r3d_18"),
        (("--network", "colour_nets:deep"), "use GradCAM"),
        (("--network", "colour_nets:missing"), "colour_nets:missing"),
        (("--weights", "missing.pt"), "missing.pt"),
        (("--categories", "missing.txt"), "missing.txt"),
        (("--format", "avi"), "avi"),
        (("--fps", "0"), "fps"),
        (("--frames", "scripted"), "frames.*script"),
        (("--resize", "0"), "resize"),
        (("--crop", "16"), "--crop 16: .* --resize"),
        (("--resize", "16", "--crop", "24"), "--crop 24: must be from 1 to the 16"),
        (("--mean", "124,117"), "--mean 124,117: must be three numbers"),
        (("--std", "1,2,zero"), "--std 1,2,zero: must be three numbers"),
        (("--device", "abacus"), "abacus"),
        (("--out", "FILE/out"), "cannot be made"),
    ],
)
def test_wrong_options_get_one_line(
    run: Run, clip: Path, tmp_path: Path, wrong: tuple[str, ...], says: str
) -> None:
    out = tmp_path / "out"
    (tmp_path / "file").write_text("mine")
    words = [word.replace("FILE", str(tmp_path / "file")) for word in wrong]
    code, said, error = run("explain", clip, *NETWORK, "--out", out, *words)
    assert code in (1, 2)
    assert said == ""
    assert error.count("\n") == 1
    assert re.search(says, error)
    assert not out.exists()
    assert not partial_of(out).exists()


def test_broken_and_missing_clips_get_one_line(run: Run, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:200])
    for path in (broken, tmp_path / "missing.mp4"):
        code, _, error = run("explain", path, *NETWORK, "--out", tmp_path / "out")
        assert code == 1
        assert error.count("\n") == 1
        assert path.name in error
        assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit_get_one_line(run: Run, clip: Path, tmp_path: Path) -> None:
    weights = {"features.0.weight": torch.zeros(3, 3, 2, 4, 4), "extra": torch.zeros(1)}
    torch.save(weights, tmp_path / "w.pt")
    code, _, error = run(
        "explain", clip, *NETWORK, "--weights", tmp_path / "w.pt", "--out", tmp_path / "out"
    )
    assert code == 1
    assert error.count("\n") == 1
    assert "1 missing (head.weight)" in error
    assert "1 not known (extra)" in error


def test_a_still_picture_is_explained_by_a_network_of_pictures(run: Run, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), scene(15)[..., ::-1])
    command = "explain", tmp_path / "still.png", "--network", "colour_nets:pictures"
    code, _, error = run(*command, "--out", tmp_path / "out")
    assert (code, error) == (0, "")
    assert {"heat.png", "focus.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
