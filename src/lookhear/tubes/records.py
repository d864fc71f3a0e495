"""An explanation as data: the tubes, the scores, the curves, and what they were made with."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lookhear import __version__
from lookhear.prediction.maps_files import write_archive
from lookhear.show.lettering import plain
from lookhear.tubes.explained import Explanation
from lookhear.tubes.findings import Found

CURVES = ("deletion", "insertion", "random_deletion", "random_insertion")


def write_tubes(path: Path, explained: Explanation) -> None:
    """Write all frames of all tubes, one after another, as .npz.

    It holds ``tubes`` (L, N, H, W) float16 from 0 to 1, ``times`` (N,) float64 and ``spans``
    (W, 2) float64 in seconds, ``probabilities`` (W, L) float32, and ``labels`` (L,), their names.
    """
    shape = len(explained.tubes), len(explained.times), *explained.tubes[0].size
    pieces = (
        frame.astype(np.float16).tobytes() for tube in explained.tubes for frame in tube.frames()
    )
    write_archive(
        path,
        "tubes",
        shape,
        pieces,
        times=explained.times,
        spans=explained.spans,
        probabilities=explained.probabilities,
        labels=np.array([label.name for label in explained.labels]),
    )


def write_scores(path: Path, explained: Explanation) -> None:
    """Write the probability of each label in each window, a line a window, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["start", "end", *(plain(label.name) for label in explained.labels)])
        windows = zip(explained.spans.tolist(), explained.probabilities.tolist(), strict=True)
        for span, row in windows:
            table.writerow([*(f"{time:.3f}" for time in span), *_cells(row)])


def write_curves(path: Path, explained: Explanation) -> None:
    """Write the curves of faithfulness, a line for each label and share of the pixels, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["label", "share", *CURVES])
        for label, measured in zip(explained.labels, explained.faithfulness, strict=True):
            columns = [measured.shares, *(getattr(measured, name) for name in CURVES)]
            for row in np.stack(columns, axis=1).tolist():
                table.writerow([plain(label.name), *_cells(row)])


def _cells(values: Iterable[float]) -> Iterator[str]:
    """Empty where a value is not finite."""
    return (f"{value:.5g}" if math.isfinite(value) else "" for value in values)


def write_settings(
    path: Path, explained: Explanation, found: Sequence[Found], command: str
) -> None:
    """Write what was found, in short, and what with, as strict JSON."""
    described = {
        "clip": plain(explained.path.name),
        "network": explained.network,
        "layer": explained.layer,
        "head": explained.head,
        "method": explained.method,
        "labels": [*map(_described, found)],
        "command": command,
        "lookhear": __version__,
    }
    text = json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")


def _described(found: Found) -> dict[str, Any]:
    described: dict[str, Any] = {
        "index": found.index,
        "name": found.name,
        "mean_probability": _number(found.probability),
        "peak_time": _number(found.peak_time),
    }
    measured = found.faithfulness
    if measured is not None:
        areas = {curve: _number(measured.area(getattr(measured, curve))) for curve in CURVES}
        described["faithfulness"] = areas
    return described


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
