"""Cutting clips into moments, the unit that every network of the method consumes.

There is a moment in the middle of every second: its own frame, the frames about it, and the
sound. Frames are taken eight times a second, so that those of a moment span its second: from
four before its own frame to four after, which is a triplet around each of -3, 0 and +3 (the
"short" partners of the networks of STANet+).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.media import SAMPLE_RATE, TIMESTAMP_ERROR, Clip, Frame, SoundWindows
from lookhear.media.stills import encode_jpeg

FRAMES_A_SECOND = 8
REACH = 4  # frames on each side of a moment's own
FRAMES = 2 * REACH + 1
FULL_SCALE = np.float32(np.iinfo(np.int16).max)
SOUND_SECONDS = 1 + 2 * REACH / FRAMES_A_SECOND  # the second about each of the frames
SHORT_SIDE = 360  # pixels at most; the largest input of the method is 356 x 356
JPEG_QUALITY = 90


@dataclass(frozen=True, eq=False)
class Moment:
    """A moment as it is kept."""

    time: float  # seconds on the clip's clock
    # Its `FRAMES` frames as JPEG files, in the order of time, its own in the middle.
    jpegs: tuple[bytes, ...]
    # `(SOUND_SECONDS * 16,000,)` int16, its own second in the middle; zero where the clip has no
    # sound.
    sound: NDArray[np.int16]


def seconds_of(start: float, end: float) -> range:
    """The whole seconds whose middle lies in `[start, end)`: each has a moment there."""
    return range(math.ceil(start - 0.5), math.ceil(end - 0.5))


def second_of(sound: NDArray[np.int16], offset: int) -> NDArray[np.float32]:
    """The second about a moment's frame: `(16000,)` float32 in [-1, 1].

    The frame is counted from the moment's own: `-REACH` to `REACH`.
    """
    begin = (offset + REACH) * SAMPLE_RATE // FRAMES_A_SECOND
    return sound[begin : begin + SAMPLE_RATE].astype(np.float32) / FULL_SCALE


def cut(clip: Clip, start: float, end: float) -> Iterator[Moment]:
    """Cut an open clip from `start` to `end`, in seconds, into moments, holding one at a time.

    Where the clip begins late or ends early in a moment, its first or last frame stands in for
    those that are missing.

    Raises:
        LookhearError: No moment lies between `start` and `end`, the clip ends before the last
            of them, or no frame of it can be decoded.
    """
    seconds = seconds_of(start, end)
    if not seconds:
        raise LookhearError(f"{clip.path}: no middle of a second lies in {start:g} to {end:g} s")
    ticks = range(seconds[0] * FRAMES_A_SECOND, (seconds[-1] + 1) * FRAMES_A_SECOND + 1)
    waves = SoundWindows(clip.sound(), SOUND_SECONDS)
    size = _kept_size(clip)
    jpegs: list[bytes] = []  # of the moment under way
    frame_in_hand = -1
    for tick, frame in _on_display(clip, ticks, end):
        if frame.index != frame_in_hand:
            shown, frame_in_hand = encode_jpeg(frame.rgb(size), JPEG_QUALITY), frame.index
        jpegs.append(shown)
        if len(jpegs) == FRAMES:
            time = (tick - REACH) / FRAMES_A_SECOND
            sound = np.rint(waves.window(time) * FULL_SCALE).astype(np.int16)
            yield Moment(time, tuple(jpegs), sound)
            jpegs = [shown]  # the last frame of a second is the first of the next


def _on_display(clip: Clip, ticks: range, end: float) -> Iterator[tuple[int, Frame]]:
    """For each tick, the last frame that begins by then; the first one before any has begun."""
    waiting = iter(ticks)
    tick = next(waiting)
    shown: Frame | None = None
    for frame in clip.frames():
        while shown and frame.time > tick / FRAMES_A_SECOND + TIMESTAMP_ERROR:
            yield tick, shown
            if tick == ticks[-1]:
                return
            tick = next(waiting)
        shown = frame
    assert shown is not None  # else frames() had raised
    clip_end = shown.time + shown.duration
    for late in range(tick, ticks.stop):
        if (late - REACH) / FRAMES_A_SECOND >= clip_end:
            raise LookhearError(
                f"{clip.path}: ends at {clip_end:.1f} s, but is said to hold its tag until "
                f"{end:.10g} s"
            )
        yield late, shown


def _kept_size(clip: Clip) -> tuple[int, int]:
    height, width = clip.height, float(clip.width * clip.sample_aspect_ratio)
    scale = min(1.0, SHORT_SIDE / min(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)
