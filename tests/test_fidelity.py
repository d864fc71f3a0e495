"""docs/fidelity.md: the tests that it names are there, and what is called exact has figures."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "fidelity.md").read_text(encoding="utf-8")
MODULES = {path.stem: path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")}
NAMED = re.findall(r"`(test_\w+)::(test_\w+)`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]


@pytest.mark.parametrize(("module", "test"), sorted(set(NAMED)))
def test_a_test_that_is_named_is_there(module: str, test: str) -> None:
    assert f"def {test}(" in MODULES[module]


def test_what_is_exact_is_held_to_published_figures() -> None:
    exact = [row for row in ROWS if "exact" in row]
    assert len(exact) >= 15
    for row in exact:
        modules = [module for module, _ in re.findall(r"`(test_\w+)::(test_\w+)`", row)]
        assert any("golden" in MODULES[module] for module in modules), row
