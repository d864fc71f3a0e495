"""A folder of results for each of many clips: whose it is, whether it is done, what became of it.

What is in the folders is for those to say who make them; each has a note, `SETTINGS`, that says
from what and how it was made.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lookhear import __version__
from lookhear.errors import LookhearError

SETTINGS = "settings.json"

Made = TypeVar("Made")
Describe = Callable[[Path], dict[str, Any]]
"""Says from what and how a clip's results are made, as their `SETTINGS` do."""


@dataclass(frozen=True)
class Outcome(Generic[Made]):
    """What became of one clip.

    Attributes:
        clip: which.
        folder: of its results.
        made: what was found in it; None where that failed, or results were there already.
        error: why there are none, in one line; else empty.
    """

    clip: Path
    folder: Path
    made: Made | None = None
    error: str = ""


def each_clip(
    clips: Sequence[Path],
    out: Path,
    make: Callable[[Path, Path], Made],
    describe: Describe,
    names: Set[str],
    *,
    overwrite: bool,
) -> Iterator[Outcome[Made]]:
    """Make the results of clips one after the other; give what became of each when it is known.

    A clip that cannot be used does not stop the others, and what is done already is left.

    Args:
        clips: which.
        out: gets a folder for each, see :func:`result_folders`.
        make: writes the results of a clip into its folder, replaced as a whole.
        describe: how they are made.
        names: of all that may be among them.
        overwrite: whether to replace results that are there.

    Raises:
        LookhearError: two clips would have one folder.
    """
    for clip, folder in zip(clips, result_folders(clips, out), strict=True):
        try:
            done = _is_done(clip, folder, describe, names, overwrite=overwrite)
            yield Outcome(clip, folder, None if done else make(clip, folder))
        except (LookhearError, OSError) as error:
            yield Outcome(clip, folder, error=str(error))


def result_folders(clips: Sequence[Path], out: Path) -> list[Path]:
    """Name each clip's folder after its file, with the suffix where stems coincide.

    Raises:
        LookhearError: two clips would have one folder.
    """
    files = [Path(os.path.abspath(clip)) for clip in clips]  # noqa: PTH100 (keeps links)
    stems = Counter(file.stem.casefold() for file in files)
    usable = [stems[file.stem.casefold()] == 1 and file.stem.strip(".") for file in files]
    names = [file.stem if ok else file.name for file, ok in zip(files, usable, strict=True)]
    counts = Counter(name.casefold() for name in names)
    for name in names:
        if counts[name.casefold()] > 1:
            raise LookhearError(
                f"{out / name}: would be written for {counts[name.casefold()]} clips; run them "
                "one by one, each with its own --out"
            )
    return [out / name for name in names]


def made_with(folder: Path, names: Set[str]) -> dict[str, Any] | None:
    """Return the note of finished results.

    None where there are none, or anything that is not of them: such a folder is somebody's own,
    and must not be replaced.
    """
    try:
        described = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        foreign = {file.name for file in folder.iterdir()} - names
    except (OSError, ValueError):
        return None
    ours = isinstance(described, dict) and "lookhear" in described and not foreign
    return described if ours else None


def made_from_clip(clip: Path) -> dict[str, Any]:
    """Say of which clip results are, and of which version, for the note beside them."""
    return {"clip": clip.name, "bytes": _bytes_of(clip), "lookhear": __version__}


def _bytes_of(clip: Path) -> int:
    files = clip.iterdir() if clip.is_dir() else [clip]
    return sum(file.stat().st_size for file in files if file.is_file())


def _is_done(
    clip: Path, folder: Path, describe: Describe, names: Set[str], *, overwrite: bool
) -> bool:
    """Say whether results are there already; protect what is not ours to replace.

    Raises:
        LookhearError: the folder holds something else, or results of other settings.
    """
    if not clip.exists() or not folder.exists():
        return False
    if clip.resolve().is_relative_to(folder.resolve()):
        raise LookhearError(f"{clip}: lies in {folder}, where results go; choose another --out")
    made = made_with(folder, names)
    if made is None:
        raise LookhearError(f"{folder}: holds more than results; choose another --out")
    if made != describe(clip) and not overwrite:
        raise LookhearError(
            f"{folder}: holds results of another clip or other settings; use --overwrite or "
            "another --out"
        )
    return not overwrite
