"""CAM over the project's own sources and torchvision's video networks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import video
from torchvision.models.video import mvit, swin_transformer

from cam_networks import CLASSES, assert_unchanged, everything
from lookhear.cam import METHODS, class_activation, find_layer
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


def small_r3d() -> nn.Module:
    return video.r3d_18(num_classes=CLASSES)


def small_s3d() -> nn.Module:
    net = video.s3d(num_classes=CLASSES)
    net.avgpool = nn.AdaptiveAvgPool3d(1)  # the published one needs 224 pixels
    return net


def small_mvit() -> nn.Module:
    def block(heads: int, channels: tuple[int, int], stride: int) -> mvit.MSBlockConfig:
        return mvit.MSBlockConfig(
            num_heads=heads,
            input_channels=channels[0],
            output_channels=channels[1],
            kernel_q=[3, 3, 3],
            kernel_kv=[3, 3, 3],
            stride_q=[1, stride, stride],
            stride_kv=[1, 2, 2],
        )

    return mvit.MViT(
        spatial_size=(64, 64),
        temporal_size=8,
        block_setting=[block(1, (8, 8), 1), block(2, (8, 16), 2), block(2, (16, 16), 1)],
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        num_classes=CLASSES,
    )


def small_swin() -> nn.Module:
    return swin_transformer.SwinTransformer3d(
        patch_size=[2, 4, 4],
        embed_dim=12,
        depths=[1, 2],
        num_heads=[1, 2],
        window_size=[2, 4, 4],
        num_classes=CLASSES,
    )


@pytest.mark.parametrize(
    ("build", "frames", "layer", "grid"),
    [
        (small_r3d, 4, "layer4", (1, 2, 2)),
        (small_s3d, 16, "features", (2, 2, 2)),
        (small_mvit, 8, "blocks.1", (4, 8, 8)),
        (small_swin, 8, "norm", (4, 8, 8)),
    ],
)
def test_torchvisions_video_networks_are_mapped(
    build: Callable[[], nn.Module],
    frames: int,
    layer: str,
    grid: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cam_methods, "SSCAM_SAMPLES", 1)
    monkeypatch.setattr(cam_methods, "ISCAM_STEPS", 1)
    monkeypatch.setattr(cam_methods, "SMOOTH_SAMPLES", 1)
    torch.manual_seed(0)
    side = 32 if build is small_r3d else 64
    net, clip = build(), torch.rand(1, 3, frames, side, side)
    assert find_layer(net, clip) == layer
    before = everything(net)
    for method in METHODS:
        if method == "CAM" and build is small_mvit:
            continue
        # A pass for each of hundreds of channels is too much for a test.
        too_wide = method in ("ScoreCAM", "SSCAM", "ISCAM") and build in (small_r3d, small_s3d)
        if not too_wide:
            maps = class_activation(
                net, clip, torch.tensor([1]), method, layer=layer, batch_size=512
            )
            assert maps.shape == (1, *grid)
            assert maps.isfinite().all()
    assert_unchanged(net, before)
