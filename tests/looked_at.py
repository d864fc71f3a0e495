"""Clips and pictures that people looked at: small folders, and clips in memory."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookhear.data.readers.fixated import count_fixations, density_of
from lookhear.data.readers.stavis import write_fold, write_gaze, write_sound
from lookhear.evaluation.protocol import Annotation
from lookhear.evaluation.scoring import Choices, score_models
from lookhear.evaluation.stimuli import People, StimulusSet
from lookhear.maps import Maps

HEIGHT, WIDTH = 48, 64
RATE = 8.0
Looks = NDArray[np.float64]


def disc(frame: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[NDArray[np.uint8], Looks]:
    """A frame on which a disc has moved a little to the right, and where five people look."""
    x, y = width * (0.25 + 0.02 * (frame % 20)), height * 0.4
    rows, columns = np.mgrid[:height, :width]
    chance = np.random.default_rng(frame)
    pixels = chance.integers(60, 110, (height, width, 3)).astype(np.uint8)
    pixels[(rows - y) ** 2 + (columns - x) ** 2 < (height / 8) ** 2] = (250, 220, 60)
    around: Looks = chance.normal((x, y), height / 16, (5, 2))
    return pixels, around


def write_watched(
    root: Path,
    clips: Mapping[str, int],
    *,
    database: str = "db",
    sound: Sequence[str] = (),
    rate: float = RATE,
) -> Path:
    """Write clips of so many frames in STAViS's layout, with a disc that people follow.

    Args:
        root: gets them; returned.
        clips: Name -> number of frames.
        database: that they are of.
        sound: names of those that hum.
        rate: frames a second.
    """
    for name, count in clips.items():
        for frame in range(count):
            pixels, looks = disc(frame)
            write_gaze(root, database, name, frame, pixels, looks)
    for name in sound:
        write_sound(root, database, name, hum(clips[name] / rate), 16_000)
    write_fold(root, database, "test", 1, [(name, count, rate) for name, count in clips.items()])
    return root


def hum(seconds: float) -> NDArray[np.float32]:
    """A tone that climbs, mono at 16 kHz, so that each second sounds otherwise."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    return (0.5 * np.sin(2 * np.pi * (300 + 400 * time) * time)).astype(np.float32)


class Film:
    """A clip in memory, of noise: a `Stimulus` that notes which frames are looked at.

    Args:
        count: of its frames.
        rate: of them a second; None makes it a picture.
        sound: mono at 16 kHz.
        looks: of each frame, where people look, x and y in pixels; at one place, if left out.
    """

    group = "films"

    def __init__(
        self,
        count: int = 1,
        rate: float | None = RATE,
        sound: NDArray[np.float32] | None = None,
        looks: Sequence[Sequence[tuple[float, float]]] = (),
        size: tuple[int, int] = (HEIGHT, WIDTH),
        name: str = "film",
    ) -> None:
        self.name = name
        self.paths = (Path("films", name), Path(name))
        self.size = size
        self.frame_count = count
        self.frame_rate = rate
        self.samples = sound
        self.looks = looks or [[(5.5, 5.5)]] * count
        self.looked_at: list[int] = []

    def time(self, index: int) -> float:
        return index / (self.frame_rate or 1)

    def pixels(self, index: int) -> NDArray[np.uint8]:
        self.looked_at.append(index)
        chance = np.random.default_rng((index, *map(ord, self.name)))
        return chance.integers(0, 256, (*self.size, 3)).astype(np.uint8)

    def sound(self) -> Iterator[NDArray[np.float32]] | None:
        if self.samples is None:
            return None
        return iter(np.split(self.samples, range(100, len(self.samples), 100)))

    def annotate(self, indices: Sequence[int]) -> Annotation:
        counts = np.stack([self._counts(self.looks[index]) for index in indices])
        ever = sum(self._counts(looks).astype(int) for looks in self.looks) > 0
        return Annotation(
            fixations=counts,
            density=np.stack([density_of(of) for of in counts]),
            other_fixations=ever & (counts == 0),
        )

    def people(self, index: int) -> People:
        return [self._counts([look]) for look in self.looks[index]]

    def places(self) -> NDArray[np.float64]:
        looks = [look for of_frame in self.looks for look in of_frame]
        return np.asarray(looks, np.float64).reshape(-1, 2) / self.size[::-1]

    def _counts(self, looks: Sequence[tuple[float, float]]) -> NDArray[np.uint8]:
        x, y = np.asarray(looks, np.float64).reshape(-1, 2).T
        return count_fixations(x, y, *self.size)


def unheard(what: str, index: int) -> None:
    """Take a note of a model that is thought to have none."""
    raise AssertionError(f"frame {index}: {what}")


def maps_of(model: object, subject: object, indices: Sequence[int]) -> Maps:
    """All maps that a model gives of some frames, which must not be odd."""
    return np.stack([*model.maps(subject, indices, unheard)])  # type: ignore[attr-defined]


def scored(stimuli: StimulusSet, model: object, **choices: Any):
    """Score one model by the usual choices: its values by metric, and the notes."""
    scores = score_models(stimuli, {"model": model}, Choices.of(stimuli, **choices))
    return scores.values["model"], scores.notes
