"""Looking at clips and pictures with recorded gaze: what is there, and does it fit together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.data.check.findings import Section, Trouble, by_reason, names_in, row
from lookhear.data.readers.osie import STIMULI, fixated_names, read_osie
from lookhear.data.readers.stavis import EyeTrackedClip, EyeTrackedSet, read_stavis
from lookhear.data.readers.tables import read_fixations
from lookhear.errors import LookhearError
from lookhear.media.stills import read_still
from lookhear.progress import Progress


class _Kind(NamedTuple):
    """Of the files of a frame: where one is, and what is in it."""

    path: Callable[[EyeTrackedClip, int], Path]
    read: Callable[[EyeTrackedClip, int], NDArray[Any]]


def _grey(clip: EyeTrackedClip, index: int) -> NDArray[Any]:
    return read_still(clip.frame_path(index), cv2.IMREAD_GRAYSCALE)


_KINDS = {
    "pictures": _Kind(EyeTrackedClip.frame_path, _grey),
    "fixation maps": _Kind(EyeTrackedClip.fixation_path, EyeTrackedClip.fixation_map),
    "densities": _Kind(EyeTrackedClip.density_path, EyeTrackedClip.density),
}


@dataclass
class _Gaze:
    """What was found of a clip in STAViS's layout."""

    clip: EyeTrackedClip
    there: dict[str, int]  # how many files of each kind there are
    damaged: list[str] = field(default_factory=list)  # what cannot be read, and why
    sizes: set[str] = field(default_factory=set)  # of the first and last that can be read

    @property
    def name(self) -> str:
        return f"{self.clip.database}/{self.clip.name}"

    def lacking(self, kind: str) -> int:
        """How many files of a kind are not there."""
        return self.clip.frame_count - self.there[kind]


def check_stavis(root: Path, advance: Progress) -> Section:
    """Look at a folder in STAViS's layout; what its lists name need not be there."""
    sets = read_stavis(root)
    found = [_look_at(clip, advance) for of_one in sets for clip in of_one.clips]
    total = len(found)
    lacking = {
        kind: [
            f"{gaze.name}, {gaze.lacking(kind):,} of {gaze.clip.frame_count:,}"
            for gaze in found
            if gaze.lacking(kind)
        ]
        for kind in _KINDS
    }
    return Section(
        "STAViS's layout: clips with recorded gaze",
        unit="clips",
        usable=sum(not gaze.damaged and not any(map(gaze.lacking, _KINDS)) for gaze in found),
        total=total,
        rows=_rows(sets, found),
        troubles=(
            *(Trouble(f"Clips that lack {kind}", lacking[kind], total) for kind in _KINDS),
            Trouble("Files that cannot be read", [line for gaze in found for line in gaze.damaged]),
            *by_reason(fault for of_one in sets for fault in of_one.faults),
            Trouble("Clips without sound", [g.name for g in found if g.clip.sound is None], total),
            Trouble(
                "Clips whose pictures and maps differ in size",
                [f"{g.name}, {' and '.join(sorted(g.sizes))}" for g in found if len(g.sizes) > 1],
                total,
            ),
        ),
    )


def _look_at(clip: EyeTrackedClip, advance: Progress) -> _Gaze:
    """Count a clip's files; read the first and the last of each kind."""
    advance(1)
    gaze = _Gaze(clip, {})
    for kind, (path_of, _) in _KINDS.items():
        names = names_in(path_of(clip, 0).parent)
        frames = range(clip.frame_count) if names else ()
        gaze.there[kind] = sum(path_of(clip, index).name in names for index in frames)
    for index in {0, clip.frame_count - 1}:
        for path_of, read in _KINDS.values():
            if (path := path_of(clip, index)).is_file():
                try:
                    height, width = read(clip, index).shape
                    gaze.sizes.add(f"{width} x {height}")
                except LookhearError as error:
                    reason = str(error).removeprefix(f"{path}: ")
                    gaze.damaged.append(f"{gaze.name}/{path.name}, {reason}")
    return gaze


def _rows(sets: list[EyeTrackedSet], found: list[_Gaze]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("set", "clips", "folds", "seconds", "frames", *_KINDS)]
    for of_one in sets:
        clips = of_one.clips
        folds = {fold.number for clip in clips for fold in clip.folds}
        seconds = round(sum(clip.frame_count / clip.frame_rate for clip in clips))
        frames = sum(clip.frame_count for clip in clips)
        of_set = [gaze for gaze in found if gaze.clip.database == of_one.database]
        there = [sum(gaze.there[kind] for gaze in of_set) for kind in _KINDS]
        rows.append(row(of_one.database, len(clips), len(folds), seconds, frames, *there))
    return rows


def check_fixations(path: Path, advance: Progress, roots: Sequence[Path] = ()) -> Section:
    """Look at a table of looks, and at the clips it names."""
    videos = read_fixations(path, advance, roots)
    looks = sum(len(clip.frame) for clip in videos.clips)
    frames = sum(len(np.unique(clip.frame)) for clip in videos.clips)
    left_out = (
        ("outside the picture", videos.outside_picture),
        ("after the clip's end", videos.outside_time),
    )
    return Section(
        f"{path.name}: clips with recorded gaze",
        unit="clips",
        usable=sum(bool(len(clip.frame)) for clip in videos.clips),
        total=videos.named,
        facts=[
            f"Looks: {looks:,}; frames with any: {frames:,}",
            *(f"Looks {where}, left out: {count:,}" for where, count in left_out if count),
        ],
        troubles=by_reason(videos.faults),
    )


def check_osie(root: Path, advance: Progress) -> Section:
    """Look at a folder in OSIE's layout."""
    names = fixated_names(root)
    missing = [name for name in names if not (root / STIMULI / name).is_file()]
    unlisted = sorted(names_in(root / STIMULI) - {*names})
    present = [name for name in names if name not in {*missing}]
    pictures = read_osie(root, present) if present else []
    advance(len(pictures))
    people = max((int(p.observer.max(initial=-1)) + 1 for p in pictures), default=0)
    looks = sum(len(picture.x) for picture in pictures)
    return Section(
        "OSIE's layout: pictures with recorded gaze",
        unit="pictures",
        usable=len(pictures),
        total=len(names),
        facts=[f"Fixations: {looks:,}; people: {people}"],
        troubles=(
            Trouble("Missing pictures", missing, len(names), f"expected in {STIMULI.as_posix()}/"),
            Trouble(f"Pictures in {STIMULI.as_posix()}/ without fixations", unlisted),
        ),
    )
