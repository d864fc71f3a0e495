"""Plots of an explanation, as pictures of their own (SVG), for a browser, a page or a paper."""

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from lookhear.show.axes import (
    COLOURS,
    FONT_SIZE,
    LINE,
    WHOLE,
    Axes,
    Scale,
    element,
    picture,
    text,
)
from lookhear.show.lettering import fitted, plain
from lookhear.tubes.explanation import Explanation
from lookhear.tubes.faithfulness import Faithfulness
from lookhear.words import time_label

WIDTH = 760
LEFT = 52
LETTER = 0.56 * FONT_SIZE  # wide, about
MOST_DOTS = 60
NAME_WIDTH = 220
MOST_TICKS = 8
CURVES_HEIGHT = 290
MOVED_COLOUR = "#625c6c"


def scores_plot(explained: Explanation) -> Markup:
    """The probability of each label over time: a dot in the middle of each window."""
    spans, names = explained.spans, [label.name for label in explained.labels]
    bottom = 260 + LINE * max(0, len(names) - 12)
    room = min(NAME_WIDTH, LETTER * max(len(plain(name)) for name in names)) + 24
    time = Scale.of_time(float(spans.min()), float(spans.max()), MOST_TICKS)
    shares = Scale.of_shares(explained.probabilities.ravel().tolist())
    axes = Axes(time, shares, left=LEFT, top=34, right=WIDTH - room, bottom=bottom)
    axes.frame("time")
    heights = []
    for index in reversed(range(len(names))):
        values = explained.probabilities[:, index].tolist()
        middles = spans.mean(axis=1).tolist()
        if len(values) == 1:
            middles, values = spans[0].tolist(), values * 2
        number = index % len(COLOURS)
        axes.line(middles, values, f"line line-{number + 1}", **_stroke(COLOURS[number]))
        if len(values) <= MOST_DOTS:
            axes.dots(middles, values, f"dot-{number + 1}", fill=COLOURS[number])
        last = next((value for value in reversed(values) if math.isfinite(value)), 0.0)
        heights.append(axes.down(last) + 4.5)
    for index, height in enumerate(_apart(heights[::-1], axes.top, bottom)):
        short = fitted(names[index], lambda part: LETTER * len(part) <= NAME_WIDTH)
        number = index % len(COLOURS)
        name = text(short, axes.right + 10, height, COLOURS[number], f"name-{number + 1}")
        axes.marks.append(name)
    said = f"Probability of {', '.join(map(plain, names))} over time"
    title = text("Probability", 8, 18)
    return picture(WIDTH, bottom + 2 * LINE + 16, said, title, *axes.marks)


def faithfulness_plot(explained: Explanation) -> Markup:
    """How each label's probability falls and rises as its tube's pixels go and come."""
    names = [plain(label.name) for label in explained.labels]
    marks = [
        mark
        for row, (name, measured) in enumerate(zip(names, explained.faithfulness, strict=True))
        for mark in _curves(name, measured, CURVES_HEIGHT * row, explained.method)
    ]
    curves = f"Deletion and insertion curves of {', '.join(names)}"
    said = f"{curves}, beside those of maps moved elsewhere"
    return picture(WIDTH, CURVES_HEIGHT * len(names), said, *marks)


def _curves(name: str, of: Faithfulness, top: float, method: str) -> Iterator[Markup]:
    short = fitted(name, lambda part: LETTER * len(part) <= WIDTH / 2)
    between = " to ".join(map(time_label, of.span))
    yield text(f"Probability of {short}, {between}", 8, top + 18)
    pairs = (
        ("pixels gone, the most important first", of.deletion, of.random_deletion),
        ("pixels back, the most important first", of.insertion, of.random_insertion),
    )
    every = [value for _, *curves in pairs for curve in curves for value in curve.tolist()]
    for column, (change, curve, moved) in enumerate(pairs):
        left = LEFT + column * (WIDTH - 8) / 2
        right = left + WIDTH / 2 - 84
        shares = Scale.of_shares(every)
        axes = Axes(WHOLE, shares, left=left, top=top + 74, right=right, bottom=top + 236)
        axes.frame(change)
        lines = (
            ("moved elsewhere", moved, "line line-6", _stroke(MOVED_COLOUR, "5 4")),
            (method, curve, "line line-1", _stroke(COLOURS[0])),
        )
        for row, (whose, values, kind, stroke) in enumerate(lines):
            axes.line(of.shares.tolist(), values.tolist(), kind, **stroke)
            y, area = top + 60 - LINE * row, of.area(values)
            yield element("path", d=f"M{left:g} {y - 4.5:g}h22", class_=kind, **stroke)
            told = f"{area:.3g}" if math.isfinite(area) else "not defined"
            yield text(f"{whose}: area {told}", left + 30, y)
        yield from axes.marks


def _stroke(colour: str, dashes: str = "none") -> dict[str, str]:
    return {
        "stroke": colour,
        "stroke_width": "2",
        "fill": "none",
        "stroke_dasharray": dashes,
        "stroke_linejoin": "round",
    }


def _apart(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Move lines of text up and down until none lies on another."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    moved, lowest = list(heights), -math.inf
    for index in order:
        lowest = moved[index] = max(moved[index], lowest + LINE)
    highest = max(bottom, top + LINE * len(heights)) + 4.5 + LINE
    for index in reversed(order):
        highest = moved[index] = min(moved[index], highest - LINE)
    return moved
