"""Clips that carry one tag each, whatever layout they were listed in."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class TaggedClip:
    """A clip and what is said of it.

    Attributes:
        path: The file; it need not be there.
        tag: The category.
        start: Seconds, at which what the tag names begins.
        end: Seconds, at which it ends.
        split: What the clip is for.
    """

    path: Path
    tag: str
    start: float
    end: float
    split: Split = "train"

    @property
    def name(self) -> str:
        """The file's name without suffix, AVE's video identifier."""
        return self.path.stem


@dataclass(frozen=True)
class Fault:
    """Something that cannot be used.

    Attributes:
        what: A file, or a line of one.
        reason: Why, and what to do where that is not plain.
    """

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True)
class TaggedClips:
    """A set of tagged clips.

    Attributes:
        root: The folder or list it was read from.
        clips: What can be used as far as its list tells, in the order of the list.
        faults: Entries of the lists that cannot be used.
        notes: What is odd of the whole and does no harm, a line each.
    """

    root: Path
    clips: tuple[TaggedClip, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, sorted."""
        return tuple(sorted({clip.tag for clip in self.clips}))

    def of_split(self, split: Split) -> Sequence[TaggedClip]:
        """The clips of a split, in the order of the list."""
        return [clip for clip in self.clips if clip.split == split]


def size_of(path: Path) -> int | None:
    """Bytes of a clip's file; None if it is not there, or no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # of a name that no file system takes, too
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
