"""Networks begin at the weights of trained ones, part by part."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from beeping_squares import TINY_BACKBONE
from lookhear.errors import LookhearError
from lookhear.nets.sound import SoundClassifier
from lookhear.stanet.sources import SA, ST, S
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.initial_weights import SavedPart, initialise, parts_of, read_start

TAGS = ("Bark", "Flute")
SHALLOW: dict[str, Any] = TINY_BACKBONE | {"stride": 16, "hidden": 0}
HEARING: dict[str, Any] = {"sound_encoder": "light"}
SA_NET: dict[str, Any] = SHALLOW | HEARING | {"sound_gate": "matching", "sound_votes": True}


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )


@pytest.fixture
def trained() -> SA:
    torch.manual_seed(1)
    return SA(TAGS, **SA_NET)


@pytest.fixture
def folder(trained: SA, tmp_path: Path) -> Path:
    trained.save_pretrained(tmp_path / "trained")
    return tmp_path / "trained"


def test_the_parts_named_begin_as_saved_and_others_as_they_are(trained: SA, folder: Path) -> None:
    torch.manual_seed(2)
    net = SA(TAGS, **SA_NET)
    sound_before = {name: t.clone() for name, t in net.sound_encoder.state_dict().items()}
    initialise(net, parts_of(folder, "backbone", "head"))
    assert same(net.backbone, trained.backbone)
    assert same(net.head, trained.head)
    for name, tensor in net.sound_encoder.state_dict().items():
        assert torch.equal(tensor, sound_before[name])
    assert not same(net.sound_encoder, trained.sound_encoder)
    initialise(net, parts_of(folder, "sound_encoder"))
    assert same(net, trained)


def test_a_backbone_and_an_encoder_go_into_other_kinds_of_networks(
    trained: SA, folder: Path
) -> None:
    torch.manual_seed(2)
    small = TINY_BACKBONE | HEARING
    nets = (
        S(TAGS, **TINY_BACKBONE),
        ST(TAGS, **SHALLOW),
        AudioSwitch(**small, stride=16),
        STA(**small, strides=(4, 8, 16)),
    )
    for net in nets:
        hears = isinstance(net, (AudioSwitch, STA))
        initialise(net, parts_of(folder, "backbone", *(["sound_encoder"] if hears else [])))
        assert same(net.backbone, trained.backbone)
        if hears:
            assert same(net.sound_encoder, trained.sound_encoder)


def test_votes_begin_with_what_names_sounds(tmp_path: Path) -> None:
    torch.manual_seed(1)
    hearing = SoundClassifier(TAGS, "light")
    hearing.save_pretrained(tmp_path)
    net = SA(TAGS, **SA_NET)
    named = SavedPart(tmp_path, "classifier")
    initialise(net, parts_of(tmp_path, "sound_encoder") | {"head.votes": named})
    assert net.head.votes is not None
    assert same(net.head.votes, hearing.classifier)
    assert same(net.sound_encoder, hearing.sound_encoder)
    with torch.inference_mode():
        sounds = torch.randn(3, 257, 98)
        votes = net.eval().head.votes(net.sound_encoder(sounds))
        torch.testing.assert_close(votes, hearing.eval()(sounds))


def test_nothing_to_begin_with_changes_nothing(trained: SA) -> None:
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    initialise(trained, {})
    assert all(torch.equal(t, before[name]) for name, t in trained.state_dict().items())


@pytest.mark.parametrize(
    ("build", "part", "complaint"),
    [
        (lambda: S(TAGS, **TINY_BACKBONE), "sound_encoder", "sound_encoder: S has no such part"),
        (
            lambda: S(("a", "b", "c"), **TINY_BACKBONE),
            "head",
            "its head is missing or of another shape",
        ),
        (
            lambda: STA(**TINY_BACKBONE),
            "sound_encoder",
            "sound_encoder is missing or of another shape",
        ),
        (
            lambda: STA(**TINY_BACKBONE),
            "backbone",
            "backbone is missing or of another shape",
        ),  # stride 32
    ],
)
def test_what_does_not_fit_is_one_line(
    build: Callable[[], nn.Module], part: str, complaint: str, folder: Path
) -> None:
    with pytest.raises(LookhearError, match=complaint) as raised:
        initialise(build(), parts_of(folder, part))
    assert "\n" not in str(raised.value)


def test_a_network_that_lacks_a_part_is_named(tmp_path: Path) -> None:
    SoundClassifier(TAGS, "light").save_pretrained(tmp_path / "hearing")
    with pytest.raises(LookhearError, match="hearing: its backbone is missing"):
        initialise(S(TAGS, **TINY_BACKBONE), parts_of(tmp_path / "hearing", "backbone"))


@pytest.mark.parametrize("damage", ["no folder", "no file", "cut off", "a tensor missing"])
def test_missing_or_damaged_weights_are_named_in_one_line(folder: Path, damage: str) -> None:
    weights = folder / "model.safetensors"
    if damage == "no folder":
        folder = folder / "nowhere"
    elif damage == "no file":
        weights.unlink()
    elif damage == "cut off":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        tensors = load_file(weights)
        del tensors["backbone.conv1.0.weight"]
        save_file(tensors, weights)
    with pytest.raises(LookhearError, match=f"{folder}.*(missing or |unknown|lacks)") as raised:
        initialise(S(TAGS, **TINY_BACKBONE), parts_of(folder, "backbone"))
    assert "\n" not in str(raised.value)


def test_only_a_backbone_has_weights_known_by_name() -> None:
    net = S(TAGS, **TINY_BACKBONE)
    with pytest.raises(LookhearError, match=r"resnet10t\.no_such_tag: neither imagenet"):
        read_start(["backbone=resnet10t.no_such_tag"])
    with pytest.raises(LookhearError, match="head: has no pretrained weights"):
        initialise(net, {"head": "resnet10t.c3_in1k"})


def test_what_is_begun_with_is_read_part_by_part() -> None:
    lines = (
        "sound_encoder=run/SA",
        "head.gate=run/SA:head.sound_gate",
        "backbone=resnet10t.c3_in1k",
    )
    assert read_start(lines) == {
        "sound_encoder": SavedPart(Path("run/SA"), "sound_encoder"),
        "head.gate": SavedPart(Path("run/SA"), "head.sound_gate"),
        "backbone": "resnet10t.c3_in1k",
    }
    assert read_start(["backbone=run/S"]) == parts_of(Path("run/S"), "backbone")


@pytest.mark.parametrize("line", ["backbone", "=run/S", "backbone=", ""])
def test_what_is_no_part_is_refused(line: str) -> None:
    with pytest.raises(LookhearError, match=f"--start {line}: give PART=FOLDER"):
        read_start([line])
