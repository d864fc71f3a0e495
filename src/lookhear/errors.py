"""The one exception that is meant for the person at the terminal."""

from collections.abc import Iterable


class LookhearError(Exception):
    """Something the user can mend, said in one line: what, which file, what to do."""


def unknown(option: str, name: str, known: Iterable[str]) -> LookhearError:
    """Say that an option names nothing, and what it could name."""
    return LookhearError(f"--{option} {name}: unknown; there are {', '.join(known)}")


def one_line(error: BaseException) -> str:
    """What an error of another library says, in the first words of it."""
    return " ".join(str(error).split()[:25]) or type(error).__name__
