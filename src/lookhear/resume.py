"""The two ways in which work that was stopped goes on.

A folder says in a note from what it is made: what is whole there is not made again
(:func:`made_from`, for a folder; :class:`Ledger`, for the folders of a run). And a stream of pieces
says what of it is done, piece after piece (:func:`left`, of pieces that are files; a
:class:`Journal`, of pieces that are lines).

All that is kept appears whole or not at all, by `lookhear.files`.
"""

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from lookhear.errors import LookhearError
from lookhear.files import cannot_write, is_empty, write_whole
from lookhear.progress import Progress

NOTE = "made.json"
LEDGER = "run.json"
FORMAT = 1
LATER = {"later": True}
"""Metadata of a dataclass's field that came after folders had been made; see :func:`described`."""
Piece = TypeVar("Piece")


def described(settings: Any) -> dict[str, Any]:
    """Describe a dataclass for a note, as `asdict` does, but for later fields at their default.

    So what was made before there was such a field is still the same.
    """
    told = {}
    for of in fields(settings):
        value = getattr(settings, of.name)
        if "later" in of.metadata and value == of.default:
            continue
        told[of.name] = described(value) if is_dataclass(value) else value
    return told


def made_from(
    folder: Path,
    made_of: Mapping[str, Any],
    note: str = NOTE,
    other: str = "made by another recipe, seed or data; choose another --out",
) -> bool:
    """Note from what a folder is made; say whether it was noted before, and so the work goes on.

    Args:
        folder: made if need be; gets the note.
        made_of: all that decides what comes out; can be written as JSON.
        note: name of the file.
        other: what is said of a folder that is made from something else, and what to do.

    Raises:
        LookhearError: the folder is made from something else, or cannot be written.
    """
    path, text = folder / note, json.dumps(made_of, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        goes_on = path.exists()
        before = path.read_text(encoding="utf-8", errors="replace") if goes_on else text
    except OSError as error:
        raise cannot_write(folder, error) from error
    is_same = False
    with contextlib.suppress(ValueError, RecursionError):  # what is damaged is not the same
        is_same = json.loads(before) == json.loads(text)
    if not is_same:
        raise LookhearError(f"{folder}: {other}")
    if not goes_on:
        write_whole(path, text)
    return goes_on


@dataclass
class Entry:
    """What is known of a stage.

    Attributes:
        inputs: checksum of all that goes into it.
        done: whether it is.
        seconds: how long it took, as far as it was not killed.
    """

    inputs: str
    done: bool = False
    seconds: float = 0.0


@dataclass
class Ledger:
    """The stages of a run, each a folder in the run's, noted after every change.

    A stage is done again only if what goes into it has changed; one that was stopped goes on.

    Attributes:
        run: the folder.
        settings: what decides the run as a whole.
        stages: by name, in the order in which they were begun.
        worked: whether any stage has been done since it was opened.
    """

    run: Path
    settings: dict[str, Any]
    stages: dict[str, Entry] = field(default_factory=dict)
    worked: bool = False

    @classmethod
    def open(cls, run: Path, settings: dict[str, Any]) -> "Ledger":
        """Begin a run or take one up.

        Raises:
            LookhearError: the folder holds a run of other settings or another version, or
                something else.
        """
        path = run / LEDGER
        if not path.exists():
            if not is_empty(run):
                raise LookhearError(f"{run}: holds something else; choose another --out")
            return cls(run, settings)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["lookhear"] != FORMAT:
                raise LookhearError(
                    f"{run}: a run of another version of lookhear ({kept['lookhear']}, not "
                    f"{FORMAT}); choose another --out"
                )
            known = {**kept["settings"]}
            stages = {str(name): Entry(**entry) for name, entry in kept["stages"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise LookhearError(f"{path}: damaged; choose another --out") from error
        for name, value in settings.items():
            if known.get(name) != value:
                raise LookhearError(
                    f"{run}: a run with --{name} {known.get(name)}, not {value}; choose another "
                    "--out"
                )
        return cls(run, settings, stages)

    def do(
        self,
        name: str,
        inputs: Mapping[str, Any],
        work: Callable[[Path], object],
        *,
        replaces: bool = True,
    ) -> Path:
        """Do a stage, unless it is done.

        Args:
            name: of the stage, and of its folder in the run.
            inputs: all that decides what comes out; can be written as JSON.
            work: makes the stage in its folder, going on where it was stopped.
            replaces: whether what the folder holds is removed when the inputs have changed; else
                ``work`` sees what of it is still good.

        Returns:
            The folder.

        Raises:
            LookhearError: the ledger cannot be written, or as ``work`` does.
        """
        folder = self.run / name
        wanted = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
        entry = self.stages.get(name)
        if entry is None or entry.inputs != wanted:
            if replaces:
                self.stages[name] = Entry("")  # if stopped, what is left of it is no one's
                self._keep()
                _remove(folder)
            entry = self.stages[name] = Entry(wanted)
            self._keep()
        if not entry.done or not folder.is_dir():
            begun, self.worked = time.monotonic(), True
            try:
                work(folder)
                entry.done = True
            finally:
                entry.seconds += time.monotonic() - begun
                self._keep()
        return folder

    def _keep(self) -> None:
        stages = {name: asdict(entry) for name, entry in self.stages.items()}
        kept = {"lookhear": FORMAT, "settings": self.settings, "stages": stages}
        write_whole(self.run / LEDGER, json.dumps(kept, indent=1) + "\n")


def _remove(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error


def left(
    pieces: Mapping[Path, Piece], progress: Progress, steps: Callable[[Piece], int]
) -> dict[Path, Piece]:
    """Give the pieces of a work that are not there, and tell of those that are.

    Args:
        pieces: by the file or folder that says of each that it is done, and so appears last and
            whole.
        progress: is told the steps of each piece that is there.
        steps: how many a piece has.
    """
    missing = {}
    for path, piece in pieces.items():
        if path.exists():
            progress(steps(piece))
        else:
            missing[path] = piece
    return missing


class Journal:
    """A file that says what is done, a line of JSON each, and grows as the work goes on.

    Args:
        path: of the file; its folder is made when the first line is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Any]:
        """What is noted; lines that a stopped run left half are left out."""
        lines = []
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    lines.append(json.loads(line))
        return lines

    def add(self, done: Any) -> None:
        """Note something more.

        Raises:
            LookhearError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(done))  # not to the rest of a line cut short
        except OSError as error:
            raise cannot_write(self.path.parent, error) from error
