"""A clip under maps: in each look a video, a GIF, numbered pictures, or the one of a still.

Several maps of a frame stand side by side, each in a panel under its name.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from lookhear.maps import Maps
from lookhear.media import Clip, Frame, VideoWriter
from lookhear.media.gif import GifWriter
from lookhear.media.stills import encode_png
from lookhear.media.ticks import Due
from lookhear.media.write import MOST_ENCODING, encoding
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


Film = Callable[[Frame, Sequence[Maps]], None]
"""Takes the next frame, and the map of its time of each panel, (h, w), from 0 to 1."""
Write = Callable[[Pixels, float], None]
"""Takes the next picture, uint8, RGB (H, W, 3) or grey (H, W), and its seconds."""


@contextmanager
def open_films(
    folder: Path,
    clip: Clip,
    formats: Iterable[Format],
    *,
    looks: Mapping[str, Look] = LOOKS,
    names: Sequence[str] = ("",),
    times: Iterable[float] = (),
) -> Iterator[Film]:
    """Begin the films of a clip, to each of which every frame is given.

    Args:
        folder: gets them, named by their looks.
        clip: that will go by.
        formats: ``video`` for every frame at its own time, with the clip's sound; ``gif`` for a
            small one; ``png`` for a folder of some frames. A still has one picture anyway.
        looks: that are laid over it, by name.
        names: of the panels; a lone one is not written.
        times: seconds; the frames of ``png`` are the first at or after each.
    """
    with ExitStack() as opened:

        def begin(kind: Format | None) -> Film:
            suffix = SUFFIXES[kind] if kind else STILL_SUFFIX
            files = [folder / (look + suffix) for look in looks]
            if kind == "gif":
                size = clip.height, round(clip.width * clip.sample_aspect_ratio)
                board = Board(size, names, GIF_WIDTH)
                gifs = [opened.enter_context(GifWriter(file, *board.size)) for file in files]
                return _pictures(board, looks.values(), [gif.write for gif in gifs], Due(GIF_RATE))
            width = MOST_WIDTH if len(names) > 1 else clip.width
            board = Board((clip.height, clip.width), names, width)
            if kind == "video":
                return _video(board, zip(files, looks.values(), strict=True), clip, opened)
            if kind == "png":
                folders = [opened.enter_context(picture_folder(file)) for file in files]
                return _pictures(board, looks.values(), folders, Due(times))
            return _pictures(board, looks.values(), [*map(_write_to, files)], Due([0]))

        films = [begin(kind) for kind in ([None] if clip.is_still else dict.fromkeys(formats))]

        def add(frame: Frame, maps: Sequence[Maps]) -> None:
            for film in films:
                film(frame, maps)

        yield add


def _video(board: Board, files: Iterable[tuple[Path, Look]], clip: Clip, opened: ExitStack) -> Film:
    height, width = board.panel
    panel = height + height % 2, width + width % 2
    blended = []
    for file, look in files:
        writer = VideoWriter(
            file,
            *board.size[::-1],
            frame_rate=clip.frame_rate,
            sample_aspect_ratio=clip.sample_aspect_ratio,
            matrix=clip.matrix,
            sound=clip,
        )
        held = max(board.count, MOST_ENCODING + 1)
        blender = heat.Overlay(*panel, clip.matrix, look, held=held)
        blended.append((blender, opened.enter_context(encoding(writer))))

    def add(frame: Frame, maps: Sequence[Maps]) -> None:
        y, u, v = frame.yuv420(clip.matrix)
        if y.shape != panel:
            half = panel[0] // 2, panel[1] // 2
            y, u, v = shrunk(y, panel), shrunk(u, half), shrunk(v, half)
        for blender, write in blended:
            panels = [blender.blend(y, u, v, attention) for attention in maps]
            write(board.planes(panels), frame.time, frame.duration)

    return add


def _pictures(board: Board, looks: Iterable[Look], writers: Iterable[Write], due: Due) -> Film:
    painted = [*zip(looks, writers, strict=True)]

    def add(frame: Frame, maps: Sequence[Maps]) -> None:
        if due.by(frame.time):
            picture = frame.rgb(board.panel)
            for look, write in painted:
                panels = [heat.blend_rgb(picture, attention, look) for attention in maps]
                write(board.rgb(panels), frame.time)

    return add


@contextmanager
def picture_folder(folder: Path) -> Iterator[Write]:
    """Begin a folder of ``000001.png`` and so on, and ``times.csv`` with the time of each."""
    folder.mkdir()
    with (folder / "times.csv").open("w", newline="", encoding="utf-8") as times:
        table = csv.writer(times)
        table.writerow(["file", "time"])
        numbers = count(1)

        def add(picture: Pixels, time: float) -> None:
            file = f"{next(numbers):06d}.png"
            (folder / file).write_bytes(encode_png(picture))
            table.writerow([file, f"{time:.3f}"])

        yield add


def _write_to(file: Path) -> Write:
    def write(picture: Pixels, _: float) -> None:
        file.write_bytes(encode_png(picture))

    return write


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
