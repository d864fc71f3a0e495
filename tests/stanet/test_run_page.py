"""The page about a training run: all that was given is on it, and nothing else is needed."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lookhear.stanet.page import Curve, Panel, Row, RunReport, ScoreTable, render
from pages import Page, addresses, cells, pictures, points
from scored import grey, spot

DASH = "\N{EN DASH}"
NAN, INF = math.nan, math.inf


SCORES = ScoreTable(
    "On the test world",
    "Per frame.",
    ("NSS", "KL", "CC"),
    (("centre", (0.91, 2.5, NAN)), ("STA", (2.1499, 1.25, NAN)), ("STA, mute", (NAN, 3.0, NAN))),
)
MOMENT = Row(
    "a.mp4, 0:03.5, Bark",
    "taken for: Bark (0.83)",
    (
        Panel("frame", grey()),
        Panel("SA, coarse", grey(), spot(14, 1)),
        Panel("crop", grey(), box=(0.25, 0.1, 0.75, 0.6)),
        Panel("pseudo-fixations", grey(), np.zeros((9, 16), np.float32)),
    ),
)
RUN = RunReport(
    "STANet from tags: W500",
    ("500 clips", "28 categories"),
    (("S, coarse", 90.0), ("maps", 4.25), ("STA", 3725.0)),
    (SCORES,),
    (Curve("S, coarse", (0.7, 0.4, 0.1), (0.2, 0.6, 0.93), "top class"), Curve("STA", (2.5,))),
    (("Training clips", (MOMENT,)), ("Test clips", (MOMENT, MOMENT))),
)


def run_of(
    *,
    title: str = "run",
    stages: tuple[tuple[str, float], ...] = (),
    tables: tuple[ScoreTable, ...] = (),
    curves: tuple[Curve, ...] = (),
    rows: tuple[Row, ...] = (),
) -> RunReport:
    return RunReport(title, (), stages, tables, curves, (("Moments", rows),) if rows else ())


def run_of_panel(panel: Panel) -> RunReport:
    return run_of(rows=(Row("moment", "note", (panel,)),))


def test_all_that_was_given_is_on_the_page_in_order() -> None:
    page = Page(render(RUN))
    assert page.open == []
    place = 0
    for said in (
        *("STANet from tags: W500", "500 clips", "28 categories"),
        *("On the test world", "Per frame.", "NSS", "KL", "CC"),
        *("centre", "0.910", "2.500", "STA", "2.150", "1.250", "STA, mute", "3.000"),
        *("Training clips", "a.mp4, 0:03.5, Bark", "taken for: Bark (0.83)"),
        *("frame", "SA, coarse", "crop", "pseudo-fixations"),
        *("Test clips", "a.mp4, 0:03.5, Bark", "a.mp4, 0:03.5, Bark"),
        *("S, coarse", "loss", "0.7 to 0.1", "3 epochs", "top class", "93.0%", "3 epochs"),
        *("STA", "loss", "2.5", "1 epoch"),
        *("S, coarse", "1 min 30 s", "maps", "4.2 s", "STA", "1 h 02 min"),
        *("in all", "1 h 03 min"),
    ):
        assert said in page.text[place:], said
        place = page.text.index(said, place) + len(said)
    assert len(pictures(render(RUN))) == 12


def test_what_was_not_given_leaves_no_trace() -> None:
    page = Page(render(run_of(title="killed early")))
    assert "killed early" in page.text
    for heading in ("How good", "From frame", "How it learnt", "Where the time went"):
        assert heading not in page.text
    page = Page(render(run_of(tables=(ScoreTable("nothing scored", "", ("NSS",), ()),))))
    assert "nothing scored" in page.text
    assert page.open == []


def test_the_best_of_each_column_stands_out_and_what_is_missing_is_a_dash() -> None:
    assert cells(render(RUN)) == [
        ["0.910", "2.500", DASH],
        ["<strong>2.150</strong>", "<strong>1.250</strong>", DASH],
        [DASH, "3.000", DASH],
    ]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([NAN, -INF, -0.5, -0.0001, 0.0, 0.87312, 0.87349, 3.0]), min_size=1)
)
def test_whatever_shows_the_best_value_stands_out_and_nothing_else(values: list[float]) -> None:
    rows = tuple((f"row {index}", (value,)) for index, value in enumerate(values))
    shown = [row[0] for row in cells(render(run_of(tables=(ScoreTable("t", "", ("CC",), rows),))))]
    for text, value in zip(shown, values, strict=True):
        number = text.removeprefix("<strong>").removesuffix("</strong>")
        assert number == DASH if math.isnan(value) else float(number) == round(value, 3)
        assert number != "-0.000"
        measured = [float(value) for value in values if not math.isnan(value)]
        best = bool(measured) and round(value, 3) == round(max(measured), 3)
        assert text.startswith("<strong>") == best


def test_tables_have_headers_and_can_be_scrolled_by_keyboard() -> None:
    page = Page(render(RUN))
    assert page.values("th", "scope") == ["col"] * 3 + ["row"] * 3 + ["col"] * 2 + ["row"] * 4
    assert page.values("div", "tabindex") == ["0"]
    assert page.values("div", "aria-label") == ["On the test world"]


def test_pictures_are_told_in_words() -> None:
    assert Page(render(RUN)).values("img", "alt")[:4] == [
        "frame",
        "SA, coarse: attention is strongest in the upper right",
        "crop",
        "pseudo-fixations: attention is even",
    ]


def test_heat_lies_where_attention_is_and_nowhere_else() -> None:
    plain, heated, _, even = pictures(render(RUN))[:4]
    change = abs(heated.astype(float) - plain).max(axis=2)
    row, column = np.unravel_index(change.argmax(), change.shape)
    height, width = change.shape
    assert (row / height, column / width) == pytest.approx((1.5 / 9, 14.5 / 16), abs=0.05)
    assert change.max() > 60
    assert change[:, : width // 2].max() < 6
    assert abs(even.astype(float) - plain).max() < 6


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [(720, 1280, (135, 240)), (96, 128, (180, 240)), (300, 300, (208, 208)), (90, 30, (360, 120))],
)
def test_panels_are_small_and_keep_their_shape(
    height: int, width: int, shown: tuple[int, int]
) -> None:
    (picture,) = pictures(render(run_of_panel(Panel("p", grey(height, width)))))
    assert picture.shape[:2] == shown


def test_a_crop_is_framed_on_the_picture() -> None:
    assert Page(render(RUN)).values("i", "style")[0] == "inset:10.00% 25.00% 40.00% 25.00%"
    assert render(run_of_panel(Panel("no crop", grey()))).count("inset:") == 0


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 6), (7, 4), (8, 4), (10, 5), (13, 5)])
def test_panels_share_lines_evenly(count: int, columns: int) -> None:
    moment = Row("moment", "", (Panel("p", grey()),) * count)
    assert Page(render(run_of(rows=(moment,)))).values("section", "style") == [
        f"--columns:{columns}"
    ]


def test_lines_follow_the_epochs() -> None:
    loss, accuracy, lone = map(points, Page(render(RUN)).paths()["line"])
    assert len(lone) == 1
    for line, values in ((loss, (0.7, 0.4, 0.1)), (accuracy, (0.2, 0.6, 0.93))):
        x, y = np.transpose(line)
        np.testing.assert_allclose(x, [0, 50, 100])
        slope = (y[1] - y[0]) / (values[1] - values[0])
        assert slope < 0
        np.testing.assert_allclose(y - y[0], slope * (np.array(values) - values[0]), atol=0.2)


def test_what_is_not_finite_leaves_a_gap() -> None:
    page = Page(render(run_of(curves=(Curve("S", (2.0, 1.0, NAN, 0.5, INF, 0.25, NAN)),))))
    (path,) = page.paths()["line"]
    assert [stroke.count("L") for stroke in path.split("M")[1:]] == [1, 0, 0]
    assert f"2 to {DASH}" in page.text
    assert "dot" not in page.paths()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(width=32), min_size=1, max_size=30))
def test_any_losses_make_a_plot_that_holds_them(losses: list[float]) -> None:
    page = Page(render(run_of(curves=(Curve("S", tuple(losses)),))))
    assert page.open == []
    line = [place for path in page.paths()["line"] for place in points(path)]
    assert len(line) == sum(map(math.isfinite, losses))
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in line)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (59.4, "59.4 s"),
        (59.97, "1 min 00 s"),
        (130.2, "2 min 10 s"),
        (3599.7, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_are_readable(seconds: float, said: str) -> None:
    page = Page(render(run_of(stages=(("stage", seconds),))))
    assert page.text.count(said) == 2  # the stage and the total


def test_stages_follow_one_another_in_time() -> None:
    stages = (("a", 30.0), ("b", 0.0), ("c", 90.0))
    bars = re.findall(r"margin-left:([\d.]+)%;width:([\d.]+)%", render(run_of(stages=stages)))
    assert bars == [("0.00", "25.00"), ("25.00", "0.00"), ("25.00", "75.00")]
    assert render(run_of(stages=(("kept", 0.0),)))


def hostile_run(text: str) -> RunReport:
    row = Row(text, text, (Panel(text, grey(6, 8), spot(3, 3)),))
    table = ScoreTable(text, text, (text,), ((text, (1.0,)),))
    curve = Curve(text, (1.0,), (0.5,), text)
    return RunReport(text, (text,), ((text, 1.0),), (table,), (curve,), ((text, (row,)),))


def test_whatever_names_hold_is_shown_as_text() -> None:
    hostile = "</title><script>alert('x')</script> & \"$title\" ${style} <img src=x onerror=y>"
    html = render(hostile_run(hostile))
    page = Page(html)
    assert page.open == []
    assert page.text.count(hostile) == 14
    assert "<script" not in html
    assert page.values("img", "onerror") == []
    assert page.values("img", "alt") == [f"{hostile}: attention is strongest in the middle left"]


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(), min_size=1))
@example("undecodable \udce9.mp4")
def test_any_text_makes_a_page_that_can_be_written(text: str) -> None:
    html = render(hostile_run(text))
    assert Page(html).open == []
    html.encode("utf-8")


def test_the_page_needs_nothing_but_itself() -> None:
    html = render(RUN)
    assert {address[:23] for address in addresses(Page(html))} == {"data:image/jpeg;base64,"}
    for loading in ("<script", "<link", "url(", "@import", "http:", "https:"):
        assert loading not in html


def test_eighty_panels_of_noise_are_less_than_two_and_a_half_megabytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 240, 3), dtype=np.uint8)
    row = Row("moment", "", (Panel("p", noise, spot(8, 4)),) * 10)
    assert len(render(run_of(rows=(row,) * 8))) < 2_500_000


def test_the_page_is_made_without_the_training_library() -> None:
    asked = "import sys, lookhear.stanet.page; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
