"""Back to a file: H.264 with the clip's own sound, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from lookhear.errors import LookhearError
from lookhear.media.clip import Clip
from lookhear.media.picture import COLORSPACES, Matrix, Picture, Planes, even_size, plane_pixels
from lookhear.media.sound import Samples
from lookhear.media.soundtrack import Packets, clip_track, generated_track
from lookhear.media.source import reason
from lookhear.parallel import ahead

if TYPE_CHECKING:
    from av.container import OutputContainer

Sound: TypeAlias = Clip | tuple[Samples, int] | None

TICKS = 90_000  # a second; exact for 24, 25, 30, 50, 60 and their 1000/1001, and for milliseconds
X264_PRESET = "veryfast"
X264_CRF = "23"
# With B-frames .mp4 cannot state the end of a clip of variable frame rate; at this preset they
# save some 2 % of the size for 30 % of the time.
X264_B_FRAMES = "0"
MOST_ENCODING = 8  # frames on their way to the encoder
SOUND_AHEAD = 32  # packets, made while pictures are encoded: neither is work for all cores


class VideoWriter:
    """Writes frames to an .mp4 file, with sound; use it in a ``with`` statement.

    The file appears under its name when the ``with`` block ends, and not at all if that ends in
    an exception.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        *,
        frame_rate: float | None,
        sample_aspect_ratio: Fraction = Fraction(1),
        matrix: Matrix = "bt709",
        sound: Sound = None,
        threads: int = 0,
    ) -> None:
        """Set out to write ``path``.

        Args:
            path: the .mp4 file; an existing one is replaced.
            width: pixels; an odd width is padded by one column.
            height: pixels; an odd height is padded by one row.
            frame_rate: frames a second, a hint for the encoder and the last frame's duration;
                every frame is shown at its own time whatever this says. None counts as 25.
            sample_aspect_ratio: width / height of one pixel.
            matrix: the YCbCr matrix of the planes that will be written.
            sound: a clip whose sound is kept (copied where .mp4 players take its codec,
                re-encoded to AAC where they do not), or mono samples in [-1, 1] and their rate.
                What of a clip's sound cannot be decoded is noted in its ``problems``.
            threads: of the encoder; 0 for as many as suit the machine. The file depends on it.
        """
        self.path = Path(path)
        self.width = width + width % 2
        self.height = height + height % 2
        self._rate = Fraction(frame_rate or 25).limit_denominator(1001)
        self._pixel_aspect = sample_aspect_ratio
        self._matrix: Matrix = matrix
        self._sound = sound
        self._threads = threads
        self._to_yuv = VideoReformatter()
        self._last = -1

    def __enter__(self) -> Self:
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        with self._one_line_errors():
            self._temporary.touch()
        with contextlib.ExitStack() as undo:
            undo.callback(self._temporary.unlink, missing_ok=True)
            with self._one_line_errors():
                self._container: OutputContainer = av.open(
                    str(self._temporary.absolute()),
                    "w",
                    format="mp4",
                    # A track that starts late is delayed in whole units of the movie's timescale.
                    container_options={"movflags": "+faststart", "movie_timescale": str(TICKS)},
                )
                self._stream = self._add_picture()
                # The encoder copies what it keeps, and fresh memory costs more than that.
                self._frame = VideoFrame(self.width, self.height, "yuv420p")
                self._sound_track = self._add_sound()
                self._next_sound = next(self._sound_track, None)  # adds the track
                self._sound_packets = ahead(self._sound_track, SOUND_AHEAD)
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with self._one_line_errors():
                    self._finish()
            else:
                with contextlib.suppress(FFmpegError):
                    self._container.close()
        finally:
            self._sound_packets.close()
            self._sound_track.close()
            self._temporary.unlink(missing_ok=True)

    def write_yuv420(self, planes: Planes, time: float, duration: float | None = None) -> None:
        """Write a frame given as 4:2:0 planes, limited range, of the (even) size.

        Args:
            planes: uint8 (y, u, v), as `Frame.yuv420` gives them.
            time: seconds at which it is shown, later than the frame before.
            duration: seconds; only that of the last frame counts.

        Raises:
            LookhearError: the file cannot be written.
            ValueError: planes of another size, or a time that does not increase.
        """
        for plane, pixels in zip(self._frame.planes, planes, strict=True):
            if pixels.shape != (plane.height, plane.width):
                raise ValueError(f"a plane of {pixels.shape} in a {self.width}x{self.height} video")
            plane_pixels(plane)[:] = pixels
        self._write(self._frame, time, duration)

    def write_rgb(self, rgb: Picture, time: float, duration: float | None = None) -> None:
        """Write a frame given as RGB, uint8 (H, W, 3); else like `write_yuv420`."""
        rgb = np.ascontiguousarray(even_size(rgb))
        if rgb.shape != (self.height, self.width, 3):
            raise ValueError(f"a picture of {rgb.shape} in a {self.width}x{self.height} video")
        frame = self._to_yuv.reformat(
            VideoFrame.from_ndarray(rgb, "rgb24"),
            format="yuv420p",
            dst_colorspace=COLORSPACES[self._matrix],
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        self._write(frame, time, duration)

    def _write(self, frame: VideoFrame, time: float, duration: float | None) -> None:
        frame.pts = round(time * TICKS)
        if frame.pts <= self._last:
            raise ValueError(f"a frame at {time} s does not come after the one before")
        self._last = frame.pts
        frame.time_base = Fraction(1, TICKS)
        frame.duration = round((duration or 1 / self._rate) * TICKS)
        with self._one_line_errors():
            self._mux_sound(until=time)
            self._container.mux(self._stream.encode(frame))

    def _mux_sound(self, until: float) -> None:
        """Keep the sound abreast of the picture, so that neither waits in memory."""
        while (packet := self._next_sound) is not None and _time(packet) <= until:
            self._container.mux(packet)
            self._next_sound = next(self._sound_packets, None)

    def _finish(self) -> None:
        if self._last < 0:
            self._container.close()
            raise LookhearError(f"{self.path}: not written, as there is no frame to write")
        self._container.mux(self._stream.encode(None))
        self._mux_sound(until=float("inf"))
        self._container.close()
        self._temporary.replace(self.path)

    def _add_picture(self) -> VideoStream:
        stream = self._container.add_stream(
            "libx264",
            self._rate,
            options={"preset": X264_PRESET, "crf": X264_CRF, "bf": X264_B_FRAMES},
            width=self.width,
            height=self.height,
            time_base=Fraction(1, TICKS),
        )
        encoder: VideoCodecContext = stream.codec_context
        encoder.flags |= Flags.frame_duration
        encoder.thread_count = self._threads
        encoder.pix_fmt = "yuv420p"
        encoder.sample_aspect_ratio = self._pixel_aspect
        encoder.color_range = ColorRange.MPEG
        encoder.colorspace = COLORSPACES[self._matrix]
        encoder.color_primaries = ColorPrimaries.BT709
        encoder.color_trc = ColorTrc.BT709
        return stream

    def _add_sound(self) -> Packets:
        if isinstance(self._sound, tuple):
            return generated_track(self._container, *self._sound)
        return clip_track(self._container, self._sound)

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError) as error:
            raise LookhearError(f"{self.path}: cannot be written: {reason(error)}") from error


def _time(packet: Packet[Any]) -> float:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return float((stamp or 0) * packet.time_base)


@contextlib.contextmanager
def encoding(writer: VideoWriter) -> Iterator[Callable[[Planes, float, float], None]]:
    """Open a video that is encoded in a thread of its own, as that takes the most time.

    It gives what takes a frame, as `VideoWriter.write_yuv420` does, and waits while
    `MOST_ENCODING` are under way; until so many more are given, a frame's planes must stay as they
    are.
    """
    waiting: deque[Future[None]] = deque()
    with writer, ThreadPoolExecutor(1, "lookhear-encoder") as encoder:

        def write(planes: Planes, time: float, duration: float) -> None:
            waiting.append(encoder.submit(writer.write_yuv420, planes, time, duration))
            if len(waiting) > MOST_ENCODING:
                waiting.popleft().result()

        try:
            yield write
            for frame in waiting:
                frame.result()
        finally:
            encoder.shutdown(cancel_futures=True)
