"""What tells the folders that something is made from: prepared moments, saved networks, maps."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookhear.data.shards import MANIFEST
from lookhear.errors import LookhearError
from lookhear.resume import NOTE

APART = {NOTE, "README.md"}


def identity(folder: Path) -> str:
    """Tell what a folder holds by a checksum: of prepared moments, a saved network, maps.

    Raises:
        LookhearError: it cannot be read.
    """
    if not folder.is_dir():
        raise LookhearError(f"{folder}: cannot be read: there is no such folder")
    try:
        # The records of prepared moments hold the checksums of their shards.
        is_prepared = (folder / MANIFEST).exists()
        files = folder.glob("*.json") if is_prepared else folder.rglob("*")
        total = hashlib.sha256()
        for path in sorted(path for path in files if path.is_file() and path.name not in APART):
            with path.open("rb") as file:
                of_file = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()} {of_file}\n".encode())
    except OSError as error:
        raise LookhearError(f"{folder}: cannot be read: {error.strerror}") from error
    return total.hexdigest()


def identities(reads: Mapping[str, Path | tuple[Path, str] | str | None]) -> dict[str, Any]:
    """Tell what is read by what it holds and not by where it lies; names stay as they are.

    Args:
        reads: folders, parts of what folders hold, and names.
    """
    told: dict[str, Any] = {}
    for name, read in reads.items():
        if isinstance(read, tuple):
            told[name] = [identity(read[0]), read[1]]
        else:
            told[name] = identity(read) if isinstance(read, Path) else read
    return told
