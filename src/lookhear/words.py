"""How things are said: how many there are, the first of their names, times and places."""

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


def time_label(seconds: float) -> str:
    """Clock time to a tenth of a second: 0:12.4, 1:02:03.0, -0:00.5."""
    tenths = round(abs(seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 and (hours or minutes or tenths) else ""
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{sign}{clock}:{tenths // 10:02d}.{tenths % 10}"


def place_name(x: float, y: float) -> str:
    """The ninth of the picture in which a place lies: "upper left", ..., "centre", ..."""
    column = ("left", "centre", "right")[min(int(x * 3), 2)]
    row = ("upper", "middle", "lower")[min(int(y * 3), 2)]
    return "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"
