"""UCF101 by its split files (Soomro et al., CRCV-TR-12-01).

    DIR/ucfTrainTestlist/trainlist01.txt    ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
    DIR/ucfTrainTestlist/testlist01.txt     the same, without the number
    DIR/UCF-101/<class>/<clip>.avi          or DIR/<class>/<clip>.avi

The class is the folder that a line names. Split 1 of three is read.
"""

import math
from functools import partial
from pathlib import Path

from lookhear.data.readers.lists import (
    BadEntryError,
    inner_path,
    label,
    numbered_lines,
    once_each,
    utf8,
)
from lookhear.data.readers.tagged import Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError

FOLDERS = ("ucfTrainTestlist", "UCF101TrainTestSplits-RecognitionTask", ".")
VIDEOS = ("UCF-101", "videos", ".")
LISTS: dict[Split, str] = {"train": "trainlist01.txt", "test": "testlist01.txt"}


def has_ucf101(root: Path) -> bool:
    """Say whether a folder holds UCF101's lists."""
    return _list_folder(root) is not None


def read_ucf101(root: Path | str) -> TaggedClips:
    """Read UCF101's first split; the videos need not be there.

    Raises:
        LookhearError: there are no lists, or one is not text, or too long.
    """
    root = Path(root)
    lists = _list_folder(root)
    if lists is None:
        raise LookhearError(f"{root}: not UCF101; it must hold {FOLDERS[0]}/{LISTS['train']}")
    videos = next(root / name for name in VIDEOS if (root / name).is_dir())
    faults: list[Fault] = []
    clips = [
        clip
        for split, name in LISTS.items()
        if (lists / name).is_file()
        for clip in once_each(
            numbered_lines(lists / name), partial(_clip, videos, split), lists / name, faults
        )
    ]
    return TaggedClips(root, tuple(clips), tuple(faults), ("Nothing is held out for validation",))


def _list_folder(root: Path) -> Path | None:
    folders = (root / name for name in FOLDERS)
    return next((folder for folder in folders if (folder / LISTS["train"]).is_file()), None)


def _clip(videos: Path, split: Split, text: str) -> TaggedClip:
    name = utf8(text)
    if split == "train":
        name, _, number = name.rpartition(" ")
        if not number.isdecimal():
            raise BadEntryError("not a path and the number of a class", text)
    tag, slash, _ = name.rpartition("/")
    if not slash:
        raise BadEntryError("the path names no class", text)
    return TaggedClip(videos / inner_path(name), label(tag, "class"), 0.0, math.inf, split)
