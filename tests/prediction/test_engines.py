"""ONNX Runtime and PyTorch side by side, from a clip to what a user gets of it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import lookhear
from clips import beep, make_clip
from conftest import Run, moving_disc
from lookhear.errors import LookhearError
from lookhear.nets.exported import ExportedWatcher
from lookhear.nets.saved import load_watcher
from lookhear.stanet.sta import STA
from osie_layout import make_osie

ENGINES = ("onnx", "torch")


def test_every_part_that_is_seen_is_the_same() -> None:
    pictures = np.stack(moving_disc(3, (224, 384)))
    ours, theirs = (load_watcher("small", "cpu", engine).see(pictures) for engine in ENGINES)
    for mine, other in zip(ours, theirs, strict=True):
        for name, part in mine.parts.items():
            expected = getattr(other, name)[0].numpy()
            np.testing.assert_allclose(part, expected, atol=1e-4 * np.abs(expected).max())


def test_maps_places_and_a_table_of_scores_are_the_same(run: Run, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "disc.mp4", moving_disc(30, (180, 320)), 10)
    osie = make_osie(tmp_path / "osie", count=3)
    kept, placed, scored = [], [], []
    for engine in ENGINES:
        out, scores = tmp_path / engine, tmp_path / f"{engine}-scores"
        assert run("predict", clip, "--out", out, "--engine", engine, "--device", "cpu")[0] == 0
        with np.load(out / "disc/maps.npz") as maps:
            kept.append(maps["maps"].astype(np.float32))
        with (out / "disc/fixations.csv").open() as table:
            placed.append([row for row in csv.DictReader(table) if row["rank"] == "1"])
        told = ("--model", "small", "--engine", engine, "--out", scores)
        assert run("evaluate", "--data", osie, *told)[0] == 0
        scored.append(json.loads((scores / "scores.json").read_text())["means"]["small"])
    assert len(kept[0]) == 9
    np.testing.assert_allclose(*kept, atol=1e-3)  # as they are kept, in 16 bits
    for mine, other in zip(*placed, strict=True):
        assert float(mine["x"]) == pytest.approx(float(other["x"]), abs=0.2)
        assert float(mine["y"]) == pytest.approx(float(other["y"]), abs=0.2)
    assert scored[0] == pytest.approx(scored[1], abs=5e-4)


def test_an_exported_network_predicts_as_it_did_with_sound(
    run: Run, tmp_path: Path, hearing_net: STA
) -> None:
    frames = moving_disc(20, (96, 128))
    clip = make_clip(tmp_path / "disc.mp4", frames, 10, sound=beep(2.0, [0.4, 1.2]))
    hearing_net.save_pretrained(tmp_path / "net")
    code, out, _ = run("export", tmp_path / "net", "--out", tmp_path / "net.onnx")
    assert code == 0
    assert "--model" in out
    exported = lookhear.predict(clip, tmp_path / "net.onnx")
    np.testing.assert_allclose(
        exported.maps, lookhear.predict(clip, tmp_path / "net").maps, atol=1e-5
    )
    silent = make_clip(tmp_path / "silent.mp4", frames, 10)
    assert abs(exported.maps - lookhear.predict(silent, tmp_path / "net.onnx").maps).max() > 1e-4


def test_the_bundled_model_runs_on_onnx_runtime_unless_asked_otherwise() -> None:
    assert isinstance(load_watcher("small", "cpu"), ExportedWatcher)
    assert not isinstance(load_watcher("small", "cpu", "torch"), ExportedWatcher)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["missing.onnx"], "No such file"),
        (["small", "--engine", "tensorrt"], "--engine"),
        (["small", "--device", "nonsense"], "nonsense"),
    ],
)
def test_a_wrong_model_engine_or_device_is_one_line(
    run: Run, tmp_path: Path, wrong: list[str], said: str
) -> None:
    clip = make_clip(tmp_path / "disc.mp4", moving_disc(3), 10)
    code, _, err = run("predict", clip, "--out", tmp_path / "out", "--model", *wrong)
    assert code != 0
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_said(run: Run, tmp_path: Path) -> None:
    for arguments in (["nowhere"], ["small"]):
        code, _, err = run("export", *arguments, "--out", tmp_path / "net.pt")
        assert code == 1
        assert err.count("\n") == 1
    with pytest.raises(LookhearError):
        lookhear.export("nowhere", tmp_path / "net.onnx")
    assert not [*tmp_path.iterdir()]
