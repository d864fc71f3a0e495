"""Published checkpoints: every name and shape, equal outputs, and what cannot be taken."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18
from torchvision.models.resnet import Bottleneck, ResNet

from conftest import Run
from lookhear import load_model
from lookhear.errors import LookhearError
from lookhear.nets.backbones import backbone_features
from lookhear.nets.sound import NetVLAD, VGGSoundEncoder
from lookhear.nets.state_dicts import read_state
from lookhear.stanet.published import PUBLISHED, convert, network_of, renamed
from lookhear.stanet.sources import SA, ST, S, SHead, STHead
from lookhear.stanet.sta import STA, STAHead
from lookhear.training.initial_weights import initialise, parts_of

GOLDEN = Path(__file__).parents[1] / "golden"
LISTED_AS = {
    "sta": "sta",
    "scam-s": "scam_s",
    "scam-st": "scam_st",
    "vggsound": "vggsound_netvlad",
}
# A ResNeXt with a block a layer.
TINY_BACKBONE: dict[str, Any] = {"layers": [1, 1, 1, 1], "cardinality": 4, "base_width": 4}


def listed(name: str) -> dict[str, Tensor]:
    """A published state dict of full size, without values."""
    shapes = json.loads((GOLDEN / "published_checkpoint_keys.json").read_text())[name]
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def golden_head(name: str, kind: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights, renamed as those of a head, and all arrays of a published head's figures."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        arrays = {key: torch.from_numpy(golden[key]) for key in golden.files}
    weights = {
        key.removeprefix("weight/"): arrays[key]
        for key in arrays
        if key.startswith("weight/extra_")
    }
    ours = renamed(weights, PUBLISHED[kind].names)
    return {key.removeprefix("head."): ours[key] for key in ours}, arrays


def vggsound_checkpoint() -> tuple[dict[str, Tensor], nn.Module]:
    """A state dict as VGGSound publishes it, and the network that it is of."""
    torch.manual_seed(0)
    net: Any = resnet18(weights=None)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    net.avgpool = NetVLAD()
    net.fc = nn.Identity()
    state = {f"audnet.{key}": tensor for key, tensor in net.state_dict().items()}
    fc = {"audnet.fc_.weight": torch.rand(309, 8192), "audnet.fc_.bias": torch.rand(309)}
    return state | fc, net.eval()


@pytest.fixture
def tiny_sta(monkeypatch: pytest.MonkeyPatch) -> STA:
    """A network that stands in for the published one, at a hundredth of its size."""

    def build() -> STA:
        return STA("resnext101_32x8d", TINY_BACKBONE, None, width=8, time_mixing="published")

    monkeypatch.setitem(PUBLISHED, "sta", PUBLISHED["sta"]._replace(build=build))
    torch.manual_seed(0)
    return build().eval()


def as_published(net: nn.Module, kind: str) -> dict[str, Tensor]:
    theirs = {ours: name for name, ours in PUBLISHED[kind].names.items() if ours}
    return renamed(net.state_dict(), theirs)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_published_name_finds_its_place(kind: str) -> None:
    state = listed(LISTED_AS[kind])
    network = network_of(state, kind)  # strict: none missing, none left over, every shape fits
    assert network.state_dict().keys() == renamed(state, PUBLISHED[kind].names).keys()


@pytest.mark.parametrize(
    ("kind", "unused"),
    [
        ("sta", {"extra_audio_d", "extra_conv_stafusion", "extra_gate", "extra_refineSA"}),
        ("scam-s", set()),
        ("scam-st", set()),
        ("vggsound", {"audnet"}),  # its classifier, see below
    ],
)
def test_only_what_the_published_forwards_never_use_is_left_out(
    kind: str, unused: set[str]
) -> None:
    names = PUBLISHED[kind].names
    state = listed(LISTED_AS[kind])
    left_out = [key for key in state if not renamed({key: state[key]}, names)]
    assert {key.split(".")[0] for key in left_out} == unused
    if kind == "vggsound":
        assert left_out == ["audnet.fc_.weight", "audnet.fc_.bias"]


def test_networks_are_built_as_they_were_published() -> None:
    sta, s, st = (
        network_of(listed(LISTED_AS[kind]), kind) for kind in ("sta", "scam-s", "scam-st")
    )
    assert isinstance(sta, STA)
    assert isinstance(s, S)
    assert isinstance(st, ST)
    assert sta.head.time_gate.mixing == st.head.time_gate.mixing == "published"
    assert sta.input_size == (356, 356)
    assert s.categories == st.categories == tuple(sorted(s.categories))
    assert len(s.categories) == 28


@torch.inference_mode()
def test_a_converted_s_says_what_the_published_one_says() -> None:
    weights, golden = golden_head("scam_s", "scam-s")
    head = SHead(16, 28)
    head.load_state_dict(weights)
    maps = head(golden["input/features"])
    torch.testing.assert_close(maps.fused, golden["output/map_2"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_converted_st_says_what_the_published_one_says() -> None:
    weights, golden = golden_head("scam_st", "scam-st")
    head = STHead(16, 28, width=16, time_mixing="published")
    head.classifier = nn.Conv2d(16, 28, 1)  # the golden's
    head.load_state_dict(weights)
    target, before, after = (head.see(golden[f"input/features_{i}"]) for i in (1, 2, 3))
    maps = head.attend(before, target, after)
    torch.testing.assert_close(maps.fused, golden["output/map_1_fused"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_converted_sta_says_what_the_published_one_says() -> None:
    weights, golden = golden_head("sta", "sta")
    head = STAHead((8, 12, 16), width=32, sound_channels=64, time_mixing="published")
    head.load_state_dict(weights)
    seen = []
    for frame in range(3):
        features, x = [], golden[f"input/image_{frame}"]
        for level, stride in enumerate((4, 2, 2)):
            kernel, bias = (golden[f"weight/features{level}.{kind}"] for kind in ("weight", "bias"))
            x = F.conv2d(x, kernel, bias, stride=stride, padding=1)
            features.append(x)
        seen.append(
            head.see((features[0], features[1], features[2]), golden[f"input/audio_{frame}"])
        )
    _, fine = head.attend(seen[0], seen[1], seen[2])
    upsampled = F.interpolate(fine, (96, 96), mode="bilinear")
    torch.testing.assert_close(upsampled, golden["output/out1_0"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_converted_backbone_sees_what_torchvisions_sees() -> None:
    torch.manual_seed(0)
    net = ResNet(Bottleneck, [1, 1, 1, 1], groups=4, width_per_group=4).eval()
    layers = list(net.children())
    published = nn.ModuleDict(
        {
            "features0": nn.Sequential(*layers[:6]),
            "features1": layers[6],
            "features2": layers[7],
        }
    )
    state = renamed(published.state_dict(), PUBLISHED["sta"].names)
    backbone = backbone_features("resnext101_32x8d", **TINY_BACKBONE).eval()
    backbone.load_state_dict({key.removeprefix("backbone."): state[key] for key in state})
    x = picture = torch.rand(2, 3, 64, 96)
    for features, level in zip(backbone(picture), published.values(), strict=True):
        x = level(x)
        torch.testing.assert_close(features, x)


def test_a_converted_checkpoint_is_a_model_to_load(tiny_sta: STA, tmp_path: Path, run: Run) -> None:
    checkpoint = tmp_path / "sta.pth"
    torch.save(as_published(tiny_sta, "sta"), checkpoint)
    code, out, _ = run("convert", checkpoint, "--as", "sta", "--out", tmp_path / "model")
    assert (code, out.strip().endswith(f"--model {tmp_path / 'model'}")) == (0, True)
    loaded = load_model(tmp_path / "model")
    assert loaded.head.time_gate.mixing == "published"
    moment = torch.rand(1, 3, 3, 64, 64)
    torch.testing.assert_close(loaded(moment), tiny_sta(moment))
    card = (tmp_path / "model" / "README.md").read_text()
    assert "sta.pth" in card
    assert "license" not in card  # for it is not known


@torch.inference_mode()
def test_a_converted_sound_encoder_hears_what_the_published_one_hears(
    tmp_path: Path, run: Run
) -> None:
    state, published = vggsound_checkpoint()
    checkpoint, folder = tmp_path / "vggsound_netvlad.pth.tar", tmp_path / "encoder"
    torch.save({"epoch": 3, "model_state_dict": state, "optimizer": {"lr": 0.1}}, checkpoint)
    code, _, err = run("convert", checkpoint, "--as", "vggsound", "--out", folder)
    assert (code, err) == (0, "")
    assert json.loads((folder / "config.json").read_text()) == {"sound_encoder": "vggsound"}
    encoder = VGGSoundEncoder().eval()
    encoder.load_state_dict(
        {
            name.removeprefix("sound_encoder."): tensor
            for name, tensor in load_file(folder / "model.safetensors").items()
        }
    )
    spectrograms = torch.randn(2, 257, 98)
    heard = published(spectrograms[:, None])
    torch.testing.assert_close(encoder(spectrograms), heard)
    light = {"backbone": "resnet10t", "backbone_args": {"channels": [8, 8, 16, 16]}}
    for net in (SA(("dog", "horn"), width=8, **light), STA(width=8, **light)):
        initialise(net, parts_of(folder, "sound_encoder"))
        torch.testing.assert_close(net.eval().sound_encoder(spectrograms), heard)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_state_dict_is_read_however_it_is_wrapped(
    tmp_path: Path, prefix: str, wrapper: str | None, zipped: bool
) -> None:
    state = {"a.weight": torch.rand(2, 3), "module_of_its_own.b": torch.tensor(7)}
    held: Any = {prefix + key: tensor for key, tensor in state.items()}
    if wrapper:
        held = {"epoch": 3, wrapper: held, "optimizer": {"lr": 0.1}}
    file = tmp_path / "checkpoint.pth.tar"
    torch.save(held, file, _use_new_zipfile_serialization=zipped)
    read = read_state(file)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], state[key]) for key in state)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file({"module.a": torch.ones(2)}, tmp_path / "weights.safetensors")
    torch.testing.assert_close(read_state(tmp_path / "weights.safetensors")["a"], torch.ones(2))
    (tmp_path / "broken.safetensors").write_bytes(b"half of it")
    with pytest.raises(LookhearError, match="cannot be read"):
        read_state(tmp_path / "broken.safetensors")


def test_half_precision_becomes_single() -> None:
    state = {
        key: torch.zeros(tensor.shape, dtype=torch.float16, device="meta")
        for key, tensor in listed("vggsound_netvlad").items()
    }
    network = network_of(state, "vggsound")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def unusable(file: Path, kind: str) -> None:
    state = {key: torch.zeros(shape) for key, shape in {"a.weight": (2, 2), "b": (1,)}.items()}
    if kind == "whole module":
        torch.save(nn.Linear(2, 2), file)
    elif kind == "other objects":
        torch.save({"state_dict": state, "best": Path("best")}, file)
    elif kind == "another network":
        torch.save(state, file)
    elif kind == "no state dict":
        torch.save([1, 2, 3], file)
    elif kind == "no tensors":
        torch.save({"epoch": 3}, file)
    elif kind == "nothing in it":
        torch.save({}, file)
    elif kind == "cut off":
        torch.save(state, file)
        file.write_bytes(file.read_bytes()[:500])
    elif kind == "empty":
        file.touch()
    elif kind == "text":
        file.write_text("weights\n" * 50)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("whole module", r"holds more than weights \(torch.nn.modules.linear.Linear\).*state_dict"),
        ("other objects", "holds more than weights"),
        ("another network", r"not the weights of sta: .* 2 not known \(a.weight, b\)"),
        ("no state dict", "holds no state dict"),
        ("no tensors", "holds no state dict"),
        ("nothing in it", "holds no state dict"),
        ("cut off", "cannot be read"),
        ("empty", "cannot be read"),
        ("text", "cannot be read"),
        ("not there", "no such file"),
    ],
)
def test_what_cannot_be_converted_is_one_line(
    tmp_path: Path, run: Run, kind: str, complaint: str
) -> None:
    file = tmp_path / "checkpoint.pth"
    unusable(file, kind)
    code, out, err = run("convert", file, "--as", "sta", "--out", tmp_path / "runs" / "model")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"lookhear: {file}: ")
    assert re.search(complaint, err)
    assert not (tmp_path / "runs").exists()


def test_weights_of_another_published_network_are_recognised(tmp_path: Path) -> None:
    state, _ = vggsound_checkpoint()
    torch.save(state, tmp_path / "sound.pth")
    with pytest.raises(LookhearError, match="these are the weights of vggsound; use --as vggsound"):
        convert(tmp_path / "sound.pth", "scam-s", tmp_path / "model")


def test_a_tensor_of_another_shape_is_named_as_it_was_published(
    tiny_sta: STA, tmp_path: Path
) -> None:
    state = as_published(tiny_sta, "sta")
    state["extra_out0.weight"] = torch.zeros(2, 8, 1, 1)
    del state["extra_ConvGRU.out_gate.bias"]
    torch.save(state, tmp_path / "sta.pth")
    complaint = (
        r"1 missing \(extra_ConvGRU.out_gate.bias\), 1 of another shape "
        r"\(extra_out0.weight: \(2, 8, 1, 1\) where \(1, 8, 1, 1\) is needed\)"
    )
    with pytest.raises(LookhearError, match=complaint):
        convert(tmp_path / "sta.pth", "sta", tmp_path / "model")


def test_an_unknown_kind_and_a_taken_folder_are_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    code, _, err = run("convert", "x.pth", "--as", "sta", "--out", tmp_path / "taken")
    assert (code, "choose another --out" in err) == (1, True)
    code, _, err = run("convert", "x.pth", "--as", "stanet", "--out", tmp_path / "model")
    assert (code, "there are sta, scam-s, scam-st, vggsound" in err) == (1, True)


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tiny_sta: STA, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    torch.save(as_published(tiny_sta, "sta"), tmp_path / "sta.pth")
    monkeypatch.setattr(STA, "save_pretrained", full)
    code, _, err = run("convert", tmp_path / "sta.pth", "--as", "sta", "--out", tmp_path / "model")
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot be written" in err
    assert [path.name for path in tmp_path.iterdir()] == ["sta.pth"]
