"""One self-contained HTML page about a training run, from tags to fixations."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from string import Template

import numpy as np

from lookhear import maps
from lookhear.files import write_whole
from lookhear.maps import Maps
from lookhear.metrics import LOWER_IS_BETTER
from lookhear.show import heat
from lookhear.show.heat import Pixels
from lookhear.show.page import data_uri, stylesheet

PANEL_WIDTH, PANEL_AREA = 240, 240 * 180  # pixels, at most
MOST_COLUMNS = 6

DASH = "\N{EN DASH}"
SCORE, LOSS, SHARE = "z.3f", ".3g", ".1%"
LEFT, RIGHT, TOP, BOTTOM = 40, 312, 8, 106  # of the lines in a plot of 320 by 128
ACCURACY_TICKS = {0.0: "0%", 0.5: "50%", 1.0: "100%"}

_NOTES = {
    "tables": "<p class=quiet>The best of each column stands out; a dash was not measured.</p>",
    "moments": '<p class="legend quiet"><span>less</span><i></i><span>more attention.</span><span>'
    "Heat shows where attention is strongest, not how strong; a white frame is a crop.</span></p>",
    "curves": "<p class=quiet>Each loss has a scale of its own.</p>",
    "time": "<p class=quiet>One stage after another.</p>",
}


@dataclass(frozen=True)
class Curve:
    """How one training went.

    Attributes:
        name: Of the training, like "S, coarse".
        loss: Of each epoch; what is not finite leaves a gap.
        accuracy: Of each epoch, 0 to 1; empty where none was measured.
        accuracy_name: What the accuracy is.
    """

    name: str
    loss: tuple[float, ...]
    accuracy: tuple[float, ...] = ()
    accuracy_name: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture of a row.

    Attributes:
        caption: What it is, in a few words.
        picture: (H, W, 3), uint8 RGB.
        attention: (h, w), 0 to 1, laid over the picture; None to show the picture alone.
        box: Left, top, right and bottom of a crop, as shares of the picture's width and height.
    """

    caption: str
    picture: Pixels
    attention: Maps | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Row:
    """One moment, step by step.

    Attributes:
        title: Which moment: clip, time, tag.
        note: What came of it.
        panels: The steps, shown from left to right.
    """

    title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Scores, the best of each metric emphasised: the highest, or of KL the lowest.

    Attributes:
        title: What was scored.
        caption: What a reader must know to read it.
        metrics: Names of the columns.
        rows: Name and a value for each metric; NaN is shown as a dash.
    """

    title: str
    caption: str
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class RunReport:
    """All that the page shows; what is empty is left out.

    Attributes:
        title: Which run.
        facts: Short facts about it.
        stages: Name of each stage and the seconds it took, in the order in which they ran.
        tables: How good it is.
        curves: How the trainings went.
        sections: Headings, and moments from frame to prediction under each.
    """

    title: str
    facts: tuple[str, ...]
    stages: tuple[tuple[str, float], ...]
    tables: tuple[ScoreTable, ...]
    curves: tuple[Curve, ...]
    sections: tuple[tuple[str, tuple[Row, ...]], ...]


def write_page(path: Path, data: RunReport) -> None:
    """Write the page as one HTML file that needs no other, whole or not at all.

    Raises:
        LookhearError: The file cannot be written.
    """
    write_whole(path, render(data))


def render(data: RunReport) -> str:
    """The HTML text of the page."""
    template = files("lookhear.stanet").joinpath("page.html").read_text(encoding="utf-8")
    page = Template(template).substitute(
        style=stylesheet(),
        title=escape(data.title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in data.facts),
        scores=_section("How good it is", "tables", map(_table, data.tables)),
        moments=_section("From frame to prediction", "moments", map(_moments, data.sections)),
        curves=_section("How it learnt", "curves", map(_curve, data.curves)),
        stages=_section("Where the time went", "time", _stages(data.stages)),
    )
    # Names of files that are no text reach Python as lone surrogates, which no file can hold.
    return page.encode("utf-8", "replace").decode("utf-8")


def _section(heading: str, kind: str, parts: Iterable[str]) -> str:
    content = "".join(parts)
    whole = (
        f'<section><h2>{heading}</h2>{_NOTES[kind]}<div class="{kind}">{content}</div></section>'
    )
    return whole if content else ""


def _table(table: ScoreTable) -> str:
    heads = "".join(f"<th scope=col>{escape(metric)}</th>" for metric in table.metrics)
    columns = zip(*(values for _, values in table.rows), strict=True)
    best = list(map(_best, table.metrics, columns))
    rows = "".join(_score_row(name, values, best) for name, values in table.rows)
    title = escape(table.title)
    return (
        f"<section><h3>{title}</h3><p class=quiet>{escape(table.caption)}</p>"
        f'<div class="wide" role="region" tabindex="0" aria-label="{title}">'
        f"<table><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _best(metric: str, values: Sequence[float]) -> str:
    """The text of the best value of a column, empty where nothing was measured."""
    choose = min if metric in LOWER_IS_BETTER else max
    measured = [value for value in values if not math.isnan(value)]
    return _number(choose(measured), SCORE) if measured else ""


def _score_row(name: str, values: Sequence[float], best: Sequence[str]) -> str:
    cells = ""
    for value, best_text in zip(values, best, strict=True):
        text = _number(value, SCORE)
        cells += f"<td><strong>{text}</strong></td>" if text == best_text else f"<td>{text}</td>"
    return f"<tr><th scope=row>{escape(name)}</th>{cells}</tr>"


def _number(value: float, form: str) -> str:
    return DASH if math.isnan(value) else format(value, form)


def _moments(section: tuple[str, Sequence[Row]]) -> str:
    heading, rows = section
    most = max([1, *(len(row.panels) for row in rows)])
    columns = math.ceil(most / math.ceil(most / MOST_COLUMNS))
    moments = "".join(map(_row, rows))
    return f'<section style="--columns:{columns}"><h3>{escape(heading)}</h3>{moments}</section>'


def _row(row: Row) -> str:
    panels = "".join(f"<li>{_panel(panel)}</li>" for panel in row.panels)
    head = f"<h4>{escape(row.title)}</h4><p class=quiet>{escape(row.note)}</p>"
    return f"<article>{head}<ol>{panels}</ol></article>"


def _panel(panel: Panel) -> str:
    height, width = panel.picture.shape[:2]
    shown_width = min(PANEL_WIDTH, math.ceil(math.sqrt(PANEL_AREA * width / height)))
    picture, seen = heat.thumbnail(panel.picture, shown_width), panel.caption
    if panel.attention is not None:
        picture = heat.blend_rgb(picture, heat.shown(panel.attention))
        peaks = [peak for peak in maps.peaks(panel.attention, 1) if peak.strength >= heat.FAINT]
        place = f"strongest in the {heat.place_name(peaks[0].x, peaks[0].y)}" if peaks else "even"
        seen += f": attention is {place}"
    address = data_uri(heat.encode_jpeg(picture, quality=80), "image/jpeg")
    crop = ""
    if panel.box is not None:
        left, top, right, bottom = (100 * side for side in panel.box)
        inset = f"{top:.2f}% {100 - right:.2f}% {100 - bottom:.2f}% {left:.2f}%"
        crop = f'<i style="inset:{inset}"></i>'
    return (
        f'<figure><div class="shot"><img src="{address}" width="{picture.shape[1]}" '
        f'height="{picture.shape[0]}" alt="{escape(seen)}">{crop}</div>'
        f"<figcaption><span>{escape(panel.caption)}</span></figcaption></figure>"
    )


def _curve(curve: Curve) -> str:
    plots = ""
    if curve.loss:
        ends = [_number(loss, LOSS) for loss in (curve.loss[0], curve.loss[-1])]
        plots += _plot("loss", " to ".join(ends), curve.loss, _loss_ticks(curve.loss))
    if curve.accuracy:
        reached = _number(curve.accuracy[-1], SHARE)
        plots += _plot(curve.accuracy_name or "accuracy", reached, curve.accuracy, ACCURACY_TICKS)
    return f"<figure><h3>{escape(curve.name)}</h3>{plots}</figure>"


def _loss_ticks(losses: Sequence[float]) -> dict[float, str]:
    """At most five round numbers and their texts; the first and last enclose the losses."""
    finite = [loss for loss in losses if math.isfinite(loss)] or [0.0]
    low, high = min(finite), max(finite)
    spread = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(spread / 3))
    step = next(power * digit for digit in (1, 2, 5, 10, 20) if 3 * power * digit >= spread)
    first, last = math.floor(low / step), math.ceil(high / step)
    counts = range(first, max(last, first + 1) + 1)
    return {step * count: f"{step * count:.4g}" for count in counts}


def _plot(name: str, reading: str, values: Sequence[float], ticks: Mapping[float, str]) -> str:
    """A line over the epochs, on a scale from the lowest of the ticks to the highest."""
    low, high = min(ticks), max(ticks)
    epochs = f"{len(values)} epoch{'s' if len(values) > 1 else ''}"

    def y(value: float) -> str:
        return f"{BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low):.1f}"

    line, known = "", False
    for x, value in zip(np.linspace(LEFT, RIGHT, len(values)), values, strict=True):
        if math.isfinite(value):
            line += f"L{x:.1f} {y(value)}" if known else f"M{x:.1f} {y(value)}h0"
        known = math.isfinite(value)
    end = f'<circle cx="{x:.1f}" cy="{y(value)}" r="4"/>' if known else ""
    grid = "".join(f"M{LEFT} {y(tick)}H{RIGHT}" for tick in ticks)
    labels = "".join(
        f'<text x="{LEFT - 7}" y="{y(t)}" dy="4">{text}</text>' for t, text in ticks.items()
    )
    return (
        f"<p class=quiet><span>{escape(name)}</span><strong>{reading}</strong></p>"
        f'<svg viewBox="0 0 320 128" role="img" '
        f'aria-label="{escape(name)} over {epochs}: {reading}"><path class="grid" d="{grid}"/>'
        f'<path class="line" d="{line}"/>{end}{labels}'
        f'<text x="{RIGHT}" y="124">{epochs}</text></svg>'
    )


def _stages(stages: Sequence[tuple[str, float]]) -> str:
    if not stages:
        return ""
    ends = list(accumulate(seconds for _, seconds in stages))
    share = 100 / (ends[-1] or 1)
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{_duration(seconds)}</td><td><i style="
        f'"margin-left:{share * (end - seconds):.2f}%;width:{share * seconds:.2f}%"></i></td></tr>'
        for (name, seconds), end in zip(stages, ends, strict=True)
    )
    total = f"<tr><th scope=row>in all</th><td>{_duration(ends[-1])}</td><td></td></tr>"
    heads = "<tr><th scope=col>stage</th><th scope=col>took</th><td></td></tr>"
    return f"<table><thead>{heads}</thead><tbody>{rows}</tbody><tfoot>{total}</tfoot></table>"


def _duration(seconds: float) -> str:
    """Time taken: 0.4 s, 3 min 20 s, 1 h 05 min."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
