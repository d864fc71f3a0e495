"""One frame of a clip, upright and in the form that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias, cast

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from numpy.typing import NDArray

from lookhear.errors import LookhearError

Picture: TypeAlias = NDArray[np.uint8]
Planes: TypeAlias = tuple[Picture, Picture, Picture]

Matrix: TypeAlias = Literal["bt601", "bt709"]

COLORSPACES: dict[Matrix, Colorspace] = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709}
# Matrix coefficients by their numbers in ITU-T H.273, which are FFmpeg's too.
BT709, UNSPECIFIED, BT601_625, BT601_525, BT2020 = 1, 2, 5, 6, 9
# Matrices that swscale has not, and the nearest that it has.
MATRIX_NAMES = {
    3: "reserved",
    8: "YCgCo",
    10: "BT.2020 of constant luminance",
    11: "SMPTE ST 2085",
    12: "derived from the primaries",
    13: "of constant luminance, derived from the primaries",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
NEAREST = dict.fromkeys((10, 11, 14, 15), BT2020)  # of others, what is usual for the size
HD_HEIGHT = 577  # pictures without a stated matrix: BT.601 up to PAL size, BT.709 above
HD_WIDTH = 1280
SAME_SHAPE = 0.02  # of width for height, by which frames that are resized may differ
BLACK, NO_COLOUR = 16, 128  # of limited range
HDR_TRANSFERS = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)  # PQ, HLG
TO_SDR = "out_transfer=bt709:out_primaries=bt709:out_color_matrix=bt709:out_range=tv"


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned to stand upright: transposed first, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read a frame's display matrix (ISO/IEC 14496-12, 8.2.2), to multiples of 90 degrees."""
        try:
            side_data = list(cast("Iterable[SideData]", frame.side_data))
        except ValueError:
            # PyAV (18.1) stumbles over kinds of side data that it has no name for, such as EXIF.
            return _TURNS[round(frame.rotation / 90) % 4]
        for data in side_data:
            if data.type == SideDataType.DISPLAYMATRIX:
                a, b, _, c, d = np.frombuffer(bytes(data)[:20], np.int32).tolist()
                if abs(b) > abs(a):
                    return cls(transpose=True, flip_x=c < 0, flip_y=b < 0)
                return cls(flip_x=a < 0, flip_y=d < 0)
        return cls()

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size of an upright picture from that of the stored one, or the reverse."""
        return (width, height) if self.transpose else (height, width)

    def upright(self, picture: Picture) -> Picture:
        """Turn one stored picture or plane, H x W or H x W x 3."""
        if self.transpose:
            picture = np.asarray(cv2.transpose(picture), np.uint8)
        if self.flip_x:
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        if self.flip_y:
            picture = np.asarray(cv2.flip(picture, 0), np.uint8)
        return picture


_TURNS = (  # by 0, 90, 180, 270 degrees anticlockwise
    Orientation(),
    Orientation(transpose=True, flip_y=True),
    Orientation(flip_x=True, flip_y=True),
    Orientation(transpose=True, flip_x=True),
)


class Developer:
    """Turns decoded frames of one pass into arrays; keeps what FFmpeg sets up for that.

    Attributes:
        size: (height, width) that every upright picture of the clip has; a frame of another shape
            keeps it, with black beside.
        lock: held while a frame is converted, as frames of one pass may go to several threads.
    """

    def __init__(self, size: tuple[int, int], path: Path | None = None) -> None:
        self.size = size
        self._path = path
        self.lock = Lock()
        self._to_rgb = VideoReformatter()
        self._to_yuv = VideoReformatter()
        self._to_rgba = VideoReformatter()
        self._tone_map: Callable[[VideoFrame], VideoFrame] | None = None
        self._tone_mapped_from: tuple[Any, ...] = ()
        self._turned_by: int | None = None
        self._orientation = Orientation()

    def orientation(self, frame: VideoFrame) -> Orientation:
        """Which way up a frame is, read again only when it turns.

        A frame whose side data was read is part of a reference cycle in PyAV (18.1): its pixels
        stay until the garbage collector comes by, which is seldom.
        """
        if frame.rotation != self._turned_by:
            self._turned_by = frame.rotation
            self._orientation = Orientation.of(frame)
        return self._orientation

    def standard(self, frame: VideoFrame) -> VideoFrame:
        """A frame without alpha and of standard dynamic range and gamut, at its stored size.

        What is transparent lies over black. PQ, HLG and BT.2020 are tone-mapped to BT.709 by
        swscale's perceptual intent, which reads the mastering metadata where there is any.
        """
        if frame.format.has_palette or any(part.is_alpha for part in frame.format.components):
            return self._over_black(frame)
        if frame.color_trc in HDR_TRANSFERS or frame.color_primaries == ColorPrimaries.BT2020:
            return self._to_sdr(frame)
        return frame

    def place(self, frame: VideoFrame, size: tuple[int, int]) -> tuple[slice, slice] | None:
        """Where in a picture of (height, width) a frame of another shape lies; None if all over it.

        Args:
            frame: as it is stored.
            size: that `size` is resized to.
        """
        orientation = self.orientation(frame)
        height, width = orientation.size(frame.height, frame.width)
        rows, columns = self.size
        if abs(math.log(height * columns / (width * rows))) < SAME_SHAPE:
            return None
        scale = min(rows / height, columns / width)
        sides = []
        for own, whole, wanted in zip((height, width), self.size, size, strict=True):
            kept = min(max(round(wanted * own * scale / whole / 2) * 2, 2), wanted)
            start = (wanted - kept) // 4 * 2  # even, for colours are stored at half size
            sides.append(slice(start, start + kept))
        return sides[0], sides[1]

    @contextmanager
    def told(self, frame: VideoFrame) -> Iterator[None]:
        """Within, colours that cannot be converted are an error that names the clip and them.

        Raises:
            LookhearError: they cannot.
        """
        try:
            yield
        except (FFmpegError, ValueError) as error:
            raise LookhearError(
                f"{self._path or 'a frame'}: its colours cannot be converted ({frame.format.name}, "
                f"matrix {frame.colorspace}, primaries {frame.color_primaries}, transfer "
                f"{frame.color_trc}); convert it to H.264 in BT.709"
            ) from error

    def rgb(self, frame: VideoFrame, size: tuple[int, int]) -> Picture:
        """Convert a standard frame to RGB, resizing it to (height, width) in the same pass."""
        height, width = size
        resized = self._to_rgb.reformat(
            frame,
            width,
            height,
            "rgb24",
            src_colorspace=_guessed_colorspace(frame),
            interpolation=Interpolation.AREA,
            threads=1,
        )
        return np.asarray(resized.to_ndarray(), np.uint8)

    def yuv420(self, frame: VideoFrame, size: tuple[int, int], matrix: Matrix) -> Planes:
        """Convert a standard frame to planes; a view of the frame where it is in that form."""
        height, width = size
        if not (_is_output_form(frame, matrix) and (frame.height, frame.width) == size):
            frame = self._to_yuv.reformat(
                frame,
                width,
                height,
                "yuv420p",
                src_colorspace=_guessed_colorspace(frame),
                dst_colorspace=COLORSPACES[matrix],
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.BILINEAR,
                threads=1,
            )
        y, u, v = (plane_pixels(plane) for plane in frame.planes)
        for plane in (y, u, v):
            # The decoder predicts later frames from these very pixels.
            plane.flags.writeable = False
        return y, u, v

    def _over_black(self, frame: VideoFrame) -> VideoFrame:
        rgba = self._to_rgba.reformat(
            frame, format="rgba", src_colorspace=_guessed_colorspace(frame)
        )
        pixels = np.asarray(rgba.to_ndarray(), np.uint8)
        alpha = cv2.cvtColor(pixels[..., 3], cv2.COLOR_GRAY2RGB)
        rgb = cv2.multiply(np.ascontiguousarray(pixels[..., :3]), alpha, scale=1 / 255)
        return VideoFrame.from_ndarray(np.asarray(rgb, np.uint8), "rgb24")

    def _to_sdr(self, frame: VideoFrame) -> VideoFrame:
        form = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if self._tone_map is None or form != self._tone_mapped_from:
            self._tone_map = _tone_mapper(frame)
            self._tone_mapped_from = form
        return self._tone_map(frame)


class Frame:
    """One decoded frame, converted when asked because most are needed in one form only.

    Attributes:
        index: number of the frame in the clip, from 0.
        time: seconds on the clip's clock.
        duration: seconds until the next frame, as the file states or its frame rate suggests.
        path: the picture file that it is; None if it is of a video or an animation.
    """

    def __init__(
        self,
        index: int,
        time: float,
        duration: float,
        decoded: VideoFrame,
        developer: Developer,
        path: Path | None = None,
    ) -> None:
        self.index = index
        self.time = time
        self.duration = duration
        self.path = path
        self._decoded = decoded
        self._developer = developer

    def rgb(self, size: tuple[int, int] | None = None) -> Picture:
        """The frame as RGB, uint8 of shape (H, W, 3), upright, sRGB/BT.709, over black.

        Args:
            size: (height, width) to resize to, averaging areas; the clip's size by default.
        """
        whole = size or self._developer.size
        with self._developer.lock, self._developer.told(self._decoded):
            orientation = self._developer.orientation(self._decoded)
            place = self._developer.place(self._decoded, whole)
            stored = orientation.size(*(whole if place is None else _size(place)))
            picture = orientation.upright(self._developer.rgb(self._standard, stored))
        return picture if place is None else _framed(picture, whole, place, 0)

    def yuv420(self, matrix: Matrix = "bt709") -> Planes:
        """The frame as planes (y, u, v), uint8, upright, 4:2:0, limited range, over black.

        y is of even size: the last row or column is repeated where the clip's is odd. u and v
        are half of that each way. The planes may be read-only views of the decoder's own:
        in the clip's own ``matrix`` they cost nothing, in the other one a conversion.

        Args:
            matrix: the YCbCr matrix wanted.
        """
        whole = self._developer.size
        with self._developer.lock, self._developer.told(self._decoded):
            orientation = self._developer.orientation(self._decoded)
            place = self._developer.place(self._decoded, whole)
            size = orientation.size(*(whole if place is None else _size(place)))
            planes = self._developer.yuv420(self._standard, size, matrix)
        y, u, v = (orientation.upright(plane) for plane in planes)
        if place is not None:
            half = (whole[0] + 1) // 2, (whole[1] + 1) // 2
            at_half = _halved(place[0]), _halved(place[1])
            y = _framed(even_size(y), whole, place, BLACK)
            u, v = (_framed(plane, half, at_half, NO_COLOUR) for plane in (u, v))
        return even_size(y), u, v

    @cached_property
    def _standard(self) -> VideoFrame:
        return self._developer.standard(self._decoded)


def _size(place: tuple[slice, slice]) -> tuple[int, int]:
    rows, columns = place
    return rows.stop - rows.start, columns.stop - columns.start


def _halved(side: slice) -> slice:
    return slice(side.start // 2, (side.stop + 1) // 2)


def _framed(
    picture: Picture, size: tuple[int, int], place: tuple[slice, slice], level: int
) -> Picture:
    """Put a picture in its place in one of (height, width) that is of one level beside it."""
    rows, columns = place
    framed = np.full((*size, *picture.shape[2:]), level, np.uint8)
    target = framed[rows, columns]
    target[:] = picture[: target.shape[0], : target.shape[1]]
    return framed


def take_nearest_matrix(frame: VideoFrame) -> str | None:
    """Let a frame say the nearest matrix that can be converted; give the name of its own if not."""
    name = MATRIX_NAMES.get(int(frame.colorspace))
    if name is None or frame.format.is_rgb:
        return None
    frame.colorspace = NEAREST.get(int(frame.colorspace), UNSPECIFIED)
    return name


def even_size(picture: Picture) -> Picture:
    """Repeat the last row and column where the height or width is odd."""
    odd_rows, odd_columns = picture.shape[0] % 2, picture.shape[1] % 2
    if not (odd_rows or odd_columns):
        return picture
    padded = cv2.copyMakeBorder(picture, 0, odd_rows, 0, odd_columns, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8)


def matrix_of(frame: VideoFrame) -> Matrix:
    """The matrix nearest to a frame's own, guessed from its size where it is not stated."""
    if frame.format.is_rgb or frame.colorspace == BT709:
        return "bt709"
    if frame.colorspace == UNSPECIFIED:
        hd = frame.width >= HD_WIDTH or frame.height >= HD_HEIGHT
        return "bt709" if hd else "bt601"
    return "bt601" if frame.colorspace in (BT601_625, BT601_525) else "bt709"


def _guessed_colorspace(frame: VideoFrame) -> Colorspace | None:
    """What swscale must be told of a frame that does not state its matrix itself."""
    if frame.format.is_rgb or frame.colorspace != UNSPECIFIED:
        return None
    return COLORSPACES[matrix_of(frame)]


def _is_output_form(frame: VideoFrame, matrix: Matrix) -> bool:
    return (
        frame.format.name == "yuv420p"
        and frame.color_range != ColorRange.JPEG
        and frame.colorspace in (BT709, UNSPECIFIED, BT601_625, BT601_525)
        and matrix_of(frame) == matrix
    )


def plane_pixels(plane: VideoPlane) -> Picture:
    """The pixels of one 8-bit plane of a frame, H x W, not copied."""
    stride = plane.line_size
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, abs(stride))
    return rows[:: 1 if stride > 0 else -1, : plane.width]


def _tone_mapper(frame: VideoFrame) -> Callable[[VideoFrame], VideoFrame]:
    graph = av.filter.Graph()
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base="1/1",
        colorspace=str(BT2020 if frame.colorspace == UNSPECIFIED else int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    scale = graph.add("scale", f"{TO_SDR}:intent=perceptual")
    form = graph.add("format", "yuv420p")
    graph.link_nodes(source, scale, form, graph.add("buffersink")).configure()

    def tone_map(frame: VideoFrame) -> VideoFrame:
        graph.push(frame)
        mapped = graph.pull()
        assert isinstance(mapped, VideoFrame)
        return mapped

    return tone_map


def shaped_like(
    height: float, width: float, size: tuple[int, int], multiple: int
) -> tuple[int, int]:
    """A (height, width) of the area of ``size`` and the shape of a picture, both multiples.

    Shapes beyond 1:4 and 4:1 count as these.
    """
    area = size[0] * size[1]
    aspect = min(max(width / height, 1 / 4), 4)
    wanted = math.sqrt(area / aspect), math.sqrt(area * aspect)
    rows, columns = (max(round(side / multiple), 1) * multiple for side in wanted)
    return rows, columns


def resampled(pictures: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize pictures (N, h, w, 3) to a height and width, bilinearly, averaging where they shrink.

    As PyTorch's ``interpolate`` with ``antialias`` does, to the last digits.

    Returns:
        (N, *size, 3), float32, from 0 to 255.
    """
    rows, columns = (_weights(old, new) for old, new in zip(pictures.shape[1:3], size, strict=True))
    shorter = np.tensordot(rows, pictures.astype(np.float32), (1, 1))  # h, N, w, 3
    resized = np.tensordot(columns, shorter, (1, 2))  # w, h, N, 3
    return np.ascontiguousarray(resized.transpose(2, 1, 0, 3))


def _weights(old: int, new: int) -> NDArray[np.float32]:
    """How much each of so many old pixels counts for each new one: (new, old), rows sum to 1."""
    scale = old / new
    reach = max(scale, 1)
    centres = (np.arange(new) + 0.5) * scale - 0.5
    apart = np.abs(np.arange(old) - centres[:, None]) / reach
    weights = np.clip(1 - apart, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
