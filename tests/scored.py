"""Made-up scores of models, frames to show of them, and reports about them."""

from collections.abc import Mapping, Sequence

import numpy as np

from lookhear.evaluation.examples import Example, Reason
from lookhear.evaluation.page import EvaluationReport
from lookhear.evaluation.scores import Scores, Subject
from lookhear.evaluation.statistics import analyse
from lookhear.maps import Maps
from lookhear.metrics import METRIC_NAMES
from lookhear.show.heat import Pixels


def scores_of(
    nss: Mapping[str, Sequence[Sequence[float]]],
    groups: Sequence[str] = (),
    kind: str = "clips",
    notes: tuple[str, ...] = (),
    **others: Mapping[str, Sequence[Sequence[float]]],
) -> Scores:
    """Scores whose metrics are those given, of each model's clips and their frames, else NSS."""
    clips = next(iter(nss.values()))
    subjects = tuple(
        Subject(f"clip {i}", groups[i] if groups else "set", tuple(map(float, range(len(frames)))))
        for i, frames in enumerate(clips)
    )
    values = {
        model: {
            metric: tuple(map(tuple, others.get(metric, nss)[model])) for metric in METRIC_NAMES
        }
        for model in nss
    }
    return Scores("pictures" if kind == "pictures" else "clips", subjects, values, notes)


def report_of(
    scores: Scores,
    *,
    title: str = "report",
    data_name: str = "set",
    protocol: Mapping[str, str] | None = None,
    examples: Sequence[Example] = (),
    command: str | None = None,
) -> EvaluationReport:
    return EvaluationReport(
        title, data_name, scores, analyse(scores), protocol or {}, examples, command
    )


def spot(column: int, row: int) -> Maps:
    """A map that is 1 in one cell of 9 x 16."""
    attention = np.zeros((9, 16), np.float32)
    attention[row, column] = 1
    return attention


def grey(height: int = 90, width: int = 160) -> Pixels:
    return np.full((height, width, 3), 120, np.uint8)


def example_of(
    maps: Mapping[str, Maps],
    why: Sequence[Reason],
    *,
    nss: float = 1.5,
    truth: Maps | None = None,
    fixations: Sequence[tuple[float, float]] = (),
    frame: Pixels | None = None,
    subject: str = "clip 0",
) -> Example:
    return Example(
        subject,
        3.5,
        grey() if frame is None else frame,
        spot(8, 4) if truth is None else truth,
        np.array(fixations, float).reshape(-1, 2),
        maps,
        {model: {"NSS": nss} for model in maps},
        tuple(why),
    )
