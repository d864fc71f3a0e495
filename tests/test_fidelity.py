"""docs/fidelity.md: the tests that it names are there, and what is called exact has figures."""

import ast
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


def all_that_it_uses(module: str, test: str) -> str:
    """The text of a test, and of whatever of its file it uses, fixtures included."""
    of_name = {}
    for part in ast.parse(MODULES[module]).body:
        targets = part.targets if isinstance(part, ast.Assign) else [part]
        for name in (getattr(of, "name", getattr(of, "id", None)) for of in targets):
            of_name[name] = part
    texts, wanted = {}, [test]
    while wanted:
        name = wanted.pop()
        if name in of_name and name not in texts:
            texts[name] = ast.unparse(of_name[name])
            wanted += re.findall(r"\w+", texts[name])
    return "\n".join(texts.values())


def test_what_is_exact_is_held_to_published_figures() -> None:
    exact = [row for row in ROWS if "exact" in row]
    assert len(exact) >= 15
    for row in exact:
        tests = re.findall(r"`(test_\w+)::(test_\w+)`", row)
        assert any("golden" in all_that_it_uses(*test).lower() for test in tests), row
