"""What a file is, by what is in it: names may say anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

_HEAD = 64  # bytes that tell the format
_TABLES = 1 << 18  # bytes of a JPEG in which what it says of itself lies
_RAW = re.compile(rb"P[1-6]\s|P7\n")  # portable pixmaps

HEIF = "heif"  # HEIC and AVIF, still pictures of either
# How files of a format begin, from which byte on, and FFmpeg's decoder of it.
_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "mjpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (8, b"WEBP", "webp"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"\0\0\0\x0cjP  ", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (0, b"SDPX", "dpx"),
    (0, b"XPDS", "dpx"),
    (0, b"\x76\x2f\x31\x01", "exr"),
    (0, b"8BPS", "psd"),
    (0, b"qoif", "qoi"),
    (0, b"\x01\xda", "sgi"),
    (0, b"\x59\xa6\x6a\x95", "sunrast"),
    (0, b"DDS ", "dds"),
    (0, b"\x0a\x05\x01", "pcx"),
)
_PIXMAPS = {
    b"1": "pbm",
    b"2": "pgm",
    b"3": "ppm",
    b"4": "pbm",
    b"5": "pgm",
    b"6": "ppm",
    b"7": "pam",
}
_HEIF_STILLS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")
_HEIF_SEQUENCES = (b"avis", b"msf1", b"hevc", b"hevx")
TARGA = ".tga"  # has no mark of its own


def picture_format(path: Path) -> str | None:
    """Say which decoder of FFmpeg takes a still picture, or `HEIF`; None of anything else.

    Animations are something else, and so are recordings that begin like a picture.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        decoder = _decoder(head)
        if decoder == "png" and _has_chunk_before_pixels(file, b"acTL"):
            return None
    if head[4:8] == b"ftyp":
        return HEIF if head[8:12] in _HEIF_STILLS else None
    return decoder


def may_be_sequence(path: Path) -> bool:
    """Whether a file may be an animated HEIF or AVIF, of which the still is but the poster."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    brands = {head[start : start + 4] for start in range(8, len(head), 4)}
    return head[4:8] == b"ftyp" and not brands.isdisjoint(_HEIF_SEQUENCES)


def is_animated_webp(path: Path) -> bool:
    """Whether a file is an animated WebP, by the flag of its extended header."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 0x02)


def holds_several_pictures(path: Path) -> bool:
    """Whether a JPEG says that it holds further pictures, such as a preview, that are not shown."""
    with path.open("rb") as file:
        return b"MPF\0" in file.read(_TABLES)


def _decoder(head: bytes) -> str | None:
    for start, beginning, decoder in _BEGINNINGS:
        if head[start : start + len(beginning)] == beginning:
            return decoder
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "bmp"
    return _PIXMAPS[head[1:2]] if _RAW.match(head) else None


def _has_chunk_before_pixels(file: BinaryIO, wanted: bytes) -> bool:
    """Whether a PNG has a chunk of a kind before its pixels."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        size, kind = int.from_bytes(header[:4]), header[4:]
        if kind in (wanted, b"IDAT", b"IEND"):
            return kind == wanted
        file.seek(size + 4, 1)
    return False
