"""What every page has: one base, parts that recur, and nothing that its words can break."""

import pytest
from jinja2 import UndefinedError

from lookhear.show import page


def test_a_page_that_lacks_something_fails_and_leaves_no_hole() -> None:
    with pytest.raises(UndefinedError, match="title"):
        page.render("prediction")


def test_numbers_of_things_are_put_in_words() -> None:
    assert page.count(1, "clip") == "1 clip"
    assert page.count(0, "clip") == "0 clips"
    assert page.count(12_345, "frame") == "12,345 frames"
