"""The page about an evaluation: all that was given is on it, and nothing else is needed."""

import math
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lookhear.evaluation.examples import Reason
from lookhear.evaluation.page import EvaluationReport, render
from lookhear.evaluation.scores import Scores, Subject
from lookhear.evaluation.statistics import analyse
from lookhear.metrics import METRIC_NAMES
from pages import Page, addresses, cells, points
from scored import example_of, report_of, scores_of, spot

DASH = "\N{EN DASH}"
NAN = math.nan


TWO = scores_of(
    {"STA": [[2.0, 3.0], [1.0, 1.5], [2.5]], "centre": [[1.0, 0.5], [0.5, NAN], [1.0]]},
    notes=("centre, clip 1: a map is all zero",),
)
SHOWN = example_of({"STA": spot(2, 1), "centre": spot(8, 4)}, [Reason("STA", "best")])
WHOLE = report_of(
    TWO,
    title="Both on the test set",
    data_name="test set",
    protocol={"Smoothing": "sigma 2"},
    examples=(SHOWN,),
    command="lookhear evaluate --data set",
)


def lines(html: str) -> list[list[str]]:
    """Of each plot over time, the paths of its lines, the last model's first."""
    plots = html.split('<div class="plot">')[1:]
    return [Page(plot.split("</svg>")[0]).paths()["line"] for plot in plots]


def test_all_that_was_given_is_on_the_page_in_order() -> None:
    page = Page(render(WHOLE))
    assert page.open == []
    place = 0
    for said in (
        *("Both on the test set", "test set", "3 clips", "5 frames", "2 models"),
        *("2.083", "highest NSS, of STA", "5 of 6", "STA first", "1.333", "ahead of centre"),
        *("How good they are", "AUC-J", "KL", "STA", "2.083", "centre", "0.750"),
        *("AUC-J", "higher is better", "KL", "lower is better"),
        *("Differences from STA", "centre", "-1.333", "unclear, p = "),
        *("Over time", "STA", "centre", "clip 0", "0:00.0", "0:01.0", "clip 1", "clip 2"),
        *("Best and worst frames", "STA", "best", "clip 0, 0:03.5"),
        *("frame", "where people looked", "STA", "1.50", "centre", "1.50"),
        *("odd about the maps", "centre, clip 1: a map is all zero"),
        *("How it was measured", "Smoothing", "sigma 2", "NSS", "lookhear evaluate --data set"),
    ):
        assert said in page.text[place:], said
        place = page.text.index(said, place) + len(said)


def test_what_was_not_given_leaves_no_trace() -> None:
    page = Page(render(report_of(scores_of({"M": [[1.0]]}, kind="pictures"))))
    for said in ("Over time", "Best and worst", "odd about", "command", "Differences", "Each data"):
        assert said not in page.text
    assert "frames" not in page.text.split("How it was")[0]
    assert page.open == []


def test_the_best_of_each_column_stands_out_and_of_kl_the_lowest() -> None:
    html = render(report_of(scores_of({"A": [[1.0]], "B": [[2.0]], "C": [[2.0]], "D": [[NAN]]})))
    higher = [["1.000"] * 5, ["<strong>2.000</strong>"] * 5, ["<strong>2.000</strong>"] * 5]
    kl = ["<strong>1.000</strong>", "2.000", "2.000"]
    assert cells(html) == [*([*row, low] for row, low in zip(higher, kl, strict=True)), [DASH] * 6]


def test_a_lone_model_is_not_called_the_best() -> None:
    html = render(report_of(scores_of({"A": [[1.0], [2.0]]})))
    assert "<strong>1.500" not in html.split('class="wide scores"')[1]
    assert "is the NSS, of A" in html
    assert 'class="forest"' not in html


def test_intervals_stand_below_the_means_and_are_missing_where_there_is_one_clip() -> None:
    scores = scores_of({"A": [[1.0], [2.0], [4.0]]})
    of = analyse(scores)[-1].estimates["A"]["NSS"]
    assert cells(render(report_of(scores)))[0][4] == (
        f"{of.mean:.3f}<small>{of.low:.3f} to {of.high:.3f}</small>"
    )
    html = render(report_of(scores_of({"A": [[1.0]], "B": [[2.0]]})))
    assert "<small>" not in html.split('class="wide scores"')[1].split("</table>")[0]
    assert "One clip cannot tell" in html


def test_differences_from_the_first_model_are_put_in_words() -> None:
    clips = range(12)
    first, better = [[1.0 + 0.01 * i] for i in clips], [[2.0 + 0.02 * i] for i in clips]
    alike = [[1.0 + 0.01 * (i + (-1) ** i)] for i in clips]
    html = render(report_of(scores_of({"first": first, "better": better, "alike": alike})))
    (nss, kl), (same, _) = (row[4:] for row in cells(html, 1))
    assert re.fullmatch(r"<b class=.better.>▲</b> \+1.055<small>better, p = 0.\d+</small>", nss)
    assert re.fullmatch(r"<b class=.worse.>▼</b> \+1.055<small>worse, p = 0.\d+</small>", kl)
    assert re.fullmatch(r"\+0.000<small>unclear, p = [\d.]+</small>", same)


def test_the_lead_of_the_best_is_told_against_the_first_model_or_if_it_is_first_the_next() -> None:
    clips = {"A": [[1.0], [1.1]], "B": [[3.0], [3.2]], "C": [[2.0], [2.1]]}
    assert "NSS ahead of A: chance could" in Page(render(report_of(scores_of(clips)))).text
    first = {name: clips[name] for name in "BAC"}
    assert "NSS ahead of C: chance could" in Page(render(report_of(scores_of(first)))).text


def test_published_figures_stand_below_as_context_and_are_never_marked() -> None:
    html = render(report_of(scores_of({"A": [[0.1]], "B": [[0.2]]}, groups=["DIEM"])))
    body = html.split('class="wide scores"')[1].split("</table>")[0]
    ours, papers = body.split('<tbody class="papers">')
    assert "not measured here" in papers
    assert "<strong>0.200" in ours
    assert "<strong>" not in papers
    assert cells(html)[-2] == ["0.884", "0.436", "0.679", "0.544", "2.042", DASH]
    assert "papers" not in Page(render(WHOLE)).values("tbody", "class")


def test_several_databases_have_a_table_each_and_one_of_all() -> None:
    clips = {"A": [[1.0], [2.0], [6.0]], "B": [[0.0]] * 3}
    scores = scores_of(clips, groups=["DIEM", "DIEM", "mine"])
    html = render(report_of(scores))
    all_clips, _, diem, mine = (cells(html, table)[0][4] for table in range(4))
    assert [text.split("</strong>")[0] for text in (all_clips, diem, mine)] == [
        "<strong>3.000",
        "<strong>1.500",
        "<strong>6.000",
    ]
    assert Page(html).text.index("DIEM: 2 clips") < Page(html).text.index("mine: 1 clip")
    assert html.count('class="papers"') == 1


def test_the_dots_stand_in_the_order_of_the_means_within_their_intervals() -> None:
    html = render(
        report_of(scores_of({"A": [[1.0], [2.0]], "B": [[4.0], [4.5]], "C": [[NAN]] * 2}))
    )
    nss = html.split('class="forest"')[1].split("<h3>NSS")[1].split("</figure>")[0]
    dots = [float(x) for x in re.findall(r'class="dot" d="M([\d.]+) ', nss)]
    spans = re.findall(r'class="span" d="M([\d.]+) 50H([\d.]+)"', nss)
    assert len(dots) == len(spans) == 2
    assert dots[0] < dots[1]
    for dot, (low, high) in zip(dots, spans, strict=True):
        assert 0 <= float(low) <= dot <= float(high) <= 100
    assert re.findall(r'<tr class="best"><th scope="row" title="(\w)">', nss) == ["B"]


def test_lines_follow_the_metric_and_break_where_nobody_looked() -> None:
    values = [1.0, 3.0, NAN, 2.0, 2.5]
    (first, _), (_, _) = (
        [points(path) for path in reversed(plot)]
        for plot in lines(
            render(report_of(scores_of({"A": [values, [0.0]], "B": [[1.0] * 5, [0.0]]})))
        )
    )
    assert [x for x, _ in first] == [0, 25, 75, 100]
    heights = np.array([y for _, y in first])
    slope = (heights[1] - heights[0]) / 2
    assert slope < 0
    np.testing.assert_allclose(
        heights - heights[0], slope * (np.array([1, 3, 2, 2.5]) - 1), atol=0.1
    )
    path = lines(render(report_of(scores_of({"A": [values]}))))[0][0]
    assert [stroke.count("L") for stroke in path.split("M")[1:]] == [1, 1]


def test_many_clips_become_one_plot_of_their_mean() -> None:
    clips = [[0.0] * 7 + [float(clip)] * 7 for clip in range(13)]
    (plot,) = lines(render(report_of(scores_of({"A": clips}))))
    heights = [y for _, y in points(plot[0])]
    assert len(heights) == 50
    assert heights[0] == max(heights)
    assert heights[-1] == min(heights)
    assert len(lines(render(report_of(scores_of({"A": clips[:12]}))))) == 12


def test_of_many_models_the_first_and_the_best_have_lines() -> None:
    models = {f"model {i}": [[float(i), float(i)]] for i in range(9)}
    html = render(report_of(scores_of(models)))
    keys = Page(html.split('<ul class="keys">')[1].split("</ul>")[0]).text
    assert keys.split("\n")[1:-1] == [f"model {i}" for i in (0, 4, 5, 6, 7, 8)]
    assert [len(plot) for plot in lines(html)] == [6]


@pytest.mark.parametrize("count", [6, 7, 700])
def test_every_note_is_listed_and_many_are_folded(count: int) -> None:
    notes = tuple(f"centre, clip {i}: odd" for i in range(count))
    html = render(report_of(scores_of({"centre": [[1.0]]}, notes=notes)))
    assert all(note in html for note in notes)
    assert ("<details>" in html) == (count > 6)


def test_tables_have_headers_and_can_be_scrolled_by_keyboard() -> None:
    page = Page(render(WHOLE))
    assert page.values("div", "tabindex") == ["0", "0"]
    assert page.values("div", "aria-label") == ["set: 3 clips", "Differences from STA"]
    assert page.values("th", "scope").count("col") == 12
    assert len(page.values("img", "alt")) == len(page.values("img", "src")) == 4


def hostile_report(text: str) -> EvaluationReport:
    subjects = (Subject(text, text, (0.0, 1.0)), Subject(f"{text} 2", f"{text} 2", (0.0,)))
    of_model = dict.fromkeys(METRIC_NAMES, ((1.0, 2.0), (3.0,)))
    scores = Scores("clips", subjects, {text: of_model, f"{text} 2": of_model}, (text,))
    why = [Reason(text, "best"), Reason(f"{text} 2", "best")]
    seen = example_of({text: spot(3, 3)}, why, subject=text)
    return report_of(
        scores, title=text, data_name=text, protocol={text: text}, examples=(seen,), command=text
    )


def test_whatever_names_hold_is_shown_as_text() -> None:
    hostile = "</title><script>alert('x')</script> & \"$title\" ${style} <img src=x onerror=y>"
    html = render(hostile_report(hostile))
    page = Page(html)
    assert page.open == []
    assert page.text.count(hostile) > 40
    assert "<script" not in html
    assert page.values("img", "onerror") == []


@settings(deadline=None, max_examples=20)
@given(st.text(st.characters(), min_size=1))
@example("undecodable \udce9.mp4")
def test_any_text_makes_a_page_that_can_be_written(text: str) -> None:
    html = render(hostile_report(text))
    assert Page(html).open == []
    html.encode("utf-8")


def test_the_page_needs_nothing_but_itself() -> None:
    html = render(WHOLE)
    assert {address[:22] for address in addresses(Page(html)) if address[0] != "#"} == {
        "data:image/jpeg;base64"
    }
    for loading in ("<script", "<link", "url(", "@import", "http:", "https:"):
        assert loading not in html
