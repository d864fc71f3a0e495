"""HMDB51 by its split files (Kuehne et al., HMDB: a large video database, ICCV 2011).

    DIR/testTrainMulti_7030_splits/brush_hair_test_split1.txt    <clip>.avi 1
    DIR/<class>/<clip>.avi                                       or DIR/hmdb51_org/<class>/...

In a list, 1 is to train on, 2 to test on, and 0 neither. Split 1 of three is read.
"""

import math
from functools import partial
from pathlib import Path

from lookhear.data.readers.lists import (
    BadEntryError,
    numbered_lines,
    once_each,
    plain_name,
    utf8,
)
from lookhear.data.readers.tagged import Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError

FOLDERS = ("testTrainMulti_7030_splits", "test_train_splits", "splits", ".")
VIDEOS = ("hmdb51_org", "videos", ".")
ENDING = "_test_split1.txt"
MARKS: dict[str, Split | None] = {"1": "train", "2": "test", "0": None}


def has_hmdb51(root: Path) -> bool:
    """Say whether a folder holds HMDB51's lists."""
    return bool(_lists(root))


def read_hmdb51(root: Path | str) -> TaggedClips:
    """Read HMDB51's first split; the videos need not be there.

    Raises:
        LookhearError: there are no lists, or one is not text, or too long.
    """
    root = Path(root)
    lists = _lists(root)
    if not lists:
        raise LookhearError(f"{root}: not HMDB51; it must hold {FOLDERS[0]}/<class>{ENDING}")
    videos = next(root / name for name in VIDEOS if (root / name).is_dir())
    faults: list[Fault] = []
    listed = [
        entry
        for file in lists
        for entry in once_each(
            numbered_lines(file),
            partial(_entry, videos, file.name.removesuffix(ENDING)),
            file,
            faults,
        )
    ]
    clips = tuple(clip for clip in listed if clip is not None)
    return TaggedClips(root, clips, tuple(faults), ("Nothing is held out for validation",))


def _lists(root: Path) -> list[Path]:
    folders = (root / name for name in FOLDERS)
    found = (sorted(folder.glob(f"*{ENDING}")) for folder in folders if folder.is_dir())
    return next(filter(None, found), [])


def _entry(videos: Path, tag: str, text: str) -> TaggedClip | None:
    """A line's clip; None for one that this split does not use."""
    name, _, mark = utf8(text).rpartition(" ")
    if mark not in MARKS:
        raise BadEntryError("not a file and 0, 1 or 2", text)
    split = MARKS[mark]
    path = videos / tag / plain_name(name.strip(), "file")
    return None if split is None else TaggedClip(path, tag, 0.0, math.inf, split)
