"""Clips in a folder for each class, as they are commonly handed round.

    DIR/<class>/<clip>                  all for training
    DIR/train/<class>/<clip>            val and test likewise, or validation, testing

A clip is a video file; nothing is said of when in it its class is to be seen.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from lookhear.data.readers.lists import is_plain, shown
from lookhear.data.readers.tagged import Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "validation": "val",
    "valid": "val",
    "test": "test",
    "testing": "test",
}
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov"),
    *(".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv"),
)


def has_class_folders(root: Path) -> bool:
    """Say whether a folder holds folders of videos, or splits that do."""
    return any(_videos(folder) for _, folder in _classes(root))


def read_class_folders(root: Path | str) -> TaggedClips:
    """Read what is in the folders of classes; files that are no videos become faults.

    Raises:
        LookhearError: there is not one video in a folder of a class.
    """
    root = Path(root)
    clips: list[TaggedClip] = []
    faults: list[Fault] = []
    for split, folder in _classes(root):
        tag = folder.name
        if not is_plain(tag):
            faults.append(Fault(shown(tag), "the name of the class cannot be printed"))
            continue
        videos = _videos(folder)
        clips += [TaggedClip(path, tag, 0.0, math.inf, split) for path in videos]
        others = {path for path in folder.iterdir() if not path.name.startswith(".")} - {*videos}
        faults += [Fault(f"{tag}/{path.name}", "not a video file") for path in sorted(others)]
    if not clips:
        raise LookhearError(
            f"{root}: no clips in folders of classes; it must hold DIR/<class>/<clip>, or "
            "DIR/train/<class>/<clip>"
        )
    whole = all(clip.split == "train" for clip in clips)
    notes = ("There are no splits: all is for training",) if whole else ()
    return TaggedClips(root, tuple(clips), tuple(faults), notes)


def _classes(root: Path) -> Iterator[tuple[Split, Path]]:
    """The folders of classes, each with its split, in order."""
    folders = _folders(root)
    splits = [folder for folder in folders if folder.name.casefold() in SPLIT_NAMES]
    if splits:
        for folder in splits:
            for of_class in _folders(folder):
                yield SPLIT_NAMES[folder.name.casefold()], of_class
    else:
        for of_class in folders:
            yield "train", of_class


def _folders(folder: Path) -> list[Path]:
    try:
        there = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise LookhearError(f"{folder}: cannot be read: {error.strerror}") from error
    return sorted(path for path in there if path.is_dir())


def _videos(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )
