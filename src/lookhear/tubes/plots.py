"""Plots as pictures of their own (SVG), for a browser, a page or a paper.

Colours stand in attributes, so that a page's style sheet may change them for the dark.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import cycle
from typing import NamedTuple

import numpy as np

from lookhear.show import heat
from lookhear.show.axes import SHARE_TOPS, TIME_STEPS
from lookhear.show.lettering import fitted, plain
from lookhear.tubes.explanation import Explanation
from lookhear.tubes.faithfulness import Curve, Faithfulness

WIDTH = 760
FONT_SIZE = 13
LETTER = 0.56 * FONT_SIZE  # wide, about
LINE = 17  # from one line of text to the next
MOST_DOTS = 60
NAME_WIDTH = 220
MOST_TICKS = 8
COLOURS = ("#9c1f87", "#0077c8", "#c25a00", "#3f8f2c", "#00332b", "#7a7585")
RANDOM_COLOUR = "#625c6c"
_FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


class Axes(NamedTuple):
    """Where a plot is, in units of the picture, and what its axes span.

    Attributes:
        left: edge.
        top: edge.
        right: edge.
        bottom: edge.
        start: of the level axis.
        end: of the level axis.
        high: of the upright axis, which begins at 0.
    """

    left: float
    top: float
    right: float
    bottom: float
    start: float
    end: float
    high: float

    def x(self, value: float) -> float:
        """Where a value of the level axis is."""
        share = (value - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        """Where a value of the upright axis is."""
        return self.bottom - value / self.high * (self.bottom - self.top)

    def drawn(self, ticks: Mapping[float, str], name: str) -> str:
        """The grid and the ticks' labels, and below them the name of the level axis."""
        parts = []
        for tick in (0.0, self.high / 2, self.high):
            y = self.y(tick)
            grid = f'd="M{self.left:.1f} {y:.1f}H{self.right:.1f}"'
            parts.append(f'<path class="grid" {grid} fill="none" stroke="#e4e0ea"/>')
            parts.append(text(f"{tick:.3g}", self.left - 8, y + 4.5, anchor="end"))
        for tick, label in ticks.items():
            parts.append(text(label, self.x(tick), self.bottom + LINE + 2, anchor="middle"))
        middle = (self.left + self.right) / 2
        parts.append(text(name, middle, self.bottom + 2 * LINE + 4, anchor="middle"))
        return "".join(parts)

    def line(self, places: Iterable[float], values: Iterable[float], style: str) -> str:
        """A line through the values that are finite."""
        points = [f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in _finite(places, values)]
        return f'<path d="M{"L".join(points)}" {style}/>' if points else ""

    def dots(self, places: Iterable[float], values: Iterable[float], style: str) -> str:
        """A dot at each of the values that are finite."""
        return "".join(
            f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="2.6" {style}/>'
            for x, y in _finite(places, values)
        )


def scores_plot(explained: Explanation) -> str:
    """The probability of each label over time: a dot in the middle of each window."""
    spans, names = explained.spans, [label.name for label in explained.labels]
    start, end = float(spans.min()), float(spans.max())
    bottom = 260 if len(names) <= 12 else 260 + LINE * (len(names) - 12)
    high = _top(explained.probabilities.ravel().tolist())
    room = min(NAME_WIDTH, LETTER * max(len(plain(name)) for name in names)) + 24
    axes = Axes(52, 34, WIDTH - room, bottom, start, max(end, start + TIME_STEPS[0]), high)
    lines, ends = [], []
    for index, (name, colour) in enumerate(zip(names, cycle(COLOURS), strict=False)):
        values = explained.probabilities[:, index].tolist()
        middles = spans.mean(axis=1).tolist()
        if len(values) == 1:
            middles, values = spans[0].tolist(), values * 2
        number = index % len(COLOURS) + 1
        lines.append(axes.line(middles, values, _stroke(colour, number)))
        if len(values) <= MOST_DOTS:
            lines.append(axes.dots(middles, values, f'class="dot-{number}" fill="{colour}"'))
        last = next((value for value in reversed(values) if math.isfinite(value)), 0.0)
        ends.append((axes.y(last) + 4.5, name, colour, number))
    heights = _apart([end[0] for end in ends], axes.top, axes.bottom)
    for height, (_, name, colour, number) in zip(heights, ends, strict=True):
        short = fitted(name, lambda part: LETTER * len(part) <= NAME_WIDTH)
        lines.append(text(short, axes.right + 10, height, colour, f"name-{number}"))
    title = text("Probability", 8, 18)
    drawn = axes.drawn(_time_ticks(axes.start, axes.end), "time")
    said = f"Probability of {', '.join(map(plain, names))} over time"
    return _svg(bottom + 2 * LINE + 16, said, title + drawn + "".join(reversed(lines)))


def faithfulness_plot(explained: Explanation) -> str:
    """How each label's probability falls and rises as its tube's pixels go and come."""
    parts, top = [], 0.0
    for label, measured in zip(explained.labels, explained.faithfulness, strict=True):
        parts.append(_faithfulness_of(plain(label.name), measured, top, explained.method))
        top += 290
    names = ", ".join(plain(label.name) for label in explained.labels)
    said = f"Deletion and insertion curves of {names}, beside those of maps moved elsewhere"
    return _svg(top, said, "".join(parts))


def _faithfulness_of(name: str, of: Faithfulness, top: float, method: str) -> str:
    short = fitted(name, lambda part: LETTER * len(part) <= WIDTH / 2)
    between = " to ".join(map(heat.time_label, of.span))
    parts = [text(f"Probability of {short}, {between}", 8, top + 18)]
    pairs = (
        ("pixels gone, the most important first", of.deletion, of.random_deletion),
        ("pixels back, the most important first", of.insertion, of.random_insertion),
    )
    high = _top([value for _, *curves in pairs for curve in curves for value in curve.tolist()])
    for column, (change, curve, moved) in enumerate(pairs):
        left = 52 + column * (WIDTH - 8) / 2
        axes = Axes(left, top + 74, left + WIDTH / 2 - 84, top + 236, 0, 1, high)
        parts.append(axes.drawn({0.0: "0%", 0.5: "50%", 1.0: "100%"}, change))
        shares = of.shares.tolist()
        lines = (
            ("moved elsewhere", moved, _stroke(RANDOM_COLOUR, 6, "5 4")),
            (method, curve, _stroke(COLOURS[0], 1)),
        )
        for row, (whose, values, style) in enumerate(lines):
            y = top + 60 - LINE * row
            parts.append(axes.line(shares, values.tolist(), style))
            parts.append(f'<path d="M{left} {y - 4.5}h22" {style}/>')
            parts.append(text(f"{whose}: area {_area(of, values)}", left + 30, y))
    return "".join(parts)


def _area(of: Faithfulness, curve: Curve) -> str:
    area = of.area(curve)
    return f"{area:.3g}" if math.isfinite(area) else "not defined"


def _svg(height: float, said: str, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img" aria-label="{_escaped(said)}" '
        f'font-family="{_FONTS}" font-size="{FONT_SIZE}">'
        f'<rect class="ground" width="100%" height="100%" fill="#ffffff"/>{content}</svg>\n'
    )


def text(
    words: str, x: float, y: float, fill: str = "#3a3542", kind: str = "text", anchor: str = "start"
) -> str:
    """A line of text whose baseline begins, ends or has its middle at a place."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" fill="{fill}" text-anchor="{anchor}">'
        f"{_escaped(words)}</text>"
    )


def _escaped(words: str) -> str:
    """Text for XML, which has no room for control characters."""
    return escape("".join(letter if letter.isprintable() else " " for letter in words))


def _stroke(colour: str, number: int, dashes: str = "none") -> str:
    return (
        f'class="line line-{number}" stroke="{colour}" stroke-width="2" fill="none" '
        f'stroke-dasharray="{dashes}" stroke-linejoin="round"'
    )


def _finite(places: Iterable[float], values: Iterable[float]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(places, values, strict=True) if math.isfinite(y)]


def _top(values: Sequence[float]) -> float:
    """The lowest round number that is no less than any of some shares."""
    highest = max((value for value in values if math.isfinite(value)), default=0.0)
    return next((top for top in SHARE_TOPS if highest <= top), 1.0)


def _time_ticks(start: float, end: float) -> dict[float, str]:
    step = next((s for s in TIME_STEPS if (end - start) / s <= MOST_TICKS), TIME_STEPS[-1])
    ticks = (np.arange(math.ceil(start / step), math.floor(end / step) + 1) * step).tolist()
    return {tick: heat.time_label(tick).removesuffix(".0") for tick in ticks}


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
