"""The one exception that is meant for the person at the terminal."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


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


def one_line(error: BaseException) -> str:
    """What an error of another library says, in the first words of it."""
    return " ".join(str(error).split()[:25]) or type(error).__name__
