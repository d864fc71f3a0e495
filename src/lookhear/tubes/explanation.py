"""What an explanation of a clip holds, and what it says in short."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookhear.show import heat
from lookhear.show.lettering import plain
from lookhear.tubes.faithfulness import Faithfulness
from lookhear.tubes.labels import Label
from lookhear.tubes.tube import Tube, TubeInTime


@dataclass(frozen=True)
class Explanation:
    """Where and when a network sees classes in a clip.

    Attributes:
        path: of the clip.
        network: by the name that was asked for.
        layer: whose activations were weighed.
        head: the prediction layer, whose weights were taken; None for a method that takes others.
        method: ``tube``, or one of `lookhear.cam.METHODS`.
        labels: the L classes.
        times: (N,) float64, seconds, of the frames that the network saw.
        spans: (W, 2) float64, seconds, of the first and last frame of each window.
        probabilities: (W, L) float32, of the labels in each window.
        tubes: one for each label, of N frames.
        faithfulness: of each label's tube; empty if it was not measured.
        problems: what could not be decoded, a line each.
    """

    path: Path
    network: str
    layer: str
    head: str | None
    method: str
    labels: tuple[Label, ...]
    times: NDArray[np.float64]
    spans: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    tubes: tuple[Tube, ...]
    faithfulness: tuple[Faithfulness, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What was found of a label.

    Attributes:
        index: of its logit.
        name: on one line.
        probability: the mean over the windows; NaN where the network gave one.
        peak_time: seconds, where its tube is 1.
        place: where in the picture it is then, in words; None if the tube is the same everywhere.
        faithfulness: of its tube, if that was measured.
    """

    index: int
    name: str
    probability: float
    peak_time: float
    place: str | None
    faithfulness: Faithfulness | None


def found_in(explained: Explanation) -> tuple[Found, ...]:
    """Say of each label what was found."""
    measured = explained.faithfulness or (None,) * len(explained.labels)
    means = explained.probabilities.mean(axis=0).tolist()
    found = []
    for label, mean, tube, of in zip(
        explained.labels, means, explained.tubes, measured, strict=True
    ):
        moments = TubeInTime(tube, explained.times)
        strongest = heat.strongest(moments.moment(moments.peak))
        place = heat.place_name(strongest.x, strongest.y) if strongest else None
        time = float(moments.times[moments.peak])
        found.append(Found(label.index, plain(label.name), mean, time, place, of))
    return tuple(found)


def summary(explained: Explanation) -> Iterator[str]:
    """Say in a line what was asked, and in one for each label what was found."""
    head = f", prediction layer {explained.head}" if explained.head else ""
    yield f"{explained.network}: {explained.method} of layer {explained.layer}{head}"
    for found in found_in(explained):
        line = (
            f"{found.name}: probability {found.probability:.3f}, "
            f"strongest at {heat.time_label(found.peak_time)}"
        )
        if of := found.faithfulness:
            gone, came, random_gone, random_came = map(
                of.area, (of.deletion, of.insertion, of.random_deletion, of.random_insertion)
            )
            line += (
                f"; deletion {gone:.3f} (moved elsewhere {random_gone:.3f}), "
                f"insertion {came:.3f} (moved elsewhere {random_came:.3f})"
            )
        yield line
