"""Scores of clips that are done, kept until all are: an evaluation that was stopped goes on."""

import contextlib
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lookhear import __version__
from lookhear.files import cannot_write, is_partial, partial_of

KEY_DIGITS = 16


class Done(NamedTuple):
    """A clip or picture that is scored.

    Attributes:
        values: model -> metric -> a value of each frame.
        notes: what was odd about the maps.
    """

    values: dict[str, dict[str, list[float]]]
    notes: list[str]


class Kept:
    """A line of JSON for each clip that is done, in a hidden file beside the results.

    Args:
        results: the folder that the results will be in.
        described: all that decides the scores, as `json.dump` takes it; scores of anything else
            are in another file.
    """

    def __init__(self, results: Path, described: Mapping[str, Any]) -> None:
        text = json.dumps({"lookhear": __version__, **described}, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
        self._path = partial_of(results.with_name(f"{results.name}.{key}"))
        self._any = partial_of(Path(f"{glob.escape(results.name)}.{'[0-9a-f]' * KEY_DIGITS}")).name

    def read(self) -> dict[str, Done]:
        """Name of each clip that is done -> its scores."""
        done = {}
        with contextlib.suppress(OSError):
            for line in self._path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, TypeError):  # the last one may be cut short
                    name, values, notes = json.loads(line)
                    done[name] = Done(values, notes)
        return done

    def add(self, name: str, done: Done) -> None:
        """Keep the scores of a clip.

        Raises:
            LookhearError: they cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, *done]) + "\n")
        except OSError as error:
            raise cannot_write(self._path.parent, error) from error

    def clear(self) -> None:
        """Forget all, and what was kept for these results before anything changed."""
        with contextlib.suppress(OSError):
            for path in self._path.parent.glob(self._any):
                path.unlink(missing_ok=True)


def stamp(paths: Iterable[Path]) -> str:
    """What tells files, and all files in folders, from other ones.

    Returns:
        A hash of their names, sizes and times of change. What is still being written, such as the
        scores that are kept, is left out, for it may be in one of the folders.
    """
    digest = hashlib.sha256()
    for path in paths:
        for file in _files(path.absolute()):
            with contextlib.suppress(OSError):  # a link that leads nowhere
                found = file.stat()
                digest.update(repr((str(file), found.st_size, found.st_mtime_ns)).encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    """A file, or the files in a folder and in those in it, each folder once."""
    if not path.is_dir():
        yield path
    seen = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        # A link to a folder that it is in would never end.
        folders[:] = [] if real in seen else sorted(n for n in folders if not is_partial(Path(n)))
        files = [] if real in seen else sorted(n for n in names if not is_partial(Path(n)))
        seen.add(real)
        yield from (Path(folder, name) for name in files)
