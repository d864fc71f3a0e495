"""CAM over torchvision's video networks."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision.models import video
from torchvision.models.video import mvit, swin_transformer

from cam_networks import CLASSES, assert_unchanged, everything
from lookhear.cam import METHODS, class_activation, find_layer
from lookhear.cam import methods as cam_methods


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
