"""Picture files as arrays, and back."""

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import simplejpeg
from cv2.typing import MatLike
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.media.source import MAX_PIXELS

JPEG, EXIF = b"\xff\xd8\xff", b"Exif\0\0"  # how one begins, and what may turn it
HARMLESS = "extraneous bytes"  # as some cameras leave between what JPEGs are made of
COLOURS: dict[int, Literal["RGB", "GRAY"]] = {
    cv2.IMREAD_COLOR_RGB: "RGB",
    cv2.IMREAD_GRAYSCALE: "GRAY",
}
SILENT = cv2.utils.logging.LOG_LEVEL_SILENT


def read_still(path: Path, flags: int = cv2.IMREAD_COLOR_RGB) -> NDArray[Any]:
    """Read a picture file, as RGB of 8 bits or by OpenCV's flags: (H, W) or (H, W, channels).

    Raises:
        LookhearError: it is missing, damaged, or claims to be too large.
    """
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise LookhearError(f"{path}: not a picture that can be read; copy it again") from error
    if content.startswith(JPEG) and flags in COLOURS and EXIF not in content:
        try:
            return decode_jpeg(content, COLOURS[flags])
        except ValueError as error:
            raise LookhearError(
                f"{path}: not a picture that can be read ({error}); copy it again"
            ) from error
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(SILENT)  # else OpenCV writes on the terminal what it finds odd
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:
        picture = None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if picture is None:
        raise LookhearError(f"{path}: not a picture that can be read; copy it again")
    return picture


def decode_jpeg(
    content: bytes, colours: Literal["RGB", "GRAY"] = "RGB", least: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Decode a JPEG: (H, W, 3), or (H, W) of ``GRAY``; nothing that is damaged is made up for.

    Args:
        content: of the file.
        colours: that are wanted.
        least: height and width that will do: where half the sides still have them, a picture of
            half the sides comes out, in half the time.

    Raises:
        ValueError: it is damaged, or says that it is larger than any picture; in a few words.
    """
    height, width = simplejpeg.decode_jpeg_header(content)[:2]
    if height * width > MAX_PIXELS:
        raise ValueError(f"it says that it has {width:,} x {height:,} pixels")
    half = (height + 1) // 2, (width + 1) // 2
    sides = {}
    if least is not None and half[0] >= least[0] and half[1] >= least[1]:
        sides = {"min_height": half[0], "min_width": half[1], "min_factor": 2}
    try:
        pixels = simplejpeg.decode_jpeg(content, colours, **sides)
    except ValueError as error:
        if HARMLESS not in str(error):
            raise
        pixels = simplejpeg.decode_jpeg(content, colours, **sides, strict=False)
    return np.asarray(pixels[..., 0] if colours == "GRAY" else pixels, np.uint8)


def encode_jpeg(pixels: NDArray[np.uint8], quality: int, *, optimize: bool = False) -> bytes:
    """A JPEG file of (H, W, 3) RGB or (H, W) grey, of a quality of 0 to 100, optimized: smaller."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, int(optimize)]
    return cv2.imencode(".jpg", _as_opencv_has_it(pixels), settings)[1].tobytes()


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey."""
    return cv2.imencode(".png", _as_opencv_has_it(pixels))[1].tobytes()


def _as_opencv_has_it(pixels: NDArray[np.uint8]) -> MatLike:
    if pixels.ndim == 2:
        return pixels
    has_alpha = pixels.shape[2] == 4
    return cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if has_alpha else cv2.COLOR_RGB2BGR)
