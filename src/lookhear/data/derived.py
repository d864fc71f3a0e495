"""Arrays derived from prepared moments, kept shard by shard: crops and maps.

    FOLDER/train-00000/boxes.npy    a row for each moment of the shard train-00000, in its order

A shard's folder appears whole.
"""

from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.files import whole_folder

DAMAGED_ARRAY = (ValueError, EOFError, MemoryError, SyntaxError, TokenError)
"""What NumPy raises on a damaged .npy file, the header of which is Python."""
BOXES = "boxes"
"""The part of the frame to look at: left, top, right, bottom, from 0 to 1; (N, 4) float32."""
FIXATIONS = "fixations"
"""Where people may look: (N, h, w) float16, from 0 to 1."""
POOLED = "pooled"
"""What a backbone sees in the boxes of a frame: (N, boxes, features) float16, zeros for no box."""


def write_derived(folder: Path, shard: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep the arrays (N, ...) of a shard, by name, in the folder of all shards.

    Older ones are replaced.

    Raises:
        LookhearError: They cannot be written.
    """
    with whole_folder(folder / shard) as partial:
        for name, array in arrays.items():
            np.save(partial / f"{name}.npy", array, allow_pickle=False)


def read_derived(folder: Path, shard: str, name: str, moments: int) -> NDArray[Any]:
    """Open an array of a shard of so many moments; its rows are read when they are asked for.

    Raises:
        LookhearError: It is not there, damaged, or of other moments.
    """
    path = folder / shard / f"{name}.npy"
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, *DAMAGED_ARRAY) as error:
        raise LookhearError(f"{path}: missing or damaged; make {folder} again") from error
    if array.ndim < 1 or len(array) != moments:
        raise LookhearError(f"{path}: belongs to other moments; make {folder} again")
    return array
