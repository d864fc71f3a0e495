"""Plots of scores as parts of a page: means with their intervals, and metrics over time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import Statistics
from lookhear.evaluation.typeset import best
from lookhear.metrics import LOWER_IS_BETTER
from lookhear.show import heat

DASH = "\N{EN DASH}"

MOST_LINES = 6  # as many as style the page has for them
MOST_CLIPS = 12
POINTS_OF_CLIP = 120
POINTS_OF_ALL = 50
LONG_NAME = 12  # characters
MARGIN = 0.06  # of an axis at each end, as a share of what it spans


class Scale(NamedTuple):
    """An axis from the lowest to the highest value, with some room, and round numbers on it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Scale":
        """The axis for the values that are finite, with two to five ticks."""
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        spread = (high - low) or abs(high) or 1.0
        low, high = low - MARGIN * spread, high + MARGIN * spread
        power = 10.0 ** math.floor(math.log10((high - low) / 5))
        step = next(power * digit for digit in (1, 2, 5, 10) if 5 * power * digit > high - low)
        counts = range(math.ceil(low / step), math.floor(high / step) + 1)
        return cls(low, high, tuple(step * count for count in counts))

    def share(self, value: float) -> float:
        """Where a value is between low and high, in percent."""
        return 100 * (value - self.low) / (self.high - self.low)

    def labels(self, side: str) -> str:
        """Ticks as text, each placed by its distance from a side: left (but few) or bottom."""
        few = self.ticks[::2] if side == "left" and len(self.ticks) > 3 else self.ticks
        return "".join(
            f'<span style="{side}:{self.share(tick):.4g}%">{tick:.4g}</span>' for tick in few
        )


def forest(statistics: Statistics) -> str:
    """A plot of each metric: every model's mean as a dot, its interval as a line."""
    metrics = statistics.estimates[statistics.first]
    plots = "".join(_forest_of(metric, statistics) for metric in metrics)
    has_long_names = max(map(len, statistics.estimates)) > LONG_NAME
    room = "--least:440px;--names:45%" if has_long_names else "--least:320px;--names:36%"
    return f'<div class="forest" style="{room}">{plots}</div>'


def _forest_of(metric: str, statistics: Statistics) -> str:
    estimates = {model: of[metric] for model, of in statistics.estimates.items()}
    scale = Scale.of(end for of in estimates.values() for end in (of.mean, of.low, of.high))
    bests = best(statistics, metric)
    rows = ""
    for model, of in estimates.items():
        text = DASH if math.isnan(of.mean) else f"{of.mean:z.3f}"
        row = "<tr class=best>" if model in bests else "<tr>"
        name, track = escape(model), _track(scale, of.mean, of.low, of.high)
        head = f'<th scope=row title="{name}">{name}</th>'
        rows += f"{row}{head}<td>{track}</td><td>{text}</td></tr>"
    better = "lower" if metric in LOWER_IS_BETTER else "higher"
    return (
        f"<figure><h3>{escape(metric)} <small>{better} is better</small></h3><table>"
        f"<tbody>{rows}</tbody><tfoot><tr><td></td><td><div class=ticks>"
        f"{scale.labels('left')}</div></td><td></td></tr></tfoot></table></figure>"
    )


def _track(scale: Scale, mean: float, low: float, high: float) -> str:
    grid = "".join(f"M{scale.share(tick):.4g} 0V10" for tick in scale.ticks)
    marks = f'<path class="grid" d="{grid}"/>'
    if math.isfinite(low) and math.isfinite(high):
        marks += f'<path class="span" d="M{scale.share(low):.2f} 5H{scale.share(high):.2f}"/>'
    if math.isfinite(mean):
        marks += f'<path class="dot" d="M{scale.share(mean):.2f} 5h0"/>'
    return f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{marks}</svg>'


class _Series(NamedTuple):
    """A plot to be: its lines by model, where in time their points are, and what to call it."""

    title: str
    group: str
    lines: Mapping[str, NDArray[np.float64]]
    places: NDArray[np.float64]
    start: str
    end: str


def over_time(scores: Scores, metric: str, models: Sequence[str]) -> str:
    """The metric over time: of each clip if there are few, else the mean over all of them.

    Args:
        scores: on clips.
        metric: which.
        models: whose lines to draw, at most `MOST_LINES`.
    """
    few = len(scores.subjects) <= MOST_CLIPS
    series = _of_each(scores, metric, models) if few else [_of_all(scores, metric, models)]
    scale = Scale.of(v for one in series for line in one.lines.values() for v in line.tolist())
    keys = "".join(f"<li>{_key(i)}{escape(model)}</li>" for i, model in enumerate(models, 1))
    plots = "".join(_plot(one, metric, scale) for one in series)
    return f'<ul class=keys>{keys}</ul><div class="{"clips" if few else "all"}">{plots}</div>'


def _of_each(scores: Scores, metric: str, models: Sequence[str]) -> list[_Series]:
    several = len(scores.groups()) > 1
    series = []
    for index, clip in enumerate(scores.subjects):
        count = min(len(clip.times), POINTS_OF_CLIP)
        series.append(
            _Series(
                clip.name,
                clip.group if several else "",
                {model: _binned(scores.values[model][metric][index], count) for model in models},
                _binned(clip.times, count),
                heat.time_label(clip.times[0]),
                heat.time_label(clip.times[-1]),
            )
        )
    return series


def _of_all(scores: Scores, metric: str, models: Sequence[str]) -> _Series:
    lines = {}
    for model in models:
        of_clips = [_binned(values, POINTS_OF_ALL) for values in scores.values[model][metric]]
        lines[model] = _mean(np.array(of_clips))
    places = np.arange(POINTS_OF_ALL, dtype=np.float64) + 0.5
    title = f"Mean over {len(scores.subjects)} clips, each stretched to the same length"
    return _Series(title, "", lines, places, "start", "end")


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


def _plot(series: _Series, metric: str, scale: Scale) -> str:
    first, span = series.places[0], np.ptp(series.places)
    x = 100 * (series.places - first) / span if span else np.full(len(series.places), 50.0)
    kind = "line lone" if len(x) == 1 else "line"
    lines = "".join(
        f'<path class="{kind} line-{i}" d="{_line(x, line, scale)}"/>'
        for i, line in reversed([*enumerate(series.lines.values(), 1)])
    )
    means = ", ".join(f"{model} {_said(line)}" for model, line in series.lines.items())
    grid = "".join(f"M0 {100 - scale.share(tick):.4g}H100" for tick in scale.ticks)
    group = f" <small>{escape(series.group)}</small>" if series.group else ""
    return (
        f"<figure><h3>{escape(series.title)}{group}</h3><div class=plot>"
        f"<div class=scale>{scale.labels('bottom')}</div>"
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(metric)} over time; mean: {escape(means)}">'
        f'<path class="grid" d="{grid}"/>{lines}</svg>'
        f"<div class=ends><span>{series.start}</span><span>{series.end}</span></div></div></figure>"
    )


def _said(line: NDArray[np.float64]) -> str:
    mean = float(_mean(line))
    return "not defined" if math.isnan(mean) else f"{mean:z.2f}"


def _line(places: NDArray[np.float64], values: NDArray[np.float64], scale: Scale) -> str:
    """The path through the points, with a gap where a value is not defined."""
    path, known = "", False
    for x, value in zip(places.tolist(), values.tolist(), strict=True):
        if math.isfinite(value):
            path += f"{'L' if known else 'M'}{x:.4g} {100 - scale.share(value):.4g}"
            path += "" if known else "h0"
        known = math.isfinite(value)
    return path


def _key(number: int) -> str:
    return (
        f'<svg viewBox="0 0 30 10" width="30" height="10" aria-hidden="true">'
        f'<path class="line line-{number}" d="M2 5H28"/></svg>'
    )
