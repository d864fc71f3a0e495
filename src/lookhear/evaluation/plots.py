"""Plots of scores: means with their intervals, and metrics over time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import Statistics
from lookhear.evaluation.tables import best
from lookhear.show.axes import Axes, Scale
from lookhear.words import time_label

MOST_LINES = 6  # as many as the style sheet has colours for
MOST_CLIPS = 12
POINTS_OF_CLIP = 120
POINTS_OF_ALL = 50


class Forest(NamedTuple):
    """A metric of all models: of each its name, dot and interval, mean, and if it is best."""

    metric: str
    scale: Scale
    rows: list[tuple[str, Axes, float, bool]]


def forests(statistics: Statistics) -> Iterator[Forest]:
    """A plot of each metric: every model's mean as a dot, its interval as a line."""
    for metric in statistics.estimates[statistics.first]:
        estimates = {model: of[metric] for model, of in statistics.estimates.items()}
        scale = Scale.of(end for of in estimates.values() for end in (of.mean, of.low, of.high))
        bests = best(statistics, metric)
        rows = []
        for model, of in estimates.items():
            track = Axes(scale, Scale(0, 1, {}))
            track.grid(upright=True)
            track.spans([(of.low, of.high, 0.5)], "span")
            track.spans([(of.mean, of.mean, 0.5)], "dot")
            rows.append((model, track, of.mean, model in bests))
        yield Forest(metric, scale, rows)


class _Course(NamedTuple):
    """A plot to be: its lines by model, the axis of time, and where on it their points are."""

    title: str
    group: str
    lines: Mapping[str, NDArray[np.float64]]
    time: Scale
    places: NDArray[np.float64]


def over_time(scores: Scores, metric: str, models: Sequence[str]) -> list[tuple[str, str, Axes]]:
    """The metric over time: of each clip if there are few, else the mean over all of them.

    Args:
        scores: on clips.
        metric: which.
        models: whose lines to draw, at most `MOST_LINES`.

    Returns:
        What each plot is of, the database if there are several, and the plot.
    """
    if len(scores.subjects) <= MOST_CLIPS:
        courses = [*_of_each(scores, metric, models)]
    else:
        courses = [_of_all(scores, metric, models)]
    scale = Scale.of(v for one in courses for line in one.lines.values() for v in line.tolist())
    return [(of.title, of.group, _drawn(of, metric, scale)) for of in courses]


def _of_each(scores: Scores, metric: str, models: Sequence[str]) -> Iterator[_Course]:
    several = len(scores.groups()) > 1
    for index, clip in enumerate(scores.subjects):
        places = _binned(clip.times, min(len(clip.times), POINTS_OF_CLIP))
        lines = {
            model: _binned(scores.values[model][metric][index], len(places)) for model in models
        }
        start, end = float(places[0]), float(places[-1])
        ends = {start: time_label(clip.times[0]), end: time_label(clip.times[-1])}
        time = Scale(start, end, ends) if start < end else Scale(start - 1, start + 1, ends)
        yield _Course(clip.name, clip.group if several else "", lines, time, places)


def _of_all(scores: Scores, metric: str, models: Sequence[str]) -> _Course:
    lines = {
        model: _mean(np.array([_binned(of, POINTS_OF_ALL) for of in scores.values[model][metric]]))
        for model in models
    }
    last = POINTS_OF_ALL - 1
    title = f"Mean over {len(scores.subjects)} clips, each stretched to the same length"
    time = Scale(0, last, {0: "start", last: "end"})
    return _Course(title, "", lines, time, np.arange(POINTS_OF_ALL, dtype=np.float64))


def _binned(values: Sequence[float], count: int) -> NDArray[np.float64]:
    """Means of `count` even parts of the values; a part that is less than one takes it whole."""
    starts = np.arange(count) * len(values) // count
    ends = np.maximum((np.arange(count) + 1) * len(values) // count, starts + 1)
    array = np.asarray(values, np.float64)
    parts = zip(starts.tolist(), ends.tolist(), strict=True)
    return np.array([_mean(array[start:end]) for start, end in parts])


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the first axis of what is finite; NaN if nothing is."""
    finite = np.isfinite(values)
    none = np.full(values.shape[1:], math.nan)
    total, count = np.where(finite, values, 0.0).sum(0), finite.sum(0)
    return np.asarray(np.divide(total, count, out=none, where=count > 0), np.float64)


def _drawn(of: _Course, metric: str, scale: Scale) -> Axes:
    means = ", ".join(f"{model} {_said(line)}" for model, line in of.lines.items())
    axes = Axes(of.time, scale, f"{metric} over time; mean: {means}")
    axes.grid()
    kind = "line lone" if len(of.places) == 1 else "line"
    for number, line in reversed([*enumerate(of.lines.values(), 1)]):
        axes.line(of.places, line, f"{kind} line-{number}")
    return axes


def _said(line: NDArray[np.float64]) -> str:
    mean = float(_mean(line))
    return "not defined" if math.isnan(mean) else f"{mean:z.2f}"
