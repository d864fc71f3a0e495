"""Clips of lists that say `path label` in each line, as mmaction2 has them.

    DIR/train.txt, val.txt, test.txt    a clip a line; or one list for training, by its own name
    DIR/classes.txt                     the classes' names, a line each, where labels are numbers

A path is relative to the list's folder, or to `videos/` in it, and may hold spaces: the label is
what comes after the last. A line of three fields, of which two are numbers (`folder frames label`),
is of a folder of frames. https://mmaction2.readthedocs.io, "Prepare annotations".
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lookhear.data.readers.lists import (
    BadEntryError,
    inner_path,
    label,
    numbered_lines,
    once_each,
    read_names,
    utf8,
)
from lookhear.data.readers.tagged import SPLITS, Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError

CLASSES = ("classes.txt", "label_map.txt", "classInd.txt")
VIDEOS = "videos"


def split_lists(root: Path) -> dict[Split, Path]:
    """The lists in a folder, by the split that begins their names: val.txt, val_videos.txt."""
    found: dict[Split, Path] = {}
    for split in SPLITS:
        named = [root / f"{split}.txt", *sorted(root.glob(f"{split}[_.-]*.txt"))]
        there = [path for path in named if path.is_file()]
        if there:
            found[split] = there[0]
    return found


def read_path_labels(path: Path | str) -> TaggedClips:
    """Read the lists of a folder, or one list, for training; the clips need not be there.

    Raises:
        LookhearError: there is no list, or one is not text, or too long.
    """
    path = Path(path)
    lists: dict[Split, Path] = split_lists(path) if path.is_dir() else {"train": path}
    if not lists:
        raise LookhearError(f"{path}: no lists of clips; it must hold train.txt")
    root = path if path.is_dir() else path.parent
    listed_classes = next((root / name for name in CLASSES if (root / name).is_file()), None)
    classes = (
        [] if listed_classes is None else [_class_name(of) for of in read_names(listed_classes)]
    )
    faults: list[Fault] = []
    clips = [
        clip
        for split, file in lists.items()
        for clip in once_each(
            numbered_lines(file), partial(_clip, root, classes, split), file, faults
        )
    ]
    notes = [] if classes else [f"There is no {CLASSES[0]}: classes go by their labels"]
    if "val" not in lists:
        notes.append("There is no val.txt: nothing is held out")
    return TaggedClips(path, tuple(clips), tuple(faults), tuple(notes))


def _class_name(line: str) -> str:
    """A line of names, or of a number and a name, as UCF101 has it."""
    first, _, rest = line.partition(" ")
    return rest.strip() if first.isdecimal() and rest.strip() else line


def _clip(root: Path, classes: Sequence[str], split: Split, text: str) -> TaggedClip:
    name, _, number = utf8(text).rpartition(" ")
    name = name.strip()
    front, _, frames = name.rpartition(" ")
    if frames.isdecimal() and number.isdecimal() and front.strip():
        name = front.strip()  # of a folder of so many frames
    if not name:
        raise BadEntryError("not a path and a label with a space between them", text)
    path = root / inner_path(name)
    inside = root / VIDEOS / name
    tag = label(number, "label")
    if classes:
        if not number.isdecimal() or int(number) >= len(classes):
            raise BadEntryError(f"the label is none of the {len(classes)} classes", number)
        tag = classes[int(number)]
    return TaggedClip(inside if inside.exists() else path, tag, 0.0, math.inf, split)
