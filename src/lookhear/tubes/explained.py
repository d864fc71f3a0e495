"""What an explanation of a clip holds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookhear.tubes.faithfulness import Faithfulness
from lookhear.tubes.labels import Label
from lookhear.tubes.tube import Tube


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
