"""Where networks run: CUDA where there is one, else the CPU, or the device that is named.

PyTorch is imported only when a network of it is placed.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from lookhear.errors import LookhearError, one_line

if TYPE_CHECKING:
    import torch
    from torch import nn

    N = TypeVar("N", bound=nn.Module)

CPU, CUDA = "cpu", "cuda"
_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


@cache
def has_cuda() -> bool:
    """Say whether there is a GPU for CUDA, as its driver knows without PyTorch."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(_DRIVER)
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return False
    return not failed and count.value > 0


def usable(device: "str | torch.device | None") -> str:
    """Return the name of a device on which PyTorch can run networks; None gives the default.

    Raises:
        LookhearError: there is no such device.
    """
    import torch

    with _checked(device) as chosen:
        torch.empty(1, device=chosen)
    return str(chosen)


def placed(net: "N", device: "str | torch.device | None") -> "N":
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
        import torch

        self._set, self._threads = torch.set_num_threads, torch.get_num_threads()

    def __enter__(self) -> None:
        self._set(max(1, self._threads // 2))

    def __exit__(self, *_: object) -> None:
        self._set(self._threads)  # else new threads would have the half


@contextmanager
def _checked(device: "str | torch.device | None") -> Iterator["str | torch.device"]:
    import torch

    default = CUDA if torch.cuda.is_available() else CPU
    chosen = default if device is None else device
    try:
        yield chosen
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LookhearError(f"device {chosen}: cannot be used: {one_line(error)}") from error
