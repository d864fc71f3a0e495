"""Folders of numbered frames: which files are of the sequence, and where frames are missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

from lookhear.words import count, counted

MOST_MISSING = 10**5  # frames in a row; more, and names have other numbers than those of frames
_NUMBER = re.compile(r"\d+")


class NumberedFrames(NamedTuple):
    """The frames of a folder.

    Attributes:
        files: in their order.
        places: of each, which frame it is, from 0; those that are missing count.
        notes: what was left out or is missing, a line each.
    """

    files: list[Path]
    places: list[int]
    notes: list[str]


def numbered(files: Iterable[Path]) -> NumberedFrames:
    """Find the sequence that most of some files are of: names that differ in one number only.

    Without such a sequence, all files are frames, in natural order (2 before 10).
    """
    ordered = sorted(files, key=_natural_order)
    chosen = _largest_sequence(ordered)
    if len(chosen) < 2 or 2 * len(chosen) <= len(ordered):
        return NumberedFrames(ordered, [*range(len(ordered))], [])
    notes = []
    strangers = [file.name for file in ordered if file not in chosen.values()]
    if strangers:
        notes.append(f"left out: {counted('picture', strangers)}: not numbered as the others are")
    numbers = sorted(chosen)
    places = _places(numbers)
    missing = places[-1] + 1 - len(places)
    if missing:
        before = next(i for i, (a, b) in enumerate(pairwise(places)) if b > a + 1)
        notes.append(
            f"{count(missing, 'frame')} missing, first after {chosen[numbers[before]].name}; the "
            "others keep their times"
        )
    return NumberedFrames([chosen[number] for number in numbers], places, notes)


def _largest_sequence(files: Sequence[Path]) -> dict[int, Path]:
    """Files by their number, of the most whose names differ in one number only."""
    sequences: dict[tuple[str, str, str], dict[int, Path]] = {}
    for file in files:
        for found in _NUMBER.finditer(file.stem):
            key = file.stem[: found.start()], file.stem[found.end() :], file.suffix.lower()
            sequences.setdefault(key, {}).setdefault(int(found[0]), file)
    return max(sequences.values(), key=len, default={})


def _places(numbers: Sequence[int]) -> list[int]:
    """Which frame each is, if the numbers are of frames, or of every so many; else one by one."""
    steps = [after - before for before, after in pairwise(numbers)]
    step = math.gcd(*steps)
    if median_low(steps) != step or max(steps) // step > MOST_MISSING:
        return [*range(len(numbers))]
    return [(number - numbers[0]) // step for number in numbers]


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """A key that sorts frame2 before frame10."""
    parts = re.findall(r"\d+|\D+", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in parts]
