"""Small folders in OSIE's layout, for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray

Looks = Sequence[tuple[float, float]]
"""Where one person looked: (x, y) in pixels."""


def write_osie(
    root: Path,
    looks: Mapping[str, Sequence[Looks]],
    pixels: Mapping[str, NDArray[np.uint8]] | None = None,
    size: tuple[int, int] = (30, 40),
) -> Path:
    """Write `root/data/...` with the looks of each person at each picture.

    Args:
        root: The folder to fill; returned.
        looks: Picture name -> person -> looks, each of 200 ms.
        pixels: Picture name -> (H, W, 3) RGB; a grey one of `size` where left out.
        size: Height and width of the grey pictures.
    """
    stimuli, eye = root / "data" / "stimuli", root / "data" / "eye"
    stimuli.mkdir(parents=True, exist_ok=True)
    eye.mkdir(parents=True, exist_ok=True)
    grey = np.full((*size, 3), 128, np.uint8)
    cells = np.empty((len(looks), 1), dtype=object)
    for i, (name, people) in enumerate(looks.items()):
        if Path(name).name == name:
            rgb = (pixels or {}).get(name, grey)
            cv2.imwrite(str(stimuli / name), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        subjects = np.empty((len(people), 1), dtype=object)
        for j, person in enumerate(people):
            positions = np.asarray(person, np.float64).reshape(-1, 2)
            subjects[j, 0] = {
                "fix_x": positions[:, 0],
                "fix_y": positions[:, 1],
                "fix_duration": np.full(len(positions), 200.0),
            }
        cells[i, 0] = {"img": name, "subjects": subjects}
    scipy.io.savemat(eye / "fixations.mat", {"fixations": cells}, do_compression=True)
    return root


def make_osie(
    root: Path, count: int = 6, size: tuple[int, int] = (60, 80), people: int = 4, seed: int = 0
) -> Path:
    """Write `count` pictures (`1001.jpg`, ...) of a bright disc that everyone looks at."""
    random = np.random.default_rng(seed)
    height, width = size
    looks: dict[str, list[list[tuple[float, float]]]] = {}
    pixels: dict[str, NDArray[np.uint8]] = {}
    for i in range(count):
        name = f"{1001 + i}.jpg"
        x, y = random.uniform(0.25, 0.75, 2) * (width, height)
        picture = random.integers(40, 90, (height, width, 3), dtype=np.uint8)
        disc = (int(x), int(y)), min(size) // 8
        pixels[name] = np.asarray(cv2.circle(picture, *disc, (250, 240, 90), cv2.FILLED))
        around = random.normal((x, y), min(size) / 16, (people, 5, 2))
        looks[name] = [[(float(u), float(v)) for u, v in person] for person in around]
    return write_osie(root, looks, pixels)
