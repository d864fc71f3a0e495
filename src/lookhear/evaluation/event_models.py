"""Which names of models are networks of events; known without loading any, or PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from lookhear.errors import LookhearError
from lookhear.nets.saved import model_folder, saved_as

NETWORK = "Events"


def are_events(models: Sequence[str]) -> bool:
    """Say whether models are networks of events, all of them or none.

    Raises:
        LookhearError: some are, and some are not.
    """
    known = [_is_events(label_and_folder(name)[1]) for name in models]
    if any(known) and not all(known):
        other = models[known.index(False)]
        raise LookhearError(f"--model {other}: no network of events, as others are; score it alone")
    return any(known)


def label_and_folder(name: str) -> tuple[str, str]:
    """Split ``LABEL=FOLDER``; a folder by itself is called by its own name."""
    label, equals, folder = name.partition("=")
    if not equals or Path(name).exists():
        return Path(name).absolute().name, name
    return label, folder


def _is_events(name: str) -> bool:
    try:
        return Path(name).is_dir() and saved_as(model_folder(name))[0] == NETWORK
    except LookhearError:
        return False
