"""Networks of the user's own, by import path."""

import importlib
import sys
from pathlib import Path
from typing import Any

from torch import nn

from lookhear.errors import LookhearError
from lookhear.nets.devices import placed


def imported_network(path: str, device: str | None = None) -> nn.Module:
    """Import and build a network, ready for inference.

    Args:
        path: ``module:factory``, where ``factory()`` gives the network, with its weights; modules
            of the current folder are found, too.
        device: where to put it; None for CUDA where there is one, else the CPU.

    Raises:
        LookhearError: there is no such module, factory or device, or the factory fails or gives
            something else.
    """
    module, _, name = path.rpartition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        factory = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever a stranger's code raises
        raise LookhearError(
            f"{path}: cannot be imported ({type(error).__name__}: {error}); give MODULE:FACTORY"
        ) from error
    try:
        net = factory()
    except Exception as error:
        raise LookhearError(f"{path}: fails with {type(error).__name__}: {error}") from error
    if not isinstance(net, nn.Module):
        raise LookhearError(f"{path}: gives {type(net).__name__}, not a torch.nn.Module")
    return placed(net, device)


def is_size(value: Any) -> bool:
    """Say whether what a network has as its ``input_size`` is (height, width) in pixels."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(side, int) and side > 0 for side in value)
    )
