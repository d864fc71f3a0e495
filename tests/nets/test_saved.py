import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import lookhear
from lookhear.errors import LookhearError
from lookhear.nets.saved import card_sections, load_model, load_network
from lookhear.nets.sound import SoundClassifier
from lookhear.stanet.sources import SA, ST, S
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch

LIGHT: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
}
CLASSES = {"categories": ["dog", "horn"]}
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "STA": (STA, LIGHT | {"sound_encoder": "light", "width": 8}),
    "S": (S, LIGHT | CLASSES),
    "SA": (SA, LIGHT | CLASSES | {"sound_encoder": "light", "width": 8}),
    "ST": (ST, LIGHT | CLASSES | {"width": 8}),
    "AudioSwitch": (AudioSwitch, LIGHT | {"sound_encoder": "light"}),
    "SoundClassifier": (SoundClassifier, CLASSES | {"sound_encoder": "light"}),
}


def test_a_saved_model_loads_as_it_was(tiny_net: STA, tiny_model: Path) -> None:
    loaded = lookhear.load_model(tiny_model)
    assert not loaded.training
    assert loaded.input_size == (96, 128)
    assert loaded.keep_aspect
    for (name, saved), (_, read) in zip(
        tiny_net.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(read, saved, msg=name)


def test_a_run_folder_stands_for_the_model_in_it(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "run" / "model")
    assert load_model(tmp_path / "run").input_size == (96, 128)
    assert card_sections(tmp_path / "run") == card_sections(tiny_model)
    (tmp_path / "run" / "model" / "model.safetensors").unlink()
    with pytest.raises(LookhearError, match="lacks"):
        load_model(tmp_path / "run")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one saved network of each kind."""
    folder = tmp_path_factory.mktemp("networks")
    for name, (network, arguments) in NETWORKS.items():
        network(**arguments).save_pretrained(folder / name)
    return folder


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_loads_as_it_was(networks: Path, name: str) -> None:
    network, _ = NETWORKS[name]
    loaded = load_network(network, networks / name)
    assert type(loaded) is network
    assert not loaded.training
    saved = load_file(networks / name / "model.safetensors")
    state = loaded.state_dict()
    assert state.keys() == saved.keys()
    assert all(torch.equal(state[key], saved[key]) for key in saved)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("STA", "SA"),
        ("STA", "S"),
        ("S", "STA"),
        ("S", "ST"),
        ("ST", "SA"),
        ("SA", "STA"),
        ("AudioSwitch", "SA"),
        ("SoundClassifier", "SA"),
    ],
)
def test_another_networks_folder_is_one_line(networks: Path, wanted: str, given: str) -> None:
    network, _ = NETWORKS[wanted]
    with pytest.raises(LookhearError, match=f"{given}: cannot be loaded") as raised:
        load_network(network, networks / given)
    assert "\n" not in str(raised.value)


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

    monkeypatch.setattr("lookhear.nets.saved.snapshot_download", offline)
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
