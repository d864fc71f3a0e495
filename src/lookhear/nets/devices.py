"""Where networks run: CUDA where there is one, else the CPU, or the device that is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from lookhear.errors import LookhearError, one_line

N = TypeVar("N", bound=nn.Module)


def usable(device: str | torch.device | None) -> str:
    """Return the name of a device on which networks can run; None gives the default.

    Raises:
        LookhearError: there is no such device.
    """
    with _checked(device) as chosen:
        torch.empty(1, device=chosen)
    return str(chosen)


def placed(net: N, device: str | torch.device | None) -> N:
    """Put a network on a device, None for the default, ready for inference.

    Raises:
        LookhearError: there is no such device, or too little memory on it.
    """
    with _checked(device) as chosen:
        return net.to(chosen).eval()


class HalfTheThreads:
    """Within, whenever and wherever it is entered, PyTorch takes half of the threads it has now.

    A network that wants every core waits at each of its layers for those that decode.
    """

    def __init__(self) -> None:
        self._threads = torch.get_num_threads()

    def __enter__(self) -> None:
        torch.set_num_threads(max(1, self._threads // 2))

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._threads)  # else new threads would have the half


@contextmanager
def _checked(device: str | torch.device | None) -> Iterator[str | torch.device]:
    default = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = default if device is None else device
    try:
        yield chosen
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LookhearError(f"device {chosen}: cannot be used: {one_line(error)}") from error
