"""Files as FFmpeg sees them: opened safely, the right streams chosen, decoded past damage."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lookhear.errors import LookhearError
from lookhear.media.clock import Clock

if TYPE_CHECKING:
    from av.container import InputContainer

# FFmpeg reports through exceptions as well; its own lines on stderr would break progress bars.
av.logging.set_level(None)
av.logging.set_libav_level(av.logging.PANIC)

# Playlists (hls, dash, concat, imf, ...) and image2, which would follow a file to other files
# or addresses, are left out on purpose.
DEMUXERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,gif,apng,ogg,mxf,nut,dv,rm,wtv,ivf,obu,"
    "h264,hevc,av1,vvc,m4v,yuv4mpegpipe,wav,w64,aiff,mp3,aac,ac3,eac3,flac,amr,au,caf,ape,wv,tta"
)
MAX_PIXELS = 2**27  # 134 million: a 16k frame; a header may claim any size and cost any memory
FEW_CORES = 2

StreamT = TypeVar("StreamT", VideoStream, AudioStream)

PACKETS_TO_A_START = 500  # in which a stream without a stated start must show up
PACKETS_TO_A_B_FRAME = 30  # in which a stream that has B-frames must show one

_NOT_THE_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(frozen=True)
class MediaFile:
    """Where a clip's streams are, so that every pass can open the file for itself."""

    path: Path  # the file
    zero: Fraction  # time zero of the clip's clock, in seconds of the container's clock
    video: int  # index of the picture stream in the container
    sound: int | None  # index of the sound stream, or None
    # Whether packets of the picture say when they are decoded, but not when they are shown.
    shown_as_decoded: bool = False


@dataclass
class Losses:
    """What could not be decoded of one stream in one pass: count, span in seconds, reasons."""

    count: int = 0
    first: float = math.inf
    last: float = -math.inf
    reasons: dict[str, None] = field(default_factory=dict)  # a dict keeps the order
    restarts: list[float] = field(default_factory=list)  # seconds at which the clock began again

    def add(self, time: float | None) -> None:
        """Count one packet that gave nothing, at ``time`` seconds where that is known."""
        self.count += 1
        if time is not None:
            self.first = min(self.first, time)
            self.last = max(self.last, time)

    @property
    def where(self) -> str:
        """The time or the span of the losses, as words."""
        if self.last < self.first:
            return "at an unknown time"
        if self.last - self.first < 0.05:
            return f"at {self.first:.1f} s"
        return f"between {self.first:.1f} s and {self.last:.1f} s"

    @property
    def why(self) -> str:
        """The reasons that FFmpeg gave, as words."""
        return "; ".join(self.reasons)


def reason(error: Exception) -> str:
    """FFmpeg's or the system's words for an error, without its numbers and addresses."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).splitlines()[0]


def check_readable(path: Path) -> None:
    """Raise LookhearError unless ``path`` is a regular, readable file with something in it."""
    if not path.exists():
        raise LookhearError(f"{path}: no such file; check the name and the folder")
    if not path.is_file():
        raise LookhearError(f"{path}: not a regular file; give a media file or a folder of frames")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise LookhearError(f"{path}: cannot be read: {error.strerror}") from error
    if empty:
        raise LookhearError(f"{path}: the file is empty; copy or download it again")


def open_container(path: Path) -> InputContainer:
    """Open a media file that refers to nothing outside itself.

    Raises:
        LookhearError: FFmpeg does not take it for a media file.
    """
    return _open(path, None, {"format_whitelist": DEMUXERS})


def open_picture(path: Path) -> InputContainer:
    """Open a still picture, its name taken literally (FFmpeg would expand ``%d``).

    Raises:
        LookhearError: FFmpeg does not take it for a picture.
    """
    return _open(path, "image2", {"pattern_type": "none"})


def _open(path: Path, demuxer: str | None, options: dict[str, str]) -> InputContainer:
    check_readable(path)
    limits = {"protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
    try:
        # An absolute path cannot be mistaken for an address such as "concat:...".
        return av.open(str(path.absolute()), "r", format=demuxer, options=options | limits)
    except (FFmpegError, ValueError) as error:
        raise LookhearError(
            f"{path}: not a media file that can be read ({reason(error)}); "
            "give a video, an animation or a picture"
        ) from error


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The picture stream flagged default, or else the first; cover art does not count."""
    streams = [s for s in container.streams.video if not s.disposition & _NOT_THE_PICTURE]
    return _default(streams)


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The sound stream flagged default, or else the first."""
    return _default(list(container.streams.audio))


def _default(streams: list[StreamT]) -> StreamT | None:
    flagged = [stream for stream in streams if stream.disposition & Disposition.default]
    return next(iter(flagged or streams), None)


def can_decode(stream: Stream) -> bool:
    """Whether there is a decoder for a stream."""
    # PyAV's types leave out that streams of unknown codecs have no context.
    return getattr(stream, "codec_context", None) is not None


def time_zero(container: InputContainer, streams: list[VideoStream | AudioStream]) -> Fraction:
    """The earliest start of the given streams, in seconds of the container's clock.

    Packets are read where the header does not say when a stream starts.
    """
    starts = {stream.index: stream.start_time for stream in streams}
    if None in starts.values():
        for packet in itertools.islice(container.demux(streams), PACKETS_TO_A_START):
            if starts[packet.stream_index] is None:
                starts[packet.stream_index] = packet.pts
    known = [
        start * stream.time_base
        for stream in streams
        if (start := starts[stream.index]) is not None and stream.time_base is not None
    ]
    return min(known, default=Fraction(0))


def tells_decoding_only(path: Path, index: int) -> bool:
    """Whether the packets of a picture stream say only when they are decoded.

    So it is of .avi and older .mkv files. FFmpeg takes these times for those of presentation, and
    B-frames come out of order.
    """
    with open_container(path) as container:
        stream = container.streams[index]
        assert isinstance(stream, VideoStream)
        if not stream.codec_context.has_b_frames:
            return False
        stamped = (packet for packet in container.demux(stream) if packet.dts is not None)
        some = [*itertools.islice(stamped, PACKETS_TO_A_B_FRAME)]
        shown = [packet.pts for packet in some]
        if None in shown:
            return not any(pts is not None for pts in shown)
        if _ever_falls(shown) or container.format.name == "avi":
            return not _ever_falls(shown)
        came_out: list[int | None] = []
        decoder = picture_decoder(stream, threads=False)
        for packet in (*some, None):
            with contextlib.suppress(FFmpegError):
                came_out += [frame.pts for frame in decoder.decode(packet)]  # type: ignore[attr-defined]
        return _ever_falls(came_out)


def _ever_falls(stamps: Iterable[int | None]) -> bool:
    known = (stamp for stamp in stamps if stamp is not None)
    return any(after < before for before, after in itertools.pairwise(known))


def picture_decoder(stream: VideoStream, *, threads: bool) -> CodecContext:
    """The decoder of a picture stream.

    VP8 and VP9 with alpha carry it beside the picture, where only libvpx looks for it.
    """
    name = stream.codec_context.name
    if stream.metadata.get("alpha_mode") == "1" and name in ("vp8", "vp9"):
        return av.CodecContext.create({"vp8": "libvpx", "vp9": "libvpx-vp9"}[name], "r")
    # Decoding several frames at once costs cores that what they are decoded for needs more.
    cores_to_spare = (os.cpu_count() or 1) > FEW_CORES
    stream.codec_context.thread_type = "AUTO" if threads and cores_to_spare else "SLICE"
    return stream.codec_context


def decoded(
    container: InputContainer,
    stream: StreamT,
    decoder: CodecContext,
    losses: Losses,
    zero: Fraction,
    *,
    shown_as_decoded: bool = False,
) -> Iterator[VideoFrame | AudioFrame]:
    """Decode one stream to its end, stepping over packets that cannot be decoded.

    Args:
        container: the open file.
        stream: one of its streams.
        decoder: the stream's decoder.
        losses: filled with what could not be decoded.
        zero: time zero of the clip's clock, in seconds of the container's.
        shown_as_decoded: whether its packets say only when they are decoded: frames then get these
            times in the order in which they come out.

    Yields:
        The frames in presentation order, with time stamps in ``stream.time_base``.
    """
    threaded = stream.type == "video"
    waiting: set[int] = set()  # time stamps of packets whose frame has not come out yet
    first: int | None = None  # when decoding begins
    delay: int | None = None  # from decoding to showing
    for packet in packets(container, stream, losses):
        if packet is not None and shown_as_decoded:
            first, packet.pts = packet.dts if first is None else first, packet.dts
        if packet is not None and packet.pts is not None and not packet.is_discard:
            waiting.add(packet.pts)
        try:
            frames = decoder.decode(packet)  # type: ignore[attr-defined]
        except EOFError:
            frames = []
        except FFmpegError as error:
            losses.reasons[reason(error)] = None
            frames = []
            if not threaded:
                losses.add(_seconds(packet.pts if packet else None, stream, zero))
        for frame in frames:
            if shown_as_decoded:
                if delay is None and frame.dts is not None:
                    delay = frame.dts - (first or 0)
                frame.pts = None if frame.dts is None else frame.dts - (delay or 0)
            # A threaded decoder reports damage late: what is lost is what a later frame overtook.
            overtaken = {pts for pts in waiting if frame.pts is not None and pts < frame.pts}
            waiting -= overtaken | {frame.pts}
            if threaded and losses.reasons:
                for pts in overtaken:
                    losses.add(_seconds(pts, stream, zero))
            yield frame
    if threaded and losses.reasons:
        for pts in waiting:
            losses.add(_seconds(pts, stream, zero))


def packets(
    container: InputContainer, stream: StreamT, losses: Losses
) -> Iterator[Packet[Any] | None]:
    """The packets of a stream until its end or the first that cannot be read, then None.

    Where the clocks of picture and sound begin again, they go on in step.
    """
    clock = Clock()
    losses.restarts = clock.restarts
    of_clip = [picture_stream(container), sound_stream(container), stream]
    streams = {of.index: of for of in of_clip if of is not None}
    try:
        filled = (packet for packet in container.demux(*streams.values()) if packet.size)
        for packet in clock.mended(filled):
            if packet.stream_index == stream.index:
                yield packet
    except FFmpegError as error:
        losses.reasons[reason(error)] = None
    yield None  # makes a decoder give the frames it still holds


def _seconds(pts: int | None, stream: Stream, zero: Fraction) -> float | None:
    if pts is None or stream.time_base is None:
        return None
    return float(pts * stream.time_base - zero)
