"""One self-contained HTML page about a training run, from tags to fixations."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from lookhear.maps import Maps
from lookhear.metrics import LOWER_IS_BETTER
from lookhear.show import heat, page
from lookhear.show.axes import WHOLE, Axes, Scale
from lookhear.show.heat import Pixels
from lookhear.show.page import Cell, Picture, score
from lookhear.words import count

MOST_COLUMNS = 6


@dataclass(frozen=True)
class Curve:
    """How one training, like "coarse/S", went, epoch by epoch; what is not finite leaves a gap.

    Accuracy is from 0 to 1, and empty where none was measured; its name says what it is.
    """

    name: str
    loss: tuple[float, ...]
    accuracy: tuple[float, ...] = ()
    accuracy_name: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture of a row, (H, W, 3) uint8, and attention (h, w), 0 to 1, that is laid over it.

    Attention is predicted by STA, or, as class maps are, made otherwise. A crop's box is its left,
    top, right and bottom, as shares of the picture's width and height.
    """

    caption: str
    picture: Pixels
    attention: Maps | None = None
    box: tuple[float, float, float, float] | None = None
    is_predicted: bool = False


@dataclass(frozen=True)
class Row:
    """One moment, step by step: which clip, time and tag, and what came of it."""

    title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Scores, the best of each metric emphasised: the highest, or of KL the lowest.

    A row has a name and a value for each metric; NaN is shown as a dash.
    """

    title: str
    caption: str
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class RunReport:
    """All that the page shows; what is empty is left out.

    Stages have a name and the seconds they took; sections a heading, and moments from frame to
    prediction under it.
    """

    title: str
    facts: tuple[str, ...]
    stages: tuple[tuple[str, float], ...]
    tables: tuple[ScoreTable, ...]
    curves: tuple[Curve, ...]
    sections: tuple[tuple[str, tuple[Row, ...]], ...]


def render(data: RunReport) -> str:
    """The HTML text of the page."""
    return page.render(
        "stanet",
        title=data.title,
        facts=data.facts,
        lower_is_better=LOWER_IS_BETTER,
        tables=[(table, [*_cells(table)]) for table in data.tables],
        sections=[
            (heading, _columns(rows), [(row, [*map(_drawn, row.panels)]) for row in rows])
            for heading, rows in data.sections
        ],
        curves=[(curve.name, [*_plots(curve)]) for curve in data.curves],
        stages=[*_stages(data.stages)],
        total=_duration(sum(seconds for _, seconds in data.stages)),
    )


def _cells(table: ScoreTable) -> Iterator[tuple[str, list[Cell]]]:
    """The rows of a table, each value marked that shows what the best of its column shows."""
    columns = zip(*(values for _, values in table.rows), strict=True)
    best = list(map(_best, table.metrics, columns))
    for name, values in table.rows:
        texts = map(score, values)
        yield name, [Cell(text, text == top) for text, top in zip(texts, best, strict=True)]


def _best(metric: str, values: Sequence[float]) -> str:
    """The text of the best value of a column, empty where nothing was measured."""
    choose = min if metric in LOWER_IS_BETTER else max
    measured = [value for value in values if not math.isnan(value)]
    return score(choose(measured)) if measured else ""


def _columns(rows: Sequence[Row]) -> int:
    """How many panels stand beside each other, so that lines are about equally long."""
    most = max([1, *(len(row.panels) for row in rows)])
    return math.ceil(most / math.ceil(most / MOST_COLUMNS))


def _drawn(panel: Panel) -> tuple[str, Picture, str, str]:
    """A panel's caption, its picture, that in words, and where a crop lies on it."""
    pixels, seen = heat.within(panel.picture, page.PANEL_AREA, page.PANEL_WIDTH), panel.caption
    if panel.attention is not None:
        shown = heat.shown if panel.is_predicted else heat.shown_map
        pixels = heat.blend_rgb(pixels, shown(panel.attention))
        seen += f": attention is {heat.in_words(heat.strongest(panel.attention))}"
    inset = ""
    if panel.box is not None:
        left, top, right, bottom = (100 * side for side in panel.box)
        inset = f"{top:.2f}% {100 - right:.2f}% {100 - bottom:.2f}% {left:.2f}%"
    return panel.caption, page.picture(pixels), seen, inset


def _plots(curve: Curve) -> Iterator[tuple[str, str, Axes]]:
    """Of each measure its name, what came of it, and its plot."""
    if curve.loss:
        reading = f"{score(curve.loss[0], '.3g')} to {score(curve.loss[-1], '.3g')}"
        yield "loss", reading, _plot("loss", reading, curve.loss, Scale.of(curve.loss))
    if curve.accuracy:
        name, reading = curve.accuracy_name or "accuracy", score(curve.accuracy[-1], ".1%")
        yield name, reading, _plot(name, reading, curve.accuracy, WHOLE)


def _plot(name: str, reading: str, values: Sequence[float], scale: Scale) -> Axes:
    epochs, last = count(len(values), "epoch"), max(1, len(values) - 1)
    axes = Axes(Scale(0, last, {last: epochs}), scale, f"{name} over {epochs}: {reading}")
    axes.grid()
    axes.line(range(len(values)), values)
    axes.spans([(len(values) - 1, len(values) - 1, values[-1])], "dot")
    return axes


def _stages(stages: Sequence[tuple[str, float]]) -> Iterator[tuple[str, str, str]]:
    """Each stage's name, how long it took, and the style of its bar."""
    ends = list(accumulate(seconds for _, seconds in stages))
    for (name, seconds), end in zip(stages, ends, strict=True):
        share = 100 / (ends[-1] or 1)
        bar = f"margin-left:{share * (end - seconds):.2f}%;width:{share * seconds:.2f}%"
        yield name, _duration(seconds), bar


def _duration(seconds: float) -> str:
    """Time taken: 0.4 s, 3 min 20 s, 1 h 05 min."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
