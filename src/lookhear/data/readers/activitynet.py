"""ActivityNet's JSON (Caba Heilbron et al., CVPR 2015), in which THUMOS14 is handed round, too.

    {"database": {"<id>": {"subset": "training", "duration": 82.7,
                           "annotations": [{"label": "Long jump", "segment": [12.5, 31.0]}]}}}

Clips lie beside it, or in `videos/`, as `<id>` or `v_<id>` with any suffix of a video.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lookhear.data.readers.class_folders import VIDEO_SUFFIXES
from lookhear.data.readers.lists import BadEntryError, is_plain, label, shown, span
from lookhear.data.readers.tagged import Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError

SUBSETS: dict[str, Split] = {
    "training": "train",
    "train": "train",
    "validation": "val",
    "val": "val",
    "testing": "test",
    "test": "test",
}
VIDEOS = ("videos", ".")
MAX_BYTES = 2**28


class LabelledSegment(NamedTuple):
    """When in a clip an action is.

    Attributes:
        label: which action.
        start, end: seconds.
    """

    label: str
    start: float
    end: float


class AnnotatedClip(NamedTuple):
    """A clip of the file.

    Attributes:
        path: of its video, which need not be there.
        split: what it is for.
        segments: when what is.
    """

    path: Path
    split: Split
    segments: tuple[LabelledSegment, ...]


def find_activitynet(path: Path) -> Path | None:
    """The JSON that a path is, or the one that a folder holds; None where there is none."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    return next((file for file in files if file.suffix == ".json" and _is_database(file)), None)


def read_activitynet(path: Path | str) -> TaggedClips:
    """Read clips with one label each; those with several, or none, become faults.

    Raises:
        LookhearError: there is no such file, or it holds something else.
    """
    clips, faults = [], []
    annotated, wrong = read_segments(path)
    faults += wrong
    for name, clip in annotated.items():
        labels = sorted({segment.label for segment in clip.segments})
        if len(labels) == 1:
            clips.append(TaggedClip(clip.path, labels[0], 0.0, math.inf, clip.split))
        elif labels:
            faults.append(Fault(shown(name), "has several labels"))
        elif clip.split != "test":  # whose annotations are kept from all
            faults.append(Fault(shown(name), "has no annotation"))
    return TaggedClips(Path(path), tuple(clips), tuple(faults))


def read_segments(path: Path | str) -> tuple[dict[str, AnnotatedClip], list[Fault]]:
    """Read all clips by their names, with when what is in them, and what cannot be used.

    Raises:
        LookhearError: there is no such file, or it holds something else.
    """
    path = Path(path)
    file = find_activitynet(path)
    if file is None:
        raise LookhearError(f"{path}: no annotation in ActivityNet's JSON, with a database")
    videos = {of.stem: of for of in _videos(file.parent)}
    clips: dict[str, AnnotatedClip] = {}
    faults: list[Fault] = []
    for name, entry in _database(file).items():
        try:
            if not is_plain(name):
                raise BadEntryError("the name is not a plain file name")
            split, segments = _split_of(entry), tuple(_segments(entry))
        except BadEntryError as error:
            faults.append(Fault(f"{file.name}, {shown(name)}", error.reason))
            continue
        own = videos.get(name) or videos.get(f"v_{name}") or file.parent / f"{name}.mp4"
        clips[name] = AnnotatedClip(own, split, segments)
    return clips, faults


def _is_database(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as opened:
            start = opened.read(2**20)
    except (OSError, UnicodeDecodeError):
        return False
    return '"database"' in start or ('"annotations"' in start and '"subset"' in start)


def _database(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError("far too long")
        read = json.loads(file.read_text(encoding="utf-8"))
        database = read.get("database", read)
        if not isinstance(database, dict):
            raise TypeError("no database")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LookhearError(f"{file}: cannot be read as ActivityNet's JSON ({error})") from error
    return database


def _split_of(entry: Any) -> Split:
    subset = entry.get("subset") if isinstance(entry, dict) else None
    if not isinstance(subset, str) or subset.casefold() not in SUBSETS:
        raise BadEntryError("its subset is none of training, validation and testing")
    return SUBSETS[subset.casefold()]


def _segments(entry: Any) -> Iterator[LabelledSegment]:
    annotations = entry.get("annotations") or []
    if not isinstance(annotations, list):
        raise BadEntryError("its annotations are no list")
    for of in annotations:
        try:
            said, (start, end) = of["label"], of["segment"]
        except (KeyError, TypeError, ValueError):
            raise BadEntryError("an annotation lacks a label or two times") from None
        if not isinstance(said, str):
            raise BadEntryError("a label is no text")
        yield LabelledSegment(label(said, "label"), *span(str(start), str(end)))


def _videos(folder: Path) -> Iterator[Path]:
    for name in VIDEOS:
        if (folder / name).is_dir():
            for path in (folder / name).iterdir():
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    yield path
