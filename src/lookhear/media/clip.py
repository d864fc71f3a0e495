"""A clip as streams: its frames with their times, and its sound on the same clock."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lookhear.errors import LookhearError
from lookhear.media.clock import FOREVER
from lookhear.media.picture import Developer, Frame, Matrix, Orientation, matrix_of
from lookhear.media.sound import Samples, on_the_clock
from lookhear.media.source import (
    Losses,
    MediaFile,
    can_decode,
    decoded,
    open_container,
    open_picture,
    picture_decoder,
    picture_stream,
    reason,
    sound_stream,
    tells_decoding_only,
    time_zero,
)
from lookhear.words import count, counted

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
PICTURES_PER_SECOND = 25.0  # of a folder of frames whose rate is not told
FASTEST_RATE = 1000.0  # frames a second; more is a time base that was taken for a rate
EARLY_END = 1.0  # seconds before the header's end at which a picture must not end unnoticed
TIMESTAMP_ERROR = 5e-4  # seconds; some containers round to milliseconds
TICK = 0.001  # seconds from one frame to a next one whose time stamp does not come after it


class Clip(ABC):
    """A clip: what its header says, and its frames and sound as often as they are asked for.

    Nothing is held open between passes and no pass holds more than a few frames.
    Open one with `open_clip`.

    Attributes:
        path: the file, or the folder of frames.
        width: pixels of an upright frame; what the pixels' aspect does to it is not applied.
        height: likewise.
        sample_aspect_ratio: width / height of one pixel of an upright frame.
        matrix: the YCbCr matrix in which `Frame.yuv420` is cheapest.
        frame_rate: average frames a second, or None where the header has none.
        duration: seconds by the header; a hint, None where it says nothing.
        frame_count: frames by the header; a hint, None where it says nothing.
        source: the file's streams, or None for pictures.
        problems: what could not be decoded, a line each; filled while the streams are read.
    """

    def __init__(
        self,
        path: Path,
        first: VideoFrame,
        *,
        pixel_aspect: Fraction = Fraction(1),
        frame_rate: float | None,
        duration: float | None,
        frame_count: int | None,
        source: MediaFile | None = None,
    ) -> None:
        self.path = path
        orientation = Orientation.of(first)
        self.height, self.width = orientation.size(first.height, first.width)
        self.sample_aspect_ratio = 1 / pixel_aspect if orientation.transpose else pixel_aspect
        self.matrix: Matrix = matrix_of(first)
        self.frame_rate = frame_rate
        self.duration = duration
        self.frame_count = frame_count
        self.source = source
        self.problems: list[str] = []

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound stream that can be decoded."""
        return self.source is not None and self.source.sound is not None

    @property
    def is_still(self) -> bool:
        """Whether this is one still picture."""
        return self.source is None and self.frame_count == 1

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """All frames in the order of their times, which strictly increase.

        Damaged stretches are stepped over; ``problems`` then says what is missing.

        Raises:
            LookhearError: not a single frame can be decoded.
        """

    @abstractmethod
    def sound(self) -> Iterator[Samples]:
        """The sound as blocks of mono 16 kHz float32; sample k is heard at k / 16,000 seconds.

        There is silence where sound starts late, pauses or cannot be decoded (``problems`` then
        says so), and nothing at all in a clip without sound.
        """

    def add_problem(self, line: str) -> None:
        """Note what could not be decoded, once however often it is met."""
        if line not in self.problems:
            self.problems.append(line)


def open_clip(path: str | Path, *, frame_rate: float = PICTURES_PER_SECOND) -> Clip:
    """Open a video, an animation, a still picture or a folder of numbered frames.

    Args:
        path: file or folder. Of a folder, all pictures are taken in natural order (2 before 10).
        frame_rate: pictures a second of a folder or a still; videos bring their own times.

    Raises:
        LookhearError: there is no such file, it cannot be read, it is no media file, or it has
            no picture that can be decoded.
    """
    path = Path(path)
    if path.is_dir():
        pictures = _pictures_of(path)
        if not pictures:
            raise LookhearError(
                f"{path}: no pictures in this folder; give one with numbered "
                f"{', '.join(PICTURE_SUFFIXES)} files"
            )
        return _PictureClip(path, pictures, frame_rate)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return _PictureClip(path, [path], frame_rate)
    return _VideoClip(path)


class _VideoClip(Clip):
    """A clip that FFmpeg demultiplexes: video files and animations."""

    def __init__(self, path: Path) -> None:
        with open_container(path) as container:
            stream = picture_stream(container)
            if stream is None:
                raise LookhearError(f"{path}: has no picture, only sound; give a clip to look at")
            if not can_decode(stream):
                raise LookhearError(f"{path}: its picture's codec is unknown; convert it to H.264")
            sound = sound_stream(container)
            source = MediaFile(
                path=path,
                zero=time_zero(container, [stream, sound] if sound else [stream]),
                video=stream.index,
                sound=sound.index if sound and can_decode(sound) else None,
                shown_as_decoded=tells_decoding_only(path, stream.index),
            )
            frame_rate = _frame_rate(stream)
            duration = container.duration / av.time_base if container.duration else None
            frame_count = stream.frames or None
            if frame_count is None and duration and frame_rate:
                frame_count = round(duration * frame_rate)
            # Which way is up is known from the first frame only.
            first = next((frame for *_, frame in _decode(source, Losses(), threads=False)), None)
            if first is None:
                raise LookhearError(
                    f"{path}: no frame of its picture can be decoded; the file is damaged"
                )
            super().__init__(
                path,
                first,
                pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
                frame_rate=frame_rate,
                duration=duration,
                frame_count=frame_count,
                source=source,
            )
            if sound and not can_decode(sound):
                self.add_problem("the sound's codec is unknown; it is left out")

    def frames(self) -> Iterator[Frame]:
        assert self.source is not None
        losses = Losses()
        developer = Developer((self.height, self.width))
        frames = _decode(self.source, losses, threads=True)
        index, end = -1, 0.0
        try:
            for index, (time, duration, frame) in enumerate(self._timed(frames)):
                end = time + duration
                yield Frame(index, time, duration, frame, developer)
        finally:  # also of a pass that is not wanted to the end
            if losses.reasons and index >= 0:
                self.add_problem(_lost_frames(losses, index + 1))
            if losses.restarts:
                self.add_problem(_joined(losses.restarts, self.source.zero))
        if index < 0:
            raise LookhearError(f"{self.path}: no frame of its picture can be decoded")
        if self.duration and end < self.duration - EARLY_END:
            self.add_problem(f"the picture ends at {end:.1f} s of {self.duration:.1f} s")

    def sound(self) -> Iterator[Samples]:
        if self.source is None or self.source.sound is None:
            return
        losses = Losses()
        with open_container(self.path) as container:
            stream = container.streams[self.source.sound]
            assert isinstance(stream, av.AudioStream)
            try:
                for block in on_the_clock(container, stream, losses, self.source.zero):
                    yield block[0]
            except (FFmpegError, ValueError) as error:
                losses.reasons[reason(error)] = None
        if losses.reasons:
            self.add_problem(lost_sound(losses))

    def _timed(
        self, frames: Iterator[tuple[float | None, float | None, VideoFrame]]
    ) -> Iterator[tuple[float, float, VideoFrame]]:
        """Frames with times that strictly increase, mending time stamps that do not."""
        usual = 1 / (self.frame_rate or PICTURES_PER_SECOND)
        last: float | None = None
        for stamp, stated, frame in frames:
            duration = stated if stated and 0 < stated < FOREVER else usual
            if last is None:
                time = max(stamp or 0.0, 0.0)
            elif stamp is None or stamp - last > FOREVER:
                time = last + usual
            else:
                time = max(stamp, last + TICK) if stamp <= last else stamp
            yield time, duration, frame
            last = time


class _PictureClip(Clip):
    """A clip of still pictures at a steady rate: one, or a folder of them."""

    def __init__(self, path: Path, pictures: list[Path], frame_rate: float) -> None:
        self._pictures = pictures
        super().__init__(
            path,
            self._first(),
            frame_rate=frame_rate,
            duration=len(pictures) / frame_rate,
            frame_count=len(pictures),
        )

    def frames(self) -> Iterator[Frame]:
        assert self.frame_rate is not None
        developer = Developer((self.height, self.width))
        indices, left_out = itertools.count(), defaultdict[str, list[str]](list)
        for number, picture in enumerate(self._pictures):
            try:
                frame = _read_picture(picture)
            except LookhearError as error:
                left_out[str(error).removeprefix(f"{picture}: ")].append(picture.name)
                continue
            time = number / self.frame_rate
            yield Frame(next(indices), time, 1 / self.frame_rate, frame, developer, picture)
        for why, names in left_out.items():
            self.add_problem(f"left out: {counted('picture', names)}: {why}")

    def sound(self) -> Iterator[Samples]:
        return iter(())

    def _first(self) -> VideoFrame:
        """The first picture that can be read, or the error of the first one."""
        for picture in self._pictures[:-1]:
            try:
                return _read_picture(picture)
            except LookhearError:
                continue
        return _read_picture(self._pictures[-1])


def lost_sound(losses: Losses) -> str:
    """The line for ``problems`` on sound that could not be decoded."""
    if not losses.count:
        return f"the sound stops before its end; the rest is silent ({losses.why})"
    packets = count(losses.count, "packet")
    return f"{packets} of the sound could not be decoded, {losses.where}; silent ({losses.why})"


def _joined(restarts: list[float], zero: Fraction) -> str:
    times = f"at {restarts[0] - float(zero):.1f} s"
    if len(restarts) > 1:
        times = f"{len(restarts)} times, first {times}"
    return f"its clock begins again {times}; taken for recordings that were joined"


def _lost_frames(losses: Losses, decoded_count: int) -> str:
    if not losses.count:
        shown = count(decoded_count, "frame")
        return f"the picture stops after {shown}; the rest is left out ({losses.why})"
    total = decoded_count + losses.count
    frames = count(losses.count, "frame")
    return f"{frames} of {total} could not be decoded, {losses.where}; left out ({losses.why})"


def _decode(
    source: MediaFile, losses: Losses, *, threads: bool
) -> Iterator[tuple[float | None, float | None, VideoFrame]]:
    """The picture's frames with their time and duration in seconds, as far as stated."""
    with open_container(source.path) as container:
        stream = container.streams[source.video]
        assert isinstance(stream, VideoStream)
        decoder = picture_decoder(stream, threads=threads)
        tick = stream.time_base or Fraction(0)
        for frame in decoded(
            container,
            stream,
            decoder,
            losses,
            source.zero,
            shown_as_decoded=source.shown_as_decoded,
        ):
            assert isinstance(frame, VideoFrame)
            time = None if frame.pts is None else float(frame.pts * tick - source.zero)
            yield time, float(frame.duration * tick), frame


def _frame_rate(stream: VideoStream) -> float | None:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= FASTEST_RATE:
            return float(rate)
    return None


def _read_picture(path: Path) -> VideoFrame:
    with open_picture(path) as container:
        stream = container.streams.video[0]
        for frame in decoded(container, stream, stream.codec_context, Losses(), Fraction(0)):
            assert isinstance(frame, VideoFrame)
            return frame
    raise LookhearError(f"{path}: a damaged picture; leave it out or save it again")


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
    return sorted(pictures, key=_natural_order)


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """A key that sorts frame2 before frame10."""
    parts = re.findall(r"\d+|\D+", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in parts]
