"""The sound of a clip: decoded onto its clock, and cut into the windows that networks hear."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.media.clock import FOREVER
from lookhear.media.source import (
    Losses,
    check_readable,
    decoded,
    open_container,
    sound_stream,
)

if TYPE_CHECKING:
    from av.container import InputContainer

Samples: TypeAlias = NDArray[np.float32]

SAMPLE_RATE = 16_000  # Hz; what the sound networks of the field are trained on
JITTER = 0.05  # seconds that time stamps may stray from the sample count before they are believed


def read_sound(path: Path) -> Iterator[Samples]:
    """Read a sound file, whatever its format, as blocks of mono 16 kHz float32 from time 0 on.

    What cannot be decoded is silent.

    Raises:
        LookhearError: there is no such file, or no sound in it.
    """
    check_readable(path)
    with open_container(path) as container:
        stream = sound_stream(container)
        if stream is None:
            raise LookhearError(f"{path}: has no sound that can be decoded; copy it again")
        for block in on_the_clock(container, stream, Losses(), Fraction(0)):
            yield block[0]


def on_the_clock(
    container: InputContainer,
    stream: AudioStream,
    losses: Losses,
    zero: Fraction,
    rate: int = SAMPLE_RATE,
    layout: str = "mono",
) -> Iterator[Samples]:
    """Decode sound so that sample k is heard k / ``rate`` seconds after ``zero``.

    Where sound starts late or is missing there is silence; what comes before ``zero`` or
    overlaps what was there already is cut.

    Args:
        container: the open file.
        stream: its sound stream.
        losses: filled with what could not be decoded.
        zero: time zero of the clip's clock, in seconds of the container's.
        rate: samples a second to resample to.
        layout: channel layout to mix to.

    Yields:
        Blocks of float32, (channels, samples), nominally within [-1, 1].
    """
    position = 0
    for start, run in _runs(container, stream, losses, zero, rate, layout):
        first = round(start * rate)
        for block in run:
            while position < first:
                silence = min(first - position, rate)
                yield np.zeros((block.shape[0], silence), np.float32)
                position += silence
            fresh = block[:, max(position - first, 0) :]
            first += block.shape[1]
            if fresh.shape[1]:
                yield fresh
                position += fresh.shape[1]


def _runs(
    container: InputContainer,
    stream: AudioStream,
    losses: Losses,
    zero: Fraction,
    rate: int,
    layout: str,
) -> Iterator[tuple[float, Iterator[Samples]]]:
    """Stretches of unbroken sound in one format: each its start in seconds and its blocks."""
    frames = _timed(container, stream, losses, zero)
    ahead = next(frames, None)

    def run() -> Iterator[Samples]:
        nonlocal ahead
        assert ahead is not None
        time, first = ahead
        resampler = AudioResampler("fltp", layout, rate)
        while ahead is not None:
            start, frame = ahead
            strays = JITTER < abs(start - time) < FOREVER
            if strays or _form(frame) != _form(first):
                break
            yield from (_samples(part) for part in resampler.resample(frame))
            time += frame.samples / frame.sample_rate
            ahead = next(frames, None)
        # A resampler that had nothing to do gives [None] here.
        yield from (_samples(part) for part in resampler.resample(None) if part is not None)

    while ahead is not None:
        yield ahead[0], run()


def _timed(
    container: InputContainer, stream: AudioStream, losses: Losses, zero: Fraction
) -> Iterator[tuple[float, AudioFrame]]:
    time = 0.0
    for frame in decoded(container, stream, stream.codec_context, losses, zero):
        assert isinstance(frame, AudioFrame)
        if frame.pts is not None and stream.time_base is not None:
            time = float(frame.pts * stream.time_base - zero)
        yield time, frame
        time += frame.samples / frame.sample_rate


def _samples(frame: AudioFrame) -> Samples:
    return np.asarray(frame.to_ndarray(), np.float32)


def _form(frame: AudioFrame) -> tuple[Any, ...]:
    return frame.format.name, frame.layout.name, frame.sample_rate


class SoundWindows:
    """The sound around one time after another, holding no more of it than a window needs."""

    def __init__(self, blocks: Iterator[Samples], seconds: float = 1.0) -> None:
        """Read windows of ``seconds`` from blocks of mono 16 kHz sound that start at time 0."""
        self._blocks = blocks
        self._length = round(seconds * SAMPLE_RATE)
        self._held: list[Samples] = []
        self._start = 0  # sample number of the first one held
        self._end = 0

    def window(self, centre: float) -> Samples:
        """The sound around a time, which must not be earlier than the last one asked for.

        Args:
            centre: seconds on the clip's clock.

        Returns:
            float32 of shape (seconds x 16,000,), clipped to [-1, 1], zero outside the clip. All
            zeros, ``not window.any()``, means that there is nothing to hear.

        Raises:
            ValueError: the window starts before sound that was let go already.
        """
        first = round(centre * SAMPLE_RATE) - self._length // 2
        last = first + self._length
        if max(first, 0) < self._start:
            raise ValueError("windows must be asked for in the order of their times")
        self._hold(first, last)
        window = np.zeros(self._length, np.float32)
        if self._held and last > self._start:
            heard = np.concatenate(self._held)[max(first - self._start, 0) : last - self._start]
            begin = max(self._start - first, 0)
            window[begin : begin + heard.size] = np.clip(heard, -1.0, 1.0)
        return window

    def _hold(self, first: int, last: int) -> None:
        """Read on until sample ``last`` is held, letting go of what lies before ``first``."""
        while True:
            while self._held and self._start + self._held[0].size <= first:
                self._start += self._held.pop(0).size
            if self._end >= last or (block := next(self._blocks, None)) is None:
                return
            self._held.append(block)
            self._end += block.size
