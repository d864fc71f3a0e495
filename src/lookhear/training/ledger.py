"""A run folder's ledger: which stages are done, from what, so that none is done twice.

A stage is done again only if what goes into it has changed; one that was stopped goes on.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lookhear.data.shards import MANIFEST
from lookhear.errors import LookhearError
from lookhear.files import cannot_write, is_empty, write_whole
from lookhear.training.initial_weights import Part

FORMAT = 1
LEDGER = "run.json"
NOTE = "made.json"


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
    """The stages of a run, kept in its folder after every change.

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


def claim(out: Path, described: Mapping[str, Any]) -> bool:
    """Note what is made in a folder; say whether that is going on.

    Args:
        out: the folder, made if need be; gets ``made.json``.
        described: all that decides what comes out; can be written as JSON.

    Raises:
        LookhearError: something else is made there, or it cannot be written.
    """
    note, text = out / NOTE, json.dumps(described, indent=1)
    try:
        out.mkdir(parents=True, exist_ok=True)
        goes_on = note.exists()
        if goes_on and note.read_text(encoding="utf-8") != text:
            raise LookhearError(
                f"{out}: made by another recipe, seed or data; choose another --out"
            )
    except OSError as error:
        raise cannot_write(out, error) from error
    if not goes_on:
        write_whole(note, text)
    return goes_on


def identity(folder: Path) -> str:
    """Tell what a folder holds by a checksum: of prepared moments, a saved network, maps.

    Raises:
        LookhearError: it cannot be read.
    """
    if not folder.is_dir():
        raise LookhearError(f"{folder}: cannot be read: there is no such folder")
    try:
        # The records of prepared moments hold the checksums of their shards.
        files = [*folder.glob("*.json")] if (folder / MANIFEST).exists() else _files_of(folder)
        total = hashlib.sha256()
        for path in sorted(files):
            with path.open("rb") as file:
                of_file = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()} {of_file}\n".encode())
    except OSError as error:
        raise LookhearError(f"{folder}: cannot be read: {error.strerror}") from error
    return total.hexdigest()


def identities(reads: Mapping[str, Path | Part | str | None]) -> dict[str, Any]:
    """Tell what is read by what it holds and not by where it lies; names stay as they are."""
    told: dict[str, Any] = {}
    for name, read in reads.items():
        if isinstance(read, Part):
            told[name] = [identity(read.folder), read.name]
        else:
            told[name] = identity(read) if isinstance(read, Path) else read
    return told


def _files_of(folder: Path) -> list[Path]:
    apart = {NOTE, "README.md"}
    return [path for path in folder.rglob("*") if path.is_file() and path.name not in apart]
