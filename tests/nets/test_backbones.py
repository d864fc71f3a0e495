"""Backbones that keep stride 8 to their end, and of one layer; which networks see alike."""

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import vgg16

from lookhear.nets.backbones import (
    DILATED_VGG,
    ONE_LAYER,
    PictureNet,
    alike,
    backbone_features,
    fold_norms,
)


def as_published() -> nn.Sequential:
    """torchvision's VGG-16 with its last pooling at stride 1 and three convolutions dilated."""
    layers = vgg16(weights=None).features[:30]
    layers[23] = nn.MaxPool2d(3, stride=1, padding=1)
    for position in (24, 26, 28):
        layers[position] = nn.Conv2d(512, 512, 3, padding=2, dilation=2)
    features: nn.Sequential = layers.eval()
    return features


@pytest.fixture(scope="module")
def published() -> nn.Sequential:
    torch.manual_seed(0)
    return as_published()


@torch.inference_mode()
def test_the_dilated_vgg_is_torchvisions_changed_as_published(published: nn.Sequential) -> None:
    backbone = backbone_features(DILATED_VGG, (8,)).eval()
    backbone.load_state_dict(
        {f"features_{name}": weight for name, weight in published.state_dict().items()}
    )
    picture = torch.rand(1, 3, 48, 64)
    (features,) = backbone(picture)
    assert features.shape == (1, 512, 6, 8)
    torch.testing.assert_close(features, published(picture), atol=1e-6, rtol=1e-5)
    assert backbone.feature_info.channels() == [512]
    assert backbone.feature_info.reduction() == [8]


@pytest.mark.parametrize(
    ("strides", "arguments", "complaint"),
    [((8, 16), {}, "at strides"), ((8,), {"pretrained": True}, "not allowed")],
)
def test_what_the_dilated_vgg_cannot_do_is_refused(
    strides: tuple[int, ...], arguments: dict[str, bool], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        backbone_features(DILATED_VGG, strides, **arguments)


@torch.inference_mode()
def test_one_layer_sees_its_channels_at_stride_4() -> None:
    backbone = backbone_features(ONE_LAYER, (4,), channels=10).eval()
    (features,) = backbone(torch.rand(2, 3, 72, 128))
    assert features.shape == (2, 10, 18, 32)
    assert backbone.feature_info.channels() == [10]
    assert backbone.feature_info.reduction() == [4]
    assert not any(isinstance(of, nn.BatchNorm2d) for of in fold_norms(backbone).modules())
    with pytest.raises(ValueError, match="at stride 4"):
        backbone_features(ONE_LAYER, (4, 8))


@torch.inference_mode()
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilenetv3_small_050", "resnet10t"])
def test_layers_past_the_last_stride_are_left_out(name: str) -> None:
    whole, cut = (backbone_features(name, strides).eval() for strides in ((8, 16, 32), (8, 16)))
    weights = whole.state_dict()
    cut.load_state_dict({key: weights[key] for key in cut.state_dict()})
    assert sum(of.numel() for of in cut.parameters()) < 0.5 * sum(
        of.numel() for of in whole.parameters()
    )
    picture = torch.rand(1, 3, 64, 96)
    for seen, same in zip(whole(picture), cut(picture), strict=False):
        torch.testing.assert_close(same, seen)


LIGHT: dict[str, Any] = {"channels": [8, 8, 16, 16], "stem_width": 4, "zero_init_last": False}


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "arguments", "first"),
    [
        ("resnet10t", LIGHT, 0),
        ("tf_efficientnet_lite0", {}, 1),
        ("tf_efficientnet_lite0_shallow", {}, 1),
    ],
)
def test_a_dilated_backbone_sees_at_every_second_place_what_it_sees_at_stride_16(
    name: str, arguments: dict[str, Any], first: int
) -> None:
    """With the same weights: what is dilated looks as far as before."""
    torch.manual_seed(0)
    plain = backbone_features(name, (16,), **arguments).eval()
    dilated = backbone_features(f"{name}_dilated", (8,), **arguments).eval()
    dilated.load_state_dict(plain.state_dict())
    picture = torch.rand(2, 3, 64, 96)
    (coarse,), (fine,) = plain(picture), dilated(picture)
    assert coarse.shape[2:] == (4, 6)
    assert fine.shape == (*coarse.shape[:2], 8, 12)
    assert coarse.std() > 0.1
    torch.testing.assert_close(fine[..., first::2, first::2], coarse, atol=1e-5, rtol=1e-5)
    assert dilated.feature_info.reduction() == [8]
    assert dilated.feature_info.channels() == plain.feature_info.channels()


@torch.inference_mode()
def test_a_shallow_backbone_ends_after_the_first_stage_at_its_last_stride() -> None:
    torch.manual_seed(0)
    whole = backbone_features("tf_efficientnet_lite0", (8, 16)).eval()
    shallow = backbone_features("tf_efficientnet_lite0_shallow", (8, 16)).eval()
    weights: Any = whole.state_dict()
    assert {*shallow.state_dict()} < {*weights}
    shallow.load_state_dict({key: weights[key] for key in shallow.state_dict()})
    seen = []
    whole.blocks[3].register_forward_hook(lambda *of: seen.append(of[2]))
    picture = torch.rand(1, 3, 64, 96)
    finer, features = shallow(picture)
    torch.testing.assert_close(finer, whole(picture)[0])
    torch.testing.assert_close(features, seen[0])
    assert features.shape == (1, 80, 4, 6)
    assert shallow.feature_info.channels() == [40, 80]


def test_a_place_of_a_shallow_backbone_sees_147_pixels() -> None:
    backbone = backbone_features("tf_efficientnet_lite0_shallow", (16,)).eval()
    picture = torch.rand(1, 3, 512, 512, requires_grad=True)
    backbone(picture)[0][0, :, 16, 16].sum().backward()
    assert picture.grad is not None
    rows, columns = (picture.grad[0].abs().sum(0).sum(axis).nonzero() for axis in (1, 0))
    assert [int(of.max() - of.min()) + 1 for of in (rows, columns)] == [147, 147]


@pytest.mark.parametrize(("name", "stride"), [("resnet10t", 16), ("tf_efficientnet_lite0", 8)])
def test_what_cannot_end_earlier_is_refused(name: str, stride: int) -> None:
    with pytest.raises(ValueError, match=f"one stage only at stride {stride}"):
        backbone_features(f"{name}_shallow", (stride,))


def test_what_no_dilated_backbone_can_do_is_refused() -> None:
    with pytest.raises(ValueError, match="at strides"):
        backbone_features("resnet10t_dilated", (16,), **LIGHT)
    with pytest.raises(ValueError, match="timm has no model"):
        backbone_features("no_such_net_dilated", (8,))


class Eyes(PictureNet):
    """No more than a backbone."""

    def __init__(self, size: tuple[int, int] = (64, 96), channels: int = 16) -> None:
        torch.manual_seed(0)
        args = LIGHT | {"channels": [8, 8, 16, channels]}
        super().__init__("resnet10t", args, (16,), size)


def test_networks_see_alike_by_weights_norms_size_and_scale() -> None:
    one, other = Eyes(), Eyes()
    assert one.sees_as(other)
    assert not one.sees_as(Eyes(size=(64, 64)))
    assert not one.sees_as(Eyes(channels=24))
    with torch.no_grad():
        next(other.backbone.parameters())[0, 0, 0, 0] += 1e-4
    assert not one.sees_as(other)
    third = Eyes()
    norm = next(module for module in third.modules() if isinstance(module, nn.BatchNorm2d))
    assert norm.running_mean is not None
    norm.running_mean += 1
    assert not one.sees_as(third)
    scaled = Eyes()
    scaled.mean = scaled.mean * 2
    assert not one.sees_as(scaled)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "arguments"), [("resnet10t", LIGHT), ("tf_efficientnet_lite0", {}), ("resnet18", {})]
)
def test_folded_norms_are_gone_and_all_is_seen_as_before(
    name: str, arguments: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    backbone = backbone_features(name, **arguments).eval()
    with_chance_norms(backbone)
    folded = fold_norms(backbone)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    picture = torch.rand(1, 3, 64, 96)
    for seen, same in zip(backbone(picture), folded(picture), strict=True):
        torch.testing.assert_close(same, seen, atol=1e-4 * float(seen.abs().max()), rtol=1e-4)


def test_a_network_in_training_is_folded_as_it_is_and_stays_so() -> None:
    torch.manual_seed(0)
    backbone = backbone_features("resnet10t", **LIGHT)
    with_chance_norms(backbone)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    folded = fold_norms(backbone.train())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert backbone.training
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("name", ["resnetv2_50", "densenet121"])
def test_norms_that_come_before_their_convolutions_are_left(name: str) -> None:
    """Of the first, some follow convolutions that others see, too; of the second, none fit."""
    torch.manual_seed(0)
    backbone = backbone_features(name, (16,)).eval()
    with_chance_norms(backbone)
    assert fold_norms(backbone) is backbone


def with_chance_norms(network: nn.Module) -> None:
    """Give batch norms something to say."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, least, most in (
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 2),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.3, 0.3),
            ):
                assert values is not None
                nn.init.uniform_(values, least, most)


@pytest.mark.parametrize(
    "pixels",
    [
        {"mean": [0.5, 0.5, 0.5]},
        {"mean": [0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.0, 0.5]},
        {"mean": [0.5, float("nan"), 0.5], "std": [0.5, 0.5, 0.5]},
    ],
)
def test_pixels_that_cannot_be_scaled_so_are_refused(pixels: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="pixels must have"):
        PictureNet("resnet10t", LIGHT, (16,), (64, 96), pixels)


@torch.inference_mode()
def test_pixels_are_scaled_before_the_backbone_sees_them() -> None:
    scale = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 2.0]}
    net = PictureNet("resnet10t", LIGHT, (16,), (64, 96), scale).eval()
    picture = torch.rand(1, 3, 64, 96)
    mean, std = (torch.tensor(values)[:, None, None] for values in scale.values())
    assert torch.equal(net.features(picture)[0], net.backbone((picture - mean) / std)[0])


def test_networks_are_alike_in_more_than_their_weights() -> None:
    """A pooling has none."""
    one, other = nn.MaxPool2d(2), nn.MaxPool2d(2)
    assert alike(one, other)
    assert not alike(one, nn.MaxPool2d(3))
    assert not alike(nn.Linear(2, 3), nn.Linear(2, 3))
