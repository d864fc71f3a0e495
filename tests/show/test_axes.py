"""Axes: what they span, where marks lie on them, and that whatever they hold is sound SVG."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.show.axes import WHOLE, Axes, Scale, picture, text
from pages import points

NAN = math.nan
VALUES = st.lists(st.floats(width=32), max_size=20)


def drawn(axes: Axes) -> list[dict[str, str]]:
    return [mark.attrib for mark in ElementTree.fromstring(axes.__html__())]


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_any_values_have_an_axis_with_few_ticks_that_holds_them(values: list[float]) -> None:
    scale = Scale.of(values)
    assert 2 <= len(scale.ticks) <= 6
    assert all(0 < scale.share(value) < 1 for value in values if math.isfinite(value))
    assert all(-1e-5 <= scale.share(tick) <= 1 + 1e-5 for tick in scale.ticks)
    assert list(scale.ticks) == sorted(scale.ticks)


@pytest.mark.parametrize(
    ("values", "top", "labels"),
    [
        ([0.01, NAN], 0.02, ["0", "0.01", "0.02"]),
        ([0.021], 0.05, ["0", "0.025", "0.05"]),
        ([math.inf, NAN], 0.02, ["0", "0.01", "0.02"]),
        ([3.0], 1, ["0", "0.5", "1"]),
    ],
)
def test_shares_have_an_axis_from_zero_to_a_round_top(
    values: list[float], top: float, labels: list[str]
) -> None:
    scale = Scale.of_shares(values)
    assert (scale.low, scale.high) == (0, top)
    assert list(scale.ticks.values()) == labels
    assert Scale.of_shares([0.05], percent=True).ticks[0.025] == "2.5%"


@pytest.mark.parametrize(
    ("start", "end", "labels"),
    [
        (0.1, 12.2, ["0:00", "0:05", "0:10"]),
        (0.04, 0.5, ["0:00.1", "0:00.2", "0:00.3", "0:00.4", "0:00.5"]),
        (3590, 3725, ["1:00:00", "1:00:30", "1:01:00", "1:01:30", "1:02:00"]),
        (5, 5, ["0:05", "0:05.1"]),
    ],
)
def test_time_has_ticks_at_the_steps_of_a_clock(
    start: float, end: float, labels: list[str]
) -> None:
    scale = Scale.of_time(start, end)
    assert list(scale.ticks.values()) == labels
    assert all(0 <= place <= 100.001 for place, _ in scale.labels)


def test_lines_follow_the_values_and_break_where_there_is_none() -> None:
    axes = Axes(Scale(0, 4, {}), Scale(0, 10, {}), "told")
    axes.line(range(5), [0, 10, NAN, 5, math.inf], "line line-1", stroke_width=2)
    (line,) = drawn(axes)
    assert points(line["d"]) == [(0, 100), (25, 0), (75, 50)]
    assert [stroke.count("L") for stroke in line["d"].split("M")[1:]] == [1, 0]
    assert (line["class"], line["stroke-width"]) == ("line line-1", "2")


def test_marks_lie_where_their_values_are() -> None:
    axes = Axes(WHOLE, Scale(0, 2, {1.0: "one"}), left=10, top=20, right=30, bottom=60)
    axes.grid()
    axes.grid(upright=True)
    axes.area([0, 1], [1, 2])
    axes.spans([(0, 0.5, 1), (NAN, 1, 1)], "span")
    axes.dots([0.5, 1], [2, NAN], "dot-1")
    level, upright, area, span, dot = drawn(axes)
    assert level["d"] == "M10 40H30"
    assert upright["d"] == "M10 20V60M20 20V60M30 20V60"
    assert area["d"] == "M10 60L10 40L30 20L30 60Z"
    assert span["d"] == "M10 40H20"
    assert (dot["cx"], dot["cy"]) == ("20", "20")


def test_a_plot_is_told_in_words_or_is_silent() -> None:
    told = ElementTree.fromstring(Axes(WHOLE, WHOLE, 'a "b" <c>').__html__())
    assert (told.get("role"), told.get("aria-label")) == ("img", 'a "b" <c>')
    assert ElementTree.fromstring(Axes(WHOLE, WHOLE).__html__()).get("aria-hidden") == "true"


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters()))
def test_a_picture_of_its_own_is_sound_whatever_it_says(words: str) -> None:
    axes = Axes(WHOLE, WHOLE, left=50, top=20, right=200, bottom=100)
    axes.frame(words)
    root = ElementTree.fromstring(picture(300, 150, words, *axes.marks, text(words, 1, 2)))
    shown = "".join(letter if letter.isprintable() else " " for letter in words)
    assert root.get("aria-label") == shown
    assert [of.text or "" for of in root][-2:] == [shown, shown]
    assert [of.text for of in root if of.text and "%" in of.text][:6] == ["0%", "50%", "100%"] * 2
