"""Clips so small that networks of actions learn from them in seconds: a square acts for a while."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clips import make_clip

SIZE = (48, 64)
SIDE = 16
FPS = 8
LABELS = {"redden": (230, 40, 40), "green up": (40, 220, 60), "blacken": (10, 10, 10)}
RESTING = (160, 160, 170)


def action_frames(
    label: str, seconds: float, start: float, end: float, seed: int = 0
) -> tuple[list[NDArray[np.uint8]], tuple[int, int]]:
    """Pictures of noise with a square that takes on a colour for a stretch, and its corner x, y."""
    chance = np.random.default_rng(seed)
    ground = chance.integers(90, 130, (*SIZE, 3)).astype(np.uint8)
    left, top = (int(chance.integers(side - SIDE)) for side in SIZE[::-1])
    pictures = []
    for index in range(round(seconds * FPS)):
        picture = ground.copy()
        colour = LABELS[label] if start <= index / FPS < end else RESTING
        picture[top : top + SIDE, left : left + SIDE] = colour
        pictures.append(picture)
    return pictures, (left, top)


def write_action(
    path: Path,
    label: str,
    seconds: float = 2.0,
    start: float = 0.5,
    end: float = 1.25,
    seed: int = 0,
) -> Path:
    """Write a clip of one action."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_clip(path, action_frames(label, seconds, start, end, seed)[0], FPS)


def write_class_folders(
    root: Path, of_split: dict[str, int], labels: Sequence[str] = tuple(LABELS), seed: int = 0
) -> Path:
    """Write so many clips of each class and split, as DIR/train/<class>/<clip>."""
    for split, count in of_split.items():
        for label in labels:
            for number in range(count):
                chance = hash_of(split, label, number, seed)
                path = root / split / label / f"{split}-{label.split()[0]}-{number}.mp4"
                write_action(path, label, seed=chance)
    return root


def hash_of(*parts: object) -> int:
    """A number that is the same in every run."""
    return int.from_bytes(json.dumps(parts).encode()[-6:], "big")
