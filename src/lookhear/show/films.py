"""A clip under maps: in each look a video, a GIF, numbered pictures, or the one of a still.

Several maps of a frame stand side by side, each in a panel under its name.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np

from lookhear.maps import Maps
from lookhear.media import Clip, Frame, VideoWriter
from lookhear.media.encoding import encoding
from lookhear.media.gif import GifWriter
from lookhear.media.ticks import Due
from lookhear.show import heat
from lookhear.show.heat import FOCUS_LOOK, HEAT_LOOK, Look, Pixels
from lookhear.show.panels import Board

Format = Literal["video", "gif", "png"]

LOOKS = {"heat": HEAT_LOOK, "focus": FOCUS_LOOK}
SUFFIXES: dict[Format, str] = {"video": ".mp4", "gif": ".gif", "png": ""}
STILL_SUFFIX = ".png"
ALL_FILMS = {look + suffix for look in LOOKS for suffix in (*SUFFIXES.values(), STILL_SUFFIX)}
MOST_WIDTH = 1920  # of several panels
GIF_WIDTH, GIF_RATE = 480, 10  # pixels; frames a second, at most


class Films:
    """The films of a clip; use it in a ``with`` statement, and add every frame."""

    def __init__(
        self,
        folder: Path,
        clip: Clip,
        formats: Iterable[Format],
        *,
        looks: Mapping[str, Look] = LOOKS,
        names: Sequence[str] = ("",),
        times: Iterable[float] = (),
    ) -> None:
        """Set out to make them.

        Args:
            folder: gets them, named by their looks.
            clip: that will go by.
            formats: ``video`` for every frame at its own time, with the clip's sound; ``gif`` for
                a small one; ``png`` for a folder of some frames. A still has one picture anyway.
            looks: that are laid over it, by name.
            names: of the panels; a lone one is not written.
            times: seconds; the frames of ``png`` are the first at or after each.
        """
        self._folder, self._clip, self._looks = folder, clip, looks
        self._formats: list[Format | None] = [None] if clip.is_still else [*dict.fromkeys(formats)]
        self._names, self._times = names, times

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._films = [self._begin(kind, opened) for kind in self._formats]
            self._open = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        """Take the next frame and the map of its time of each panel, (h, w), 0 to 1."""
        for film in self._films:
            film.add(frame, maps)

    def _begin(self, kind: Format | None, opened: ExitStack) -> "_Video | _Pictures":
        clip, several = self._clip, len(self._names) > 1
        suffix = SUFFIXES[kind] if kind else STILL_SUFFIX
        files = [self._folder / (look + suffix) for look in self._looks]
        if kind == "gif":
            size = clip.height, round(clip.width * clip.sample_aspect_ratio)
            board = Board(size, self._names, GIF_WIDTH)
            gifs = [opened.enter_context(GifWriter(file, *board.size)).write for file in files]
            return _Pictures(board, self._looks.values(), gifs, Due(GIF_RATE))
        size = clip.height, clip.width
        board = Board(size, self._names, MOST_WIDTH if several else clip.width)
        if kind == "video":
            return _Video(board, self._looks.values(), files, clip, opened)
        if kind == "png":
            folders = [opened.enter_context(closing(PictureFolder(file))).add for file in files]
            return _Pictures(board, self._looks.values(), folders, Due(self._times))
        return _Pictures(board, self._looks.values(), [*map(_write_to, files)], Due([0]))


class _Video:
    def __init__(
        self,
        board: Board,
        looks: Iterable[Look],
        files: Iterable[Path],
        clip: Clip,
        opened: ExitStack,
    ) -> None:
        self._board, self._matrix = board, clip.matrix
        height, width = board.panel
        self._panel = height + height % 2, width + width % 2
        self._blended = []
        for file, look in zip(files, looks, strict=True):
            writer = VideoWriter(
                file,
                *board.size[::-1],
                frame_rate=clip.frame_rate,
                sample_aspect_ratio=clip.sample_aspect_ratio,
                matrix=clip.matrix,
                sound=clip,
            )
            blender = heat.Overlay(*self._panel, clip.matrix, look)
            self._blended.append((blender, opened.enter_context(encoding(writer))))

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        y, u, v = frame.yuv420(self._matrix)
        if y.shape != self._panel:
            half = self._panel[0] // 2, self._panel[1] // 2
            y, u, v = shrunk(y, self._panel), shrunk(u, half), shrunk(v, half)
        for blender, write in self._blended:
            panels = [blender.blend(y, u, v, attention) for attention in maps]
            write(self._board.planes(panels), frame.time, frame.duration)


class _Pictures:
    def __init__(
        self,
        board: Board,
        looks: Iterable[Look],
        writers: Sequence[Callable[[Pixels, float], None]],
        due: Due,
    ) -> None:
        self._board, self._due = board, due
        self._painted = [*zip(looks, writers, strict=True)]

    def add(self, frame: Frame, maps: Sequence[Maps]) -> None:
        if not self._due.by(frame.time):
            return
        picture = frame.rgb(self._board.panel)
        for look, write in self._painted:
            panels = [heat.blend_rgb(picture, attention, look) for attention in maps]
            write(self._board.rgb(panels), frame.time)


class PictureFolder:
    """``000001.png`` and so on, and ``times.csv`` with the time of each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._times = (folder / "times.csv").open("w", newline="", encoding="utf-8")
        self._table = csv.writer(self._times)
        self._table.writerow(["file", "time"])
        self._count = 0

    def close(self) -> None:
        """Finish ``times.csv``."""
        self._times.close()

    def add(self, picture: Pixels, time: float) -> None:
        """Write the next picture, uint8, RGB (H, W, 3) or grey (H, W)."""
        self._count += 1
        file = f"{self._count:06d}.png"
        (self._folder / file).write_bytes(heat.encode_png(picture))
        self._table.writerow([file, f"{time:.3f}"])


def film_names(
    clip: Clip, formats: Iterable[Format], looks: Iterable[str] = LOOKS
) -> list[tuple[str, ...]]:
    """The names of all looks, in each format that is made, the one that plays best first."""
    made = (
        [STILL_SUFFIX]
        if clip.is_still
        else [SUFFIXES[kind] for kind in SUFFIXES if kind in formats]
    )
    return [tuple(look + suffix for look in looks) for suffix in made]


def shrunk(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture or plane at a smaller size, (height, width), averaging areas."""
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _write_to(file: Path) -> Callable[[Pixels, float], None]:
    def write(picture: Pixels, _: float) -> None:
        file.write_bytes(heat.encode_png(picture))

    return write
