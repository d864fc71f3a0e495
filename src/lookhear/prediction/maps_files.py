"""The maps of a clip on disk, written one by one as they come."""

import zipfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lookhear.maps import Maps, enlarge
from lookhear.media import Clip
from lookhear.show import heat
from lookhear.show.films import picture_folder

MapsFormat = Literal["npz", "png", "none"]
ARCHIVE, FOLDER = "maps.npz", "maps"
PIECE = 2**20  # bytes

Keep = Callable[[Maps, float], None]
"""Takes the next map, (h, w), and its seconds."""


@contextmanager
def open_maps(folder: Path, kind: MapsFormat, clip: Clip) -> Iterator[Keep]:
    """Start the file or folder that keeps maps in the way asked for, or none.

    The folder ``maps`` has ``000001.png`` and so on, 8-bit grey at the clip's size, and their
    ``times.csv``.
    """
    if kind == "npz":
        with open_archive(folder) as keep:
            yield keep
    elif kind == "png":
        size = clip.height, clip.width
        with picture_folder(folder / FOLDER) as write:
            yield lambda attention, time: write(heat.grey(enlarge(attention, size)), time)
    else:
        yield lambda *_: None


@contextmanager
def open_archive(folder: Path) -> Iterator[Keep]:
    """Start ``maps.npz`` with ``maps`` (T, H, W) float16, half the bytes, and ``times`` (T,).

    An array's size stands before its values and is known only after the last, so the values wait
    in a file of their own.
    """
    waiting, times, size = folder / ".maps", array("d"), (0, 0)
    try:
        with waiting.open("wb") as values:

            def keep(attention: Maps, time: float) -> None:
                nonlocal size
                size = attention.shape[0], attention.shape[1]
                values.write(attention.astype(np.float16).tobytes())
                times.append(time)

            yield keep
        with waiting.open("rb") as kept:
            pieces = iter(partial(kept.read, PIECE), b"")
            shape = len(times), *size
            write_archive(folder / ARCHIVE, "maps", shape, pieces, times=np.array(times))
    finally:
        waiting.unlink()


def write_archive(
    path: Path, name: str, shape: tuple[int, ...], pieces: Iterable[bytes], **others: NDArray[Any]
) -> None:
    """Write an .npz of one large array, never held as a whole, and of small ones.

    Args:
        path: of the file.
        name: of the large array.
        shape: of the large array.
        pieces: of its values, float16 in C order.
        others: the small arrays, by name.
    """
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
            np.lib.format.write_array_header_1_0(entry, header)
            for piece in pieces:
                entry.write(piece)
        for other, values in others.items():
            with archive.open(f"{other}.npy", "w") as entry:
                np.lib.format.write_array(entry, values, allow_pickle=False)
