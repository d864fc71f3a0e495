"""Picture backbones: any timm model that gives features at the strides asked for, or one layer."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import timm
import torch
from timm.models import FeatureInfo
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from lookhear.nets.kinds import SavedNetwork
from lookhear.nets.watching import Eye

STRIDES = (8, 16, 32)
Pixels: TypeAlias = Mapping[str, Sequence[float]]
"""How pixels are scaled: ``mean`` and ``std`` -> of red, green and blue, in [0, 1]."""
IMAGENET_PIXELS: Pixels = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
DILATED = "_dilated"
"""At the end of a backbone's name: it keeps stride 8 to the layers that else are at stride 16.

With the same weights it sees at every second place what it else sees at stride 16: of a ResNet
beginning with the first, of a ``tf_`` model, which pads after the picture only, with the second.
Where layers weigh by a mean over the picture (squeeze and excite), it is so about.
"""
DILATED_VGG = "vgg16" + DILATED
"""The backbone of STANet+ (arXiv 2112.13697)."""
SHALLOW = "_shallow"
"""At the end of the name of an EfficientNet or a MobileNet, before `DILATED`: of the stages at its
last stride there is the first only.

So a place sees less around it: at stride 16 of EfficientNet-Lite0 147 pixels each way, else 339.
What sees a small picture whole learns the pictures of few clips by heart.
"""
ONE_LAYER = "one_layer"
"""A backbone of a single convolution of 7 x 7 at stride 4, with a batch norm and a ReLU after it.

For what tells more by how it changes from frame to frame than by what it looks like: it keeps where
things are and which way they move, and leaves the rest to layers that see several frames.
"""


def backbone_features(
    name: str, strides: tuple[int, ...] = STRIDES, **model_args: Any
) -> nn.Module:
    """Build a network that returns a picture's features at some strides, without weights.

    Args:
        name: of an architecture in timm's own registry, such as ``resnext101_32x8d``; with
            `SHALLOW` at its end, of one with fewer layers; with `DILATED`, of one whose last
            features are at stride 8, and deeper; or `ONE_LAYER`.
        strides: of the features, rising; layers past the last one are left out.
        **model_args: shape arguments of ``timm.create_model``, such as ``stem_width``; the
            ``channels`` of `ONE_LAYER`. A model's configuration may come from a stranger, so
            arguments that make timm read files or fetch weights are refused.

    Returns:
        A module from pictures (N, 3, H, W) to a feature map per stride, with their channels in
        ``feature_info.channels()``.

    Raises:
        ValueError: no such architecture, no features at one of the strides, refused arguments.
    """
    if name == ONE_LAYER:
        if strides != (4,):
            raise ValueError(f"{name} gives features at stride 4, not at {strides}")
        return OneLayer(**model_args)
    architecture = name.removesuffix(DILATED).removesuffix(SHALLOW)
    if not timm.is_model(architecture):
        raise ValueError(f"timm has no model {name!r}")
    refused = [arg for arg in model_args if arg.startswith(("pretrained", "checkpoint", "cache"))]
    if refused:
        raise ValueError(f"backbone arguments {refused} are not allowed")
    dilated: dict[str, Any] = {}
    if name.endswith(DILATED):
        *finer, last = strides
        if last != 8 or (finer and name == DILATED_VGG):
            raise ValueError(f"{name} gives features at strides [8], not at {strides}")
        if name == DILATED_VGG:
            return _dilated_vgg(**model_args)
        strides, dilated = (*finer, 16), {"output_stride": 8}
    with torch.device("meta"):
        available: Any = timm.create_model(architecture, features_only=True, **model_args)
    reductions = available.feature_info.reduction()
    if not set(strides) <= set(reductions):
        raise ValueError(f"{name} gives features at strides {reductions}, not at {strides}")
    levels = [len(reductions) - 1 - reductions[::-1].index(stride) for stride in strides]
    network: Any = timm.create_model(
        architecture, features_only=True, out_indices=levels, **model_args, **dilated
    )
    stages, _, last = available.feature_info.module_name(levels[-1]).rpartition(".")
    if stages == "blocks":  # of EfficientNets and MobileNets, of which timm keeps all stages
        network.blocks = network.blocks[: int(last) + 1]
    if name.removesuffix(DILATED).endswith(SHALLOW):
        _end_early(name, network, levels[-1])
    features: nn.Module = network
    return features


def _end_early(name: str, network: Any, level: int) -> None:
    """Leave out all stages at the stride of a level of features but the first."""
    levels = network.feature_info.info
    before, last = (levels[at]["module"].rpartition(".") for at in (level - 1, level))
    first = int(before[2]) + 1 if level and before[0] == "blocks" else 0
    if last[0] != "blocks" or first >= int(last[2]):
        raise ValueError(f"{name}: there is one stage only at stride {levels[level]['reduction']}")
    for stage in range(first + 1, int(last[2]) + 1):
        network.blocks[stage] = nn.Identity()
    norms = [of for of in network.blocks[first].modules() if isinstance(of, nn.BatchNorm2d)]
    levels[level]["num_chs"] = norms[-1].num_features


def _dilated_vgg(**model_args: Any) -> nn.Module:
    """Build VGG-16 as STANet+ has it (arXiv 2112.13697): 512 channels at stride 8.

    Its last pooling, before the last three convolutions, is one of 3x3 at stride 1, and these are
    dilated by 2 to see as far as before. Weights are named and shaped as timm's, and
    `lookhear.nets.pretrained` takes those of ``vgg16.tv_in1k``.
    """
    network: Any = timm.create_model("vgg16", features_only=True, out_indices=(4,), **model_args)
    network.features_23 = nn.MaxPool2d(3, stride=1, padding=1)
    for conv in (network.features_24, network.features_26, network.features_28):
        conv.dilation = conv.padding = (2, 2)
    network.feature_info.info[4]["reduction"] = 8
    features: nn.Module = network
    return features


class OneLayer(nn.Module):
    """See `ONE_LAYER`."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, channels, 7, stride=4, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.feature_info = FeatureInfo([{"num_chs": channels, "reduction": 4, "module": ""}], (0,))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the features (N, channels, h, w) of pictures (N, 3, H, W)."""
        return [F.relu(self.norm(self.convolution(pictures)))]


@torch.no_grad()
def fold_norms(backbone: nn.Module) -> nn.Module:
    """Return a copy for inference, its batch norms folded into the convolutions before them.

    Saves a quarter of a light backbone's time on a CPU. A batch norm is taken to follow the
    convolution that is built before it; a backbone that then sees otherwise is returned as it is.
    """
    plain = copy.deepcopy(backbone).eval()  # else it would take the noise below for its statistics
    folded = copy.deepcopy(plain)
    before: nn.Module | None = None
    for name, module in list(folded.named_modules()):
        if isinstance(before, nn.Conv2d) and isinstance(module, nn.BatchNorm2d):
            if before.out_channels != module.num_features:
                return backbone
            _fold(before, module)
            # timm's batch norms may end in an activation.
            after = [getattr(module, part, nn.Identity()) for part in ("drop", "act")]
            folded.set_submodule(name, nn.Sequential(*after))
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            before = module
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    noise = noise.to(next(backbone.parameters()).device)
    for seen, same in zip(plain(noise), folded(noise), strict=True):
        if not torch.allclose(seen, same, rtol=1e-3, atol=1e-3 * float(seen.abs().max())):
            return backbone
    return folded


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


class PictureNet(SavedNetwork):
    """What networks that see begin with: from pictures to the features of a backbone.

    Args:
        backbone, backbone_args, strides: see :func:`backbone_features`.
        input_size: height and width, in pixels, of the pictures the network is trained on, each
            from 32 to 4096.
        pixels: ``mean`` and ``std``, of each of red, green and blue in [0, 1], by which pixels are
            scaled before the backbone sees them; ImageNet's if left out.

    Raises:
        ValueError: an argument is out of its range, or there is no such backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str,
        backbone_args: dict[str, Any] | None,
        strides: tuple[int, ...],
        input_size: tuple[int, int],
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__()
        self.input_size = Eye.checked(input_size, keep_aspect=False).input_size
        features: Any = backbone_features(backbone, strides, **(backbone_args or {}))
        self.channels: tuple[int, ...] = tuple(features.feature_info.channels())
        self.backbone: nn.Module = features
        channels_last(self.backbone)
        for name, values in _scale(pixels or IMAGENET_PIXELS).items():
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def features(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Return what the backbone sees at each stride, in frames (N, 3, H, W), RGB in [0, 1]."""
        x = (frames - self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)
        return tuple(self.backbone(x))

    def sees_as(self, other: "PictureNet") -> bool:
        """Say whether the features of every picture are the same as another network's."""
        scaled = torch.equal(self.mean, other.mean) and torch.equal(self.std, other.std)
        same_size = self.input_size == other.input_size
        return same_size and scaled and alike(self.backbone, other.backbone)

    def folded(self) -> Self:
        """Return a network for inference that says the same, faster on a CPU.

        It shares all weights but the backbone's, and those of the backbones of networks in it; see
        :func:`fold_norms`. A folded one returns itself.
        """
        inner = {name: x for name, x in self.named_children() if isinstance(x, PictureNet)}
        folded: dict[str, nn.Module] = {name: x.folded() for name, x in inner.items()}
        folded = {name: x for name, x in folded.items() if x is not inner[name]}
        if any(isinstance(module, nn.BatchNorm2d) for module in self.backbone.modules()):
            folded["backbone"] = fold_norms(self.backbone)
            channels_last(folded["backbone"])
        if not folded:
            return self
        net = copy.copy(self)
        net._modules = {**self._modules, **folded}
        return net


def _scale(pixels: Pixels) -> dict[str, tuple[float, ...]]:
    """Pixels, checked, as a configuration may come from a stranger."""
    scale = {name: tuple(map(float, values)) for name, values in pixels.items()}
    if scale.keys() != {"mean", "std"} or any(len(values) != 3 for values in scale.values()):
        raise ValueError(f"pixels must have a mean and a std of three channels, not {pixels}")
    if not all(map(math.isfinite, scale["mean"])) or not all(x > 0 for x in scale["std"]):
        raise ValueError(f"pixels must have finite means and stds above 0, not {pixels}")
    return scale


def at_size(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize pictures (N, 3, H, W), unless they are of that size."""
    if pictures.shape[-2:] == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", antialias=True)


def alike(one: nn.Module, other: nn.Module) -> bool:
    """Say whether two networks are built alike and have the same weights."""
    ours, theirs = one.state_dict(), other.state_dict()
    return (
        repr(one) == repr(other)
        and ours.keys() == theirs.keys()
        and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    )


def channels_last(network: nn.Module) -> None:
    """Lay weights out so that a light network takes half the time on a CPU."""
    network.to(memory_format=torch.channels_last)
