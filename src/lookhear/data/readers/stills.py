"""Picture files as arrays, and back."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError


def read_still(path: Path, flags: int = cv2.IMREAD_COLOR_RGB) -> NDArray[Any]:
    """Read a picture file, as RGB of 8 bits or by OpenCV's flags: (H, W) or (H, W, channels).

    Raises:
        LookhearError: it is missing, damaged, or claims to be too large.
    """
    try:
        # Of a missing file OpenCV writes on the terminal.
        picture = cv2.imread(str(path), flags) if path.is_file() else None
    except cv2.error:
        picture = None
    if picture is None:
        raise LookhearError(f"{path}: not a picture that can be read; copy it again")
    return picture


def jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode (H, W, 3) RGB or (H, W) grey as a JPEG file of a quality of 0 to 100."""
    shown = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, encoded = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
