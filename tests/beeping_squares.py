"""Prepared moments of two tags that differ to the eye and to the ear."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ave_layout import write_lists
from clips import make_clip
from lookhear.data.prepare import prepare
from lookhear.data.readers.ave import read_ave
from lookhear.training.schedule import Schedule

SIZE = (48, 64)
SECONDS = 3
SQUARE = 16  # pixels
TINY_BACKBONE: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
}
COLOURS = {"Bark": (220, 40, 40), "Flute": (40, 60, 220)}
PITCHES = {"Bark": 400, "Flute": 4000}


def prepared_squares(factory: pytest.TempPathFactory) -> Path:
    """Prepare 8 clips to train on and 2 to validate on, once for all modules of tests."""
    root = factory.getbasetemp() / "beeping_squares"
    moments = root / "moments"
    if not moments.exists():
        (root / "AVE").mkdir(parents=True)
        lists: dict[str, list[str]] = {"trainSet.txt": [], "valSet.txt": []}
        for number in range(10):
            tag = list(COLOURS)[number % 2]
            clip = root / "AVE" / f"c{number}.mp4"
            make_clip(clip, squares(tag, number), 8, sound=tone(PITCHES[tag], number))
            split = "trainSet.txt" if number < 8 else "valSet.txt"
            lists[split].append(f"{tag}&c{number}&good&0&{SECONDS}")
        write_lists(root, lists)
        prepare(read_ave(root), moments)
    return moments


def squares(tag: str, seed: int) -> list[NDArray[np.uint8]]:
    """Frames of noise on which a square of the tag's colour goes to the right."""
    ground = np.random.default_rng(seed).integers(90, 160, (*SIZE, 3)).astype(np.uint8)
    frames = []
    for index in range(8 * SECONDS):
        frame = ground.copy()
        left = 4 + 2 * index % (SIZE[1] - SQUARE)
        top = 4 * (seed % 8)
        frame[top : top + SQUARE, left : left + SQUARE] = COLOURS[tag]
        frames.append(frame)
    return frames


def tone(pitch: float, seed: int, rate: int = 16_000) -> tuple[NDArray[np.float32], int]:
    """A tone that swells and fades in noise."""
    time = np.arange(rate * SECONDS) / rate
    noise = np.random.default_rng(seed).normal(0, 0.01, time.size)
    loudness = 0.3 + 0.2 * np.sin(time * 9 + seed)
    return (loudness * np.sin(2 * np.pi * pitch * time) + noise).astype(np.float32), rate


def silent_set(root: Path, tags: tuple[str, str] = ("Bark", "Flute")) -> Path:
    """Prepare four clips without sound tracks, whose tags come in turn."""
    (root / "AVE").mkdir(parents=True)
    lines = []
    for number in range(4):
        make_clip(root / "AVE" / f"c{number}.mp4", squares("Bark", number), 8)
        lines.append(f"{tags[number % 2]}&c{number}&good&0&{SECONDS}")
    write_lists(root, {"trainSet.txt": lines})
    prepare(read_ave(root), root / "moments")
    return root / "moments"


def lasting(recipe: Any, epochs: int) -> Any:
    """A tiny recipe for so many epochs, on pictures of 48 x 64."""
    net = {"net": recipe.net | {"input_size": list(SIZE)}} if hasattr(recipe, "net") else {}
    schedule: Schedule = replace(recipe.schedule, epochs=epochs)
    augmentation = replace(recipe.augmentation, prepared_size=SIZE)
    return replace(recipe, schedule=schedule, augmentation=augmentation, **net)
