"""Maps that were made elsewhere, as files: a folder of pictures or arrays, or an archive.

    FOLDER/<picture>.png                     of a picture; .jpg, .jpeg and .npy likewise
    FOLDER/<set>/<picture>.png               of a picture, where there are several sets of them
    FOLDER/<database>/<clip>/<frame>.png     of a clip's frames
    FOLDER/<database>/<clip>/maps.npz        of a clip, as `lookhear predict` writes them
    FILE.npz                                 keys are pictures, or PREFIX/<picture>, each as above

The last number in a frame's file name is that of the frame; counting begins with 1, as in STAViS's
layout, or with 0 if there is a file of number 0. Of `maps.npz` the map nearest in time is taken.
<database>/ may be left out where no other clip of the set has the clip's name, and <set>/ where no
other set's folder has a picture of that name, whether it counts or not. <picture> is its file's
name without suffix, or with it where two pictures of the set differ in nothing else.
Maps of whatever origin are resized as they are; so are those of `lookhear predict`, which
`--model` itself enlarges through their log-odds (`lookhear.maps.enlarge`).

What may be wrong with such maps, and what becomes of it:

| what                        | becomes                                        | named          |
| --------------------------- | ---------------------------------------------- | -------------- |
| another size                | resized                                        | if it stretches |
| no map of a frame           | see `lookhear.evaluation.gaps`                 | yes            |
| NaN or infinity in it       | a flat map                                     | yes            |
| the same value everywhere   | scored, as chance                              | yes            |
| in colour                   | its luminance, which may not be what was meant | yes            |
| no map within a second      | the nearest one (of `maps.npz`)                | yes            |
| maps of frames after the last | nothing                                      | yes            |
| no map of a clip or picture | an error                                       | yes            |

So no model gains by leaving out what it finds hard, unless the user has gaps skipped.
"""

import glob
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.data.derived import DAMAGED_ARRAY
from lookhear.errors import LookhearError
from lookhear.evaluation.models import Note
from lookhear.evaluation.stimuli import Stimulus
from lookhear.maps import Maps
from lookhear.media.stills import read_still

STRETCHED = "another shape than the frame, to which it was stretched"
SHAPES_APART = 0.05  # of the ratio of the sides, at least
FAR = "the nearest map is of another time"
FAR_SECONDS = 1.0
BEYOND = "the last one, but there are maps of later ones"
IN_COLOUR = "in colour, of which the luminance was taken"
PICTURES = (".png", ".jpg", ".jpeg")
SUFFIXES = (*PICTURES, ".npy")
CLIP_MAPS = "maps.npz"
MAX_PIXELS = 2**27  # of a map; a header may claim any size
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class OfFolder:
    """Maps in a folder, each read when it is asked for.

    Raises:
        LookhearError: It is no folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise LookhearError(f"{folder}: no such folder of maps; check the name")
        self._folder = folder

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps | None]:
        """Give maps; see `lookhear.evaluation.models.Model`.

        Raises:
            LookhearError: There is no map of the clip or picture at all, or a file is damaged.
        """
        if subject.frame_rate is None:
            yield _compared(_read(self._of_picture(subject), 0, note), subject, 0, note)
            return
        folder = self._of_clip(subject)
        if (folder / CLIP_MAPS).is_file():
            times = [subject.time(index) for index in indices]
            nearest = _in_time(folder / CLIP_MAPS, times)
            for index, (found, apart) in zip(indices, nearest, strict=True):
                if apart > FAR_SECONDS:
                    note(FAR, index)
                yield _compared(found, subject, index, note)
            return
        files = _of_frames(folder, subject)
        if max(files) >= subject.frame_count:
            note(BEYOND, subject.frame_count - 1)
        for index in indices:
            file = files.get(index)
            yield _compared(_read(file, index, note), subject, index, note) if file else None

    def frames(self, subject: Stimulus) -> Sequence[int]:
        """Which frames of a clip have a map, counted from 0, ascending.

        Raises:
            LookhearError: There is no map of the clip at all.
        """
        folder, every = self._of_clip(subject), range(subject.frame_count)
        if (folder / CLIP_MAPS).is_file():
            return every  # each has one that is near in time
        files = _of_frames(folder, subject)
        return [index for index in every if index in files]

    def _of_picture(self, subject: Stimulus) -> Path:
        for own in subject.paths:
            files = [
                file
                for file in sorted(self._folder.glob(f"{glob.escape(str(own))}.*"))
                if file.stem == own.name and file.suffix.lower() in SUFFIXES
            ]
            if len(files) > 1:
                raise LookhearError(
                    f"{self._folder}: {files[0].name} and {files[1].name} are maps of one picture; "
                    "leave one"
                )
            if files:
                return files[0]
        raise LookhearError(
            f"{self._folder}: has no map of {subject.name}, such as {subject.paths[0]}.png; add it "
            "or leave the picture out"
        )

    def _of_clip(self, subject: Stimulus) -> Path:
        for path in subject.paths:
            if (self._folder / path).is_dir():
                return self._folder / path
        raise LookhearError(
            f"{self._folder}: has no folder {subject.paths[0]}; add its maps or leave the clip out"
        )


class OfArchive:
    """Maps of pictures in an .npz file, each read when it is asked for.

    Raises:
        LookhearError: It is missing, is not one or has no key that begins so.
    """

    def __init__(self, path: Path, prefix: str = "") -> None:
        self._path = path
        self._prefix = prefix
        self._keys = {key for key in _archive(path, []) if key.startswith(prefix)}
        if not self._keys:
            raise LookhearError(
                f"{path}: has no map under {prefix}; check the part after the colon"
            )

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps | None]:
        """Give the map of a picture; see `lookhear.evaluation.models.Model`.

        Raises:
            LookhearError: There is none, it cannot be read, or it is asked for a clip's.
        """
        if subject.frame_rate is not None:
            raise LookhearError(
                f"{self._path}: an .npz file holds maps of pictures; for clips give a folder"
            )
        keys = [self._prefix + path.as_posix() for path in subject.paths]
        key = next((key for key in keys if key in self._keys), None)
        if key is None:
            raise LookhearError(f"{self._path}: has no map {keys[0]}; add it or leave it out")
        found = _numbers(_archive(self._path, [key])[key], f"{self._path}: the map {key}")
        yield _compared(found, subject, indices[0], note)


def _compared(found: Maps, subject: Stimulus, index: int, note: Note) -> Maps:
    """The map, noted if it has another shape than the frame."""
    height, width = subject.size
    ratio = found.shape[1] / found.shape[0] * height / width
    if abs(math.log(ratio)) > SHAPES_APART:
        note(STRETCHED, index)
    return found


def _of_frames(folder: Path, subject: Stimulus) -> dict[int, Path]:
    """The files of a clip's maps, by their frames, counted from 0; there is one at least."""
    files = _numbered(folder)
    if not files:
        raise LookhearError(f"{folder}: holds no maps ({', '.join(SUFFIXES)}) of {subject.name}")
    first = 0 if 0 in files else 1
    return {number - first: file for number, file in files.items()}


def _numbered(folder: Path) -> dict[int, Path]:
    """The files of a clip's maps, by the last number of their names."""
    files: dict[int, Path] = {}
    for file in sorted(folder.iterdir()):
        number = _LAST_NUMBER.search(file.stem)
        is_hidden = file.name.startswith(".")  # macOS puts ._0001.png beside 0001.png
        if is_hidden or file.suffix.lower() not in SUFFIXES or not number:
            continue
        if int(number[0]) in files:
            raise LookhearError(
                f"{folder}: {files[int(number[0])].name} and {file.name} are maps of one frame; "
                "leave one"
            )
        files[int(number[0])] = file
    return files


def _in_time(path: Path, times: Sequence[float]) -> Iterator[tuple[Maps, float]]:
    """The maps of an archive nearest to ascending times, and how many seconds from them.

    They are read one by one.
    """
    of_maps = np.asarray(_archive(path, ["times"])["times"])
    misfit = LookhearError(
        f"{path}: must hold maps (T, h, w), numbers, and their ascending times (T,); write it again"
    )
    if of_maps.ndim != 1 or not of_maps.size or of_maps.dtype.kind not in "fiu":
        raise misfit
    of_maps = of_maps.astype(np.float64)
    if not np.isfinite(of_maps).all() or not (np.diff(of_maps) > 0).all():
        raise misfit
    try:
        with zipfile.ZipFile(path) as archive, archive.open("maps.npy") as content:
            version = np.lib.format.read_magic(content)
            if version != (1, 0):
                raise misfit
            shape, in_columns, kind = np.lib.format.read_array_header_1_0(content)
            if len(shape) != 3 or in_columns or kind.kind not in "fiu" or shape[0] != len(of_maps):
                raise misfit
            count = shape[1] * shape[2]
            if not 0 < count <= MAX_PIXELS:
                raise misfit
            at, current = -1, np.empty(0)
            for time in times:
                nearest = int(np.abs(of_maps - time).argmin())
                while at < nearest:
                    raw = content.read(count * kind.itemsize)
                    current, at = np.frombuffer(raw, kind, count).reshape(shape[1:]), at + 1
                yield np.asarray(current, np.float32), abs(float(of_maps[nearest]) - time)
    # Of a member that is damaged, or packed in a way that Python does not know.
    except (
        OSError,
        RuntimeError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        *DAMAGED_ARRAY,
    ) as error:
        raise misfit from error


def _archive(path: Path, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz file; of no key, all its names with nothing in them."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not keys:
                return dict.fromkeys(archive.files, np.empty(0))
            return {key: np.asarray(archive[key]) for key in keys}
    # A damaged file makes NumPy raise a dozen unrelated kinds of error.
    except Exception as error:
        raise LookhearError(
            f"{path}: not an .npz file with {' and '.join(keys) or 'maps'} that can be read "
            f"({type(error).__name__}); write it again"
        ) from error


def _read(path: Path, index: int, note: Note) -> Maps:
    if path.suffix.lower() in PICTURES:
        return _drawn(path, index, note)
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except Exception as error:
        raise LookhearError(f"{path}: not an array that can be read; write it again") from error
    return _numbers(values, f"{path}: the map")


def _drawn(path: Path, index: int, note: Note) -> Maps:
    """Read a picture whose brightness is the map."""
    drawn = read_still(path, cv2.IMREAD_UNCHANGED)
    values = drawn.astype(np.float32)
    if values.ndim == 2:
        return values
    colours = values[..., :3]
    # JPEG may move a channel of grey a little.
    if np.abs(colours - colours.mean(-1, keepdims=True)).max() > 0.02 * colours.max():
        note(IN_COLOUR, index)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY), np.float32)


def _numbers(values: NDArray[Any], what: str) -> Maps:
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiub":
        raise LookhearError(
            f"{what} is {values.dtype} {values.shape}; it must be numbers (height, width)"
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinity, which is noted
        return np.asarray(values, np.float32)
