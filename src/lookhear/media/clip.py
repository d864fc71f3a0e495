"""A clip as streams: its frames with their times, and its sound on the same clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from lookhear.media.picture import (
    Developer,
    Frame,
    Matrix,
    Orientation,
    matrix_of,
    take_nearest_matrix,
)
from lookhear.media.sound import Samples
from lookhear.media.source import Losses, MediaFile
from lookhear.words import count, sides

TIMESTAMP_ERROR = 5e-4  # seconds; some containers round to milliseconds


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
        take_nearest_matrix(first)
        self.matrix: Matrix = matrix_of(first)
        self.frame_rate = frame_rate
        self.duration = duration
        self.frame_count = frame_count
        self.source = source
        self.problems: list[str] = []
        self._form: tuple[int, ...] = ()  # size and turn of the latest frame
        self._changes_size = False

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

    def developer(self) -> Developer:
        """What turns the frames of a pass into arrays."""
        return Developer((self.height, self.width), self.path)

    def note(self, frame: VideoFrame, where: str) -> None:
        """Note what of a frame cannot be taken as it is: its colours, or another size.

        Args:
            frame: as it was decoded; it then says a matrix that is known.
            where: it is, in words.
        """
        if name := take_nearest_matrix(frame):
            self.add_problem(
                f"its colours are of a matrix ({name}) that is not known here; the nearest is taken"
            )
        form = frame.width, frame.height, round(frame.rotation)
        if form == self._form or self._changes_size:
            return
        self._form = form
        size = Orientation.of(frame).size(frame.height, frame.width)
        if size != (self.height, self.width):
            self._changes_size = True
            self.add_problem(
                f"its size changes, first from {self.width} x {self.height} to {sides(size)} "
                f"{where}; all is shown in the first size, and another shape is kept, in black"
            )


def lost_sound(losses: Losses) -> str:
    """The line for ``problems`` on sound that could not be decoded."""
    if not losses.count:
        return f"the sound stops before its end; the rest is silent ({losses.why})"
    packets = count(losses.count, "packet")
    return f"{packets} of the sound could not be decoded, {losses.where}; silent ({losses.why})"
