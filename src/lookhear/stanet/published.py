"""Published checkpoints of STANet and VGGSound as saved models of this project."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from lookhear.data.readers.ave import CATEGORIES
from lookhear.errors import LookhearError, named_by
from lookhear.files import is_empty
from lookhear.nets.kinds import SavedNetwork
from lookhear.nets.saved import CONFIG, WEIGHTS, whole_model
from lookhear.nets.sound import VGGSoundEncoder
from lookhear.nets.state_dicts import misfit, read_state
from lookhear.stanet.sources import ST, S
from lookhear.stanet.sta import STA

Names = dict[str, str | None]
"""Module of the published network -> module here; None for one that its forward never uses."""


_BLOCKS: Names = {
    "extra_conv_fusion": "head.fuse",
    "extra_ConvGRU.reset_gate": "head.gru.reset",
    "extra_ConvGRU.update_gate": "head.gru.update",
    "extra_ConvGRU.out_gate": "head.gru.candidate",
    "extra_projf": "head.self_attention.query",
    "extra_projg": "head.self_attention.key",
    "extra_projh": "head.self_attention.value",
    "extra_refineST.0": "head.time_gate.over_time",
    "extra_refineST.1": "head.time_gate.over_space.0",
    "extra_refineST.2": "head.time_gate.over_space.1",
}

STA_NAMES: Names = _BLOCKS | {
    "features0.0": "backbone.conv1",
    "features0.1": "backbone.bn1",
    "features0.4": "backbone.layer1",
    "features0.5": "backbone.layer2",
    "features1": "backbone.layer3",
    "features2": "backbone.layer4",
    "audio_model": "sound_encoder.resnet",
    "audio_model.8": "sound_encoder.pool",
    "extra_convs": "head.reduce_coarse",
    "extra_convsd1": "head.reduce_middle",
    "extra_convsd0": "head.reduce_fine",
    "extra_gates": "head.self_attention.gate",
    "extra_gateav": "head.sound_gate.gate",
    "extra_lineara": "head.sound_gate.sound",
    "extra_linearv": "head.sound_gate.picture",
    "extra_convv": "head.sound_gate.maps",
    "extra_refine1.0": "head.refine_middle",
    "extra_refine0.0": "head.refine_fine",
    "extra_out1": "head.out_middle",
    "extra_out0": "head.out_fine",
    "extra_audio_d": None,
    "extra_conv_stafusion": None,
    "extra_gate": None,
    "extra_refineSA": None,
}

SCAM_NAMES: Names = _BLOCKS | {
    "features.0": "backbone.conv1",
    "features.1": "backbone.bn1",
    "features.4": "backbone.layer1",
    "features.5": "backbone.layer2",
    "features.6": "backbone.layer3",
    "features.7": "backbone.layer4",
    "extra_convs": "head.classifier",
    "extra_gate": "head.self_attention.gate",
}

VGGSOUND_NAMES: Names = {
    "audnet.conv1": "resnet.0",
    "audnet.bn1": "resnet.1",
    "audnet.layer1": "resnet.4",
    "audnet.layer2": "resnet.5",
    "audnet.layer3": "resnet.6",
    "audnet.layer4": "resnet.7",
    "audnet.avgpool": "pool",
    "audnet.fc_": None,
}


class Published(NamedTuple):
    """A network of which weights may be published; ``build`` makes it as it was, untrained."""

    title: str
    names: Names
    build: Callable[[], nn.Module]


PUBLISHED: dict[str, Published] = {
    "sta": Published(
        "STA, the fixation network of STANet (CVPR 2021)",
        STA_NAMES,
        lambda: STA(time_mixing="published"),
    ),
    "scam-s": Published(
        "S, the classifier of frames of STANet (CVPR 2021)", SCAM_NAMES, lambda: S(CATEGORIES)
    ),
    "scam-st": Published(
        "ST, the classifier of three frames of STANet (CVPR 2021)",
        SCAM_NAMES,
        lambda: ST(CATEGORIES, time_mixing="published"),
    ),
    "vggsound": Published(
        "The sound encoder of VGGSound (ICASSP 2020), a ResNet-18 with NetVLAD",
        VGGSOUND_NAMES,
        VGGSoundEncoder,
    ),
}

CARD = """---
library_name: lookhear
---
# {kind}, from published weights

## What it is

{title}.

Its weights are those in {file}. What may be done with them is for whoever published them to say.

## How good it is

Not measured.
"""


def convert(file: Path, kind: str, folder: Path) -> None:
    """Turn a state dict with the published names into a saved model.

    All are then loaded by :func:`lookhear.nets.saved.load_network` but ``vggsound``, which is the
    part ``sound_encoder`` of networks that have one (`lookhear.training.initial_weights`).

    Args:
        file: see :func:`~lookhear.nets.state_dicts.read_state`.
        kind: which network it belongs to, of :data:`PUBLISHED`.
        folder: gets the model; must not be there, or be empty.

    Raises:
        LookhearError: there is no such kind, the file holds more than weights, cannot be read or
            does not fit the network, or the folder cannot be written.
    """
    published = named_by("as", kind, PUBLISHED)
    if folder.exists() and not is_empty(folder):
        raise LookhearError(f"{folder}: is there already; choose another --out")
    state = read_state(file)
    if mismatch := _mismatch(state, kind):
        for other in PUBLISHED:
            if not _mismatch(state, other):
                raise LookhearError(f"{file}: these are the weights of {other}; use --as {other}")
        raise LookhearError(f"{file}: not the weights of {kind}: {mismatch}; give the right file")
    network = network_of(state, kind)
    card = CARD.format(kind=kind, title=published.title, file=file.name)
    with whole_model(folder) as partial:
        if isinstance(network, SavedNetwork):
            network.save_pretrained(partial)
        else:
            save_model(nn.ModuleDict({"sound_encoder": network}), str(partial / WEIGHTS))
            (partial / CONFIG).write_text(json.dumps({"sound_encoder": kind}))
        (partial / "README.md").write_text(card, encoding="utf-8")


def network_of(state: Mapping[str, Tensor], kind: str) -> nn.Module:
    """Build a published network around its weights, by their published names, which it shares."""
    with torch.device("meta"):
        network = PUBLISHED[kind].build()
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    ours = renamed(state, PUBLISHED[kind].names)
    network.load_state_dict(
        {name: tensor.to(types[name]).contiguous() for name, tensor in ours.items()}, assign=True
    )
    return network.eval()


def renamed(state: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Give tensors the names they have here, leaving out those that are not used.

    What lies in a module goes by the longest name that fits; names that none fits stay.
    """
    ours = {_renamed(key, names): tensor for key, tensor in state.items()}
    return {name: tensor for name, tensor in ours.items() if name is not None}


def _renamed(key: str, names: Mapping[str, str | None]) -> str | None:
    module, inside = key, ""
    while module:
        if module in names:
            name = names[module]
            return None if name is None else name + inside
        module, _, last = module.rpartition(".")
        inside = f".{last}{inside}"
    return key


def _mismatch(state: Mapping[str, Tensor], kind: str) -> str | None:
    """Say what keeps a state dict from being that of a network; None where nothing does."""
    names = PUBLISHED[kind].names
    published = {ours: theirs for theirs, ours in names.items() if ours is not None}
    with torch.device("meta"):
        expected = PUBLISHED[kind].build().state_dict()
    return misfit(renamed(state, names), expected, lambda name: _renamed(name, published))
