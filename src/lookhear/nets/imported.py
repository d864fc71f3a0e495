"""Networks of the user's own, by import path."""

import importlib
import logging
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lookhear.errors import LookhearError, one_line
from lookhear.nets.devices import placed

log = logging.getLogger(__name__)


def imported_network(path: str, device: str | None = None) -> nn.Module:
    """Import and build a network, ready for inference.

    Where it gives a tuple or list that begins with logits (B, classes), as published 3D networks
    do that give their features beside them, it gives the logits alone; a line says so once.

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
            f"{path}: cannot be imported ({type(error).__name__}: {one_line(error)}); give "
            "MODULE:FACTORY"
        ) from error
    try:
        net = factory()
    except Exception as error:
        raise LookhearError(
            f"{path}: fails with {type(error).__name__}: {one_line(error)}"
        ) from error
    if not isinstance(net, nn.Module):
        raise LookhearError(f"{path}: gives {type(net).__name__}, not a torch.nn.Module")
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        raise LookhearError(
            f"{path}: gives a TorchScript network, which cannot be looked into; give the "
            "torch.nn.Module that it was made of, with the same weights"
        )
    net = unwrapped(net)
    _give_logits_alone(net, path)
    return placed(net, device)


def unwrapped(net: nn.Module) -> nn.Module:
    """Take a network, and each part of it, out of what runs it on several GPUs or compiled.

    Layers have the names, and the network the attributes, that they have without.
    """
    while (inner := _inside(net)) is not None:
        net = inner
    for parent in [*net.modules()]:
        parent._compiled_call_impl = None  # of Module.compile(), which would pass by the layers
        for name, child in parent.named_children():
            while (inner := _inside(child)) is not None:
                child = inner
                setattr(parent, name, child)
    return net


def _inside(module: nn.Module) -> nn.Module | None:
    parallel = nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel
    if isinstance(module, parallel):
        inner: nn.Module = module.module
        return inner
    compiled = module._modules.get("_orig_mod")  # whose class is one of the compiler's own
    return compiled if type(module).__name__ == "OptimizedModule" else None


def _give_logits_alone(net: nn.Module, path: str) -> None:
    told = False

    def first(_module: nn.Module, _args: Any, output: Any) -> Any:
        nonlocal told
        if not isinstance(output, tuple | list) or not output:
            return output
        logits = output[0]
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            return output
        if not told:
            log.warning(
                "%s: gives a %s; its first part, %s, is taken for the logits",
                path,
                type(output).__name__,
                tuple(logits.shape),
            )
            told = True
        return logits

    net.register_forward_hook(first)


def is_size(value: Any) -> bool:
    """Say whether what a network has as its ``input_size`` is (height, width) in pixels."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(side, int) and side > 0 for side in value)
    )
