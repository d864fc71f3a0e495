"""Video files and animations: whatever FFmpeg takes apart."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lookhear.errors import LookhearError
from lookhear.media.clip import Clip, lost_sound
from lookhear.media.clock import BACK, FOREVER
from lookhear.media.picture import Frame
from lookhear.media.sound import Samples, on_the_clock
from lookhear.media.source import (
    Losses,
    MediaFile,
    Span,
    can_decode,
    decoded,
    open_container,
    picture_decoder,
    picture_stream,
    reason,
    sound_stream,
    tells_decoding_only,
    time_zero,
)
from lookhear.words import count

USUAL_RATE = 25.0  # frames a second, where nothing tells
FASTEST_RATE = 1000.0  # frames a second; more is a time base that was taken for a rate
EARLY_END = 1.0  # seconds before the header's end at which a picture must not end unnoticed
TICK = 0.001  # seconds from one frame to a next one whose time stamp does not come after it


class VideoClip(Clip):
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
            if _is_encrypted(container, stream):
                raise LookhearError(
                    f"{path}: its picture is encrypted; give a copy without protection"
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
        """See `Clip`."""
        assert self.source is not None
        losses, developer = Losses(), self.developer()
        frames = _decode(self.source, losses, threads=True)
        index, end = -1, 0.0
        try:
            for index, (time, duration, frame) in enumerate(self._timed(frames)):
                end = time + duration
                self.note(frame, f"at {time:.1f} s")
                yield Frame(index, time, duration, frame, developer)
        finally:  # also of a pass that is not wanted to the end
            if (losses.reasons or losses.count) and index >= 0:
                self.add_problem(self._lost(losses, index + 1))
            damaged = _damaged(losses, self.source.zero)
            if damaged.count and index >= 0:
                of_all = f"{count(damaged.count, 'frame')} of {index + 1}"
                signs = f" ({next(iter(losses.signs))})" if losses.signs else ""
                self.add_problem(
                    f"{of_all} may be damaged, {damaged.where}; shown as far as decoded{signs}"
                )
            if losses.restarts:
                self.add_problem(_joined(losses.restarts, self.source.zero))
        if index < 0:
            raise LookhearError(f"{self.path}: no frame of its picture can be decoded")
        if self.duration and end < self.duration - EARLY_END:
            self.add_problem(f"the picture ends at {end:.1f} s of {self.duration:.1f} s")

    def sound(self) -> Iterator[Samples]:
        """See `Clip`."""
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
        usual = 1 / (self.frame_rate or USUAL_RATE)
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

    def _lost(self, losses: Losses, shown: int) -> str:
        """Say what is missing; packets of a damaged file may be more than the frames it has."""
        lost = losses.count
        if self.frame_count and not losses.restarts:
            lost = min(lost, max(self.frame_count - shown, 0))
        if not losses.count:
            frames = count(shown, "frame")
            return f"the picture stops after {frames}; the rest is left out ({losses.why})"
        if not lost:
            return f"a part of the picture is damaged, {losses.where} ({losses.why})"
        frames = f"{count(lost, 'frame')} of {shown + lost}"
        return f"{frames} could not be decoded, {losses.where}; left out ({losses.why})"


def _damaged(losses: Losses, zero: Fraction) -> Span:
    """The frames that are damaged.

    The last of a recording to which another was joined only seems so to the container.
    """
    joints = [restart - float(zero) for restart in losses.restarts]
    damaged = Span()
    for time in losses.damaged:
        damaged.add(time)
    for time in losses.flagged:
        if time is None or all(abs(time - joint) >= BACK for joint in joints):
            damaged.add(time)
    return damaged


def _is_encrypted(container: av.container.InputContainer, stream: VideoStream) -> bool:
    """Whether the first packet is encrypted, by the common encryption of .mp4 files."""
    try:
        packet = next(container.demux(stream), None)
    except FFmpegError:
        return False
    return packet is not None and packet.has_sidedata("encryption_info")


def _joined(restarts: list[float], zero: Fraction) -> str:
    times = f"at {restarts[0] - float(zero):.1f} s"
    if len(restarts) > 1:
        times = f"{len(restarts)} times, first {times}"
    return f"its clock begins again {times}; taken for recordings that were joined"


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
