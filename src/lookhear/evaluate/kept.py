"""Scores of clips that are done, kept until all are: an evaluation that was stopped goes on."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lookhear import __version__
from lookhear.files import cannot_write, partial_of


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
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._path = partial_of(results.with_name(f"{results.name}.{key}"))

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
        """Forget all."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def stamp(path: Path) -> list[tuple[str, int]]:
    """What tells a file or the files of a folder from other ones: names and times of change."""
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    return [(str(file.absolute()), file.stat().st_mtime_ns) for file in files]
