"""The clip with what is found burnt in: boxes about what is seen, and timelines of two lanes a tag.

The timeline lies below the picture, which it leaves free: for each tag a lane in which it is seen
and one in which it is heard, and a line at the time of the frame.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from lookhear.events.finding import Events, Span
from lookhear.media import Clip, Frame, Picture, VideoWriter
from lookhear.media.stills import encode_png
from lookhear.show.axes import COLOURS
from lookhear.show.heat import Pixels
from lookhear.show.lettering import lettered

VIDEO, STILL = "overlay.mp4", "overlay.png"
OVERLAY_NAMES = {VIDEO, STILL}
MOST_TAGS = 4
"""That are drawn: the highest scores."""
GROUND, LANE, LETTERS, PLAYHEAD = (24, 22, 29), (44, 41, 52), (224, 221, 230), (255, 255, 255)
LEAST_LETTER_SIZE, LETTERS_IN_WIDTH = 11, 46
NAME_SHARE = 0.3  # of the width, that names of tags and lanes take
FAINTEST = 0.35  # of a colour, for the weakest evidence

Colour = tuple[int, int, int]
_BRIGHTER = ("#f06ad9", "#4db1ff", "#ff9a45", "#7fd267", "#e8e5ee", "#b9b3c6")
"""Colours of tags on the dark ground and over pictures, in the order of `COLOURS`."""
assert len(_BRIGHTER) == len(COLOURS)


def colour_of(number: int) -> Colour:
    """The colour of a tag by its place among those found."""
    red, green, blue = bytes.fromhex(_BRIGHTER[number % len(_BRIGHTER)][1:])
    return red, green, blue


class Drawing:
    """Draws what is found in a clip over its frames.

    Attributes:
        size: height and width, in pixels, of what is drawn: the picture and the timeline below.
    """

    def __init__(self, clip: Clip, events: Events) -> None:
        width = round(clip.width * clip.sample_aspect_ratio)
        self._picture = clip.height, width
        self._tags = [tag.name for tag in events.tags[:MOST_TAGS]]
        self._spans = [span for span in events.spans if span.tag in self._tags]
        self._boxes: dict[int, list[Span]] = {}
        for span in self._spans:
            if span.box is not None:
                self._boxes.setdefault(int(span.start), []).append(span)
        self._seconds = max(events.seconds, 1)
        self._letters = max(LEAST_LETTER_SIZE, width // LETTERS_IN_WIDTH)
        self._left = round(NAME_SHARE * width)
        self._lanes = self._timeline()
        height = clip.height + len(self._lanes)
        self.size = height + height % 2, width + width % 2

    def drawn(self, frame: Frame, *, playhead: bool = True) -> Picture:
        """A frame with boxes, and the timeline below; of even sides."""
        picture = self.with_boxes(frame.rgb(self._picture), frame.time)
        lanes = self._lanes
        if playhead and self._tags:
            lanes = lanes.copy()
            at = self._across(min(frame.time, self._seconds))
            line = max(1, self._letters // 8)
            lanes[:, max(at - line, 0) : at + line] = PLAYHEAD
        drawn = np.zeros((*self.size, 3), np.uint8)
        whole = np.concatenate([picture, lanes])
        drawn[: whole.shape[0], : whole.shape[1]] = whole
        return drawn

    def with_boxes(self, picture: Pixels, time: float) -> Picture:
        """A picture (H, W, 3) with boxes about what is seen at a time; of its own size."""
        height, width = picture.shape[:2]
        line = max(2, min(height, width) // 140)
        drawn = np.ascontiguousarray(picture)
        if drawn is picture:
            drawn = picture.copy()
        for span in self._boxes.get(int(time), ()):
            assert span.box is not None
            left, top, right, bottom = (
                round(share * (side - 1))
                for share, side in zip(span.box, (width, height) * 2, strict=True)
            )
            colour = colour_of(self._tags.index(span.tag))
            for shade, thickness in ((GROUND, line + 2), (colour, line)):
                cv2.rectangle(drawn, (left, top), (right, bottom), shade, thickness)
            size = max(LEAST_LETTER_SIZE, width // LETTERS_IN_WIDTH)
            label = lettered(span.tag, size, max(width - left - size, size))
            below = top + line
            if top >= len(label) + 2:
                below = top - len(label) - 2
            rows, columns = len(label) + 2, label.shape[1] + size // 2
            drawn[below : below + rows, left : left + columns] = colour
            _ink(drawn, label, below + 1, left + size // 4, GROUND)
        return drawn

    def _across(self, time: float) -> int:
        room = self._picture[1] - self._left - self._letters
        return self._left + round(room * min(time / self._seconds, 1))

    def _timeline(self) -> Pixels:
        """The lanes, (h, W, 3); of no height where nothing is found."""
        size, width = self._letters, self._picture[1]
        lane, gap = round(1.5 * size), max(2, size // 4)
        block = 2 * (lane + gap) + size
        height = size + block * len(self._tags) if self._tags else 0
        lanes = np.full((height, width, 3), GROUND, np.uint8)
        for number, tag in enumerate(self._tags):
            colour = np.array(colour_of(number))
            top = size + block * number
            for row, modality in enumerate(("seen", "heard")):
                upper = top + row * (lane + gap)
                lanes[upper : upper + lane, self._across(0) : self._across(self._seconds)] = LANE
                of_lane = lettered(modality, round(0.9 * size), 4 * size)
                _ink(
                    lanes,
                    of_lane,
                    upper + (lane - len(of_lane)) // 2,
                    self._left - of_lane.shape[1] - size // 2,
                    LETTERS,
                )
                for span in self._spans:
                    if span.tag == tag and span.modality == modality:
                        share = FAINTEST + (1 - FAINTEST) * span.score
                        shade = np.array(LANE) * (1 - share) + colour * share
                        start, end = self._across(span.start), self._across(span.end)
                        lanes[upper : upper + lane, start : max(end, start + 2)] = shade.round()
            name = lettered(tag, size, self._left - 5 * size)
            _ink(lanes, name, top + lane + (gap - len(name)) // 2, size // 2, colour_of(number))
        return lanes


def _ink(picture: Pixels, coverage: Pixels, top: int, left: int, colour: Colour) -> None:
    """Write letters; what would stand outside is left out."""
    top, left = max(top, 0), max(left, 0)
    region = picture[top : top + coverage.shape[0], left : left + coverage.shape[1]]
    share = coverage[: region.shape[0], : region.shape[1], np.newaxis] / 255
    region[:] = (region * (1 - share) + np.array(colour) * share).round()


class Overlay:
    """Takes the frames of a clip, in order, and writes them with what is found."""

    def __init__(self, drawing: Drawing, writer: VideoWriter | None, still: Path | None) -> None:
        self._drawing, self._writer, self._still = drawing, writer, still

    def add(self, frame: Frame) -> None:
        """Take the next frame."""
        if self._writer is not None:
            self._writer.write_rgb(self._drawing.drawn(frame), frame.time, frame.duration)
        elif self._still is not None:
            self._still.write_bytes(encode_png(self._drawing.drawn(frame, playhead=False)))


@contextmanager
def open_overlay(folder: Path, clip: Clip, drawing: Drawing) -> Iterator[Overlay]:
    """Begin the overlay of a clip: a video with its sound, or a picture of a still one."""
    if clip.is_still:
        yield Overlay(drawing, None, folder / STILL)
        return
    height, width = drawing.size
    video = VideoWriter(folder / VIDEO, width, height, frame_rate=clip.frame_rate, sound=clip)
    with video as writer:
        yield Overlay(drawing, writer, None)


def names_of(clip: Clip) -> Sequence[str]:
    """The files that the overlay of a clip makes."""
    return [STILL if clip.is_still else VIDEO]
