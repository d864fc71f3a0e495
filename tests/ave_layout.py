"""Small data sets in AVE's layout, of clips whose frames tell their time and beep each second."""

from pathlib import Path

import numpy as np

from clips import beep, make_clip

HEADER = "Category&VideoID&Quality&StartTime&EndTime"
FPS = 25
TAGS = "Bark", "Frying (food)", "Violin, fiddle"
SPLIT_FILES = "trainSet.txt", "valSet.txt", "testSet.txt"


def write_lists(root: Path, entries: dict[str, list[str]]) -> None:
    """Write Annotations.txt and the split files from split file -> lines."""
    root.mkdir(parents=True, exist_ok=True)
    every = [line for lines in entries.values() for line in lines]
    (root / "Annotations.txt").write_text("\n".join((HEADER, *every, "")))
    for name in SPLIT_FILES:
        (root / name).write_text("\n".join((*entries.get(name, []), "")))


def timed_clip(path: Path, seconds: float = 3.0, shade: int = 0, loud: bool = True) -> Path:
    """Write a clip of 64 x 48 whose frame i is of brightness `brightness(i, shade)`."""
    count = round(seconds * FPS)
    frames = [np.full((48, 64, 3), brightness(i, shade), np.uint8) for i in range(count)]
    sound = beep(seconds, [second + 0.25 for second in range(int(seconds))]) if loud else None
    return make_clip(path, frames, FPS, sound=sound)


def brightness(index: int, shade: int = 0) -> int:
    return 20 + 2 * index + shade


def make_ave(root: Path, of_split: tuple[int, int, int] = (6, 3, 3), seconds: int = 3) -> Path:
    """Make a set with so many clips in each split, their tags in turn."""
    (root / "AVE").mkdir(parents=True)
    entries: dict[str, list[str]] = {}
    number = 0
    for name, count in zip(SPLIT_FILES, of_split, strict=True):
        for _ in range(count):
            timed_clip(root / "AVE" / f"clip{number:02d}.mp4", seconds, shade=number)
            line = f"{TAGS[number % len(TAGS)]}&clip{number:02d}&good&0&{seconds}"
            entries.setdefault(name, []).append(line)
            number += 1
    write_lists(root, entries)
    return root
