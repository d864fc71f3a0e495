"""Clips made for tests, and explanations of them that no network had to give."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clips import make_clip
from lookhear.media import open_clip
from lookhear.tubes.explanation import Explanation
from lookhear.tubes.faithfulness import Faithfulness
from lookhear.tubes.labels import Label
from lookhear.tubes.results import write_explanation
from lookhear.tubes.tube import Tube
from lookhear.tubes.windows import Framing

GREY = 150
SHARES = np.linspace(0, 1, 17, dtype=np.float32)


def grey_clip(
    path: Path,
    size: tuple[int, int] = (48, 64),
    times: Sequence[float] | None = None,
    **more: object,
) -> Path:
    """Write a clip of twelve grey frames, or one at each of the times."""
    count = 12 if times is None else len(times)
    frames = [np.full((*size, 3), GREY, np.uint8)] * count
    return make_clip(path, frames, times=times, **more)  # type: ignore[arg-type]


def tube_of(maps: object, size: tuple[int, int] = (48, 64)) -> Tube:
    return Tube(np.asarray(maps, np.float32), Framing(size))


def left_then_right(count: int) -> Tube:
    """Hot at the left in the first half, at the right in the second, hottest in the last frame."""
    maps = np.zeros((count, 4, 8), np.float32)
    maps[: count // 2, :, :3] = 0.9
    maps[count // 2 :, :, -3:] = 0.9
    maps[-1, :, -3:] = 1
    return tube_of(maps)


def faithful(better: bool = True) -> Faithfulness:
    fall, slow = 0.8 * np.exp(-8 * SHARES), 0.8 * (1 - SHARES)
    curves = (
        (fall, 0.8 - fall, slow, 0.8 - slow) if better else (slow, 0.8 - slow, fall, 0.8 - fall)
    )
    return Faithfulness((0.0, 0.4), SHARES, *(curve.astype(np.float32) for curve in curves))


def explanation(
    path: Path,
    times: Sequence[float],
    tubes: Sequence[Tube],
    names: Sequence[str] = ("archery",),
    probabilities: Sequence[Sequence[float]] | None = None,
    measured: Sequence[Faithfulness] = (),
    problems: tuple[str, ...] = (),
) -> Explanation:
    scores = probabilities or [[0.5] * len(tubes), [0.25] * len(tubes)]
    ends = np.linspace(times[0], times[-1], len(scores) + 1)
    spans: NDArray[np.float64] = np.stack([ends[:-1], ends[1:]], axis=1)
    return Explanation(
        path=path,
        network="r3d_18",
        layer="layer4",
        head="fc",
        method="tube",
        labels=tuple(Label(7 + index, name) for index, name in enumerate(names)),
        times=np.asarray(times, np.float64),
        spans=spans,
        probabilities=np.asarray(scores, np.float32),
        tubes=tuple(tubes),
        faithfulness=tuple(measured),
        problems=problems,
        fed="2 frames of 64 x 48",
    )


def written(
    folder: Path, explained: Explanation, *formats: str, command: str = "lookhear explain"
) -> Path:
    """Write an explanation of the clip that it names; return the folder."""
    write_explanation(folder, open_clip(explained.path), explained, formats, command)  # type: ignore[arg-type]
    return folder
