"""The one exception that is meant for the person at the terminal."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

EXTRA_OF = {
    **dict.fromkeys(("lightning", "tensorboard"), "train"),
    **dict.fromkeys(("huggingface_hub", "onnx", "safetensors", "timm", "torch"), "torch"),
    **dict.fromkeys(("torchcam", "torchvision"), "torch"),
    "ray": "ray",
}
"""Package that a plain install lacks -> extra of lookhear that brings it."""


class LookhearError(Exception):
    """Something the user can mend, said in one line: what, which file, what to do."""


def named_by(option: str, name: str, known: Mapping[str, T]) -> T:
    """Return what an option names.

    Raises:
        LookhearError: nothing known; says what it could name.
    """
    if name not in known:
        raise LookhearError(f"--{option} {name}: unknown; there are {', '.join(known)}")
    return known[name]


def lacking(error: ModuleNotFoundError, what: str) -> LookhearError:
    """Say in one line what to install for what cannot be done.

    Args:
        error: of an import.
        what: cannot be done.

    Raises:
        ModuleNotFoundError: no extra of lookhear brings what is missing.
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA_OF:
        raise error
    return LookhearError(f"{what}: needs {package}: pip install 'lookhear[{EXTRA_OF[package]}]'")


def one_line(error: BaseException) -> str:
    """What an error of another library says, in the first words of it."""
    return " ".join(str(error).split()[:25]) or type(error).__name__
