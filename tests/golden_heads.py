"""Heads of networks with the weights of the goldens."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"

PLUS_NAMES = {
    "extra_convs": "classifier",
    "extra_projf": "self_attention.query",
    "extra_projg": "self_attention.key",
    "extra_projh": "self_attention.value",
    "extra_gate": "self_attention.gate",
    "extra_proja": "propagation.query",
    "extra_projb": "propagation.key",
    "extra_conv_fusion": "propagation.fuse",
    "extra_ConvGRU.reset_gate": "propagation.gru.reset",
    "extra_ConvGRU.update_gate": "propagation.gru.update",
    "extra_ConvGRU.out_gate": "propagation.gru.candidate",
}
"""Names in the published code of S+, SA+, ST+ and STA+, and here."""

TIME_NAMES = {
    "extra_refineST.0": "time_gate.over_time",
    "extra_refineST.1": "time_gate.over_space.0",
    "extra_refineST.2": "time_gate.over_space.1",
}

SOUND_NAMES = {
    "extra_gateav.0": "sound_gate.gate.0",
    "extra_gateav.2": "sound_gate.gate.2",
    "extra_lineara": "sound_gate.sound",
    "extra_linearv": "sound_gate.picture",
    "extra_convv": "sound_gate.maps",
}


def load_golden(
    name: str, head: nn.Module, names: Mapping[str, str], unused: frozenset[str] = frozenset()
) -> dict[str, Tensor]:
    """Give ``head`` the golden's weights, none missing and none left over but the unused."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        arrays = {key: torch.from_numpy(golden[key]) for key in golden.files}
    weights = {}
    for key in arrays:
        if key.startswith("weight/"):
            theirs, kind = key.removeprefix("weight/").rsplit(".", 1)
            if theirs not in unused:
                weights[f"{names[theirs]}.{kind}"] = arrays[key]
    head.load_state_dict(weights)
    return arrays
