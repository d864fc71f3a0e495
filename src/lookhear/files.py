"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from lookhear.errors import LookhearError

LOCK = ".lock"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def partial_of(path: Path) -> Path:
    """Where a file or folder is written until it is whole: beside it, hidden."""
    return path.absolute().with_name(f".{path.name}.partial")


def is_partial(path: Path) -> bool:
    """Say whether a path is one that :func:`partial_of` gives."""
    return path.name.startswith(".") and path.name.endswith(".partial")


def write_whole(path: Path, content: str | memoryview) -> None:
    """Write a file of text or bytes, replacing an older one in one step.

    Raises:
        LookhearError: the file cannot be written.
    """
    with whole_file(path) as partial:
        if isinstance(content, str):
            partial.write_text(content, encoding="utf-8", errors="replace")  # of names that are not
        else:
            partial.write_bytes(content)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a file to write that becomes ``path``, replacing an older one, if all goes well.

    Raises:
        LookhearError: the file cannot be written.
    """
    partial = partial_of(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that becomes ``folder``, as a whole, if all goes well.

    What an interrupted run left is cleared away; an older folder is replaced at the end, and is
    back in its place if that fails. Folders above it that had to be made are removed again if
    nothing came of it. A link to a folder stays, and what it leads to is replaced.

    Raises:
        LookhearError: a folder cannot be made, written or replaced.
    """
    try:
        folder = folder.resolve()
    except (OSError, RuntimeError) as error:  # a link to itself
        raise LookhearError(f"{folder}: cannot be written: {error}; choose another") from error
    partial = partial_of(folder)
    replaced = folder.with_name(f".{folder.name}.replaced")
    missing = [parent for parent in folder.parents if not parent.exists()]
    try:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        for leftover in (partial, replaced):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir(parents=True)
        yield partial
        _swap(partial, folder, replaced)
    except LookhearError as error:  # of a file in it, which is nowhere as it is named
        if f"{partial}" in f"{error}":
            raise LookhearError(f"{error}".replace(f"{partial}", f"{folder}")) from error
        raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_empty(missing)


def _swap(partial: Path, folder: Path, replaced: Path) -> None:
    if folder.exists():
        folder.rename(replaced)
    try:
        partial.rename(folder)
    except OSError:
        if replaced.exists():
            replaced.rename(folder)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def check_replaceable(folder: Path, names: Collection[str], *, overwrite: bool) -> None:
    """Refuse a folder for results that must not be written, before the work begins.

    Raises:
        LookhearError: it is the current folder, or holds results (of these names), which may not
            be replaced, or anything else; or it cannot be made where it is.
    """
    if folder.resolve() == Path.cwd():
        raise LookhearError(f"{folder}: is the current folder; give the name of one in it")
    parent = next(path for path in folder.absolute().parents if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise LookhearError(f"{folder}: cannot be made in {parent}; choose another --out")
    if not folder.exists() or is_empty(folder):
        return
    if not folder.is_dir():
        raise LookhearError(f"{folder}: is something else than a folder; choose another --out")
    kept = (path.name for path in sorted(folder.iterdir()) if not _is_left_over(path))
    foreign = [name for name in kept if name not in names]
    if foreign:
        raise LookhearError(
            f"{folder}: holds something else than results ({foreign[0]}); choose another --out"
        )
    if not overwrite:
        raise LookhearError(f"{folder}: holds results; use --overwrite or choose another --out")


def is_empty(folder: Path) -> bool:
    """Say whether a folder holds nothing but what an interrupted run may have left."""
    return folder.is_dir() and all(map(_is_left_over, folder.iterdir()))


def _is_left_over(path: Path) -> bool:
    return path.name == LOCK or is_partial(path)


@contextlib.contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Make a folder if need be, and keep other runs out of it meanwhile.

    What had to be made is removed again if nothing came of it.

    Raises:
        LookhearError: another run is at work there, or it cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LookhearError(f"{folder}: another run is at work there; wait for it") from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        _remove_empty(missing)


def cannot_write(path: Path, error: OSError) -> LookhearError:
    """Say in one line that a file or folder cannot be written, and why."""
    advice = "make room and run again" if error.errno in NO_ROOM else "choose another"
    return LookhearError(f"{path}: cannot be written: {error.strerror or error}; {advice}")
