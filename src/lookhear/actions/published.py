"""The authors' checkpoints of the actions paper as saved models of this project."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lookhear.actions import Temporal
from lookhear.actions.net import WhereWhen
from lookhear.data.readers.lists import read_names
from lookhear.errors import LookhearError, named_by
from lookhear.files import is_empty
from lookhear.nets.pretrained import load_pretrained, read_pretrained
from lookhear.nets.saved import whole_model
from lookhear.nets.state_dicts import Names, misfit, read_state, renamed, renamed_key

RESNET50 = "resnet50.tv_in1k"
"""The weights with which the paper's frames are seen; checkpoints hold those after them alone."""


def _stack(theirs: str, ours: str, layers: int) -> dict[str, str | None]:
    return {f"{theirs}.{layer}": f"{ours}.{layer}" for layer in range(layers)}


_UNUSED = ("att_bias", "att_vw", "att_hw", "att_vw_bn", "att_hw_bn", "lstm_cell")
_UNUSED_LINEAR = ("fc_c0_0", "fc_c0_1", "fc_h0_0", "fc_h0_1")
_COMMON: dict[str, str | None] = {
    **dict.fromkeys((*_UNUSED, *_UNUSED_LINEAR)),
    **_stack("mask_conv", "head.mask.layers", 7),
}
NAMES: dict[Temporal, Names] = {
    "plain": _COMMON
    | {
        "conv_lstm.cell_list.0.conv": "head.temporal.cell.gates",
        "fc_attention": "head.temporal.score",
        "fc": "head.classify",
        "fc_out": None,
    },
    "additive": _COMMON
    | _stack("h0_conv", "head.temporal.shown", 6)
    | _stack("c0_conv", "head.temporal.kept", 6)
    | {
        "convlstm_cell.conv": "head.temporal.cell.gates",
        "att_feature_w": "head.temporal.of_frame",
        "att_hidden_w": "head.temporal.of_state",
        "fc_out": "head.classify",
        "fc": None,
        "fc1": None,
        "fc_attention": None,
        "conv_lstm": None,
    },
}
"""By how the network weighs frames: module of the authors' network -> module here."""
KINDS: dict[str, Temporal] = {"where-when-plain": "plain", "where-when-recurrent": "additive"}
"""What ``lookhear convert --as`` calls their two networks -> how these weigh frames."""
FRAMES = 50  # of THUMOS14
BACKBONE: dict[str, Any] = {"backbone": "resnet50"}

CARD = """---
library_name: lookhear
---
# {kind}, from published weights

## What it is

A network of Where and when to look (Meng et al., arXiv 1810.04511), which names a clip's action.

Its weights are those in {file}, after a ResNet-50 with the weights {pretrained}. What may be done
with them is for whoever published them to say.

## How good it is

Not measured.
"""


def convert(
    file: Path, kind: str, folder: Path, classes: Path | None, pretrained: str = RESNET50
) -> None:
    """Turn the authors' state dict into a saved model.

    Args:
        file: see :func:`~lookhear.nets.state_dicts.read_state`.
        kind: of :data:`KINDS`.
        folder: gets the model; must not be there, or be empty.
        classes: file of their names, a line each, in the order of the weights.
        pretrained: weights of ResNet-50, which the state dict lacks: a name that timm knows, or a
            file with timm's names.

    Raises:
        LookhearError: there is no such kind, the weights cannot be read or had or do not fit, the
            classes are not as many, or the folder cannot be written.
    """
    temporal = named_by("as", kind, KINDS)
    if folder.exists() and not is_empty(folder):
        raise LookhearError(f"{folder}: is there already; choose another --out")
    if classes is None:
        raise LookhearError(f"{file}: does not say what its classes are; give --classes FILE")
    net = network_of(read_state(file), temporal, read_names(classes), str(file), **BACKBONE)
    weights = read_pretrained(pretrained)
    if weights is None:
        raise LookhearError(f"--pretrained {pretrained}: the backbone needs weights; name some")
    load_pretrained(net, weights)
    with whole_model(folder) as partial:
        net.save_pretrained(partial)
        card = CARD.format(kind=kind, file=file.name, pretrained=pretrained)
        (partial / "README.md").write_text(card, encoding="utf-8", errors="replace")


def network_of(
    state: Mapping[str, Tensor],
    temporal: Temporal,
    categories: tuple[str, ...],
    said: str = "weights",
    **backbone: Any,
) -> WhereWhen:
    """Build the network around the authors' weights, whose backbone is left to chance.

    Args:
        state: by their names, of any sizes.
        temporal: how it weighs frames: which of their networks it is.
        categories: its classes.
        said: what to call the weights.
        **backbone: arguments of :class:`~lookhear.nets.backbones.PictureNet`.

    Raises:
        LookhearError: they are not those of the network.
    """
    ours = renamed(state, NAMES[temporal])
    stack = [ours.get(f"head.mask.layers.{layer}.weight") for layer in (0, 3)]
    widths = [len(of) for of in stack if of is not None] or [1024, 512]
    net = WhereWhen(
        categories, frames=FRAMES, temporal=temporal, widths=widths, normalised=False, **backbone
    ).eval()
    own = {key: of for key, of in net.state_dict().items() if not key.startswith("backbone.")}
    theirs = {ours: name for name, ours in NAMES[temporal].items() if ours is not None}
    if fault := misfit(ours, own, lambda name: renamed_key(name, theirs)):
        other = {"plain": "where-when-recurrent", "additive": "where-when-plain"}[temporal]
        raise LookhearError(
            f"{said}: not the weights of that network with {len(categories)} classes: {fault}; "
            f"maybe they are of {other}"
        )
    # As they are in memory, whatever the file had.
    taken = {key: of.to(own[key].dtype).contiguous() for key, of in ours.items()}
    net.load_state_dict(net.state_dict() | taken)
    return net
