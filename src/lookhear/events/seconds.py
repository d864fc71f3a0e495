"""A clip second by second, as events are looked for: a frame, boxes in it, and what is heard.

The frame is the one on display in the middle of the second. Of the sound there is a log-mel
spectrogram of 100 rows, so that those of consecutive seconds are the clip's when put together;
windows of it, `WINDOW_ROWS` long, are what the network hears.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookhear.data.prepare import npy
from lookhear.data.shards import BOXES, FACTS, FRAME, LOG_MEL, SECOND_MEMBERS, PreparedClip
from lookhear.events import proposals
from lookhear.media import SAMPLE_RATE, TIMESTAMP_ERROR, Clip, Frame, SoundWindows
from lookhear.media.picture import Picture
from lookhear.media.spectrogram import MEL_BANDS, MEL_HOP, MEL_ROWS_A_SECOND, MEL_WINDOW, log_mel
from lookhear.media.stills import encode_jpeg

MIDDLE = 0.5  # of a second, at which its frame is on display
SHORT_SIDE = 360  # pixels of a frame, at most
JPEG_QUALITY = 90
WINDOW_ROWS = 96
"""Of the log-mel spectrogram in a window: 960 ms."""
WINDOW_SECONDS = WINDOW_ROWS / MEL_ROWS_A_SECOND
_SAMPLES = (MEL_ROWS_A_SECOND - 1) * MEL_HOP + MEL_WINDOW  # of a second's rows: 15 ms more than it


class Second(NamedTuple):
    """A second of a clip.

    Attributes:
        number: which, from 0.
        picture: its frame, (h, w, 3) uint8 RGB.
        boxes: proposed in it, (N, 5) float32; see `proposals.propose`.
        rows: its log-mel spectrogram, (100, 64) float32; (0, 64) where the clip has no sound track.
    """

    number: int
    picture: Picture
    boxes: NDArray[np.float32]
    rows: NDArray[np.float32]


@dataclass(frozen=True)
class SecondsCut:
    """Cuts a clip into its seconds, the whole of it: tags are of whole clips.

    Attributes:
        boxes: proposed in a frame, at most.
        forest: see `proposals.propose`.
    """

    boxes: int = proposals.BOXES
    forest: Path | None = None

    @classmethod
    def of(cls, boxes: int | None, forest: Path | None) -> "SecondsCut":
        """Cut by a forest if there is one, with so many boxes if that is said.

        Raises:
            LookhearError: the forest cannot be read.
        """
        if forest is not None:
            proposals.read_forest(forest)
        return cls(boxes or proposals.BOXES, None if forest is None else forest.absolute())

    @property
    def told(self) -> dict[str, Any]:
        """What decides the seconds."""
        return {"boxes": self.boxes, "edges": self.forest.name if self.forest else "plain"}

    @property
    def members(self) -> tuple[str, ...]:
        """Boxes, frame, facts and log-mel spectrogram."""
        return SECOND_MEMBERS

    def pieces(self, clip: Clip, said: PreparedClip) -> Iterator[tuple[float, dict[str, bytes]]]:
        """Give the seconds."""
        for second in seconds_of(clip, self):
            facts = {"clip": said.path, "tag": said.tag, "second": second.number}
            yield (
                second.number + MIDDLE,
                {
                    BOXES: npy(second.boxes),
                    FRAME: encode_jpeg(second.picture, JPEG_QUALITY),
                    FACTS: json.dumps(facts | {"has_sound": clip.has_sound}).encode(),
                    LOG_MEL: npy(second.rows.astype(np.float16)),
                },
            )


def seconds_of(clip: Clip, cut: SecondsCut) -> Iterator[Second]:
    """Give the seconds of an open clip, holding one at a time; of one that is shorter, one.

    Raises:
        LookhearError: no frame of the clip can be decoded.
    """
    waves = SoundWindows(clip.sound(), _SAMPLES / SAMPLE_RATE) if clip.has_sound else None
    size = kept_size(clip)
    for number, frame in _on_display(clip):
        picture = frame.rgb(size)
        rows = np.zeros((0, MEL_BANDS), np.float32)
        if waves is not None:
            rows = log_mel(waves.window(number + _SAMPLES / 2 / SAMPLE_RATE))
        yield Second(number, picture, proposals.propose(picture, cut.boxes, cut.forest), rows)


def kept_size(clip: Clip) -> tuple[int, int]:
    """Height and width, in pixels, at which a clip's frames are looked at: pixels are square."""
    height, width = clip.height, float(clip.width * clip.sample_aspect_ratio)
    scale = min(1.0, SHORT_SIDE / min(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)


def window_starts(rows: int, step: int, first: int = 0) -> list[int]:
    """The first rows of the windows of so many rows of a spectrogram: each step, and the last.

    >>> window_starts(210, 48)
    [0, 48, 96, 114]
    """
    last = rows - WINDOW_ROWS
    return [*range(first, last, step), last] if last >= first else []


def _on_display(clip: Clip) -> Iterator[tuple[int, Frame]]:
    """For each second, the last frame that begins by its middle; the first where none has."""
    number = 0
    shown: Frame | None = None
    for frame in clip.frames():
        while shown and frame.time > number + MIDDLE + TIMESTAMP_ERROR:
            yield number, shown
            number += 1
        shown = frame
    assert shown is not None  # else frames() had raised
    end = shown.time + shown.duration
    while number == 0 or number + MIDDLE < end:
        yield number, shown
        number += 1
