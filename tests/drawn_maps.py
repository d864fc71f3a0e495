"""Maps of clips and pictures as files, whole, damaged and hostile, for tests."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from looked_at import scored, write_watched
from lookhear.evaluation.from_files import OfFolder
from lookhear.evaluation.stimuli import StimulusSet, read_stimuli

COUNT = 6


def good(stimuli: StimulusSet, frame: int, subject: int = 0) -> NDArray[np.uint8]:
    """A map that finds what people look at, as a picture of the frame's size."""
    blurred = cv2.GaussianBlur(stimuli.subjects[subject].pixels(frame)[..., 0], (0, 0), 3)
    return np.asarray(blurred, np.uint8)


def draw(folder: Path, maps: Mapping[Any, NDArray[Any]], name: str = "{:04d}.png") -> Path:
    """Write maps as pictures or .npy files, named by their keys."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, values in maps.items():
        path = folder / name.format(key)
        if path.suffix == ".npy":
            np.save(path, values)
        else:
            cv2.imwrite(str(path), values)
    return folder


def all_good(stimuli: StimulusSet) -> dict[int, NDArray[np.uint8]]:
    """A good map of each frame of the clip, counted from 1."""
    return {frame + 1: good(stimuli, frame) for frame in range(COUNT)}


def of_folder(stimuli: StimulusSet, folder: Path) -> tuple[Any, tuple[str, ...]]:
    return scored(stimuli, OfFolder(folder))


def watched(root: Path) -> StimulusSet:
    """A clip that people watched."""
    return read_stimuli(write_watched(root, {"a": COUNT}))


def good_scores(clip: StimulusSet, folder: Path) -> Any:
    """The scores of good maps."""
    draw(folder / "db" / "a", all_good(clip))
    values, notes = of_folder(clip, folder)
    assert notes == ()
    assert min(values["NSS"][0]) > 2
    return values


def huge_png() -> bytes:
    """A picture that says it has 60,000 x 60,000 pixels."""
    _, encoded = cv2.imencode(".png", np.zeros((3, 3), np.uint8))
    raw = bytearray(encoded.tobytes())
    raw[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(raw)


def npy(values: Any, **header: Any) -> bytes:
    """An array as a file, with parts of its header replaced."""
    file = io.BytesIO()
    if header:
        head = np.lib.format.header_data_from_array_1_0(values) | header
        np.lib.format.write_array_header_1_0(file, head)
        file.write(values.tobytes())
    else:
        np.lib.format.write_array(file, values)
    return file.getvalue()


class Trap:
    """Says so if its pickle is opened."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("a pickle was opened",)


TRAP = np.array([Trap()], dtype=object)


def trap() -> bytes:
    file = io.BytesIO()
    np.save(file, TRAP, allow_pickle=True)
    return file.getvalue()


def archive(path: Path, deflated: bool = True, **members: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


MAPS, TIMES = npy(np.random.default_rng(0).random((2, 6, 8))), npy(np.array([0.0, 1.0]))
