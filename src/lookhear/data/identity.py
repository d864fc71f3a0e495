"""What tells what something is made from: prepared moments, saved networks, maps, weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookhear.data.shards import MANIFEST
from lookhear.errors import LookhearError
from lookhear.resume import NOTE

APART = {NOTE, "README.md"}


def identity(folder: Path) -> str:
    """Tell by a checksum what is in a folder (prepared moments, a saved network, maps) or a file.

    Raises:
        LookhearError: it cannot be read.
    """
    if not folder.exists():
        raise LookhearError(f"{folder}: cannot be read: there is no such folder")
    try:
        if folder.is_file():
            return _checksum(folder)
        # The records of prepared moments hold the checksums of their shards.
        is_prepared = (folder / MANIFEST).exists()
        files = folder.glob("*.json") if is_prepared else folder.rglob("*")
        total = hashlib.sha256()
        for path in sorted(path for path in files if path.is_file() and path.name not in APART):
            total.update(f"{path.relative_to(folder).as_posix()} {_checksum(path)}\n".encode())
    except OSError as error:
        raise LookhearError(f"{folder}: cannot be read: {error.strerror}") from error
    return total.hexdigest()


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identities(reads: Mapping[str, Path | tuple[Path, str] | str | None]) -> dict[str, Any]:
    """Tell what is read by what it holds and not by where it lies; names stay as they are.

    Args:
        reads: folders, files, parts of what folders hold, and names.
    """
    told: dict[str, Any] = {}
    for name, read in reads.items():
        if isinstance(read, tuple):
            told[name] = [identity(read[0]), read[1]]
        else:
            told[name] = identity(read) if isinstance(read, Path) else read
    return told
