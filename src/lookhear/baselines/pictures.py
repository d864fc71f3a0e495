"""What all baselines ask of pictures, and how they scale maps; arrays only."""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pictures: TypeAlias = NDArray[Any]
"""`(B, H, W, 3)` RGB, uint8 or floating-point from 0 to 1, 16 pixels a side or more."""

LEAST_SIDE = 16
"""Pixels that each side of a picture must have."""

FLAT_BELOW = 1e-6
"""Span, of values of the order of 1, that rounding in single precision may give a flat map."""


def checked(pictures: Pictures, previous: Pictures | None) -> tuple[Pictures, Pictures | None]:
    """The pictures and the frames before them as numbers from 0 to 1, if they are such and alike.

    Raises:
        ValueError: If not.
    """
    if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype.kind not in "uf":
        raise ValueError(
            "pictures must be (B, H, W, 3), uint8 or floating-point, "
            f"not {pictures.dtype} {pictures.shape}"
        )
    if min(pictures.shape[1:3]) < LEAST_SIDE:
        raise ValueError(
            f"pictures must have {LEAST_SIDE} pixels a side, not {pictures.shape[1:3]}"
        )
    if previous is not None and previous.shape != pictures.shape:
        raise ValueError(
            "the frames before must have the pictures' shape, "
            f"not {previous.shape} for {pictures.shape}"
        )
    return _shares(pictures), None if previous is None else _shares(previous)


def _shares(pictures: Pictures) -> Pictures:
    if pictures.dtype == np.uint8:
        return pictures.astype(np.float32) / np.float32(255)
    if not ((pictures >= 0) & (pictures <= 1)).all():
        raise ValueError("pictures must be uint8, or from 0 to 1")
    return pictures


def fitted_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """Size of a picture scaled so that its longer side has `longest` pixels."""
    scale = longest / max(height, width)
    return max(1, math.floor(height * scale + 0.5)), max(1, math.floor(width * scale + 0.5))
