"""What every page has: one base, parts that recur, and nothing that its words can break."""

import pytest
from jinja2 import UndefinedError

from lookhear.show import page


def test_a_page_that_lacks_something_fails_and_leaves_no_hole() -> None:
    with pytest.raises(UndefinedError, match="title"):
        page.render("prediction")
