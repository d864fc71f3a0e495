"""Files as FFmpeg sees them: opened safely, the right streams chosen, decoded past damage."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lookhear.errors import LookhearError
from lookhear.media.clock import Clock

if TYPE_CHECKING:
    from av.container import InputContainer

# FFmpeg reports through exceptions as well; its own lines on stderr would break progress bars. They
# are not given on, but its errors are counted, as decoders conceal damage that they find.
av.logging.set_level(av.logging.PANIC)
av.logging.set_libav_level(av.logging.PANIC)

# Playlists (hls, dash, concat, imf, ...) and image2, which would follow a file to other files
# or addresses, are left out on purpose; so are what any text or bytes would be taken for.
DEMUXERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,asf_o,gif,apng,ogg,mxf,gxf,nut,nuv,"
    "nsv,dv,rm,wtv,ivf,obu,h261,h263,h264,hevc,av1,vvc,evc,m4v,vc1,vc1test,dirac,dnxhd,cavsvideo,avs2,"
    "avs3,apv,swf,dhav,mjpeg,mpjpeg,mjpeg_2000,jpeg_pipe,yuv4mpegpipe,lvf,lxf,pva,pmp,ty,vivo,viv,"
    "bink,smk,flic,roq,mtv,4xm,filmstrip,ivr,xmv,wav,w64,aiff,mp3,aac,ac3,eac3,dts,flac,amr,au,caf,"
    "ape,mpc,mpc8,tak,wv,tta,truehd,mlp,voc"
)
MAX_PIXELS = 2**27  # 134 million: a 16k frame; a header may claim any size and cost any memory
JPEG = b"\xff\xd8\xff"  # how one begins
FEW_CORES = 2

MOST_REASONS = 3  # that are told
# Errors of FFmpeg about what is said of the picture, not in it.
HARMLESS = re.compile(
    r"SEI|APP|exif|aspect ratio|VUI|colorspace|ICC|metadata|timing", re.IGNORECASE
)
BEYOND_A_FIELD = 0.75  # of a frame's duration; packets of fields, or of nothing to see, lie closer
LEAST_OF_A_FRAME = 16  # bytes; MPEG-4 says in fewer that nothing has changed

StreamT = TypeVar("StreamT", VideoStream, AudioStream)

PACKETS_TO_A_START = 500  # in which a stream without a stated start must show up
PACKETS_TO_A_B_FRAME = 30  # in which a stream that has B-frames must show one

HEIF_BRANDS = ("avif", "avis", "heic", "heix", "hevc", "hevx", "mif1", "msf1")
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
class Span:
    """How many packets or frames there are of a kind, and from when to when, in seconds."""

    count: int = 0
    first: float = math.inf
    last: float = -math.inf

    def add(self, time: float | None) -> None:
        """Count one more, at ``time`` seconds where that is known."""
        self.count += 1
        if time is not None:
            self.first = min(self.first, time)
            self.last = max(self.last, time)

    @property
    def where(self) -> str:
        """The time or the span, as words."""
        if self.last < self.first:
            return "at an unknown time"
        if self.last - self.first < 0.05:
            return f"at {self.first:.1f} s"
        return f"between {self.first:.1f} s and {self.last:.1f} s"


@dataclass
class Losses(Span):
    """What could not be decoded of one stream in one pass, or only with damage."""

    reasons: dict[str, None] = field(default_factory=dict)  # a dict keeps the order
    # Seconds of frames that are damaged or made from such; and of those of which only the container
    # says so.
    damaged: list[float | None] = field(default_factory=list)
    flagged: list[float | None] = field(default_factory=list)
    signs: dict[str, None] = field(default_factory=dict)  # of damage
    restarts: list[float] = field(default_factory=list)  # seconds at which the clock began again

    @property
    def why(self) -> str:
        """The reasons that FFmpeg gave, as words."""
        return "; ".join(
            itertools.islice(self.reasons or ("no picture in the data",), MOST_REASONS)
        )


class DecoderErrors:
    """Tells what errors a decoder has reported that went on all the same."""

    def __init__(self, decoder: str) -> None:
        self._decoder = decoder
        self._count = 0
        self.new()

    def new(self) -> str:
        """The latest since it was last asked; empty if there is none."""
        count, line = av.logging.get_last_error()
        if count == self._count or line is None:
            return ""
        self._count = count
        _, name, message = line
        if name != self._decoder or HARMLESS.search(message):
            return ""
        return str(message).strip()


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
    check_readable(path)
    try:
        return _open(path)
    except ArgumentError as error:
        with path.open("rb") as file:
            if file.read(len(JPEG)) == JPEG:  # which FFmpeg takes for image2's if it is named .jpg
                return _open(path, "jpeg_pipe")
        raise LookhearError(
            f"{path}: not a media file of a format that is taken; convert it to .mp4 (H.264), or a "
            "picture to .png"
        ) from error
    except (FFmpegError, ValueError) as error:
        raise LookhearError(
            f"{path}: not a media file that can be read ({reason(error)}); "
            "give a video, an animation or a picture"
        ) from error


def _open(path: Path, demuxer: str | None = None) -> InputContainer:
    options = {"protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
    # An absolute path cannot be mistaken for an address such as "concat:...".
    return av.open(
        str(path.absolute()),
        "r",
        format=demuxer,
        options=options if demuxer else options | {"format_whitelist": DEMUXERS},
    )


def picture_streams(container: InputContainer) -> list[VideoStream]:
    """The streams that are the picture, not cover art."""
    return [s for s in container.streams.video if not s.disposition & _NOT_THE_PICTURE]


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The picture stream flagged default, or else the first; cover art does not count.

    Of an animated AVIF or HEIF it is the animation, not the still that stands for it.
    """
    streams = picture_streams(container)
    if container.metadata.get("major_brand", "").strip() in HEIF_BRANDS:
        streams = sorted(streams, key=lambda stream: -stream.frames)[:1]
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
        with contextlib.suppress(FFmpegError):  # of damage, which every pass will come to
            for packet in itertools.islice(container.demux(streams), PACKETS_TO_A_START):
                # At the end comes an empty packet, said to be of the first of all streams.
                if starts.get(packet.stream_index, 0) is None:
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
        some: list[Packet[Any]] = []
        with contextlib.suppress(FFmpegError):
            some += itertools.islice(stamped, PACKETS_TO_A_B_FRAME)
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
    account = _Account(stream, decoder, losses, zero) if stream.type == "video" else None
    first: int | None = None  # when decoding begins
    delay: int | None = None  # from decoding to showing
    for packet in packets(container, stream, losses):
        if packet is not None and shown_as_decoded:
            first, packet.pts = packet.dts if first is None else first, packet.dts
        if packet is not None and account:
            account.take(packet)
        try:
            frames = decoder.decode(packet)  # type: ignore[attr-defined]
        except EOFError:
            frames = []
        except FFmpegError as error:
            losses.reasons[reason(error)] = None
            frames = []
            if not account:
                losses.add(_seconds(packet.pts if packet else None, stream, zero))
        if account:
            account.look_for_damage(packet)
        for frame in frames:
            if shown_as_decoded and frame.dts is not None:
                delay = frame.dts - (first or 0) if delay is None else delay
                frame.pts = frame.dts - delay
            elif shown_as_decoded and account:  # of the last, for which no packet comes any more
                frame.pts = account.earliest
            if account:
                account.give(frame)
            yield frame
    if account:
        account.close()


class _Account:
    """Keeps account of a picture: what went into its decoder, what came out, and what is damaged.

    A threaded decoder reports damage late, so what is lost is what a later frame overtook.
    """

    def __init__(
        self, stream: Stream, decoder: CodecContext, losses: Losses, zero: Fraction
    ) -> None:
        self._stream, self._decoder, self._losses, self._zero = stream, decoder, losses, zero
        self._errors = DecoderErrors(decoder.name)
        self._waiting: set[int] = set()  # time stamps of packets whose frame has not come out yet
        self._damaged_from: int | None = None  # until a frame comes that needs no other
        self._by_container = False  # whether only the container says that there is damage
        self._previous: int | None = None  # frame's time stamp
        self._own_time = _ticks_of_a_field(stream)

    @property
    def earliest(self) -> int | None:
        """The time stamp of the first packet whose frame has not come out yet."""
        return min(self._waiting, default=None)

    def take(self, packet: Packet[Any]) -> None:
        """Note a packet that goes into the decoder."""
        if packet.pts is not None and _holds_a_frame(packet, self._decoder):
            self._waiting.add(packet.pts)

    def look_for_damage(self, packet: Packet[Any] | None) -> None:
        """Note what the decoder or the container says of the packet that went in last."""
        sign = self._errors.new()
        is_flagged = packet is not None and packet.is_corrupt
        if (sign or is_flagged) and self._damaged_from is None:
            begun = packet.pts if packet is not None else self._previous
            self._damaged_from = self.earliest or 0 if begun is None else begun
            self._by_container = True
        if sign:
            self._losses.signs[sign] = None
            self._by_container = False

    def give(self, frame: VideoFrame | AudioFrame) -> None:
        """Note a frame that came out."""
        stamp = frame.pts
        overtaken = {pts for pts in self._waiting if stamp is not None and pts < stamp}
        self._waiting -= overtaken | {self.earliest if stamp is None else stamp}
        self._lose(overtaken, stamp)
        if _needs_no_other(frame, self._damaged_from):
            self._damaged_from = None
        if frame.is_corrupt and self._damaged_from is None:
            self._damaged_from, self._by_container = stamp or 0, True
        if self._damaged_from is not None and (stamp is None or stamp >= self._damaged_from):
            losses = self._losses
            damaged = losses.flagged if self._by_container else losses.damaged
            damaged.append(_seconds(stamp, self._stream, self._zero))
        self._previous = self._previous if stamp is None else stamp

    def close(self) -> None:
        """Note that nothing comes any more."""
        self._lose(self._waiting, None)

    def _lose(self, overtaken: Iterable[int], following: int | None) -> None:
        """Count packets without a frame, but for those that belong to a frame beside."""
        for pts in overtaken:
            beside = (of for of in (self._previous, following) if of is not None)
            if self._losses.reasons or all(abs(of - pts) > self._own_time for of in beside):
                self._losses.add(_seconds(pts, self._stream, self._zero))


def _ticks_of_a_field(stream: Stream) -> float:
    """How close to a frame packets are that belong to it, or show nothing of their own."""
    rate = stream.average_rate or stream.guessed_rate if isinstance(stream, VideoStream) else None
    if not rate or not stream.time_base:
        return math.inf
    return float(BEYOND_A_FIELD / rate / stream.time_base)


def _holds_a_frame(packet: Packet[Any], decoder: CodecContext) -> bool:
    if packet.is_discard:
        return False
    return decoder.name != "mpeg4" or packet.size >= LEAST_OF_A_FRAME


def _needs_no_other(frame: VideoFrame | AudioFrame, damaged_from: int | None) -> bool:
    """Whether a frame ends what damage has done to those before it."""
    if damaged_from is None or frame.is_corrupt or not isinstance(frame, VideoFrame):
        return False
    return bool(frame.key_frame) and frame.pts is not None and frame.pts > damaged_from


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
