"""Where people looked, as maps: of any clip whose gaze was recorded, whatever layout it is in.

A position is continuous: a picture spans 0 to its width and 0 to its height, and a fixation
belongs to the pixel `(floor(y), floor(x))`, counted from 0.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lookhear.errors import LookhearError

# One degree of visual angle in OSIE's recordings: 24 pixels of pictures 800 pixels wide.
DENSITY_SIGMA_PER_WIDTH = 24 / 800
FEWEST_TO_JUDGE = 3  # looks, of which all in one corner are no chance
MANY = 20  # looks, of which all in one pixel are no chance


class FixatedClip(Protocol):
    """A clip and where people looked in each of its frames."""

    @property
    def name(self) -> str:
        """Which clip of its set it is."""

    @property
    def frame_count(self) -> int:
        """How many frames have an annotation."""

    @property
    def frame_rate(self) -> float:
        """Frames a second; frame `i`, from 0, is shown at `i / frame_rate` seconds."""

    def fixation_map(self, index: int) -> NDArray[np.uint8]:
        """Number of fixations in each pixel of a frame, `(H, W)`."""

    def density(self, index: int) -> NDArray[np.float32]:
        """How much each pixel of a frame was looked at, `(H, W)`, 0 to 1."""


def frame_at(clip: FixatedClip, time: float) -> int:
    """Which frame of a clip is shown at a time, in seconds; after its end, the last."""
    return min(int(time * clip.frame_rate + 1e-6), clip.frame_count - 1)


def is_inside(
    x: NDArray[np.float64], y: NDArray[np.float64], height: int, width: int
) -> NDArray[np.bool_]:
    """Which positions `(N,)` lie in a picture; NaN does not."""
    return (x >= 0) & (x < width) & (y >= 0) & (y < height)


def doubts_about(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Say why positions `(N,)` cannot be in pixels; empty if they may be."""
    if len(x) < FEWEST_TO_JUDGE:
        return ""
    if min(x.min(), y.min()) >= 0 and max(x.max(), y.max()) <= 1:
        return "all looks lie in one pixel of the corner; x, y must be in pixels"
    if np.ptp(np.floor(x)) == np.ptp(np.floor(y)) == 0 and len(x) >= MANY:
        return "all looks lie in one pixel; x, y must be in pixels"
    return ""


def count_fixations(
    x: NDArray[np.float64], y: NDArray[np.float64], height: int, width: int
) -> NDArray[np.uint8]:
    """Number of fixations in each pixel of a picture, `(height, width)`; over 255 count as 255.

    What rounding has put on the far edge belongs to the last pixel.
    """
    rows = np.minimum(y.astype(np.int64), height - 1)
    columns = np.minimum(x.astype(np.int64), width - 1)
    counts = np.bincount(rows * width + columns, minlength=height * width)
    return np.minimum(counts, 255).astype(np.uint8).reshape(height, width)


def density_of(fixations: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blur counts `(H, W)` by a degree of visual angle, as `lookhear.metrics.density` does.

    Returns:
        `(H, W)` float32, the highest 1; 0 throughout where nobody looked.
    """
    height, width = fixations.shape
    rows, columns = np.nonzero(fixations > 0)
    if not rows.size:
        return np.zeros((height, width), np.float32)
    sigma = DENSITY_SIGMA_PER_WIDTH * width
    along_y = _spread(height, sigma)[rows] * fixations[rows, columns, np.newaxis]
    # A Gaussian is a product, and people look at few pixels: this takes a tenth of a blur's time.
    # A product of matrices would wake the threads of BLAS, which is dear where cores are busy.
    blurred = np.einsum("ny,nx->yx", along_y, _spread(width, sigma)[columns])
    return np.asarray(blurred / blurred.max(), np.float32)


@lru_cache(maxsize=8)
def _spread(size: int, sigma: float) -> NDArray[np.float32]:
    """`(size, size)`: row `i` is how a Gaussian spreads pixel `i` of a line over all of them.

    What falls outside is mirrored at the middle of the border pixels.
    """
    pixels = np.eye(size, dtype=np.float32)
    return np.asarray(gaussian_filter1d(pixels, sigma, axis=1, mode="mirror"), np.float32)


@dataclass(frozen=True, eq=False)
class Fixated:
    """A picture or clip and where everyone looked who saw it."""

    path: Path  # the file
    height: int  # in pixels
    width: int  # in pixels
    x: NDArray[np.float64]  # `(N,)` float64 columns, in `[0, width)`
    y: NDArray[np.float64]  # `(N,)` float64 rows, in `[0, height)`
    observer: NDArray[np.int64]  # `(N,)` int64, which person looked there, from 0


def read_mat(path: Path, variable: str, *, simplify: bool) -> Any:
    """Read a variable of a MAT-file, with cells and structs as lists and dicts if simplified.

    Raises:
        LookhearError: The file is missing, damaged, too new, or has no such variable.
    """
    try:
        read = scipy.io.loadmat(
            str(path), appendmat=False, variable_names=[variable], simplify_cells=simplify
        )
    except FileNotFoundError as error:
        raise LookhearError(f"{path}: no such file; copy the annotations again") from error
    except NotImplementedError as error:
        raise LookhearError(
            f"{path}: a MAT-file of version 7.3, which is not read; save it with -v7"
        ) from error
    # A damaged file makes SciPy raise a dozen unrelated kinds of error.
    except Exception as error:
        raise LookhearError(
            f"{path}: not a MAT-file, or damaged ({type(error).__name__}); copy it again"
        ) from error
    if variable not in read:
        raise LookhearError(f"{path}: has no variable {variable}; check what it is")
    return read[variable]
