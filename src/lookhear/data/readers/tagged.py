"""Clips that carry tags, one or several each, whatever layout they were listed in."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
TAG_SEPARATOR = ";"
"""Between the tags of a clip that carries several."""


@dataclass(frozen=True)
class TaggedClip:
    """A clip and what is said of it."""

    path: Path  # the file; it need not be there
    tag: str  # the category, or several; see `tags_in`
    start: float  # seconds, at which what the tag names begins
    end: float  # seconds, at which it ends
    split: Split = "train"  # what the clip is for

    @property
    def name(self) -> str:
        """The file's name without suffix, AVE's video identifier."""
        return self.path.stem


@dataclass(frozen=True)
class Fault:
    """Something that cannot be used."""

    what: str  # a file, or a line of one
    reason: str  # why, and what to do where that is not plain

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True)
class TaggedClips:
    """A set of tagged clips."""

    root: Path  # the folder or list it was read from
    # What can be used as far as its list tells, in the order of the list.
    clips: tuple[TaggedClip, ...]
    faults: tuple[Fault, ...] = ()  # entries of the lists that cannot be used
    notes: tuple[str, ...] = ()  # what is odd of the whole and does no harm, a line each

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, sorted."""
        return tuple(sorted({clip.tag for clip in self.clips}))

    def of_split(self, split: Split) -> Sequence[TaggedClip]:
        """The clips of a split, in the order of the list."""
        return [clip for clip in self.clips if clip.split == split]


def name_from(root: Path, path: Path) -> str:
    """A path from a folder on, or, of a list, from the folder it is in; all of it elsewhere."""
    folder = root if root.is_dir() else root.parent
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def tags_in(text: str) -> tuple[str, ...]:
    """The tags that a text names, in its order, each once."""
    named = (tag.strip() for tag in text.split(TAG_SEPARATOR))
    return tuple(dict.fromkeys(tag for tag in named if tag))


def once_a_clip(data: TaggedClips) -> TaggedClips:
    """Gather all that is said of a clip in one entry: all its tags, from the first to the last.

    A clip is of the split that it is first named with.
    """
    of_path: dict[Path, list[TaggedClip]] = {}
    for clip in data.clips:
        of_path.setdefault(clip.path, []).append(clip)
    clips = []
    for entries in of_path.values():
        tags = tags_in(TAG_SEPARATOR.join(clip.tag for clip in entries))
        start, end = min(clip.start for clip in entries), max(clip.end for clip in entries)
        tag = TAG_SEPARATOR.join(sorted(tags))
        clips.append(replace(entries[0], tag=tag, start=start, end=end))
    return replace(data, clips=tuple(clips))


def size_of(path: Path) -> int | None:
    """Bytes of a clip's file; None if it is not there, or no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # of a name that no file system takes, too
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
