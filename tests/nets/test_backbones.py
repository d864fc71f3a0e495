"""The backbone of the "+" networks: VGG-16 that keeps stride 8 to its end."""

import pytest
import timm
import torch
from torch import nn
from torchvision.models import vgg16

from lookhear.nets.backbones import DILATED_VGG, backbone_features, load_pretrained


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


def test_the_dilated_vgg_begins_with_weights_that_timm_knows(
    published: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = backbone_features(DILATED_VGG, (8,))
    create = timm.create_model

    def offline(name: str, pretrained: bool, **options: object) -> nn.Module:
        assert (name, pretrained) == ("vgg16.tv_in1k", True)
        net: nn.Module = create("vgg16", **options)
        weights = published.state_dict().items()
        net.load_state_dict({f"features_{name}": weight for name, weight in weights})
        return net

    monkeypatch.setattr(timm, "create_model", offline)
    load_pretrained(backbone, "vgg16.tv_in1k")
    assert torch.equal(backbone.features_28.weight, published[28].weight)


@pytest.mark.parametrize(
    ("strides", "arguments", "complaint"),
    [((8, 16), {}, "at strides"), ((8,), {"pretrained": True}, "not allowed")],
)
def test_what_the_dilated_vgg_cannot_do_is_refused(
    strides: tuple[int, ...], arguments: dict[str, bool], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        backbone_features(DILATED_VGG, strides, **arguments)
