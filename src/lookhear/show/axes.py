"""The axes from which every plot is drawn, as SVG.

A page stretches a plot over the room that it has, and sets the labels around it: see `plot` in
`templates/parts.html`. A picture of its own has fixed sizes, and letters and colours within.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from lookhear.words import time_label

COLOURS = ("#9c1f87", "#0077c8", "#c25a00", "#3f8f2c", "#00332b", "#7a7585")
"""Of lines, by number, as the pages' style sheet has them."""
INK, RULE = "#3a3542", "#e4e0ea"
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
FONT_SIZE = 13
LINE = 17  # from one line of text to the next

TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
SHARE_TOPS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
MARGIN = 0.06  # of an axis at each end, as a share of what it spans


class Scale(NamedTuple):
    """What an axis spans, and the values that are marked on it with their texts."""

    low: float
    high: float
    ticks: Mapping[float, str]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Scale":
        """The finite values with some room around them, and two to six round ticks."""
        finite = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        spread = (high - low) or abs(high) or 1.0
        low, high = low - MARGIN * spread, high + MARGIN * spread
        power = 10.0 ** math.floor(math.log10((high - low) / 5))
        step = next(power * digit for digit in (1, 2, 5, 10) if 5 * power * digit > high - low)
        counts = range(math.ceil(low / step), math.floor(high / step) + 1)
        return cls(low, high, {step * count: f"{step * count:.4g}" for count in counts})

    @classmethod
    def of_shares(cls, values: Iterable[float], *, percent: bool = False) -> "Scale":
        """From 0 to the lowest round number that is no less than any of some shares."""
        highest = max(filter(math.isfinite, values), default=0.0)
        top = next((top for top in SHARE_TOPS if highest <= top), 1.0)
        ticks = (0.0, top / 2, top)
        return cls(0, top, {of: f"{100 * of:.3g}%" if percent else f"{of:.3g}" for of in ticks})

    @classmethod
    def of_time(cls, start: float, end: float, most: int = 6) -> "Scale":
        """Seconds, with a tick for each step of a clock, at most so many and one."""
        end = max(end, start + TIME_STEPS[0])
        step = next((step for step in TIME_STEPS if (end - start) / step <= most), TIME_STEPS[-1])
        first, last = (start - (end - start) / 30) / step, end / step + 1e-6
        ticks = [step * count for count in range(math.ceil(first), math.floor(last) + 1)]
        return cls(start, end, {of: time_label(of).removesuffix(".0") for of in ticks})

    def share(self, value: float) -> float:
        """Where a value is: 0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)

    @property
    def labels(self) -> list[tuple[float, str]]:
        """Each tick's place in percent, at least 0, and its text."""
        return [(max(0.0, 100 * self.share(tick)), text) for tick, text in self.ticks.items()]


WHOLE = Scale(0, 1, {0.0: "0%", 0.5: "50%", 1.0: "100%"})
"""All shares."""


class Axes:
    """A plot to draw on: what is drawn later lies above.

    Marks take SVG's attributes by their names, with an underscore for a hyphen and ``kind`` for
    the class by which a style sheet knows them.

    Args:
        x: the level axis.
        y: the upright axis.
        said: the plot in words, for those who do not see it; nothing if it tells nothing new.
        left, top, right, bottom: edges, in units of the picture.
    """

    def __init__(
        self,
        x: Scale,
        y: Scale,
        said: str = "",
        *,
        left: float = 0,
        top: float = 0,
        right: float = 100,
        bottom: float = 100,
    ) -> None:
        self.x, self.y, self.said = x, y, said
        self.left, self.top, self.right, self.bottom = left, top, right, bottom
        self.marks: list[Markup] = []

    def across(self, value: float) -> float:
        """Where a value of the level axis is."""
        return self.left + self.x.share(value) * (self.right - self.left)

    def down(self, value: float) -> float:
        """Where a value of the upright axis is."""
        return self.bottom - self.y.share(value) * (self.bottom - self.top)

    def grid(self, *, upright: bool = False, **style: object) -> None:
        """A line at each tick of the upright axis, or an upright one at each of the level axis."""
        if upright:
            lines = [f"M{self._at(x, self.y.high)}V{_short(self.bottom)}" for x in self.x.ticks]
        else:
            lines = [f"M{self._at(self.x.low, y)}H{_short(self.right)}" for y in self.y.ticks]
        self._path(lines, "grid", style)

    def line(
        self, xs: Iterable[float], ys: Iterable[float], kind: str = "line", **style: object
    ) -> None:
        """A line through the points, with a gap where a height is not finite."""
        path, known = [], False
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                path.append(f"L{self._at(x, y)}" if known else f"M{self._at(x, y)}h0")
            known = math.isfinite(y)
        self._path(path, kind, style)

    def area(self, xs: Sequence[float], ys: Sequence[float], kind: str = "area") -> None:
        """What lies below a line through finite points."""
        above = [f"L{self._at(x, y)}" for x, y in zip(xs, ys, strict=True)]
        start, end = self._at(xs[0], self.y.low), self._at(xs[-1], self.y.low)
        self._path([f"M{start}", *above, f"L{end}Z"], kind, {})

    def spans(
        self, spans: Iterable[tuple[float, float, float]], kind: str, **style: object
    ) -> None:
        """Level strokes, each from a first to a second value at a height, if all are finite.

        One of no length is a dot where the style gives strokes round ends.
        """
        finite = [of for of in spans if all(map(math.isfinite, of))]
        path = [f"M{self._at(low, y)}H{_short(self.across(high))}" for low, high, y in finite]
        self._path(path, kind, style)

    def dots(self, xs: Iterable[float], ys: Iterable[float], kind: str, **style: object) -> None:
        """A disc at each point whose height is finite; on a stretched plot `spans` stay round."""
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                place = {"cx": self.across(x), "cy": self.down(y), "r": 2.6}
                self.marks.append(element("circle", **place, class_=kind, **style))

    def image(self, address: str) -> None:
        """A picture that fills the plot."""
        size = {"width": self.right - self.left, "height": self.bottom - self.top}
        self.marks.append(element("image", href=address, **size, preserveAspectRatio="none"))

    def frame(self, name: str) -> None:
        """In a picture of its own: the grid, the ticks' labels and the level axis's name."""
        self.grid(fill="none", stroke=RULE)
        for tick, label in self.y.ticks.items():
            self.marks.append(text(label, self.left - 8, self.down(tick) + 4.5, anchor="end"))
        below = [(label, self.across(tick), LINE + 2) for tick, label in self.x.ticks.items()]
        for label, x, y in (*below, (name, (self.left + self.right) / 2, 2 * LINE + 4)):
            self.marks.append(text(label, x, self.bottom + y, anchor="middle"))

    def __html__(self) -> Markup:
        """The plot for a page, which stretches it."""
        box = f"0 0 {_short(self.right)} {_short(self.bottom)}"
        told = {"role": "img", "aria_label": self.said} if self.said else {"aria_hidden": "true"}
        return element("svg", *self.marks, viewBox=box, preserveAspectRatio="none", **told)

    def _at(self, x: float, y: float) -> str:
        return f"{_short(self.across(x))} {_short(self.down(y))}"

    def _path(self, parts: Sequence[str], kind: str, style: Mapping[str, object]) -> None:
        if parts:
            self.marks.append(element("path", class_=kind, d="".join(parts), **style))


def picture(width: float, height: float, said: str, *marks: Markup) -> Markup:
    """A picture of its own, for a browser, a page or a paper.

    Colours stand in attributes, so that a page's style sheet may change them for the dark.

    Args:
        width: in pixels.
        height: in pixels.
        said: the picture in words.
        marks: what is drawn, the last above.
    """
    ground = element("rect", class_="ground", width="100%", height="100%", fill="#ffffff")
    size = {"viewBox": f"0 0 {_short(width)} {_short(height)}", "width": width, "height": height}
    letters = {"font_family": FONTS, "font_size": FONT_SIZE}
    told = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria_label": said}
    return element("svg", ground, *marks, **told, **size, **letters)


def text(
    words: str, x: float, y: float, fill: str = INK, kind: str = "text", anchor: str = "start"
) -> Markup:
    """A line of text whose baseline begins, ends or has its middle at a place."""
    return element("text", words, x=x, y=y, class_=kind, fill=fill, text_anchor=anchor)


def element(tag: str, *content: str, **attributes: object) -> Markup:
    """An element of SVG; of its attributes' names an underscore at the end is left out.

    XML has no room for control characters and lone surrogates; spaces stand for them.
    """
    listed = "".join(
        f' {name.removesuffix("_").replace("_", "-")}="{_escaped(value)}"'
        for name, value in attributes.items()
    )
    within = "".join(map(_escaped, content))
    return Markup(f"<{tag}{listed}>{within}</{tag}>" if content else f"<{tag}{listed}/>")


def _escaped(value: object) -> Markup:
    if isinstance(value, Markup):
        return value
    words = _short(value) if isinstance(value, float) else str(value)
    return escape("".join(letter if letter.isprintable() else " " for letter in words))


def _short(value: float) -> str:
    return f"{round(float(value), 2) + 0.0:.10g}"
