"""Looking at clips and pictures with recorded gaze: what is there, and does it fit together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from lookhear.data.check.findings import Advance, Section, Trouble, by_reason, names_in
from lookhear.data.readers.osie import STIMULI, fixated_names, read_osie
from lookhear.data.readers.stavis import EyeTrackedClip, EyeTrackedSet, read_stavis
from lookhear.data.readers.stills import read_still
from lookhear.data.readers.tables import read_fixations
from lookhear.errors import LookhearError

PICTURES, FIXATIONS, DENSITIES = "pictures", "fixation maps", "densities"
_PATH_OF: dict[str, Callable[[EyeTrackedClip, int], Path]] = {
    PICTURES: EyeTrackedClip.frame_path,
    FIXATIONS: EyeTrackedClip.fixation_path,
    DENSITIES: EyeTrackedClip.density_path,
}


@dataclass
class _Gaze:
    """What was found of a clip in STAViS's layout.

    Attributes:
        clip: The clip.
        there: How many files of each kind there are.
        damaged: What cannot be read, and why.
        sizes: Of the first and last picture and maps that can be read.
    """

    clip: EyeTrackedClip
    there: dict[str, int]
    damaged: list[str] = field(default_factory=list)
    sizes: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"{self.clip.database}/{self.clip.name}"

    def lacking(self, kind: str) -> int:
        """How many files of a kind are not there."""
        return self.clip.frame_count - self.there[kind]

    @property
    def is_usable(self) -> bool:
        """Whether there is nothing in the way of using it."""
        return not self.damaged and not any(map(self.lacking, _PATH_OF))


def check_stavis(root: Path, advance: Advance) -> Section:
    """Look at a folder in STAViS's layout; what its lists name need not be there."""
    sets = read_stavis(root)
    found = [_look_at(clip, advance) for of_one in sets for clip in of_one.clips]
    total = len(found)
    incomplete = [
        Trouble(
            f"Clips that lack {kind}",
            [
                f"{gaze.name}, {lacking:,} of {gaze.clip.frame_count:,}"
                for gaze in found
                if (lacking := gaze.lacking(kind))
            ],
            total,
        )
        for kind in _PATH_OF
    ]
    return Section(
        "STAViS's layout: clips with recorded gaze",
        unit="clips",
        usable=sum(gaze.is_usable for gaze in found),
        total=total,
        rows=_rows(sets, found),
        troubles=(
            *incomplete,
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


def check_fixations(path: Path, advance: Advance) -> Section:
    """Look at a table of looks, and at the clips it names."""
    videos = read_fixations(path, advance)
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
        total=len(videos.clips),
        facts=[
            f"Looks: {looks:,}; frames with any: {frames:,}",
            *(f"Looks {where}, left out: {count:,}" for where, count in left_out if count),
        ],
        troubles=by_reason(videos.faults),
    )


def check_osie(root: Path, advance: Advance) -> Section:
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


def _look_at(clip: EyeTrackedClip, advance: Advance) -> _Gaze:
    """Count a clip's files; read the first and the last of each kind."""
    advance(1)
    frames = range(clip.frame_count)
    there = {}
    for kind, path_of in _PATH_OF.items():
        names = names_in(path_of(clip, 0).parent)
        there[kind] = sum(path_of(clip, i).name in names for i in frames) if names else 0
    gaze = _Gaze(clip, there)
    for index in {0, clip.frame_count - 1}:
        for kind, path_of in _PATH_OF.items():
            if (path := path_of(clip, index)).is_file():
                try:
                    height, width = _shape(clip, kind, index)
                    gaze.sizes.add(f"{width} x {height}")
                except LookhearError as error:
                    reason = str(error).removeprefix(f"{path}: ")
                    gaze.damaged.append(f"{gaze.name}/{path.name}, {reason}")
    return gaze


def _shape(clip: EyeTrackedClip, kind: str, index: int) -> tuple[int, ...]:
    if kind == FIXATIONS:
        return clip.fixation_map(index).shape
    if kind == DENSITIES:
        return clip.density(index).shape
    shape: tuple[int, ...] = read_still(clip.frame_path(index), cv2.IMREAD_GRAYSCALE).shape
    return shape


def _rows(sets: list[EyeTrackedSet], found: list[_Gaze]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("set", "clips", "folds", "seconds", "frames", *_PATH_OF)]
    for of_one in sets:
        clips = of_one.clips
        folds = {fold.number for clip in clips for fold in clip.folds}
        seconds = round(sum(clip.frame_count / clip.frame_rate for clip in clips))
        frames = sum(clip.frame_count for clip in clips)
        of_set = [gaze for gaze in found if gaze.clip.database == of_one.database]
        there = [sum(gaze.there[kind] for gaze in of_set) for kind in _PATH_OF]
        numbers = (len(clips), len(folds), seconds, frames, *there)
        rows.append((of_one.database, *(f"{number:,}" for number in numbers)))
    return rows
