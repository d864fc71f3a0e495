"""The sound track of a file being written, packet by packet: copied, re-encoded or generated."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from lookhear.media.clip import Clip, lost_sound
from lookhear.media.sound import Samples, on_the_clock
from lookhear.media.source import Losses, open_container, packets, reason

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

COPIED_CODECS = ("aac", "mp3", "opus", "ac3", "eac3", "alac", "flac")  # what .mp4 players take
PACKETS_TRIED = 4
AAC_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
AAC_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1")
AAC_BITS_PER_CHANNEL = 64_000  # a second

Packets: TypeAlias = "Generator[Packet[Any], None, None]"


def clip_track(output: OutputContainer, clip: Clip | None) -> Packets:
    """Add a clip's sound, if it has any, to ``output``; the clip's time 0 becomes the file's.

    The stream is added when the first packet is asked for, and only if there is one. What
    cannot be decoded is noted in the clip's ``problems``.

    Yields:
        Packets in the order of their times, ready to be muxed.
    """
    if clip is None or clip.source is None or clip.source.sound is None:
        return
    losses = Losses()
    with open_container(clip.path) as container:
        original = container.streams[clip.source.sound]
        assert isinstance(original, AudioStream)
        codec, zero = original.codec_context, clip.source.zero
        try:
            if codec.codec.canonical_name in COPIED_CODECS and _is_taken(clip):
                yield from _copied(output, container, original, zero, losses)
            else:
                rate = codec.sample_rate if codec.sample_rate in AAC_RATES else AAC_RATES[0]
                layout = codec.layout.name if codec.layout.name in AAC_LAYOUTS else "stereo"
                blocks = on_the_clock(container, original, losses, zero, rate, layout)
                yield from _encoded(output, blocks, rate, layout)
        except ValueError as error:
            losses.reasons[reason(error)] = None
    if losses.reasons:
        clip.add_problem(lost_sound(losses))


def generated_track(output: OutputContainer, samples: Samples, rate: int) -> Packets:
    """Add generated mono sound, float32 in [-1, 1] at ``rate`` samples a second, as AAC."""
    seconds = (samples[np.newaxis, start : start + rate] for start in range(0, samples.size, rate))
    return _encoded(output, seconds, rate, "mono")


def _is_taken(clip: Clip) -> bool:
    """Try whether .mp4 takes the sound as it is, such as no MP3 below 16 kHz.

    The file that is written cannot tell: it takes all of its streams or none.
    """
    assert clip.source is not None
    assert clip.source.sound is not None
    try:
        with (
            open_container(clip.path) as container,
            av.open(io.BytesIO(), "w", format="mp4") as trial,
        ):
            original = container.streams[clip.source.sound]
            assert isinstance(original, AudioStream)
            copied = _copied(trial, container, original, clip.source.zero, Losses())
            for packet in itertools.islice(copied, PACKETS_TRIED):
                trial.mux(packet)
            copied.close()
    except (FFmpegError, ValueError):
        return False
    return True


def _copied(
    output: OutputContainer,
    container: InputContainer,
    original: AudioStream,
    zero: Fraction,
    losses: Losses,
) -> Packets:
    copy: AudioStream | None = None
    last: int | None = None
    for packet in packets(container, original, losses):
        if packet is None or packet.dts is None or packet.pts is None:
            continue
        if last is not None and packet.dts <= last:
            continue  # a step back in time is damage; no muxer takes it
        last = packet.dts
        copy = copy or output.add_stream_from_template(original)
        shift = round(zero / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = copy
        yield packet


def _encoded(output: OutputContainer, blocks: Iterator[Samples], rate: int, layout: str) -> Packets:
    stream: AudioStream | None = None
    position = 0
    for block in blocks:
        if stream is None:
            stream = output.add_stream("aac", rate, layout=layout)
            stream.bit_rate = AAC_BITS_PER_CHANNEL * block.shape[0]
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(block.clip(-1.0, 1.0), np.float32), "fltp", layout
        )
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = position
        position += block.shape[1]
        yield from stream.encode(frame)
    if stream is not None:
        yield from stream.encode(None)
