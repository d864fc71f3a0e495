"""Opening a clip: what is in it decides what it is."""

from __future__ import annotations

import contextlib
from itertools import islice
from pathlib import Path

from av.error import FFmpegError

from lookhear.errors import LookhearError
from lookhear.media.clip import Clip
from lookhear.media.formats import (
    HEIF,
    TARGA,
    holds_several_pictures,
    is_animated_webp,
    may_be_sequence,
    picture_format,
)
from lookhear.media.pictures import AnimatedWebP, PictureClip
from lookhear.media.source import check_readable, open_container, picture_stream, reason
from lookhear.media.videos import VideoClip

PICTURES_PER_SECOND = 25.0  # of a folder of frames whose rate is not told
FEWEST_OF_A_RECORDING = 3  # pictures one after the other in a file of JPEGs


def open_clip(path: str | Path, *, frame_rate: float = PICTURES_PER_SECOND) -> Clip:
    """Open a video, an animation, a still picture or a folder of numbered frames.

    Args:
        path: file or folder. Of a folder, the pictures are taken whose names differ in one number
            only, in its order, or all in natural order (2 before 10).
        frame_rate: pictures a second of a folder or a still; videos bring their own times.

    Raises:
        LookhearError: there is no such file, it cannot be read, it is no media file, or it has
            no picture that can be decoded.
    """
    try:
        return _opened(Path(path), frame_rate)
    except (FFmpegError, ValueError) as error:  # of what only a damaged file can be
        raise LookhearError(
            f"{path}: cannot be read, the file is damaged ({reason(error)})"
        ) from error


def _opened(path: Path, frame_rate: float) -> Clip:
    if path.is_dir():
        return PictureClip(path, frame_rate)
    check_readable(path)
    if is_animated_webp(path):
        return AnimatedWebP(path)
    form = picture_format(path)
    if form == HEIF or may_be_sequence(path):
        return VideoClip(path) if _is_sequence(path) else PictureClip(path, frame_rate)
    if form == "mjpeg" and _is_recording(path):
        return VideoClip(path)
    if form is not None:
        return PictureClip(path, frame_rate)
    try:
        return VideoClip(path)
    except LookhearError:
        if path.suffix.lower() == TARGA:
            return PictureClip(path, frame_rate)
        raise


def _is_sequence(path: Path) -> bool:
    """Whether a HEIF or AVIF is an animation."""
    if not may_be_sequence(path):
        return False
    with open_container(path) as container:
        stream = picture_stream(container)
        return stream is not None and stream.frames > 1


def _is_recording(path: Path) -> bool:
    """Whether a file holds one JPEG after the other, as a camera on the network gives them."""
    if holds_several_pictures(path):
        return False
    sizes = []
    with contextlib.suppress(FFmpegError, LookhearError), open_container(path) as container:
        for packet in islice(container.demux(video=0), FEWEST_OF_A_RECORDING):
            sizes += [(frame.height, frame.width) for frame in packet.decode()]
    return len(sizes) >= FEWEST_OF_A_RECORDING and len(set(sizes)) == 1
