"""S, SA and ST as classifiers of pictures, and CAM over them."""

import pytest
import torch
from torch import Tensor

from cam_networks import assert_unchanged, everything
from lookhear.cam import METHODS, class_activation
from lookhear.cam import methods as cam_methods
from lookhear.errors import LookhearError
from lookhear.stanet.sources import SA, ST, S
from tiny_sources import LIGHT, LIGHT_SA, TINY, TINY_SA, TINY_ST

EACH_METHOD = pytest.mark.parametrize("method", METHODS)


def source(kind: str) -> tuple[S | SA | ST, dict[str, Tensor], Tensor]:
    """A source with random weights, what it needs besides frames, and three frames."""
    generator = torch.Generator().manual_seed(7)
    frames = torch.rand(3, 3, 96, 128, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        if kind == "S":
            return S(**TINY), {}, frames
        if kind == "ST":
            neighbours = torch.rand(3, 2, 3, 96, 128, generator=generator)
            return ST(**TINY_ST | LIGHT), {"neighbours": neighbours}, frames
        sound = {"sound": torch.rand(3, 257, 98, generator=generator)}
        return SA(**(LIGHT_SA if kind == "SA" else TINY_SA)), sound, frames


@pytest.mark.parametrize("kind", ["S", "SA", "deep SA", "ST"])
def test_a_sources_classifier_gives_its_fused_scores(kind: str) -> None:
    net, context, frames = source(kind)
    net.train()
    before = everything(net)
    classifier = net.as_classifier(**context)
    with torch.inference_mode():
        scores = classifier(frames)
    assert_unchanged(net, before)
    net.eval()
    if isinstance(net, ST):
        before_and_after = context["neighbours"]
        triplets = torch.stack([before_and_after[:, 0], frames, before_and_after[:, 1]], 1)
        expected = net(triplets).scores()[1][:, 1]
    elif isinstance(net, SA):
        expected = net(frames, context["sound"]).scores()[1]
    else:
        expected = net(frames).scores()[1]
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["S", "SA", "ST"])
@EACH_METHOD
def test_each_method_maps_a_source_moment_by_moment(
    method: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cam_methods, "SSCAM_SAMPLES", 2)
    monkeypatch.setattr(cam_methods, "ISCAM_STEPS", 2)
    net, context, frames = source(kind)
    classes = torch.tensor([2, 0, 3])
    maps = class_activation(net.as_classifier(**context), frames, classes, method)
    assert maps.shape == (3, 6, 8)
    assert maps.isfinite().all()
    alone = class_activation(
        net.as_classifier(**{name: part[2:] for name, part in context.items()}),
        frames[2:],
        classes[2:],
        method,
    )
    torch.testing.assert_close(alone, maps[2:], atol=1e-4 * float(maps.amax()), rtol=1e-3)


def test_the_cam_of_a_source_is_its_first_map() -> None:
    net, _, frames = source("S")
    classes = torch.tensor([2, 0, 3])
    maps = class_activation(net.as_classifier(), frames, classes, "CAM")
    bias = net.head.classifier.bias.detach()[:, None, None]
    plain = (net.eval()(frames).plain.detach() - bias)[torch.arange(3), classes]
    torch.testing.assert_close(maps, plain.clamp(min=0), atol=1e-5, rtol=1e-4)


def test_a_source_with_layers_before_its_maps_has_no_cam() -> None:
    net, context, frames = source("deep SA")
    with pytest.raises(LookhearError, match="CAM need"):
        class_activation(net.as_classifier(**context), frames, torch.tensor([0, 0, 0]), "CAM")


def test_the_backbone_sees_a_frame_once_for_a_batch_of_ablated_channels() -> None:
    net, _, frames = source("S")
    classifier = net.as_classifier()
    seen: list[int] = []
    classifier.net.backbone.register_forward_hook(
        lambda _module, args, _output: seen.append(len(args[0]))
    )
    class_activation(classifier, frames[:1], torch.tensor([0]), "AblationCAM", batch_size=16)
    channels = classifier.net.channels[0]
    assert channels > 1
    assert len(seen) == 1 + -(-channels // 16)
    assert set(seen) == {1}


def test_what_a_source_does_not_take_is_refused() -> None:
    net, context, frames = source("ST")
    with pytest.raises(ValueError, match="ST takes neighbours"):
        net.as_classifier()
    with pytest.raises(ValueError, match="S takes"):
        source("S")[0].as_classifier(**context)
    with pytest.raises(ValueError, match="3 frames, but the sound or neighbours of 2"):
        net.as_classifier(neighbours=context["neighbours"][:2])(frames)
