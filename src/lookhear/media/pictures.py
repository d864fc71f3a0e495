"""Still pictures and what is made of them: folders of numbered frames, and animated WebP."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from PIL import Image, ImageOps, UnidentifiedImageError

from lookhear.errors import LookhearError
from lookhear.media.clip import Clip
from lookhear.media.formats import HEIF, TARGA, picture_format
from lookhear.media.numbered import numbered
from lookhear.media.picture import Frame
from lookhear.media.sound import Samples
from lookhear.media.source import (
    MAX_PIXELS,
    DecoderErrors,
    check_readable,
    open_container,
    picture_streams,
)
from lookhear.media.stills import read_still
from lookhear.words import counted

PICTURE_SUFFIXES: tuple[str, ...] = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".hif"),
    *(".bmp", ".tif", ".tiff", ".jp2", ".j2k", ".dpx", ".exr", ".tga", ".psd", ".qoi", ".dds"),
    *(".sgi", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".pam"),
)
MAX_BYTES = 8 * MAX_PIXELS  # of a picture's file: more than any of 16 bits in four channels
MILLISECONDS = 1000  # a second
LINEAR_TO_SRGB = {"apply_trc": "iec61966_2_1"}  # of OpenEXR, which keeps light, not levels
END_OF_QOI = bytes(7) + b"\1"

DAMAGED = "a damaged picture; leave it out or save it again"


class Still(NamedTuple):
    """A picture of a file, and what is wrong with it; empty if nothing is."""

    frame: VideoFrame
    damage: str = ""


def read_picture(path: Path) -> Still:
    """Read a still picture by what is in its file, whatever its name says.

    FFmpeg reads most. Pillow puts the tiles of HEIC and AVIF together; what FFmpeg gives as nothing
    but black, such as JPEG in TIFF, is read by Pillow or OpenCV.

    Raises:
        LookhearError: it is no picture, or damaged beyond reading, or too large.
    """
    check_readable(path)
    form = picture_format(path) or ("targa" if path.suffix.lower() == TARGA else None)
    if form is None:
        raise LookhearError(f"{path}: not a picture of a format that is taken; leave it out")
    if path.stat().st_size > MAX_BYTES:
        raise LookhearError(f"{path}: over {MAX_BYTES >> 20} MiB, too large for a picture")
    if form == HEIF:
        return _heif(path)
    still = _by_ffmpeg(path, form)
    if still is None or not _shows_anything(still.frame):
        by_pillow = _by_pillow(path)
        still = (
            Still(by_pillow)
            if by_pillow and (still is None or _shows_anything(by_pillow))
            else still
        )
    if still is None:
        raise LookhearError(f"{path}: {DAMAGED}")
    return still


def _by_ffmpeg(path: Path, form: str) -> Still | None:
    """Decode a file as a whole: a demuxer would choose the decoder by the file's name."""
    content = path.read_bytes()
    decoder = av.CodecContext.create(form, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.options = {"max_pixels": str(MAX_PIXELS)} | (LINEAR_TO_SRGB if form == "exr" else {})
    errors = DecoderErrors(form)
    try:
        frames = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    except (FFmpegError, ValueError):
        return None
    if not frames:
        return None
    said = errors.new() or ("it ends early" if _is_cut(content, form) else "")
    return Still(frames[0], _damage(said) if said or frames[0].is_corrupt else "")


def _is_cut(content: bytes, form: str) -> bool:
    return form == "qoi" and not content.endswith(END_OF_QOI)


def _damage(said: str) -> str:
    why = f" ({said})" if said else ""
    return f"the picture is damaged, and shown as far as it can be decoded{why}"


def _heif(path: Path) -> Still:
    """Decode HEIC or AVIF, by FFmpeg if it is in one piece, which keeps more than 8 bits."""
    tile: VideoFrame | None = None
    with open_container(path) as container:
        streams = picture_streams(container)
        if streams:
            errors = DecoderErrors(streams[0].codec_context.name)
            try:
                tile = next(container.decode(streams[0]), None)
            except FFmpegError:
                tile = None
            said = errors.new()
            if tile is not None and len(container.streams.video) == 1:
                return Still(tile, _damage(said) if said or tile.is_corrupt else "")
    whole = _by_pillow(path)
    if whole is None:
        raise LookhearError(f"{path}: {DAMAGED}")
    if tile is not None:  # which knows the colours
        whole.color_trc, whole.color_primaries = tile.color_trc, tile.color_primaries
    return Still(whole)


def _by_pillow(path: Path) -> VideoFrame | None:
    """Decode a picture by Pillow, or TIFF by OpenCV, upright; None if they cannot."""
    try:
        with _quietly(), _opened(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            if picture.format == "TIFF":  # libtiff complains to the terminal, but for OpenCV
                return VideoFrame.from_ndarray(read_still(path), "rgb24")
            upright = ImageOps.exif_transpose(picture)
            has_alpha = upright.has_transparency_data
            pixels = np.asarray(upright.convert("RGBA" if has_alpha else "RGB"), np.uint8)
    # A damaged file makes its readers raise a dozen unrelated kinds of error.
    except Exception:
        return None
    return VideoFrame.from_ndarray(pixels, "rgba" if has_alpha else "rgb24")


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Within, Pillow does not warn of what it finds odd in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(path: Path) -> Image.Image:
    """A file as Pillow has it, its pixels not yet read.

    Raises:
        Exception: of any kind, if it cannot be read.
    """
    try:
        return Image.open(path, formats=("AVIF", "WEBP", "TIFF"))
    except UnidentifiedImageError:
        from pillow_heif.as_plugin import HeifImageFile

        return HeifImageFile(path)  # type: ignore[no-untyped-call]


def _shows_anything(frame: VideoFrame) -> bool:
    """Whether there is anything but zeros in a frame."""
    return any(memoryview(plane).tobytes().strip(b"\0") for plane in frame.planes)


class PictureClip(Clip):
    """A clip of still pictures at a steady rate: one, or a folder of them."""

    def __init__(self, path: Path, frame_rate: float) -> None:
        is_folder = path.is_dir()
        frames = numbered(_pictures_of(path) if is_folder else [path])
        self._pictures = [*zip(frames.files, frames.places, strict=True)]
        super().__init__(
            path,
            self._first(),
            frame_rate=frame_rate,
            duration=(frames.places[-1] + 1) / frame_rate,
            frame_count=len(frames.files),
        )
        for note in frames.notes:
            self.add_problem(note)

    def frames(self) -> Iterator[Frame]:
        """See `Clip`."""
        assert self.frame_rate is not None
        developer = self.developer()
        indices = itertools.count()
        left_out, damaged = defaultdict[str, list[str]](list), list[str]()
        for picture, place in self._pictures:
            try:
                still = read_picture(picture)
            except LookhearError as error:
                left_out[str(error).removeprefix(f"{picture}: ")].append(picture.name)
                continue
            if still.damage and len(self._pictures) == 1:
                self.add_problem(still.damage)
            elif still.damage:
                damaged.append(picture.name)
            self.note(still.frame, f"in {picture.name}")
            time = place / self.frame_rate
            yield Frame(next(indices), time, 1 / self.frame_rate, still.frame, developer, picture)
        for why, names in left_out.items():
            self.add_problem(f"left out: {counted('picture', names)}: {why}")
        if damaged:
            self.add_problem(
                f"damaged, and shown as far as it can be decoded: {counted('picture', damaged)}"
            )

    def sound(self) -> Iterator[Samples]:
        """See `Clip`."""
        return iter(())

    def _first(self) -> VideoFrame:
        """The first picture that can be read, or the error of the last one."""
        for picture, _ in self._pictures[:-1]:
            try:
                return read_picture(picture).frame
            except LookhearError:
                continue
        return read_picture(self._pictures[-1][0]).frame


class AnimatedWebP(Clip):
    """An animated WebP, for which FFmpeg has no decoder."""

    def __init__(self, path: Path) -> None:
        check_readable(path)
        _, _, first = next(self._decoded(path), (0.0, 0.0, None))
        if first is None:
            raise LookhearError(f"{path}: {DAMAGED}")
        with _quietly(), _opened(path) as animation:
            count = int(getattr(animation, "n_frames", 1))
        super().__init__(path, first, frame_rate=None, duration=None, frame_count=count)

    def frames(self) -> Iterator[Frame]:
        """See `Clip`."""
        developer, number = self.developer(), 0
        for time, duration, frame in self._decoded(self.path):
            yield Frame(number, time, duration, frame, developer)
            number += 1
        if number < (self.frame_count or 0):
            self.add_problem(
                f"the picture stops after {number} of {self.frame_count} frames, which is damaged"
            )

    def sound(self) -> Iterator[Samples]:
        """See `Clip`."""
        return iter(())

    @staticmethod
    def _decoded(path: Path) -> Iterator[tuple[float, float, VideoFrame]]:
        """Frames with their time and duration in seconds, up to the first that is damaged."""
        time = 0.0
        try:
            with _quietly():
                opened = _opened(path)
            with opened as animation:
                if animation.width * animation.height > MAX_PIXELS:
                    raise LookhearError(f"{path}: has more than {MAX_PIXELS:,} pixels a frame")
                for number in range(int(getattr(animation, "n_frames", 1))):
                    with _quietly():
                        animation.seek(number)
                        pixels = np.asarray(animation.convert("RGBA"), np.uint8)
                    shown: Any = animation.info.get("duration") or 1  # milliseconds
                    yield time, shown / MILLISECONDS, VideoFrame.from_ndarray(pixels, "rgba")
                    time += shown / MILLISECONDS
        except LookhearError:
            raise
        except Exception:  # whatever the bytes lead Pillow to
            return


def _pictures_of(folder: Path) -> list[Path]:
    try:
        files = list(folder.iterdir())
    except OSError as error:
        raise LookhearError(f"{folder}: cannot be read: {error.strerror}") from error
    pictures = [
        file
        for file in files
        if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")
    ]
    if not pictures:
        raise LookhearError(
            f"{folder}: no pictures in this folder; give one with numbered "
            f"{', '.join(PICTURE_SUFFIXES)} files"
        )
    return pictures
