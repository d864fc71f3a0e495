"""The clip under its tubes, beside one another: as video, as GIF, as numbered pictures, as one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np

from lookhear.maps import Maps
from lookhear.media import TIMESTAMP_ERROR, Clip, Frame, VideoWriter
from lookhear.media.gif import GifWriter
from lookhear.prediction.maps_files import PictureFolder
from lookhear.prediction.overlay import Encoding
from lookhear.show import heat
from lookhear.show.heat import FOCUS_LOOK, HEAT_LOOK, Pixels
from lookhear.show.panels import Board
from lookhear.tubes.timing import Due

Format = Literal["video", "gif", "png"]

LOOKS = {"heat": HEAT_LOOK, "focus": FOCUS_LOOK}
SUFFIXES: dict[Format, str] = {"video": ".mp4", "gif": ".gif", "png": ""}
STILL_SUFFIX = ".png"
MOST_WIDTH = 1920  # of several panels
GIF_WIDTH, GIF_RATE = 480, 10  # pixels; frames a second


class Moving(ABC):
    """What becomes of a clip and its maps as pictures; use it in a ``with`` statement."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    @abstractmethod
    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        """Take the next frame and the map of each label, (h, w), 0 to 1."""


class Videos(Moving):
    """``heat.mp4`` and ``focus.mp4``: every frame at its own time, with the clip's sound."""

    def __init__(self, folder: Path, clip: Clip, names: Sequence[str]) -> None:
        super().__init__()
        self._board = _full_board(clip, names)
        self._matrix = clip.matrix
        height, width = self._board.panel
        self._panel = height + height % 2, width + width % 2
        self._blenders = []
        with self._open as opened:
            for kind, look in LOOKS.items():
                writer = VideoWriter(
                    folder / f"{kind}.mp4",
                    *self._board.size[::-1],
                    frame_rate=clip.frame_rate,
                    sample_aspect_ratio=clip.sample_aspect_ratio,
                    matrix=clip.matrix,
                    sound=clip,
                )
                video = opened.enter_context(Encoding(writer))
                self._blenders.append((video, heat.Overlay(*self._panel, clip.matrix, look)))
            self._open = opened.pop_all()

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        """Write the next frame."""
        y, u, v = frame.yuv420(self._matrix)
        if y.shape != self._panel:
            half = self._panel[0] // 2, self._panel[1] // 2
            y, u, v = shrunk(y, self._panel), shrunk(u, half), shrunk(v, half)
        for video, blender in self._blenders:
            panels = [blender.blend(y, u, v, label_map) for label_map in maps]
            video.write(self._board.planes(panels), frame.time, frame.duration)


class Gifs(Moving):
    """``heat.gif`` and ``focus.gif``, small and at most ten frames a second."""

    def __init__(self, folder: Path, clip: Clip, names: Sequence[str]) -> None:
        super().__init__()
        shown_width = round(clip.width * clip.sample_aspect_ratio)
        self._board = Board((clip.height, shown_width), names, GIF_WIDTH)
        self._gifs = {
            kind: self._open.enter_context(GifWriter(folder / f"{kind}.gif", *self._board.size))
            for kind in LOOKS
        }
        self._last_tick = -1

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        """Write the next frame, if it is due."""
        tick = math.floor((frame.time + TIMESTAMP_ERROR) * GIF_RATE)
        if tick > self._last_tick:
            self._last_tick = tick
            for kind, picture in _painted(self._board, frame, maps):
                self._gifs[kind].write(picture, frame.time)


class Folders(Moving):
    """``heat/000001.png`` and so on, and ``focus``: the frames that the network saw."""

    def __init__(
        self, folder: Path, clip: Clip, names: Sequence[str], times: Iterable[float]
    ) -> None:
        super().__init__()
        self._board = _full_board(clip, names)
        self._due = Due(times)
        self._folders = {kind: PictureFolder(folder / kind) for kind in LOOKS}
        for pictures in self._folders.values():
            self._open.callback(pictures.close)

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        """Write the next frame, if the network saw it."""
        if self._due.by(frame.time):
            for kind, picture in _painted(self._board, frame, maps):
                self._folders[kind].add(picture, frame.time)


class Stills(Moving):
    """``heat.png`` and ``focus.png`` of a still picture."""

    def __init__(self, folder: Path, clip: Clip, names: Sequence[str]) -> None:
        super().__init__()
        self._folder = folder
        self._board = _full_board(clip, names)

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        """Write the picture."""
        for kind, picture in _painted(self._board, frame, maps):
            (self._folder / f"{kind}.png").write_bytes(heat.encode_png(picture))


def open_moving(
    folder: Path,
    clip: Clip,
    formats: Iterable[Format],
    names: Sequence[str],
    times: Sequence[float],
) -> Iterator[Moving]:
    """Start what was asked for; of a still picture there is only one thing to make."""
    if clip.is_still:
        yield Stills(folder, clip, names)
        return
    make: dict[Format, Callable[[Path, Clip, Sequence[str]], Moving]] = {
        "video": Videos,
        "gif": Gifs,
        "png": partial(Folders, times=times),
    }
    for kind in dict.fromkeys(formats):
        yield make[kind](folder, clip, names)


def moving_names(clip: Clip, formats: Sequence[Format]) -> list[tuple[str, str]]:
    """The names of heat and focus, in each format that is made, the one that plays best first."""
    made = [suffix for kind, suffix in SUFFIXES.items() if kind in formats]
    if clip.is_still:
        made = [STILL_SUFFIX]
    return [(f"heat{suffix}", f"focus{suffix}") for suffix in made]


def _full_board(clip: Clip, names: Sequence[str]) -> Board:
    width = MOST_WIDTH if len(names) > 1 else clip.width
    return Board((clip.height, clip.width), names, width)


def _painted(board: Board, frame: Frame, maps: Sequence[Maps]) -> Iterable[tuple[str, Pixels]]:
    picture = frame.rgb(board.panel)
    for kind, look in LOOKS.items():
        yield kind, board.rgb([heat.blend_rgb(picture, label_map, look) for label_map in maps])


def shrunk(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture or plane at a smaller size, (height, width), averaging areas."""
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
