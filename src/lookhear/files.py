"""Files and folders that appear whole or not at all."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from lookhear.errors import LookhearError


def write_whole(path: Path, text: str) -> None:
    """Write a text file, replacing an older one in one step.

    Raises:
        LookhearError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that becomes ``folder``, as a whole, if all goes well.

    What an interrupted run left is cleared away; an older folder is replaced at the end. Folders
    above it that had to be made are removed again if nothing came of it.

    Raises:
        LookhearError: a folder cannot be made, written or replaced.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    replaced = folder.with_name(f".{folder.name}.replaced")
    missing = [parent for parent in folder.parents if not parent.exists()]
    try:
        for leftover in (partial, replaced):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()  # only where it is still empty


def _cannot_write(path: Path, error: OSError) -> LookhearError:
    return LookhearError(f"{path}: cannot be written: {error.strerror or error}; choose another")
