"""Lists written by others: read whatever is in them, believed only after a look.

What reads a field of an entry raises `BadEntryError` where it cannot be used.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import TypeVar

from lookhear.data.readers.tagged import Fault
from lookhear.errors import LookhearError
from lookhear.words import count

Row = TypeVar("Row")
Entry = TypeVar("Entry", bound=Hashable)

MAX_NAME_BYTES = 200  # leaves room for what file names have after it; 255 is the usual limit
MAX_LIST_BYTES = 16 * 2**20  # a hundred times AVE's
LATEST = 1e6  # seconds, 11 days; a later time is a slip
_SNIFFED_BYTES = 8192
_BINARY_SHARE = 0.05  # of control characters; random bytes have 0.11, UTF-16 has 0.5
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f"))
_SHOWN_CHARACTERS = 32


class BadEntryError(Exception):
    """An entry of a list cannot be used.

    Attributes:
        reason: Why, the same words for all entries of which this is true.
        culprit: What of the entry is to blame, where that is more than the entry itself.
    """

    def __init__(self, reason: str, culprit: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.culprit = culprit

    def fault(self, path: Path, line: int) -> Fault:
        """Say it of a line of a file."""
        culprit = "" if self.culprit is None else f", {shown(self.culprit)}"
        return Fault(f"{path.name}, line {line}{culprit}", self.reason)


def shown(text: str) -> str:
    """A text from a list, made fit to print: quoted, escaped and not too long."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…")


def check_text(path: Path) -> None:
    """Look whether a file is there and is text.

    Raises:
        LookhearError: It is neither.
    """
    try:
        if not path.is_file():
            raise LookhearError(f"{path}: no such file; check the folder")
        with path.open("rb") as file:
            start = file.read(_SNIFFED_BYTES)
    except (OSError, ValueError) as error:
        raise LookhearError(f"{path}: cannot be read ({error}); check the file") from error
    controls = len(start) - len(start.translate(None, _CONTROL))
    if controls > 1 and controls > _BINARY_SHARE * len(start):
        raise LookhearError(f"{path}: not a list in UTF-8 text; replace it")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a list that are not blank, each with its number, from 1.

    What is not UTF-8 comes as lone surrogates, on which `utf8` raises.

    Raises:
        LookhearError: There is no such file, it is no text or it is too long.
    """
    check_text(path)
    if path.stat().st_size > MAX_LIST_BYTES:
        raise LookhearError(f"{path}: over {MAX_LIST_BYTES // 2**20} MiB, too long for such a list")
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if text := line.strip():
                yield number, text


def read_names(path: Path) -> tuple[str, ...]:
    """Read names, a line each; empty lines count for nothing.

    Raises:
        LookhearError: The file cannot be read, is no text in UTF-8, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LookhearError(f"{path}: cannot be read as names in UTF-8 ({error})") from error
    names = tuple(name for line in lines if (name := line.strip()))
    if not names:
        raise LookhearError(f"{path}: holds no names; give one name a line")
    return names


def lists_of(data: Sequence[Path], lists: Sequence[Path], option: str) -> Sequence[Path | None]:
    """Tell which file of names, given by an option, goes with each folder; None with any of none.

    Raises:
        LookhearError: There are some, but not one for each folder.
    """
    if lists and len(lists) != len(data):
        raise LookhearError(
            f"{option}: {count(len(lists), 'file')} for {count(len(data), 'folder')} of --data; "
            "give none, or one for each, in the same order"
        )
    return lists or [None] * len(data)


def once_each(
    rows: Iterable[tuple[int, Row]],
    parse: Callable[[Row], Entry],
    path: Path,
    faults: list[Fault],
) -> dict[Entry, int]:
    """The entries of a list, each with its line, in the order of the list.

    Rows that cannot be used, and those that say again what an earlier one said, go to `faults`.
    """
    lines: dict[Entry, int] = {}
    for line, row in rows:
        try:
            entry = parse(row)
        except BadEntryError as error:
            faults.append(error.fault(path, line))
            continue
        if entry in lines:
            faults.append(Fault(f"{path.name}, lines {lines[entry]} and {line}", "listed twice"))
        else:
            lines[entry] = line
    return lines


def utf8(text: str) -> str:
    """A text that was UTF-8 in the file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadEntryError("not UTF-8 text") from None
    return text


def label(text: str, what: str) -> str:
    """A text that says something and can be printed."""
    if not text:
        raise BadEntryError(f"the {what} is empty")
    if not text.isprintable():
        raise BadEntryError(f"the {what} cannot be printed", text)
    return text


def is_plain(name: str) -> bool:
    """Whether a name leads nowhere but to a file of that name, on any system."""
    leads_elsewhere = name in ("", ".", "..") or PureWindowsPath(name).name != name
    return name.isprintable() and not leads_elsewhere


def inner_path(text: str) -> str:
    """A relative path that stays where it starts."""
    if not text:
        raise BadEntryError("the path is empty")
    if not all(map(is_plain, text.split("/"))):
        raise BadEntryError("the path is not one inside the table's folder", text)
    return text


def plain_name(text: str, what: str) -> str:
    """A name that is plain and not too long for a file's."""
    if not text:
        raise BadEntryError(f"the {what} is empty")
    if not is_plain(text):
        raise BadEntryError(f"the {what} is not a plain file name", text)
    if len(text.encode()) > MAX_NAME_BYTES:
        raise BadEntryError(f"the {what} is longer than {MAX_NAME_BYTES} bytes", text)
    return text


def number(text: str, what: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise BadEntryError(f"{what} is not a number", text) from None
    if not math.isfinite(value):
        raise BadEntryError(f"{what} is not finite", text)
    return value


def seconds(text: str, what: str) -> float:
    """A time, neither negative nor later than `LATEST`."""
    time = number(text, f"the {what}")
    if time < 0:
        raise BadEntryError(f"the {what} is negative", text)
    if time > LATEST:
        raise BadEntryError(f"the {what} is later than {LATEST:,.0f} s", text)
    return time


def span(start: str, end: str) -> tuple[float, float]:
    """A start and an end in seconds, which may coincide."""
    first, last = seconds(start, "start"), seconds(end, "end")
    if last < first:
        raise BadEntryError("the end is before the start", f"{start} to {end}")
    return first, last
