import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import lookhear
import toy_network
from clips import make_clip
from conftest import moving_disc
from lookhear.errors import LookhearError
from lookhear.nets import saved
from lookhear.nets.kinds import NamingNetwork, SavedNetwork
from lookhear.nets.saved import card_sections, load_model, load_network, load_watcher, saved_as
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
    for (name, kept), (_, read) in zip(
        tiny_net.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(read, kept, msg=name)


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
@pytest.mark.parametrize("from_before_the_names", [False, True])
def test_every_network_loads_as_it_was(
    networks: Path, tmp_path: Path, name: str, from_before_the_names: bool
) -> None:
    network, arguments = NETWORKS[name]
    folder = shutil.copytree(networks / name, tmp_path / name)
    config = json.loads((folder / "config.json").read_text())
    assert config["network"] == name
    if from_before_the_names:
        del config["network"]
        (folder / "config.json").write_text(json.dumps(config))
    held, told = saved_as(folder)
    assert held == name
    assert json.loads(json.dumps(arguments)).items() <= told.items()
    loaded = load_network(SavedNetwork, folder)
    assert type(loaded) is network
    assert not loaded.training
    weights = load_file(folder / "model.safetensors")
    state = loaded.state_dict()
    assert state.keys() == weights.keys()
    assert all(torch.equal(state[key], weights[key]) for key in weights)


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
    with pytest.raises(LookhearError, match=rf"{given}: its network is {given}, not {wanted}; .*$"):
        load_network(network, networks / given)


def test_a_network_that_cannot_do_what_is_wanted_is_one_line(networks: Path) -> None:
    for load in (load_model, load_watcher):
        with pytest.raises(
            LookhearError, match=r"its network is S, not STA or STA\+ or STANet\+; .*\Z"
        ):
            load(networks / "S")
    with pytest.raises(
        LookhearError, match=r"its network is STA, not S or SA or ST or S\+ or SA\+ or ST\+; .*\Z"
    ):
        load_network(NamingNetwork, networks / "STA")


def test_a_new_network_is_one_file_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"toy_network:Brightness is none of .*NETWORKS"):
        toy_network.Brightness().save_pretrained(tmp_path / "nowhere")
    monkeypatch.setitem(saved.NETWORKS, "Brightness", "toy_network:Brightness")
    toy_network.Brightness(side=16).save_pretrained(tmp_path / "toy")
    loaded = load_model(tmp_path / "toy", "cpu")
    assert isinstance(loaded, toy_network.Brightness)
    assert loaded.side == 16
    clip = make_clip(tmp_path / "disc.mp4", moving_disc(12), 4)
    prediction = lookhear.predict(clip, tmp_path / "toy", every=1)
    assert prediction.maps.shape == (12, 16, 16)
    # The mean of five looks; at both ends one stands in for two or one.
    pictures = (
        np.stack([glimpse.picture for glimpse in lookhear.stream(clip, loaded, every=1)]) / 255
    )
    for target, looks in ((0, (0, 0, 0, 1, 2)), (5, (3, 4, 5, 6, 7)), (10, (8, 9, 10, 11, 11))):
        expected = pictures[[*looks]].mean((0, -1))
        np.testing.assert_allclose(prediction.maps[target], expected, atol=1e-6)


def test_a_cards_sections_are_read(tiny_model: Path) -> None:
    assert card_sections(tiny_model) == (
        ("What it is", "Untrained."),
        ("What it is not good for", "Anything."),
    )


def test_the_bundled_model_is_small_and_works_offline() -> None:
    weights = Path(lookhear.__file__).parent / "weights" / "small" / "model.safetensors"
    assert weights.stat().st_size <= 8_000_000
    net = load_model("small")
    assert net.sound_encoder is None
    assert net.mean.flatten().tolist() == pytest.approx([127 / 255] * 3)
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

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
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
    elif kind == "of the future":
        config["network"] = ["STA9"]
    elif kind == "of nothing":
        config = {"sound_encoder": "light"}
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
        "of the future",
        "of nothing",
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
