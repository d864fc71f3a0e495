"""Clips made for tests: any codec, sound, timing or rotation, a few small frames long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TICKS = 90_000
SOUND_BLOCK = 1024  # samples
STEADY = ("mpeg1video", "mpeg2video", "mpeg4", "msmpeg4", "flv", "wmv2")  # in whole frames only


def make_clip(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    fps: float = 25.0,
    *,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    colours: dict[str, int] | None = None,
    tagged: bool = True,
    rotation: int = 0,
    pixel_aspect: Fraction = Fraction(1),
    sound: tuple[NDArray[np.float32], int] | None = None,
    sound_codec: str = "aac",
    layout: str = "mono",
    sound_start: float = 0.0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write RGB frames (H x W x 3) and mono sound (samples, rate) to ``path``; return it.

    Args:
        path: the suffix picks the container.
        frames: uint8 RGB, all of one size.
        fps: frames a second, unless ``times`` says when each is shown.
        times: seconds, one per frame.
        codec: FFmpeg's name of the video encoder.
        pixel_format: what the frames are converted to.
        options: of the encoder; lossless for libx264 by default.
        colours: encoder tags such as ``color_trc=16``; the matrix and range are converted to.
        tagged: whether the file states these colours.
        rotation: degrees anticlockwise that a player must turn the picture.
        pixel_aspect: width / height of one pixel.
        sound: mono float32 in [-1, 1] and its sample rate.
        sound_codec: FFmpeg's name of the sound encoder.
        layout: the channels that the sound is copied to.
        sound_start: seconds after time 0 at which the sound starts.
        container_options: of the container.
    """
    frames = list(frames)
    height, width = frames[0].shape[:2]
    times = times if times is not None else [index / fps for index in range(len(frames))]
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        defaults = {"qp": "0"} if codec == "libx264" else {}
        stream = container.add_stream(
            codec, Fraction(fps).limit_denominator(1001), options=defaults | (options or {})
        )
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pixel_format
        if codec in STEADY or path.suffix == ".avi":
            context.time_base = 1 / Fraction(fps).limit_denominator(1001)
        else:
            context.time_base = Fraction(1, 100 if codec == "gif" else TICKS)
        context.sample_aspect_ratio = pixel_aspect
        for name, value in (colours or {}).items() if tagged else ():
            setattr(context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        packets: Iterator[Any] = iter(())
        if sound:
            packets = _sound_packets(container, sound, sound_codec, layout, sound_start)
        heard = next(packets, None)
        for frame, time in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
            picture = picture.reformat(format=pixel_format, **_target(colours))
            picture.pts = round(time / context.time_base)
            picture.time_base = context.time_base
            picture.duration = round(1 / fps / context.time_base)
            container.mux(stream.encode(picture))
            while heard is not None and heard.pts * heard.time_base <= time:
                container.mux(heard)
                heard = next(packets, None)
        container.mux(stream.encode(None))
        if heard is not None:
            container.mux([heard, *packets])
    return path


def _target(colours: dict[str, int] | None) -> dict[str, Any]:
    colours = colours or {}
    return {
        "dst_colorspace": colours.get("colorspace"),
        "dst_color_range": colours.get("color_range"),
    }


def _sound_packets(
    container: Any, sound: tuple[NDArray[np.float32], int], codec: str, layout: str, start: float
) -> Iterator[Any]:
    samples, rate = sound
    stream = container.add_stream(codec, rate, layout=layout, options={"strict": "experimental"})
    for first in range(0, samples.size, SOUND_BLOCK):
        block = samples[np.newaxis, first : first + SOUND_BLOCK].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = round(start * rate) + first
        yield from stream.encode(frame)
    yield from stream.encode(None)


def counting_frames(
    count: int, size: tuple[int, int] = (48, 64), step: int = 8
) -> list[NDArray[np.uint8]]:
    """Grey frames of (height, width), each ``step`` brighter than the one before, from 16 on."""
    return [np.full((*size, 3), 16 + step * index, np.uint8) for index in range(count)]


def quadrants(size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """A picture whose corners are red, green, blue and white, clockwise from top left."""
    height, width = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (200, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 180, 30)
    picture[height // 2 :, width // 2 :] = (30, 30, 200)
    picture[height // 2 :, : width // 2] = (220, 220, 220)
    return picture


def beep(
    seconds: float, at: Sequence[float], rate: int = 16_000, length: float = 0.1
) -> tuple[NDArray[np.float32], int]:
    """Mono sound, silent but for 1 kHz beeps that start at the given seconds; and its rate."""
    time = np.arange(round(seconds * rate)) / rate
    on = np.zeros(time.size, bool)
    for start in at:
        on |= (time >= start) & (time < start + length)
    return (0.5 * np.sin(2 * np.pi * 1000 * time) * on).astype(np.float32), rate


def onsets(samples: NDArray[np.float32], rate: int = 16_000, gap: float = 0.05) -> list[float]:
    """Seconds at which sound starts after at least ``gap`` seconds of near silence."""
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    if loud.size == 0:
        return []
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-rate) > gap * rate)]
    return [float(start) / rate for start in starts]
