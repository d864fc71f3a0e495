"""A world so small that a whole run of STANet on it takes seconds: squares that move and hum."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ave_layout import SPLIT_FILES, write_lists
from clips import make_clip
from lookhear.data.readers.stavis import write_fold, write_gaze

SIZE = (64, 96)
SIDE = 24
FPS = 8
RATE = 16_000
COLOURS = {"Bark": (220, 40, 40), "Flute": (40, 60, 220), "Horn": (40, 200, 60)}
DATABASE = "little"


def write_little_world(
    root: Path,
    of_split: tuple[int, int, int],
    *,
    seconds: int = 3,
    silent: Sequence[int] = (),
    tags: Sequence[str] = tuple(COLOURS),
    unwatched: Sequence[int] | None = None,
    seed: int = 0,
) -> Path:
    """Write clips in AVE's layout, their tags in turn, and who looks where in STAViS's.

    Args:
        root: gets them.
        of_split: how many clips are for training, validation and testing.
        seconds: of a clip; each has a moment.
        silent: numbers of the clips without a sound track.
        tags: of the clips.
        unwatched: numbers of the clips without gaze; all, if left out.
        seed: of the noise and the ways.
    """
    (root / "AVE").mkdir(parents=True)
    lists: dict[str, list[str]] = {}
    watched = []
    number = 0
    for file, count in zip(SPLIT_FILES, of_split, strict=True):
        for _ in range(count):
            name, tag = f"c{seed}-{number:02d}", tags[number % len(tags)]
            places, pictures = _frames(tag, seconds, np.random.default_rng((seed, number)))
            sound = None if number in silent else (_hum(tag, seconds), RATE)
            make_clip(root / "AVE" / f"{name}.mp4", pictures, FPS, sound=sound)
            lists.setdefault(file, []).append(f"{tag}&{name}&good&0&{seconds}")
            if unwatched is not None and number not in unwatched:
                watched.append((name, len(pictures), FPS))
                for index, (picture, place) in enumerate(zip(pictures, places, strict=True)):
                    write_gaze(root, DATABASE, name, index, picture, [place, place + 4.0])
            number += 1
    write_lists(root, lists)
    if watched:
        write_fold(root, DATABASE, "test", 1, watched)
    return root


def _frames(
    tag: str, seconds: int, chance: np.random.Generator
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.uint8]]]:
    """The middle of a square that crosses noise, x and y, and the pictures."""
    height, width = SIZE
    ground = chance.integers(90, 160, (height, width, 3)).astype(np.uint8)
    begin, end = (chance.integers((0, 0), (width - SIDE, height - SIDE)) for _ in range(2))
    places, pictures = [], []
    for share in np.linspace(0, 1, seconds * FPS):
        left, top = np.rint(begin + share * (end - begin)).astype(int).tolist()
        picture = ground.copy()
        picture[top : top + SIDE, left : left + SIDE] = COLOURS[tag]
        places.append(np.array([left, top]) + SIDE / 2)
        pictures.append(picture)
    return places, pictures


def _hum(tag: str, seconds: int) -> NDArray[np.float32]:
    pitch = 400 * (1 + list(COLOURS).index(tag))
    time = np.arange(seconds * RATE) / RATE
    return (0.5 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)
