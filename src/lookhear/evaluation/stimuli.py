"""What models are scored on: pictures and clips that people looked at, by one interface."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookhear.data.readers.fixated import DENSITY_SIGMA_PER_WIDTH, count_fixations
from lookhear.data.readers.lists import lists_of, read_names
from lookhear.data.readers.osie import STIMULI, FixatedPicture, read_osie
from lookhear.data.readers.stavis import (
    ANNOTATIONS,
    FOLD_LISTS,
    TEST_LIST,
    EyeTrackedClip,
    EyeTrackedSet,
    read_stavis,
)
from lookhear.errors import LookhearError
from lookhear.evaluation.protocol import Annotation, annotate, ever_fixated
from lookhear.evaluation.scores import Kind
from lookhear.media import Picture, Samples, read_sound
from lookhear.media.stills import read_still
from lookhear.metrics import density
from lookhear.words import count, named

FRAMES_HELD = 32  # decoded ones, as several models look at the same

People: TypeAlias = list[NDArray[np.uint8]]
"""Of each person the number of fixations in each pixel, (H, W)."""


class Stimulus(Protocol):
    """A clip, or a picture, which has one frame, and where people looked in each frame."""

    @property
    def name(self) -> str:
        """Which one it is; no two of a set share it."""

    @property
    def group(self) -> str:
        """The database it is of, or the set of pictures."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where maps of it are looked for in a folder, without suffix; no two of a set share one.

        The full one first, the shortest last.
        """

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its frames, in pixels."""

    @property
    def frame_count(self) -> int:
        """How many frames have an annotation."""

    def time(self, index: int) -> float:
        """When a frame is shown, in seconds."""

    @property
    def frame_rate(self) -> float | None:
        """Frames a second; None of a picture."""

    def pixels(self, index: int) -> Picture:
        """A frame, (H, W, 3) uint8 RGB."""

    def sound(self) -> Iterator[Samples] | None:
        """The sound as blocks of mono 16 kHz float32; None where there is none."""

    def annotate(self, indices: Sequence[int]) -> Annotation:
        """What people did on some frames, all of one size."""

    def people(self, index: int) -> People:
        """What each person did on a frame."""

    def places(self) -> NDArray[np.float64]:
        """Where people looked in all frames: (N, 2), x and y, from 0 to 1 each."""


class StimulusSet(NamedTuple):
    """A set that models are scored on, or several sets of pictures.

    Attributes:
        name: of its folder, or of their folders.
        kind: what it is made of.
        subjects: its clips or pictures, at least one.
        faults: what of its lists cannot be used, a line for each reason.
        counted: which clips of its lists count, and by which list, a line; empty for pictures.
    """

    name: str
    kind: Kind
    subjects: Sequence[Stimulus]
    faults: tuple[str, ...] = ()
    counted: str = ""


class ClipStimulus:
    """A clip of a set in STAViS's layout.

    Args:
        clip: It.
        name: Of the subject.
        is_alone: Whether no other clip of the set has the clip's name.
    """

    def __init__(self, clip: EyeTrackedClip, name: str, *, is_alone: bool) -> None:
        self.clip = clip
        self.name = name
        self.group = clip.database
        full, short = Path(clip.database, clip.name), Path(clip.name)
        self.paths = (full, short) if is_alone else (full,)
        self.frame_count = clip.frame_count
        self.frame_rate: float | None = clip.frame_rate

    @property
    def size(self) -> tuple[int, int]:
        """See `Stimulus`."""
        height, width = self.pixels(0).shape[:2]
        return height, width

    def time(self, index: int) -> float:
        """See `Stimulus`."""
        return index / self.clip.frame_rate

    def pixels(self, index: int) -> Picture:
        """See `Stimulus`."""
        return _frame(self.clip.frame_path(index))

    def sound(self) -> Iterator[Samples] | None:
        """See `Stimulus`."""
        return read_sound(self.clip.sound) if self.clip.sound else None

    def annotate(self, indices: Sequence[int]) -> Annotation:
        """See `Stimulus`."""
        return annotate(self.clip, indices, _ever_fixated(self.clip))

    def people(self, index: int) -> People:
        """Take each fixation for a person's own, as gaze is recorded once a frame."""
        counts = self.clip.fixation_map(index)
        people = []
        for row, column in zip(*np.nonzero(counts), strict=True):
            one = np.zeros_like(counts)
            one[row, column] = 1
            people += [one] * int(counts[row, column])
        return people

    def places(self) -> NDArray[np.float64]:
        """See `Stimulus`."""
        return np.concatenate(
            [_places(self.clip.fixation_map(index)) for index in range(self.frame_count)]
        )


class PictureStimulus:
    """A picture of OSIE.

    For s-AUC the other fixations are those of all other pictures of the set, at the same place
    relative to the picture's sides.

    Args:
        picture: It.
        name: Of the subject.
        group: The name of the set.
        paths: See `Stimulus`.
        everyone: Given a height and width, how often all people looked at each pixel of a grid of
            that size, laid over any picture of the set.
    """

    frame_count = 1
    frame_rate: float | None = None

    def __init__(
        self,
        picture: FixatedPicture,
        name: str,
        group: str,
        paths: tuple[Path, ...],
        everyone: Callable[[int, int], NDArray[np.int64]],
    ) -> None:
        self.picture = picture
        self.name = name
        self.group = group
        self.paths = paths
        self.size = picture.height, picture.width
        self._everyone = everyone

    def time(self, index: int) -> float:
        """See `Stimulus`."""
        del index
        return 0.0

    def pixels(self, index: int) -> Picture:
        """See `Stimulus`."""
        del index
        return self.picture.pixels()

    def sound(self) -> Iterator[Samples] | None:
        """See `Stimulus`."""
        return None

    def annotate(self, indices: Sequence[int]) -> Annotation:
        """See `Stimulus`."""
        height, width = self.picture.height, self.picture.width
        counts = np.stack([self.picture.fixation_map()] * len(indices))
        others = self._everyone(height, width) - counts
        blurred = density(counts.astype(np.float64), DENSITY_SIGMA_PER_WIDTH * width)
        return Annotation(fixations=counts, density=blurred, other_fixations=others)

    def people(self, index: int) -> People:
        """See `Stimulus`."""
        del index
        of, size = self.picture, (self.picture.height, self.picture.width)
        return [
            count_fixations(of.x[of.observer == person], of.y[of.observer == person], *size)
            for person in np.unique(of.observer)
        ]

    def places(self) -> NDArray[np.float64]:
        """See `Stimulus`."""
        return _places(self.picture.fixation_map())


def read_sets(
    data: Sequence[Path], names: Sequence[Path] = (), database: str | None = None
) -> StimulusSet:
    """Read a set as `read_stimuli` does, or several of pictures, each of which is a group.

    Args:
        data: folders, one at least; of several, none may be of clips, and no two of one name.
        names: of each folder, in their order, the text file that `read_stimuli` takes; or none.
        database: the one of a set of clips that counts; all if left out.

    Raises:
        LookhearError: these do not fit together, or one cannot be read.
    """
    lists = lists_of(data, names, "--names")
    for folder in data:
        alike = [of for of in data if of.absolute().name == folder.absolute().name]
        if len(alike) > 1:
            raise LookhearError(
                f"{alike[0]} and {alike[1]}: two sets of one name, by which they are told apart; "
                "rename one, or give it once"
            )
    sets = [
        read_stimuli(
            folder,
            names=lists[at],
            database=database,
            beside=[*data[:at], *data[at + 1 :]],
        )
        for at, folder in enumerate(data)
    ]
    if len(sets) == 1:
        return sets[0]
    subjects = [subject for of in sets for subject in of.subjects]
    return StimulusSet(named([of.name for of in sets]), "pictures", subjects)


def read_stimuli(
    data: Path,
    *,
    names: Path | None = None,
    database: str | None = None,
    beside: Sequence[Path] = (),
) -> StimulusSet:
    """Read a set of pictures in OSIE's layout, or of clips in STAViS's.

    Of a database with a test list without a number, such as DIEM's, the clips of that list count,
    as in STAViS's evaluation; of one with folds, whose tests together hold all clips, all do.

    Args:
        data: its folder.
        names: text file of the names of the pictures or clips that count, whatever list they are
            in; if left out, all pictures or those clips.
        database: the one of a set of clips that counts; all if left out.
        beside: folders of the other sets of pictures that are scored with this one, of which no
            subject shares a name or a path with one of these.

    Raises:
        LookhearError: it is no such folder, a name is not in it, or too little is left.
    """
    wanted = read_names(names) if names else ()  # of which there is one at least
    if not data.is_dir():
        raise LookhearError(f"{data}: no such folder; give one in OSIE's or STAViS's layout")
    if not (data / FOLD_LISTS).is_dir() and (data / ANNOTATIONS).is_dir():
        raise LookhearError(
            f"{data}: holds no {FOLD_LISTS}/, whose lists name STAViS's clips; add it"
        )
    if not (data / FOLD_LISTS).is_dir():
        if database:
            raise LookhearError(f"{data}: holds no {FOLD_LISTS}/, so it has no --database")
        return _pictures(data, wanted or None, beside)
    if beside:
        raise LookhearError(
            f"{data}: holds clips, which are scored alone; of several --data all must hold pictures"
        )
    databases = read_stavis(data, database)
    clips = [clip for of in databases for clip in of.clips]
    several = len({clip.database for clip in clips}) > 1
    namesakes = Counter(clip.name for clip in clips)
    if names is None:
        counting = {of.database: _tested(of) for of in databases}
    else:
        counting = {of.database: _named(of, names, frozenset(wanted)) for of in databases}
        found = {name for chosen, _ in counting.values() for of in chosen for name in _names(of)}
        if missing := {*wanted} - found:
            raise LookhearError(f"{names}: {data} has no clip {min(missing)}; see its {FOLD_LISTS}")
    subjects = [
        ClipStimulus(clip, _names(clip)[0 if several else 1], is_alone=namesakes[clip.name] == 1)
        for chosen, _ in counting.values()
        for clip in chosen
    ]
    if not subjects:
        raise LookhearError(f"{data}: its lists name no clip; see its {FOLD_LISTS}")
    counted = "; ".join(f"{name}: {which}" for name, (chosen, which) in counting.items() if chosen)
    faults: dict[str, list[str]] = defaultdict(list)
    for fault in (fault for of in databases for fault in of.faults):
        faults[fault.reason].append(fault.what)
    lines = tuple(f"{data}: {named(what)}: {reason}" for reason, what in faults.items())
    return StimulusSet(data.absolute().name, "clips", subjects, lines, counted)


def _names(clip: EyeTrackedClip) -> tuple[str, str]:
    """By which a clip can be asked for: with its database, and alone."""
    return f"{clip.database}/{clip.name}", clip.name


def _tested(of: EyeTrackedSet) -> tuple[Sequence[EyeTrackedClip], str]:
    """The clips of a database that count where none are named, and which they are."""
    listed, tested = len(of.clips), of.tested
    if of.test_list is None:
        lacking = ""
        if of.lacks_test_list:
            lacking = f", as there is no {TEST_LIST.format(of.database)}"
        return tested, f"all listed ({count(listed, 'clip')}){lacking}"
    if not tested:
        faults = [fault for fault in of.faults if fault.what.startswith(of.test_list.name)]
        why = f" ({faults[0]})" if faults else ""
        raise LookhearError(
            f"{of.test_list}: names no clip that can be used{why}; mend it, or give --names"
        )
    return tested, f"{count(len(tested), 'clip')} of {listed} listed, by {of.test_list.name}"


def _named(
    of: EyeTrackedSet, names: Path, wanted: frozenset[str]
) -> tuple[Sequence[EyeTrackedClip], str]:
    """The clips of a database that are named, and which they are."""
    chosen = [clip for clip in of.clips if not wanted.isdisjoint(_names(clip))]
    which = f"{count(len(chosen), 'clip')} of {len(of.clips)} listed, by {names.name}"
    if of.test_list and (others := len({*chosen} - {*of.tested})):
        which += f", {others} not in {of.test_list.name}"
    return chosen, which


def _pictures(data: Path, wanted: Sequence[str] | None, beside: Sequence[Path]) -> StimulusSet:
    pictures = read_osie(data, names=wanted)
    if len(pictures) < 2:
        raise LookhearError(f"{data}: s-AUC compares pictures with one another; give at least two")

    @cache
    def everyone(height: int, width: int) -> NDArray[np.int64]:
        total = np.zeros((height, width), np.int64)
        for picture in pictures:
            total += picture.fixation_map(height, width)
        return total

    group = data.absolute().name
    namesakes = Counter(picture.path.stem for picture in pictures)
    elsewhere = {path.stem for folder in beside for path in (folder / STIMULI).glob("*")}

    def subject(of: FixatedPicture) -> PictureStimulus:
        short = Path(of.path.stem if namesakes[of.path.stem] == 1 else of.name)
        if not beside:
            return PictureStimulus(of, of.name, group, (short,), everyone)
        full = Path(group, short)
        paths = (full,) if of.path.stem in elsewhere else (full, short)
        return PictureStimulus(of, f"{group}/{of.name}", group, paths, everyone)

    return StimulusSet(group, "pictures", [*map(subject, pictures)])


def _places(counts: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The middles of the pixels looked at, (N, 2): x and y in shares of the sides."""
    rows, columns = np.nonzero(counts)
    middles = np.stack([(columns + 0.5) / counts.shape[1], (rows + 0.5) / counts.shape[0]], 1)
    return np.repeat(middles, counts[rows, columns], axis=0)


@lru_cache(maxsize=1)  # clips come one after the other
def _ever_fixated(clip: EyeTrackedClip) -> NDArray[np.bool_]:
    return ever_fixated(clip)


@lru_cache(maxsize=FRAMES_HELD)
def _frame(path: Path) -> Picture:
    frame = np.asarray(read_still(path), np.uint8)
    frame.setflags(write=False)
    return frame
