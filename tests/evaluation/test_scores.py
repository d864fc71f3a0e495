"""Metrics are averaged over frames, then over clips, and frames nobody looked at are left out."""

import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lookhear.evaluation.scores import Scores, Subject
from lookhear.evaluation.tables import means_table
from lookhear.metrics import METRIC_NAMES

values = st.one_of(st.floats(-5, 5), st.just(math.nan))
clips = st.lists(st.lists(values, min_size=1, max_size=6), min_size=1, max_size=4)


def of_clips(**rows: dict[str, Sequence[Sequence[float]]]) -> Scores:
    """Scores of rows, given each metric's values on the frames of each clip."""
    count = len(next(iter(next(iter(rows.values())).values())))
    subjects = tuple(Subject(f"clip {at}", "db", ()) for at in range(count))
    return Scores(
        "clips",
        subjects,
        {
            row: {metric: tuple(map(tuple, of)) for metric, of in metrics.items()}
            for row, metrics in rows.items()
        },
    )


def test_a_long_clip_counts_as_much_as_a_short_one() -> None:
    scores = of_clips(
        centre={"NSS": [[1, 1, 1, 1, 1, 1], [3]], "CC": [[0, 0, 0, 0, 0, 0.6], [0.5]]}
    )
    assert scores.means() == {"centre": {"NSS": 2, "CC": pytest.approx(0.3)}}
    assert scores.of_subjects["centre"] == {"NSS": (1, 3), "CC": (pytest.approx(0.1), 0.5)}


@given(clips)
def test_means_leave_out_what_is_not_defined(clips: list[list[float]]) -> None:
    defined = [np.array(frames)[~np.isnan(frames)] for frames in clips]
    means = [frames.mean() for frames in defined if frames.size]
    expected = np.mean(means) if means else math.nan
    scores = of_clips(row={"NSS": clips})
    assert scores.means()["row"]["NSS"] == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_each_metric_leaves_out_its_own_frames() -> None:
    scores = of_clips(row={"NSS": [[1, math.nan, 3], [math.nan]], "CC": [[1, 2, 3], [4]]})
    assert scores.means() == {"row": {"NSS": 2, "CC": 3}}
    assert math.isnan(scores.of_subjects["row"]["NSS"][1])


def test_rows_are_apart_and_keep_their_order() -> None:
    means = of_clips(z={"NSS": [[1]]}, a={"NSS": [[2]]}).means()
    assert [*means.items()] == [("z", {"NSS": 1}), ("a", {"NSS": 2})]


def test_a_row_without_any_score_is_shown_as_such() -> None:
    rows = {"centre": math.nan, "STA": 1.0}
    means = {row: dict.fromkeys(METRIC_NAMES, value) for row, value in rows.items()}
    console = Console(file=io.StringIO(), width=120)
    console.print(means_table("3 clips", means))
    text = console.file.getvalue()
    assert "3 clips" in text
    (centre,) = [line for line in text.splitlines() if "centre" in line]
    assert centre.count("nan") == len(METRIC_NAMES) + 1
