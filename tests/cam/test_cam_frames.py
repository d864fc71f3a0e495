"""Networks that look at each frame by itself have maps in time."""

import pytest
import torch
from torch import nn

from frame_nets import FRAMES, SIDE, Consensus, OneByOne, PerFrame, TimesFirst
from lookhear.cam import METHODS, class_activation, find_layer, prediction_layer
from lookhear.cam.watched import Watched

CLASSES = torch.tensor([1, 2, 0])


def clips(count: int = 3) -> torch.Tensor:
    noise = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, FRAMES, SIDE, SIDE, generator=noise)


def maps(net: nn.Module, method: str, layer: str | None = None) -> torch.Tensor:
    return class_activation(net.eval(), clips(), CLASSES, method, layer=layer)


@pytest.mark.parametrize("kind", [PerFrame, TimesFirst, OneByOne, Consensus])
def test_the_layer_before_the_pooling_is_found(kind: type[PerFrame]) -> None:
    assert find_layer(kind().eval(), clips()) == "cnn"


@pytest.mark.parametrize("method", [name for name in METHODS if name != "CAM"])
@pytest.mark.parametrize("kind", [TimesFirst, OneByOne])
def test_maps_are_the_same_however_the_frames_go_through(kind: type[PerFrame], method: str) -> None:
    folded = maps(PerFrame(), method)
    assert folded.shape == (len(CLASSES), FRAMES, SIDE // 4, SIDE // 4)
    assert folded.std() > 0
    torch.testing.assert_close(maps(kind(), method), folded, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [PerFrame, TimesFirst, OneByOne])
@pytest.mark.parametrize("layer", ["cnn.1", "cnn.3"])
def test_watched_features_are_those_of_each_clips_frames(kind: type[PerFrame], layer: str) -> None:
    net = kind().eval()
    watched = Watched(net, layer)
    logits = watched(clips())
    torch.testing.assert_close(logits, net(clips()))
    number = int(layer.removeprefix("cnn."))
    alone = net.cnn[: number + 1](clips()[1, :, 4][None])[0]
    torch.testing.assert_close(watched.features[1, :, 4], alone)


def test_a_consensus_of_frames_has_a_prediction_layer() -> None:
    net = Consensus().eval()
    assert prediction_layer(net, clips(), "cnn") == "head"
    cam = maps(net, "CAM")
    assert cam.shape == (len(CLASSES), FRAMES, SIDE // 4, SIDE // 4)
