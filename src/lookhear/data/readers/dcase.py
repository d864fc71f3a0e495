"""Clips with tags, in the lists of DCASE 2017 task 4 (sound events for smart cars).

    DIR/training_set.csv     file, start, end, label: between tabs, a line for each label
    DIR/testing_set.csv      likewise, held out to choose by
    DIR/evaluation_set.csv   likewise, to test on
    DIR/<file>               the clips; for sight they must have a picture, so that beside a name
                             that ends in .wav one of the same name with a video's suffix counts

Labels may hold commas. Weak lists name the stretch of the source that a clip was cut from, strong
ones when in the clip a label is heard. https://dcase.community/challenge2017
"""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lookhear.data.readers.lists import (
    BadEntryError,
    check_text,
    is_plain,
    label,
    numbered_lines,
    once_each,
    span,
    utf8,
)
from lookhear.data.readers.tagged import Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError

LISTS: dict[Split, str] = {
    "train": "training_set.csv",
    "val": "testing_set.csv",
    "test": "evaluation_set.csv",
}
COLUMNS = 4
SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")


def has_dcase(path: Path) -> bool:
    """Say whether a folder holds such lists by their names."""
    return any((path / name).is_file() for name in LISTS.values())


def is_dcase(path: Path) -> bool:
    """Say whether a file is such a list: its first line has four fields between tabs."""
    if not path.is_file():
        return False
    try:
        _, first = next(numbered_lines(path), (0, ""))
    except LookhearError:
        return False
    return len(first.split("\t")) == COLUMNS


def read_dcase(path: Path | str) -> TaggedClips:
    """Read a list, or those of a folder; the clips need not be there.

    A list by itself is for training. Of a clip with several labels there is an entry for each.

    Raises:
        LookhearError: There is no such list, or one is no text or far too long.
    """
    path = Path(path)
    lists: dict[Split, Path] = {"train": path}
    if path.is_dir():
        lists = {split: path / name for split, name in LISTS.items() if (path / name).is_file()}
    if not lists:
        raise LookhearError(f"{path}: holds none of {', '.join(LISTS.values())}")
    root = path if path.is_dir() else path.parent
    clips: list[TaggedClip] = []
    faults: list[Fault] = []
    for split, file in lists.items():
        check_text(file)
        clips += once_each(_rows(file), partial(_clip, root, split), file, faults)
    return TaggedClips(path, tuple(clips), tuple(faults))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in numbered_lines(path):
        row = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))
        if number == 1 and row[0].casefold() in ("filename", "file"):
            continue
        yield number, row


def _clip(root: Path, split: Split, row: list[str]) -> TaggedClip:
    if len(row) != COLUMNS:
        raise BadEntryError("not a file, a start, an end and a label between tabs")
    name, start, end, tag = (utf8(cell).strip() for cell in row)
    if not name or not all(map(is_plain, name.split("/"))):
        raise BadEntryError("the path is not one inside the list's folder", name)
    return TaggedClip(_seen(root / name), label(tag, "label"), *span(start, end), split)


def _seen(path: Path) -> Path:
    """The clip itself, or the one with a picture beside it."""
    if path.suffix in SUFFIXES:
        return path
    others = (path.with_suffix(suffix) for suffix in SUFFIXES)
    return next((other for other in others if other.is_file()), path)
