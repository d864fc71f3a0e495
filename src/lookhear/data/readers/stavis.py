"""Clips with recorded gaze, in the folder layout that STAViS's authors made of six data sets.

    DIR/video_frames/<database>/<clip>/img_00001.jpg
    DIR/video_audio/<database>/<clip>/<clip>.wav
    DIR/annotations/<database>/<clip>/fixMap_00001.mat        eyeMap: fixations in each pixel
    DIR/annotations/<database>/<clip>/maps/eyeMap_00001.jpg   their density
    DIR/fold_lists/<database>_list_{train,test}_<fold>_fps.txt
    DIR/fold_lists/<database>_list_{train,test}_fps.txt       of DIEM, which has no folds

A line of a fold list is `<clip> <frames> <frames a second>`. Numbered lists are folds of a
cross-validation, whose tests together hold every clip; a test list without a number is the only
one, and the clips that it does not name are for training. The names of files count frames from
1; here they are counted from 0. The released databases are AVAD, DIEM, SumMe, ETMD_av, Coutrot_db1
and Coutrot_db2.

Tsiami et al., "STAViS: Spatio-temporal audiovisual saliency network", CVPR 2020;
https://github.com/atsiami/STAViS.
"""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
import scipy.io
from numpy.typing import ArrayLike, NDArray

from lookhear.data.readers.fixated import count_fixations, density_of, is_inside, read_mat
from lookhear.data.readers.lists import BadEntryError, numbered_lines, plain_name, utf8
from lookhear.data.readers.tagged import Fault
from lookhear.errors import LookhearError
from lookhear.files import write_whole
from lookhear.media.stills import encode_jpeg, read_still

FoldPart: TypeAlias = Literal["train", "test"]

FRAMES, SOUND, ANNOTATIONS, FOLD_LISTS = "video_frames", "video_audio", "annotations", "fold_lists"
FRAME_QUALITY, DENSITY_QUALITY = 85, 95  # of JPEG; a set has hundreds of thousands of frames
TEST_LIST = "{}_list_test_fps.txt"  # of a database without folds
WITHOUT_FOLDS = "DIEM"  # the one of the six that has none
MAX_FRAMES = 10**6  # eleven hours
MAX_FRAME_RATE = 1000.0
MOST_LOOKS, MOST_LOOKED_AT = 1000, 0.05  # pixels of a frame, and share of them

_FOLD_LIST = re.compile(r"(?P<database>.+)_list_(?P<part>train|test)(?:_(?P<fold>\d+))?_fps\.txt")
_EYE_MAP = "eyeMap"
# 116 bytes of text begin a .mat file; SciPy's own would tell the time, and no two be the same.
_MAT_TITLE = b"MATLAB 5.0 MAT-file, fixations in each pixel".ljust(116)


class Fold(NamedTuple):
    """A list that a clip is in: what it is for, and the fold's number, 0 where there are none."""

    part: FoldPart
    number: int


_ONLY_TEST = Fold("test", 0)


@dataclass(frozen=True)
class EyeTrackedClip:
    """A clip of a database, a `FixatedClip`; nothing is read before it is asked for."""

    root: Path  # the folder of the layout
    database: str  # which database it belongs to
    name: str  # of the clip
    frame_count: int  # by the list
    frame_rate: float  # frames a second, by the list
    folds: tuple[Fold, ...] = ()  # the lists it is in

    @property
    def frames(self) -> Path:
        """The folder of its frames."""
        return self.root / FRAMES / self.database / self.name

    @property
    def annotations(self) -> Path:
        """The folder of its fixation maps, in which there is that of the densities."""
        return self.root / ANNOTATIONS / self.database / self.name

    @property
    def sound(self) -> Path | None:
        """The file of its sound, None where it is not there."""
        path = self.root / SOUND / self.database / self.name / f"{self.name}.wav"
        return path if path.is_file() else None

    def frame_path(self, index: int) -> Path:
        """The picture of a frame."""
        return self.frames / f"img_{index + 1:05d}.jpg"

    def fixation_path(self, index: int) -> Path:
        """The file of a frame's fixation map."""
        return self.annotations / f"fixMap_{index + 1:05d}.mat"

    def density_path(self, index: int) -> Path:
        """The picture of a frame's density."""
        return self.annotations / "maps" / f"eyeMap_{index + 1:05d}.jpg"

    def fixation_map(self, index: int) -> NDArray[np.uint8]:
        """Number of fixations in each pixel of a frame, `(H, W)`; over 255 count as 255.

        Raises:
            LookhearError: If the file is missing, damaged or not such a map.
        """
        path = self.fixation_path(index)
        counts = np.asarray(read_mat(path, _EYE_MAP, simplify=False))
        if counts.ndim != 2 or counts.dtype.kind not in "fiub" or not counts.size:
            raise LookhearError(f"{path}: {_EYE_MAP} is not a map of numbers; check what it is")
        if not (np.isfinite(counts) & (counts >= 0)).all():
            raise LookhearError(
                f"{path}: {_EYE_MAP} has numbers in it that are no counts; replace it"
            )
        if (counts != np.floor(counts)).any():
            raise LookhearError(
                f"{path}: {_EYE_MAP} has fractions in it, which are no counts of fixations; is it "
                "the density? Replace it"
            )
        looked_at = np.count_nonzero(counts)
        if looked_at > MOST_LOOKS and looked_at > MOST_LOOKED_AT * counts.size:
            raise LookhearError(
                f"{path}: {_EYE_MAP} has fixations at {looked_at / counts.size:.0%} of its pixels, "
                "more than people make; is it the density? Replace it"
            )
        return np.asarray(np.minimum(counts, 255), np.uint8)

    def density(self, index: int) -> NDArray[np.float32]:
        """How much each pixel of a frame was looked at, `(H, W)`, 0 to 1.

        Raises:
            LookhearError: If the picture is missing or damaged.
        """
        grey = read_still(self.density_path(index), cv2.IMREAD_GRAYSCALE)
        return np.asarray(grey, np.float32) / np.float32(255)


@dataclass(frozen=True)
class EyeTrackedSet:
    """The clips of a database."""

    database: str  # its name
    # What can be used as far as its lists tell, in the order of the lists.
    clips: tuple[EyeTrackedClip, ...]
    faults: tuple[Fault, ...] = ()  # entries of the lists that cannot be used
    test_list: Path | None = None  # the one without a number; None where there is none

    @property
    def lacks_test_list(self) -> bool:
        """Whether the one test list without a number, which it should have, is not there."""
        of_no_fold = any(number == 0 for clip in self.clips for _, number in clip.folds)
        return self.test_list is None and (of_no_fold or self.database.upper() == WITHOUT_FOLDS)

    @property
    def tested(self) -> tuple[EyeTrackedClip, ...]:
        """The clips that STAViS's evaluation scores: those of the test list; all without one."""
        if self.test_list is None:
            return self.clips
        return tuple(clip for clip in self.clips if _ONLY_TEST in clip.folds)


def read_stavis(root: Path | str, database: str | None = None) -> list[EyeTrackedSet]:
    """Read the fold lists of a folder in STAViS's layout; what they name need not be there.

    Gives the database wanted, or all, sorted by name.

    Raises:
        LookhearError: If there is no fold list, none of the database wanted, or one is not text.
    """
    root = Path(root)
    lists = _fold_lists(root)
    if not lists:
        raise LookhearError(
            f"{root}: not a folder in STAViS's layout; it must hold "
            f"{FOLD_LISTS}/<database>_list_{{train,test}}_<fold>_fps.txt"
        )
    if database is not None and database not in lists:
        raise LookhearError(f"{root}: has no database {database}; there is {', '.join(lists)}")
    wanted = lists if database is None else {database: lists[database]}
    return [_read_database(root, name, folds) for name, folds in wanted.items()]


def write_gaze(
    root: Path,
    database: str,
    clip: str,
    index: int,
    picture: NDArray[np.uint8],
    fixations: ArrayLike,
) -> None:
    """Write a frame and where people looked in it. The same frame makes the same files.

    Args:
        root: The folder of the layout.
        database: Which database the clip belongs to.
        clip: Its name.
        index: Of the frame, from 0.
        picture: `(H, W, 3)` RGB.
        fixations: `(N, 2)`: x and y of each, in pixels; those outside the picture are left out.
    """
    target = EyeTrackedClip(root, database, clip, index + 1, 1.0)
    height, width = picture.shape[:2]
    x, y = np.asarray(fixations, np.float64).reshape(-1, 2).T
    inside = is_inside(x, y, height, width)
    counts = count_fixations(x[inside], y[inside], height, width)
    density = np.rint(255 * density_of(counts)).astype(np.uint8)
    _write(target.frame_path(index), encode_jpeg(picture, FRAME_QUALITY))
    _write(target.fixation_path(index), _mat(counts))
    _write(target.density_path(index), encode_jpeg(density, DENSITY_QUALITY))


def write_sound(
    root: Path, database: str, clip: str, samples: NDArray[np.floating], rate: int
) -> None:
    """Write the sound of a clip: mono `(N,)` in [-1, 1] at `rate` samples a second, as 16 bit."""
    pcm = np.rint(np.clip(samples, -1, 1) * np.iinfo(np.int16).max).astype(np.int16)
    file = io.BytesIO()
    scipy.io.wavfile.write(file, rate, pcm)
    _write(root / SOUND / database / clip / f"{clip}.wav", file.getvalue())


def _mat(counts: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, {_EYE_MAP: counts}, do_compression=True)  # type: ignore[arg-type]
    return _MAT_TITLE + file.getvalue()[len(_MAT_TITLE) :]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_fold(
    root: Path, database: str, part: FoldPart, fold: int, entries: Iterable[tuple[str, int, float]]
) -> None:
    """Write a fold list of each clip's name, number of frames and frames a second.

    Raises:
        LookhearError: If it cannot be written.
    """
    path = root / FOLD_LISTS / f"{database}_list_{part}_{fold}_fps.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(f"{name} {frames} {rate:.10g}\n" for name, frames, rate in entries))


def _fold_lists(root: Path) -> dict[str, list[tuple[Fold, Path]]]:
    """The lists of each database, train before test, both by number."""
    lists: dict[str, list[tuple[Fold, Path]]] = {}
    for path in sorted((root / FOLD_LISTS).glob("*_fps.txt")):
        if match := _FOLD_LIST.fullmatch(path.name):
            part: FoldPart = "train" if match["part"] == "train" else "test"
            fold = Fold(part, int(match["fold"] or 0))
            lists.setdefault(match["database"], []).append((fold, path))
    for of_one in lists.values():
        of_one.sort(key=lambda item: (item[0].part == "test", item[0].number))
    return lists


def _read_database(root: Path, database: str, lists: list[tuple[Fold, Path]]) -> EyeTrackedSet:
    clips: dict[str, EyeTrackedClip] = {}
    faults: list[Fault] = []
    for fold, path in lists:
        for line, text in numbered_lines(path):
            try:
                clip = _parse(text, root, database)
                clips[clip.name] = _in_fold(clips.get(clip.name, clip), fold, clip)
            except BadEntryError as error:
                faults.append(error.fault(path, line))
    test_list = next((path for fold, path in lists if fold == _ONLY_TEST), None)
    return EyeTrackedSet(database, tuple(clips.values()), tuple(faults), test_list)


def _parse(text: str, root: Path, database: str) -> EyeTrackedClip:
    # From the right, as names may have blanks in them.
    fields = utf8(text).rsplit(None, 2)
    if len(fields) != 3:
        raise BadEntryError("not a name, a number of frames and a frame rate", text)
    name, frames, rate = plain_name(fields[0], "name"), fields[1], fields[2]
    # Python's own int() would take 1_000 and other scripts' digits.
    if not re.fullmatch(r"[0-9]{1,9}", frames) or not 1 <= int(frames) <= MAX_FRAMES:
        raise BadEntryError(f"the number of frames is not one of 1 to {MAX_FRAMES}", frames)
    try:
        frame_rate = float(rate)
    except ValueError:
        frame_rate = 0.0
    if not 0 < frame_rate <= MAX_FRAME_RATE:
        raise BadEntryError("the frame rate is not a number of frames a second", rate)
    return EyeTrackedClip(root, database, name, int(frames), frame_rate)


def _in_fold(clip: EyeTrackedClip, fold: Fold, listed: EyeTrackedClip) -> EyeTrackedClip:
    """A clip with one more list that it is in, as which it is `listed` there."""
    if fold in clip.folds:
        raise BadEntryError("listed twice", clip.name)
    if fold._replace(part="train") in clip.folds:
        raise BadEntryError("for testing, but for training in the same fold, too", clip.name)
    if (clip.frame_count, clip.frame_rate) != (listed.frame_count, listed.frame_rate):
        raise BadEntryError("other numbers than in an earlier list", clip.name)
    return replace(clip, folds=(*clip.folds, fold))
