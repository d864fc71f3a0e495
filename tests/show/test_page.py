"""What every page has: one base, parts that recur, and nothing that its words can break."""

from importlib.resources import files
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import lookhear
from lookhear.show import page

PACKAGE = Path(str(files(lookhear)))


def test_a_page_that_lacks_something_fails_and_leaves_no_hole() -> None:
    with pytest.raises(UndefinedError, match="title"):
        page.render("prediction")


def test_every_page_is_made_of_the_one_base_and_escapes_all_that_it_shows() -> None:
    pages = [path for path in PACKAGE.rglob("*.html") if path.parent.name != "templates"]
    assert {path.parent.name for path in pages} >= {"prediction", "evaluation", "stanet", "tubes"}
    for path in pages:
        template = path.read_text(encoding="utf-8")
        assert template.startswith('{% extends "show/templates/base.html" %}'), path
        for forbidden in ("<style", "<html", "|safe", "| safe", "autoescape"):
            assert forbidden not in template, path
    assert [path.parent.name for path in PACKAGE.rglob("*.css")] == ["show"]


def test_scores_have_three_digits_no_minus_zero_and_a_dash_where_there_is_none() -> None:
    values = (0.12345, -0.0001, float("nan"))
    assert [page.score(value) for value in values] == ["0.123", "0.000", page.DASH]
    assert page.score(0.93, ".1%") == "93.0%"
