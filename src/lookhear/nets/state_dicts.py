"""State dicts in files, of whatever network, read without running their code."""

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor

from lookhear.errors import LookhearError
from lookhear.words import named

Names: TypeAlias = dict[str, str | None]
"""Module of a published network -> module here; None for one that its forward never uses."""

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which keys checkpoints keep the state dict beside an epoch, an optimiser and so on."""


def read_state(file: Path) -> dict[str, Tensor]:
    """Read a state dict, out of whatever a checkpoint wraps it in, without running its code.

    Args:
        file: of torch (.pth, .pt, .tar) or safetensors, from one GPU or several (``module.``
            before every name, which is left out).

    Raises:
        LookhearError: the file holds more than weights, or no weights, or cannot be read.
    """
    if not file.is_file():
        raise LookhearError(f"{file}: no such file")
    try:
        if file.suffix == ".safetensors":
            held: Any = load_file(file)
        else:
            held = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's readers raise whatever the bytes lead them to
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused and isinstance(error, pickle.UnpicklingError):
            raise LookhearError(
                f"{file}: holds more than weights ({refused[1]}), which could run any code; if it "
                "is a whole module, save its state_dict() beside the code that made it: "
                f"{_saving(file)}"
            ) from error
        raise LookhearError(
            f"{file}: cannot be read as weights; it is broken, or not of torch or safetensors"
        ) from error
    for key in WRAPPERS:
        if isinstance(held, dict) and isinstance(held.get(key), dict):
            held = held[key]
    if not (isinstance(held, dict) and held and all(map(torch.is_tensor, held.values()))):
        raise LookhearError(f"{file}: holds no state dict; use one that state_dict() gave")
    if all(str(key).startswith("module.") for key in held):
        return {str(key).removeprefix("module."): value for key, value in held.items()}
    return {str(key): value for key, value in held.items()}


def _saving(file: Path) -> str:
    """The command that makes a state dict of a whole module."""
    load = f"torch.load('{file.absolute()}', 'cpu', weights_only=False)"
    return f"""python -c "import torch; torch.save({load}.state_dict(), 'weights.pth')\""""


def misfit(
    state: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    called: Callable[[str], str | None] = str,
) -> str | None:
    """Say what keeps a state dict from being a network's, or None: 2 missing (fc.weight, fc.bias).

    Args:
        state: to be the network's.
        own: the network's, which may be on the meta device.
        called: what to call a tensor of a name.
    """
    faults = {
        "missing": [f"{called(key)}" for key in own if key not in state],
        "not known": [f"{called(key)}" for key in state if key not in own],
        "of another shape": [
            f"{called(key)}: {tuple(state[key].shape)} where {tuple(tensor.shape)} is needed"
            for key, tensor in own.items()
            if key in state and state[key].shape != tensor.shape
        ],
    }
    said = (f"{len(keys)} {what} ({named(keys)})" for what, keys in faults.items() if keys)
    return ", ".join(said) or None


def renamed(state: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Give tensors the names they have here, leaving out those that are not used.

    What lies in a module goes by the longest name that fits; names that none fits stay.
    """
    ours = {renamed_key(key, names): tensor for key, tensor in state.items()}
    return {name: tensor for name, tensor in ours.items() if name is not None}


def renamed_key(key: str, names: Mapping[str, str | None]) -> str | None:
    """Give the name of one tensor its own; see `renamed`."""
    module, inside = key, ""
    while module:
        if module in names:
            name = names[module]
            return None if name is None else name + inside
        module, _, last = module.rpartition(".")
        inside = f".{last}{inside}"
    return key
