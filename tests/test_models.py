import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import lookhear
from lookhear.errors import LookhearError
from lookhear.models import card_sections, load_model
from lookhear.nets.sta import STA


def test_a_saved_model_loads_as_it_was(tiny_net: STA, tiny_model: Path) -> None:
    loaded = lookhear.load_model(tiny_model)
    assert not loaded.training
    assert loaded.input_size == (96, 128)
    assert loaded.keep_aspect
    for (name, saved), (_, read) in zip(
        tiny_net.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(read, saved, msg=name)


def test_a_cards_sections_are_read(tiny_model: Path) -> None:
    assert card_sections(tiny_model) == (
        ("What it is", "Untrained."),
        ("What it is not good for", "Anything."),
    )


def test_the_bundled_model_is_small_and_works_offline() -> None:
    weights = Path(lookhear.__file__).parent / "weights" / "small" / "model.safetensors"
    assert weights.stat().st_size <= 4_000_000
    net = load_model("small")
    assert net.sound_encoder is None
    headings = [heading for heading, _ in card_sections("small")]
    assert "What it is not good for" in headings


@pytest.mark.parametrize(
    "name", ["huge", "./nowhere", "/no/such/folder", "a/b/c", "../x", "-/-", ""]
)
def test_an_unknown_model_is_one_line(name: str) -> None:
    with pytest.raises(LookhearError, match="unknown") as raised:
        load_model(name)
    assert "\n" not in str(raised.value)


def test_a_name_on_the_hub_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr("lookhear.models.snapshot_download", offline)
    with pytest.raises(LookhearError, match=r"no route to the hub$"):
        load_model("owner/name")


def test_a_device_that_is_not_there_is_one_line(tiny_model: Path) -> None:
    with pytest.raises(LookhearError, match="device nonsense"):
        load_model(tiny_model, "nonsense")


def broken(folder: Path, model: Path, kind: str) -> Path:
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    if kind == "no weights":
        (folder / "model.safetensors").unlink()
    elif kind == "cut off":
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "a tensor missing":
        tensors = load_file(folder / "model.safetensors")
        tensors.pop("head.fuse.weight")
        save_file(tensors, folder / "model.safetensors")
    elif kind == "another shape":
        config["width"] = 16
    elif kind == "no json":
        (folder / "config.json").write_text("width: 8")
        return folder
    elif kind == "not a mapping":
        (folder / "config.json").write_text("[]")
        return folder
    elif kind == "no such encoder":
        config["sound_encoder"] = "bat"
    elif kind == "one-sided":
        config["input_size"] = [96]
    elif kind == "negative":
        config["input_size"] = [-5, 5]
    elif kind == "huge":
        config["width"] = 10**9
    elif kind == "fetches":
        config["backbone_args"]["pretrained"] = True
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    "kind",
    [
        "no weights",
        "cut off",
        "a tensor missing",
        "another shape",
        "no json",
        "fetches",
        "not a mapping",
        "no such encoder",
        "one-sided",
        "negative",
        "huge",
    ],
)
def test_a_broken_model_is_one_line(tiny_model: Path, tmp_path: Path, kind: str) -> None:
    folder = broken(tmp_path / "model", tiny_model, kind)
    with pytest.raises(LookhearError, match="model") as raised:
        load_model(folder)
    assert "\n" not in str(raised.value)
