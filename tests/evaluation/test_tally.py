"""Metrics are averaged over frames, then over clips, and frames nobody looked at are left out."""

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lookhear.evaluation.tally import Tally, means_table
from lookhear.metrics import METRIC_NAMES

values = st.one_of(st.floats(-5, 5), st.just(math.nan))
clips = st.lists(st.lists(values, min_size=1, max_size=6), min_size=1, max_size=4)


def of_frames(**metrics: list[float]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in metrics.items()}


def test_a_long_clip_counts_as_much_as_a_short_one():
    tally = Tally()
    tally.add("centre", "long", of_frames(NSS=[1, 1, 1, 1, 1, 1], CC=[0, 0, 0, 0, 0, 0.6]))
    tally.add("centre", "short", of_frames(NSS=[3], CC=[0.5]))
    assert tally.means() == {"centre": {"NSS": 2, "CC": pytest.approx(0.3)}}
    assert tally.clip_means()["centre"]["long"] == {"NSS": 1, "CC": pytest.approx(0.1)}


@given(clips, st.integers(1, 3))
def test_means_leave_out_what_is_not_defined_however_the_frames_come(clips, batch):
    tally = Tally()
    for number, frames in enumerate(clips):
        for start in range(0, len(frames), batch):
            tally.add("row", str(number), of_frames(NSS=frames[start : start + batch]))
    defined = [np.array(frames)[~np.isnan(frames)] for frames in clips]
    of_clips = [frames.mean() for frames in defined if frames.size]
    expected = np.mean(of_clips) if of_clips else math.nan
    assert tally.means()["row"]["NSS"] == pytest.approx(expected, nan_ok=True, abs=1e-12)
    assert list(tally.clip_means()["row"]) == [str(number) for number in range(len(clips))]


def test_each_metric_leaves_out_its_own_frames():
    tally = Tally()
    tally.add("row", "a", of_frames(NSS=[1, math.nan, 3], CC=[1, 2, 3]))
    tally.add("row", "b", of_frames(NSS=[math.nan], CC=[4]))
    assert tally.means() == {"row": {"NSS": 2, "CC": 3}}
    assert math.isnan(tally.clip_means()["row"]["b"]["NSS"])


def test_rows_are_apart_and_keep_their_order():
    tally = Tally()
    for row, value in (("z", 1.0), ("a", 2.0)):
        tally.add(row, "clip", of_frames(NSS=[value]))
    assert list(tally.means().items()) == [("z", {"NSS": 1}), ("a", {"NSS": 2})]


def test_a_row_without_any_score_is_shown_as_such():
    tally = Tally()
    for row, value in (("centre", math.nan), ("STA", 1.0)):
        tally.add(row, "clip", {metric: torch.tensor([value]) for metric in METRIC_NAMES})
    console = Console(file=io.StringIO(), width=120)
    console.print(means_table("3 clips", tally.means()))
    text = console.file.getvalue()
    assert "3 clips" in text
    (centre,) = [line for line in text.splitlines() if "centre" in line]
    assert centre.count("nan") == len(METRIC_NAMES) + 1
