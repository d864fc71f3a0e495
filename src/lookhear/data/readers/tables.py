"""Anyone's own clips and gaze as two plain tables.

    clips.csv        path,tag,start,end             a clip a row: seconds
    fixations.csv    clip,time,x,y,observer         a look a row: seconds, pixels, any name

The first row names the columns, in any order; others are let be. A path is relative to the
table's folder, with `/` between its parts, and a `clip` is such a path, too. A stranger's table
could name any file of the machine, so other paths are refused but for what lies in folders that are
given as roots. A look counts for the
one frame that is shown at its time: someone who looks on in later frames has a row for each.
"""

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookhear.data.readers.fixated import (
    MANY,
    Fixated,
    count_fixations,
    density_of,
    doubts_about,
    is_inside,
)
from lookhear.data.readers.lists import (
    BadEntryError,
    check_text,
    is_plain,
    label,
    number,
    once_each,
    seconds,
    span,
    utf8,
)
from lookhear.data.readers.tagged import Fault, TaggedClip, TaggedClips
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.progress import Progress, unseen

CLIPS, FIXATIONS = "clips.csv", "fixations.csv"
CLIP_COLUMNS = ("path", "tag", "start", "end")
FIXATION_COLUMNS = ("clip", "time", "x", "y", "observer")
ROUNDING = 1e-6  # of a frame, by which a frame's own time may seem to come before it


@dataclass(frozen=True, eq=False)
class FixatedVideo(Fixated):
    """A clip and the looks of everyone who saw it, a `FixatedClip`."""

    name: str  # its path in the table
    frame_count: int  # by the clip's header
    frame_rate: float  # frames a second, by the clip's header
    frame: NDArray[np.int64]  # `(N,)` int64, the frame each look belongs to, in ascending order

    def fixation_map(self, index: int) -> NDArray[np.uint8]:
        """Number of looks in each pixel of a frame, `(H, W)`; over 255 count as 255."""
        first, last = np.searchsorted(self.frame, (index, index + 1))
        return count_fixations(self.x[first:last], self.y[first:last], self.height, self.width)

    def density(self, index: int) -> NDArray[np.float32]:
        """How much each pixel of a frame was looked at, `(H, W)`, 0 to 1: see `density_of`."""
        return density_of(self.fixation_map(index))


@dataclass(frozen=True)
class FixatedVideos:
    """The clips of a table of looks."""

    path: Path  # the table
    clips: tuple[FixatedVideo, ...]  # in the order in which the table names them first
    faults: tuple[Fault, ...] = ()  # rows and clips that cannot be used
    outside_picture: int = 0  # how many looks were left out for being outside their clip's picture
    outside_time: int = 0  # how many were left out for being after their clip's end
    named: int = 0  # how many clips the table names


def read_clips(path: Path | str, roots: Sequence[Path] = ()) -> TaggedClips:
    """Read a table of tagged clips; their files need not be there. All are for training.

    Paths may lead into the table's folder, and to what lies in any of ``roots``.

    Raises:
        LookhearError: If there is no such file, it is not text or lacks a column.
    """
    path = Path(path)
    faults: list[Fault] = []
    rows = _rows(path, CLIP_COLUMNS, faults)
    clips = once_each(rows, partial(_tagged_clip, _Places(path.parent, roots)), path, faults)
    return TaggedClips(path, tuple(clips), tuple(faults))


def read_fixations(
    path: Path | str, advance: Progress = unseen, roots: Sequence[Path] = ()
) -> FixatedVideos:
    """Read a table of looks, and the size and length of the clips it names.

    Paths may lead into the table's folder, and to what lies in any of ``roots``. Looks outside
    their clip are left out and counted; a clip of which most looks are becomes a fault. Of a long
    table no more than the numbers is held; ``advance`` is told the number of clips opened.

    Raises:
        LookhearError: If there is no such file, it is not text or lacks a column.
    """
    path = Path(path)
    looks_of: dict[str, _Looks] = {}
    places = _Places(path.parent, roots)
    faults: list[Fault] = []
    for line, row in _rows(path, FIXATION_COLUMNS, faults):
        clip, time, x, y, observer = row
        try:
            person, name = label(observer, "observer"), clip
            if name not in looks_of:
                places.place(name)
            look = seconds(time, "time"), number(x, "x"), number(y, "y"), person
            looks_of.setdefault(name, _Looks()).add(*look)
        except BadEntryError as error:
            faults.append(error.fault(path, line))
    clips, outside_picture, outside_time = [], 0, 0
    for name, looks in looks_of.items():
        try:
            video, too_late, too_far = _fixated_video(places.place(name), name, looks)
        except LookhearError as error:
            faults.append(Fault(name, str(error).removeprefix(f"{places.place(name)}: ")))
        else:
            clips.append(video)
            outside_time += too_late
            outside_picture += too_far
        advance(1)
    return FixatedVideos(
        path, tuple(clips), tuple(faults), outside_picture, outside_time, len(looks_of)
    )


def columns_of(path: Path) -> list[str]:
    """The names in the first row of a table, in lower case.

    Raises:
        LookhearError: If there is no such file or it is not text.
    """
    check_text(path)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            return [name.strip().casefold() for name in next(csv.reader(file), [])]
        except csv.Error:
            return []


def _rows(
    path: Path, columns: Sequence[str], faults: list[Fault]
) -> Iterator[tuple[int, list[str]]]:
    """What is in the columns wanted, in their order, of each row that is not blank.

    Each comes with the number of its line, from 1; rows that cannot be read go to `faults`.
    """
    names = columns_of(path)
    absent = [column for column in columns if column not in names]
    if absent:
        raise LookhearError(
            f"{path}: has no column {' and no '.join(absent)}; the first row must name "
            f"{','.join(columns)}"
        )
    places = [names.index(column) for column in columns]
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        while True:
            try:
                row = next(reader)
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) <= max(places):
                    raise BadEntryError("has too few fields")
                yield reader.line_num, [utf8(row[place]).strip() for place in places]
            except StopIteration:
                return
            except csv.Error as error:
                faults.append(Fault(f"{path.name}, line {reader.line_num}", f"not a row ({error})"))
            except BadEntryError as error:
                faults.append(error.fault(path, reader.line_num))


def _tagged_clip(places: "_Places", row: list[str]) -> TaggedClip:
    path, tag, start, end = row
    return TaggedClip(places.place(path), label(tag, "tag"), *span(start, end))


class _Places:
    """Where the clips of a table may lie: in its folder, or in those that are given."""

    def __init__(self, folder: Path, roots: Sequence[Path]) -> None:
        self._folder = folder
        self._roots = roots
        self._resolved = [root.resolve() for root in roots]

    def place(self, text: str) -> Path:
        """The file that a path leads to."""
        if not text:
            raise BadEntryError("the path is empty")
        inner = all(map(is_plain, text.split("/")))
        if inner and (not self._roots or (self._folder / text).exists()):
            return self._folder / text
        if text.isprintable():
            for folder in (self._folder, *self._roots):
                path = folder / text
                if self._is_allowed(path) and (path.exists() or not inner):
                    return path
        if inner:
            return self._folder / text
        raise BadEntryError(
            "the path is not one inside the table's folder; say with --root DIR where they may lie",
            text,
        )

    def _is_allowed(self, path: Path) -> bool:
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError, ValueError):  # a link to itself
            return False
        return any(resolved.is_relative_to(root) for root in self._resolved)


@dataclass
class _Looks:
    """The looks at a clip, as they come: time, x, y and observer of each, one after the other."""

    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    people: dict[str, int] = field(default_factory=dict)

    def add(self, time: float, x: float, y: float, observer: str) -> None:
        person = self.people.setdefault(observer, len(self.people))
        self.numbers.extend((time, x, y, person))


def _fixated_video(path: Path, name: str, looks: _Looks) -> tuple[FixatedVideo, int, int]:
    """The clip, and how many looks came after its end or fell outside its picture.

    Raises:
        LookhearError: it cannot be opened, or the numbers cannot be what they should be.
    """
    clip = open_clip(path)
    if not clip.frame_count or not clip.frame_rate:
        raise LookhearError(f"{clip.path}: its header does not tell its length; convert it to .mp4")
    time, x, y, observer = np.array(looks.numbers).reshape(-1, 4).T
    frame = np.floor(time * clip.frame_rate + ROUNDING).astype(np.int64)
    in_time = frame < clip.frame_count
    in_picture = is_inside(x, y, clip.height, clip.width)
    if len(time) >= MANY and 2 * in_time.sum() < len(time):
        raise LookhearError(f"{clip.path}: most looks come after its end; times must be in seconds")
    if doubts := doubts_about(x, y):
        raise LookhearError(f"{clip.path}: {doubts}")
    if len(time) >= MANY and 2 * in_picture.sum() < len(time):
        raise LookhearError(
            f"{clip.path}: most looks are outside its picture; x, y must be in its pixels"
        )
    kept = np.flatnonzero(in_time & in_picture)
    kept = kept[np.argsort(frame[kept], kind="stable")]
    video = FixatedVideo(
        clip.path,
        clip.height,
        clip.width,
        x[kept],
        y[kept],
        observer[kept].astype(np.int64),
        name,
        clip.frame_count,
        clip.frame_rate,
        frame[kept],
    )
    return video, int((~in_time).sum()), int((in_time & ~in_picture).sum())
