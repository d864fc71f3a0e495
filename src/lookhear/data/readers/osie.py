"""Pictures with the places where people looked, in the folder layout of the OSIE data set.

    DIR/data/stimuli/*.jpg
    DIR/data/eye/fixations.mat    fixations: cell array of {img, subjects: cell array of
                                  {fix_x, fix_y, fix_duration}}

Xu et al., "Predicting human gaze beyond pixels", Journal of Vision 14(1):28, 2014;
https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookhear.data.readers.fixated import (
    Fixated,
    count_fixations,
    doubts_about,
    is_inside,
    read_mat,
)
from lookhear.data.readers.lists import is_plain
from lookhear.errors import LookhearError
from lookhear.media.stills import read_still
from lookhear.words import named

STIMULI, FIXATION_FILE = Path("data", "stimuli"), Path("data", "eye", "fixations.mat")

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FixatedPicture(Fixated):
    """A still picture and the fixations of everyone who looked at it."""

    duration: NDArray[np.float64]  # `(N,)` float64, milliseconds

    @property
    def name(self) -> str:
        """File name, as name lists have it: `1005.jpg`."""
        return self.path.name

    def pixels(self) -> NDArray[np.uint8]:
        """The picture as `(height, width, 3)` uint8 RGB."""
        return np.asarray(read_still(self.path), np.uint8)

    def fixation_map(
        self, height: int | None = None, width: int | None = None
    ) -> NDArray[np.uint8]:
        """Number of fixations in each pixel, of the picture or of a grid laid over it.

        `(height, width)`, of which the picture's are taken if left out; over 255 count as 255.
        """
        height, width = height or self.height, width or self.width
        x, y = self.x * width / self.width, self.y * height / self.height
        return count_fixations(x, y, height, width)


def read_osie(
    root: Path | str, names: Sequence[str] | None = None, exclude: Collection[str] = ()
) -> list[FixatedPicture]:
    """Read the pictures and fixations of a folder in OSIE's layout.

    Fixations outside their picture are dropped. Pictures of the fixation file that are not
    in the folder are left out with a warning, unless `names` asks for them.

    Args:
        root: The folder that holds `data/`.
        names: The pictures wanted (`1005.jpg`), in the order wanted; all if left out.
        exclude: Pictures to leave out.

    Raises:
        LookhearError: If a folder or the fixation file is missing or damaged, if it names a
            picture outside the folder, if a name is unknown, or if no picture is left.
    """
    stimuli, fixation_file = Path(root) / STIMULI, Path(root) / FIXATION_FILE
    if not stimuli.is_dir() or not fixation_file.is_file():
        raise LookhearError(
            f"{root}: not a folder in OSIE's layout; it must hold data/stimuli/ and "
            "data/eye/fixations.mat"
        )
    people = _read_fixation_file(fixation_file)
    for asked in (names or (), exclude):
        if unknown := [name for name in asked if name not in people]:
            raise LookhearError(f"{fixation_file}: has no {named(unknown)}; check the names")
    wanted = [name for name in (people if names is None else names) if name not in exclude]
    missing = [name for name in wanted if not (stimuli / name).is_file()]
    if missing and (names is not None or len(missing) == len(wanted)):
        raise LookhearError(f"{stimuli}: has no {named(missing)}, which fixations.mat names")
    if missing:
        log.warning("%s: left out, as there is no such picture: %s", stimuli, named(missing))
    absent = set(missing)
    pictures = [
        _picture(stimuli / name, people[name], fixation_file)
        for name in dict.fromkeys(wanted)
        if name not in absent
    ]
    if not pictures:
        raise LookhearError(f"{root}: no picture is left to read; check the names to leave out")
    return pictures


def fixated_names(root: Path) -> list[str]:
    """The pictures that the fixation file of a folder in OSIE's layout names, there or not.

    Raises:
        LookhearError: If the fixation file is missing or damaged.
    """
    return list(_read_fixation_file(root / FIXATION_FILE))


def _read_fixation_file(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The people of each picture, by picture name."""
    cells = _as_list(read_mat(path, "fixations", simplify=True))
    try:
        people = {cell["img"]: _as_list(cell["subjects"]) for cell in cells}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise LookhearError(f"{path}: not OSIE's fixation file; replace it") from error
    if not people:
        raise LookhearError(f"{path}: names no picture")
    if len(people) < len(cells):
        raise LookhearError(f"{path}: names a picture twice")
    for name in people:
        # Else a hostile file could have any file of the machine read.
        if not isinstance(name, str) or not is_plain(name):
            raise LookhearError(f"{path}: {name!r} is not the name of a file in data/stimuli")
    return people


def _as_list(cells: Any) -> list[Any]:
    """Undo SciPy's squeezing of a cell array of one."""
    return [cells] if isinstance(cells, dict) or not np.iterable(cells) else list(cells)


def _picture(path: Path, people: list[dict[str, Any]], fixation_file: Path) -> FixatedPicture:
    height, width = read_still(path).shape[:2]
    try:
        x, y, duration = (
            [np.asarray(person[column], np.float64).ravel() for person in people]
            for column in ("fix_x", "fix_y", "fix_duration")
        )
        observer = np.repeat(np.arange(len(people)), [len(of_one) for of_one in x])
        table = np.stack([np.concatenate(column) for column in (x, y, duration)])
    except (KeyError, TypeError, ValueError) as error:
        raise LookhearError(
            f"{fixation_file}: the fixations of {path.name} cannot be read ({error})"
        ) from error
    if doubts := doubts_about(table[0], table[1]):
        raise LookhearError(f"{fixation_file}: of {path.name} {doubts}")
    inside = is_inside(table[0], table[1], height, width)
    x_inside, y_inside, of_inside = table[:, inside]
    return FixatedPicture(path, height, width, x_inside, y_inside, observer[inside], of_inside)
