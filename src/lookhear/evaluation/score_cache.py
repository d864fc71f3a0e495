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
from lookhear.files import is_partial, partial_of
from lookhear.resume import Journal

KEY_DIGITS = 16
FORMAT = 3


class Done(NamedTuple):
    """A clip or picture that is scored.

    Attributes:
        values: model -> metric -> a value of each frame.
        odd: model, what was odd about its maps, and of which frames.
    """

    values: dict[str, dict[str, list[float]]]
    odd: list[tuple[str, str, list[int]]]


class ScoreCache:
    """A line of JSON for each clip that is done, in a hidden file beside the results.

    Args:
        results: the folder that the results will be in.
        described: all that decides the scores, as `json.dump` takes it; scores of anything else
            are in another file.
    """

    def __init__(self, results: Path, described: Mapping[str, Any]) -> None:
        known = {"lookhear": __version__, "format": FORMAT, **described}
        text = json.dumps(known, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
        self._journal = Journal(partial_of(results.with_name(f"{results.name}.{key}")))
        self._any = partial_of(Path(f"{glob.escape(results.name)}.{'[0-9a-f]' * KEY_DIGITS}")).name

    def read(self) -> dict[str, Done]:
        """Name of each clip that is done -> its scores."""
        return {name: Done(values, odd) for name, values, odd in self._journal.read()}

    def add(self, name: str, done: Done) -> None:
        """Keep the scores of a clip.

        Raises:
            LookhearError: they cannot be written.
        """
        self._journal.add([name, *done])

    def clear(self) -> None:
        """Forget all, and what was kept for these results before anything changed."""
        with contextlib.suppress(OSError):
            for path in self._journal.path.parent.glob(self._any):
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
