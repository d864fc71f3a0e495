"""What is said of many things at once: how many there are, and the first of their names."""

from collections.abc import Collection, Sequence
from itertools import islice

NAMED = 3


def count(number: int, what: str) -> str:
    """Say how many there are of something: 1 clip, 2 clips."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def sides(shape: Sequence[int]) -> str:
    """Say how large a picture or map (height, width, ...) is: 640 x 480."""
    return f"{shape[1]} x {shape[0]}"


def named(names: Collection[object]) -> str:
    """Name the first three of many: a, b, c and 95 more."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(str, islice(names, NAMED))) + more


def counted(what: str, names: Collection[object]) -> str:
    """Say how many there are, and name the first three: 98 pictures (a, b, c and 95 more)."""
    return f"{count(len(names), what)} ({named(names)})"
