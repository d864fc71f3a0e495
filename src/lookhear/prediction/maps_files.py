"""The maps of a clip on disk, written one by one as they come."""

import zipfile
from array import array
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lookhear.maps import resize
from lookhear.media import Clip
from lookhear.prediction.stream import Glimpse
from lookhear.show import heat
from lookhear.show.films import PictureFolder

MapsFormat = Literal["npz", "png", "none"]
PIECE = 2**20  # bytes


class MapsFile:
    """What keeps the maps of a clip; this one keeps nothing."""

    name: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        return None

    def add(self, glimpse: Glimpse) -> None:
        """Take the next map."""


class MapsArchive(MapsFile):
    """``maps.npz`` with ``maps`` (T, H, W) float16, half the bytes, and ``times`` (T,) float64.

    An array's size stands before its values and is known only after the last, so the values wait
    in a file of their own.
    """

    name = "maps.npz"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.name
        self._waiting = folder / ".maps"
        self._values = self._waiting.open("wb")
        self._times = array("d")
        self._size = (0, 0)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self._values.close()
        if kind is None:
            self._pack()
        self._waiting.unlink()

    def add(self, glimpse: Glimpse) -> None:
        """Take the next map, of the same size as the first."""
        self._size = (glimpse.map.shape[0], glimpse.map.shape[1])
        self._values.write(glimpse.map.astype(np.float16).tobytes())
        self._times.append(glimpse.time)

    def _pack(self) -> None:
        shape = (len(self._times), *self._size)
        with self._waiting.open("rb") as values:
            pieces = iter(partial(values.read, PIECE), b"")
            write_archive(self._path, "maps", shape, pieces, times=np.array(self._times))


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


class MapsFolder(MapsFile):
    """``maps/000001.png`` and so on, 8-bit grey at the clip's size, and their ``times.csv``."""

    name = "maps"

    def __init__(self, folder: Path, clip: Clip) -> None:
        self._pictures = PictureFolder(folder / self.name)
        self._size = (clip.height, clip.width)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self._pictures.close()

    def add(self, glimpse: Glimpse) -> None:
        """Write the next map."""
        self._pictures.add(heat.grey(resize(glimpse.map, self._size)), glimpse.time)


def open_maps_file(folder: Path, kind: MapsFormat, clip: Clip) -> MapsFile:
    """Start the file or folder that keeps maps in the way asked for."""
    if kind == "npz":
        return MapsArchive(folder)
    return MapsFolder(folder, clip) if kind == "png" else MapsFile()


MAPS_NAMES = {MapsArchive.name, MapsFolder.name}
