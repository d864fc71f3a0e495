"""State dicts in files, of whatever network, read without running their code."""

import pickle
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor

from lookhear.errors import LookhearError
from lookhear.words import named

Names: TypeAlias = dict[str, str | None]
"""Module of a published network -> module here; None for one that its forward never uses."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
"""Under which keys checkpoints keep the state dict beside an epoch, an optimiser and so on."""
NOT_NETWORKS = re.compile(r"optim|sched|scaler|amp|callback|loop|ema", re.IGNORECASE)
"""What the keys of other dicts of tensors are called, or of a second set of weights."""
DEPTH = 4  # of dicts in dicts
COMPILED = "_orig_mod."  # before what torch.compile has wrapped, anywhere in a name
PARALLEL = "module."  # before all names of a network on several GPUs, or of an average of weights
COUNTER = "num_batches_tracked"  # of batch normalisation, since PyTorch 0.4.1


def read_state(file: Path) -> dict[str, Tensor]:
    """Read a state dict, out of whatever a checkpoint wraps it in, without running its code.

    Args:
        file: of torch (.pth, .pt, .tar) or safetensors, from one GPU or several, compiled or not
            (what these put before names is left out).

    Raises:
        LookhearError: the file holds more than weights, or no weights, or cannot be read.
    """
    if not file.is_file():
        raise LookhearError(f"{file}: no such file")
    try:
        if file.suffix == ".safetensors":
            held: Any = load_file(file)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what matters is said below
                held = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's readers raise whatever the bytes lead them to
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused and isinstance(error, pickle.UnpicklingError):
            raise LookhearError(
                f"{file}: holds more than weights ({refused[1]}), which could run any code; if it "
                "is a whole module, save its state_dict() beside the code that made it: "
                f"{_saving(file)}"
            ) from error
        if "TorchScript" in str(error):
            raise LookhearError(
                f"{file}: is TorchScript; save the state_dict() of the network that it was made of"
            ) from error
        raise LookhearError(
            f"{file}: cannot be read as weights; it is broken, or not of torch or safetensors"
        ) from error
    state = _found(held)
    if not state:
        raise LookhearError(f"{file}: holds no state dict; use one that state_dict() gave")
    plain = {str(key).replace(COMPILED, ""): value for key, value in state.items()}
    while all(key.startswith(PARALLEL) for key in plain):
        plain = {key.removeprefix(PARALLEL): value for key, value in plain.items()}
    return plain


def _found(held: Any, depth: int = DEPTH) -> dict[Any, Tensor] | None:
    """The state dict in what a file holds: all of it, or what a wrapper or an only key leads to."""
    if not isinstance(held, dict) or not held or not depth:
        return None
    if all(isinstance(key, str) and torch.is_tensor(value) for key, value in held.items()):
        return held
    for key in WRAPPERS:
        if state := _found(held.get(key), depth - 1):
            return state
    others = (of for key, of in held.items() if not NOT_NETWORKS.search(str(key)))
    found = [state for of in others if (state := _found(of, depth - 1))]
    return found[0] if len(found) == 1 else None


def _saving(file: Path) -> str:
    """The command that makes a state dict of a whole module."""
    load = f"torch.load({str(file.absolute())!r}, 'cpu', weights_only=False)"
    program = f"import torch; torch.save({load}.state_dict(), 'weights.pth')"
    return f"python -c {shlex.quote(program)}"


def fitted(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a state dict a network's own names, where that only takes a prefix.

    A part of a larger module, as Lightning keeps a network under ``model.``, is taken out of it, if
    all of the network is there. Counters of batch normalisation, which older PyTorch did not
    keep, begin at 0; nothing that infers looks at them.
    """
    needed = {key for key in own if not key.endswith(COUNTER)}
    found = dict(state)
    if not needed <= found.keys():
        for prefix in _prefixes(state):
            part = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
            if needed <= part.keys():
                found = part
                break
        for prefix in _prefixes(own):
            if needed <= {prefix + key for key in state}:
                found = {prefix + key: value for key, value in state.items()}
                break
    for key, tensor in own.items():
        if key.endswith(COUNTER) and key not in found:
            found[key] = torch.zeros(tensor.shape, dtype=tensor.dtype)
    return found


def _prefixes(names: Iterable[str]) -> list[str]:
    """What names begin with, up to any of their dots, in the order in which they come up."""
    parts = (name.split(".") for name in names)
    begun = (".".join(of[:length]) + "." for of in parts for length in range(1, len(of)))
    return [*dict.fromkeys(begun)]


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
