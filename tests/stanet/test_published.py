"""Published checkpoints: every name and shape, equal outputs, and what cannot be taken."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
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
from lookhear.media.spectrogram import REPORT, VGGSOUND
from lookhear.nets.backbones import backbone_features
from lookhear.nets.saved import load_network
from lookhear.nets.sound import NetVLAD, VGGSoundEncoder
from lookhear.nets.state_dicts import read_state
from lookhear.stanet.blocks import UpsampledSoundGate
from lookhear.stanet.published import (
    CATEGORIES,
    CLASSES,
    PUBLISHED,
    Weights,
    convert,
    network_of,
    renamed,
)
from lookhear.stanet.sources import SA, ST, S, SAHead, SHead, STHead
from lookhear.stanet.sources_plus import SAPlus, SPlus, STPlus
from lookhear.stanet.sta import STA, STAHead
from lookhear.stanet.sta_plus import STAPlus
from lookhear.stanet.switch import AudioSwitch, AudioSwitchHead
from lookhear.training.initial_weights import initialise, parts_of

GOLDEN = Path(__file__).parents[1] / "golden"
LISTED_AS = {
    "sta": "sta",
    "scam-s": "scam_s",
    "scam-st": "scam_st",
    "scam-plus-s": "scam_plus_s",
    "scam-plus-sa": "scam_plus_sa",
    "scam-plus-st": "scam_plus_st",
    "sta-plus": "sta_plus",
    "vggsound": "vggsound_netvlad",
}
# A ResNeXt with a block a layer.
TINY_BACKBONE: dict[str, Any] = {"layers": [1, 1, 1, 1], "cardinality": 4, "base_width": 4}
TINY_SWITCH: dict[str, Any] = {
    "backbone": "resnext101_32x8d",
    "backbone_args": TINY_BACKBONE,
    "sound_encoder": "light",
}


def listed(kind: str, width: int = 128, kernels: tuple[int, int, int] = (3, 3, 4)) -> Weights:
    """A published state dict of full size, without values.

    Of AudioSwitch and SA there are no lists, but of their parts; the rest is that of the published
    code. The width is AudioSwitch's, the kernels are those by which SA grows its sound.
    """
    lists = json.loads((GOLDEN / "published_checkpoint_keys.json").read_text())
    if kind in LISTED_AS:
        shapes = lists[LISTED_AS[kind]]
    else:
        hearing = {key: of for key, of in lists["sta"].items() if key.startswith("audio_model.")}
        seeing = {key: of for key, of in lists["scam_st"].items() if key.startswith("features.")}
        shapes = hearing | seeing
    if kind == "audio-switch":
        renamed = (("audio_model", "layerA"), ("features", "layerV"))
        for theirs, own in renamed:
            shapes = {
                re.sub(rf"^{theirs}\.", f"{own}.", key): shape for key, shape in shapes.items()
            }
        layers = {
            "layerA_d": (width, 8192),
            "layerV_d": (width, 2048),
            "extra_bilinear": (width, width, width),
            "fc": (2, width),
        }
        shapes |= {f"{name}.weight": shape for name, shape in layers.items()}
        shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    if kind == "scam-sa":
        own = ("extra_conv", "extra_ConvGRU", "extra_gate", "extra_proj")
        deep = {key: of for key, of in lists["scam_st"].items() if key.startswith("extra_convs.")}
        shapes |= {key.replace("convs", "video_d"): shape for key, shape in deep.items()}
        shapes |= {key: of for key, of in lists["scam_s"].items() if key.startswith(own)}
        del shapes["extra_convs.weight"], shapes["extra_convs.bias"]
        grown = {f"Aup.{2 * layer}": (2048, 2048, k, k) for layer, k in enumerate(kernels)}
        layers = {
            "extra_audio_d": (2048, 8192),
            **grown,
            "extra_convs.0": (28, 2048, 1, 1),
            "extra_convs.1": (1, 28, 1, 1),
        }
        shapes |= {f"{name}.weight": shape for name, shape in layers.items()}
        shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def golden_head(name: str, kind: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights, renamed as those of a head, and all arrays of a published head's figures."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        arrays = {key: torch.from_numpy(golden[key]) for key in golden.files}
    weights = {
        key.removeprefix("weight/"): arrays[key]
        for key in arrays
        if key.startswith(("weight/extra_", "weight/Aup"))
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

    def build(*_: object) -> STA:
        return STA("resnext101_32x8d", TINY_BACKBONE, None, width=8, time_mixing="published")

    monkeypatch.setitem(PUBLISHED, "sta", PUBLISHED["sta"]._replace(build=build))
    torch.manual_seed(0)
    return build().eval()


def as_published(net: nn.Module, kind: str) -> dict[str, Tensor]:
    theirs = {ours: name for name, ours in PUBLISHED[kind].names.items() if ours}
    return renamed(net.state_dict(), theirs)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_published_name_finds_its_place(kind: str) -> None:
    state, published = listed(kind), PUBLISHED[kind]
    network = network_of(state, kind, CATEGORIES)  # strict: none missing, none left over
    assert network.state_dict().keys() == renamed(published.joined(state), published.names).keys()


@pytest.mark.parametrize(
    ("kind", "unused"),
    [
        ("sta", {"extra_audio_d", "extra_conv_stafusion", "extra_gate", "extra_refineSA"}),
        ("audio-switch", set()),
        ("scam-s", set()),
        ("scam-sa", set()),
        ("scam-st", set()),
        ("scam-plus-s", {"extra_conv_stfusion"}),
        ("scam-plus-sa", {"extra_audio_d", "extra_bilinear", "extra_refineSA"}),
        ("scam-plus-st", {"extra_ConvGRU"}),
        ("sta-plus", {"extra_audio_d", "extra_bilinear", "extra_refineSA"}),
        ("vggsound", {"audnet"}),  # its classifier, see below
    ],
)
def test_only_what_the_published_forwards_never_use_is_left_out(
    kind: str, unused: set[str]
) -> None:
    names = PUBLISHED[kind].names
    state = listed(kind)
    left_out = [key for key in state if not renamed({key: state[key]}, names)]
    assert {key.split(".")[0] for key in left_out} == unused
    if kind == "vggsound":
        assert left_out == ["audnet.fc_.weight", "audnet.fc_.bias"]


def test_networks_are_built_as_they_were_published() -> None:
    sta, s, st = (
        network_of(listed(kind), kind, CATEGORIES) for kind in ("sta", "scam-s", "scam-st")
    )
    assert isinstance(sta, STA)
    assert isinstance(s, S)
    assert isinstance(st, ST)
    assert sta.head.time_gate.mixing == st.head.time_gate.mixing == "published"
    assert sta.input_size == (356, 356)
    assert s.categories == st.categories == CATEGORIES


def test_the_plus_networks_are_built_as_they_were_published() -> None:
    kinds = ("scam-plus-s", "scam-plus-sa", "scam-plus-st", "sta-plus")
    s, sa, st, sta = (network_of(listed(kind), kind, CATEGORIES) for kind in kinds)
    assert isinstance(s, SPlus)
    assert isinstance(sa, SAPlus)
    assert isinstance(st, STPlus)
    assert isinstance(sta, STAPlus)
    assert s.published
    assert sa.head.published
    assert st.head.propagation.gru is None
    assert st.head.time_gate.mixing == sta.head.time_gate.mixing == "published"
    assert s.categories == sa.categories == st.categories == CATEGORIES
    assert {net.input_size for net in (s, sa, st, sta)} == {(256, 256)}
    assert {net.backbone.feature_info.reduction()[0] for net in (s, sa, st, sta)} == {8}


@pytest.mark.parametrize("width", [128, 512])  # of the published training, and of its STA's test
def test_an_audio_switch_is_built_as_it_was_published(width: int) -> None:
    net = network_of(listed("audio-switch", width), "audio-switch")
    assert isinstance(net, AudioSwitch)
    assert net.activation == "sigmoid"
    assert net.input_size == (356, 356)
    assert net.head.match.weight.shape == (2, width, width)
    assert net.sound_encoder.windows == VGGSOUND


@pytest.mark.parametrize(
    ("kernels", "sound_gate", "side"),
    [((3, 3, 4), "report", 256), ((4, 4, 3), "report-fine", 356)],
)
def test_the_stage_of_an_sa_is_known_by_its_kernels(
    kernels: tuple[int, int, int], sound_gate: str, side: int
) -> None:
    net = network_of(listed("scam-sa", kernels=kernels), "scam-sa", CLASSES["report"])
    assert isinstance(net, SA)
    assert isinstance(net.head.sound_gate, UpsampledSoundGate)
    strides = [layer.stride[0] for layer in net.head.sound_gate.upsample[::2]]
    assert strides == ([1, 1, 1] if sound_gate == "report" else [2, 2, 1])
    assert net.input_size == (side, side)
    assert net.sound_encoder.windows == REPORT
    assert net.categories == CLASSES["report"]


def test_orders_of_classes_are_as_published() -> None:
    listed_by_report = json.loads((GOLDEN / "report_categories.json").read_text())
    assert CLASSES["report"] == tuple(listed_by_report)
    assert CLASSES["ave"] == tuple(sorted(listed_by_report))
    moved = [a != b for a, b in zip(CLASSES["ave"], CLASSES["report"], strict=True)]
    assert all(moved)  # not one name is right if the orders are taken for one another


@torch.inference_mode()
def test_a_converted_s_says_what_the_published_one_says() -> None:
    weights, golden = golden_head("scam_s", "scam-s")
    head = SHead(16, 28)
    head.load_state_dict(weights)
    maps = head(golden["input/features"])
    torch.testing.assert_close(maps.fused, golden["output/map_2"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_converted_sa_says_what_the_reports_says() -> None:
    weights, golden = golden_head("scam_sa", "scam-sa")
    head = SAHead(16, 28, width=16, sound_channels=64, sound_gate="report")
    head.classifier = nn.Conv2d(16, 28, 1)  # the golden's
    head.load_state_dict(weights)
    maps = head(golden["input/features"], golden["input/audio"])
    torch.testing.assert_close(maps.fused, golden["output/map_2"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_converted_audio_switch_decides_as_the_published_one() -> None:
    torch.manual_seed(0)
    sound, picture = nn.Linear(24, 8), nn.Linear(16, 8)
    bilinear, linear = nn.Bilinear(8, 8, 8), nn.Linear(8, 2)
    named = {"layerA_d": sound, "layerV_d": picture, "extra_bilinear": bilinear, "fc": linear}
    published = PUBLISHED["audio-switch"]
    joined = published.joined(nn.ModuleDict(named).state_dict())
    ours = renamed({key: tensor.float() for key, tensor in joined.items()}, published.names)
    head = AudioSwitchHead(16, 24, width=8)
    head.load_state_dict({key.removeprefix("head."): tensor for key, tensor in ours.items()})
    features, sounds = torch.randn(64, 16, 3, 4), torch.randn(64, 24)
    logits = linear(bilinear(sound(sounds), picture(features.mean((2, 3)))))
    torch.testing.assert_close(head(features, sounds), logits, atol=1e-5, rtol=1e-5)
    net = AudioSwitch(**TINY_SWITCH, activation="sigmoid")
    belongs = net.probability(head(features, sounds)) > 0.5
    assert torch.equal(belongs, logits[:, 1] > 0)
    assert not torch.equal(belongs, logits[:, 1] > logits[:, 0])


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
        for key, tensor in listed("vggsound").items()
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
        (
            "whole module",
            r"holds more than weights \(torch.nn.modules.linear.Linear\).*: python -c",
        ),
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


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("scam-sa", {"Aup.0.weight": ()}),
        ("audio-switch", {"layerA_d.bias": ()}),
        ("audio-switch", {"extra_bilinear.bias": (3,)}),
        ("audio-switch", {"extra_bilinear.weight": (8, 8)}),
        ("audio-switch", {"fc.weight": (2, 7)}),
        ("audio-switch", {"fc.bias": (5,)}),
    ],
)
def test_layers_by_which_a_network_is_built_may_be_of_any_shape(
    tmp_path: Path, kind: str, shapes: dict[str, tuple[int, ...]]
) -> None:
    layers = {"extra_bilinear": (8, 8, 8), "fc": (2, 8)}
    fitting = {f"{name}.weight": shape for name, shape in layers.items()}
    fitting |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    file = tmp_path / "weights.pth"
    torch.save({name: torch.zeros(shape) for name, shape in (fitting | shapes).items()}, file)
    with pytest.raises(LookhearError, match=f"not the weights of {kind}: .* missing"):
        convert(file, kind, tmp_path / "model")


def test_an_unknown_kind_and_a_taken_folder_are_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    code, _, err = run("convert", "x.pth", "--as", "sta", "--out", tmp_path / "taken")
    assert (code, "choose another --out" in err) == (1, True)
    code, _, err = run("convert", "x.pth", "--as", "stanet", "--out", tmp_path / "model")
    assert code == 1
    assert "there are sta, audio-switch, scam-s, scam-sa, scam-st, scam-plus-s" in err


@pytest.fixture
def tiny_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Weights of a network that stands in for the published S, and for its ST."""

    def build(_: object, classes: Sequence[str]) -> S:
        return S(classes, "resnext101_32x8d", TINY_BACKBONE)

    for kind in ("scam-s", "scam-sa", "scam-st"):
        published = PUBLISHED["scam-s"]._replace(build=build, order=PUBLISHED[kind].order)
        monkeypatch.setitem(PUBLISHED, kind, published)
    torch.manual_seed(0)
    torch.save(as_published(build(None, CATEGORIES), "scam-s"), tmp_path / "s.pth")
    (tmp_path / "names.txt").write_text("\n".join(f"class {i}" for i in range(28)))
    (tmp_path / "names.json").write_text(json.dumps([f"class {i}" for i in range(28)]))
    return tmp_path / "s.pth"


@pytest.mark.parametrize("kind", ["scam-s", "scam-st"])
def test_the_order_of_classes_is_not_guessed(tiny_s: Path, run: Run, kind: str) -> None:
    folder = tiny_s.parent / "model"
    code, out, err = run("convert", tiny_s, "--as", kind, "--out", folder)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"lookhear: {tiny_s}: ")
    for way in ("--classes ave", "--classes report", "--classes FILE"):
        assert way in err
    assert not folder.exists()


@pytest.mark.parametrize("classes", ["ave", "report", "names.txt", "names.json"])
def test_classes_have_the_names_that_are_given(tiny_s: Path, run: Run, classes: str) -> None:
    given = classes if classes in CLASSES else tiny_s.parent / classes
    folder = tiny_s.parent / "model"
    code, out, err = run("convert", tiny_s, "--as", "scam-s", "--classes", given, "--out", folder)
    assert (code, err) == (0, "")
    assert f"classes in the order of {given}" in out
    names = CLASSES.get(classes, tuple(f"class {i}" for i in range(28)))
    assert load_network(S, folder).categories == names
    assert f"in the order of {given}" in (folder / "README.md").read_text()


def test_only_the_report_has_an_sa_and_so_its_order_is_known(tiny_s: Path, run: Run) -> None:
    folder = tiny_s.parent / "model"
    code, out, _ = run("convert", tiny_s, "--as", "scam-sa", "--out", folder)
    assert (code, "classes in the order of report, as no other scam-sa" in out) == (0, True)
    assert load_network(S, folder).categories == CLASSES["report"]


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [
        ("AVE", "no such file; give ave or report, or a file of names"),
        ("", "no such file; give ave or report, or a file of names"),
        ("few.txt", "names 2 different classes, but the weights tell 28 apart"),
        ("twice.json", "names 1 different classes, but the weights tell 28 apart"),
        ("broken.json", "cannot be read as JSON"),
        ("deep.json", "cannot be read as JSON"),
        ("object.json", "holds no list of names"),
        ("s.pth", "cannot be read as names"),
    ],
)
def test_classes_that_cannot_be_are_one_line(
    tiny_s: Path, run: Run, monkeypatch: pytest.MonkeyPatch, classes: str, complaint: str
) -> None:
    monkeypatch.chdir(tiny_s.parent)
    Path("few.txt").write_text("dog\nhorn\n")
    Path("twice.json").write_text(json.dumps(["dog"] * 28))
    Path("broken.json").write_text('["dog", ')
    Path("deep.json").write_text("[" * 100_000)
    Path("object.json").write_text('{"dog": 0}')
    code, out, err = run("convert", "s.pth", "--as", "scam-s", "--classes", classes, "--out", "m")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert complaint in err
    assert not Path("m").exists()


def test_classes_of_what_has_none_are_refused(tmp_path: Path, run: Run) -> None:
    code, _, err = run("convert", "x", "--as", "sta", "--classes", "ave", "--out", tmp_path / "m")
    assert (code, "sta tells no classes apart; leave it out" in err) == (1, True)


def test_weights_of_a_whole_module_are_saved_as_the_message_says(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 3))
    file = tmp_path / "27001.pt"
    torch.save(module, file)
    with pytest.raises(LookhearError, match="holds more than weights") as refused:
        read_state(file)
    command = str(refused.value).partition("made it: python ")[2]
    subprocess.run(f"{sys.executable} {command}", shell=True, check=True, cwd=tmp_path)
    assert torch.equal(read_state(tmp_path / "weights.pth")["0.weight"], module[0].weight)


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
