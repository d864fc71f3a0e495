"""Nothing but training needs Lightning, of the extra `train`, and every verb that does says so."""

import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest

import lookhear
from conftest import Run
from lookhear.cli import train

ENGINE = {f"training.{name}" for name in ("task", "loop", "loaders", "checkpoints", "processes")}
RUN = {"data": "x", "out": "y"}
VERBS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("stanet", "stanet+", "hearing", "matching", "switch", "fixations"), RUN),
    **dict.fromkeys(("events", "actions"), RUN),
    "source": RUN | {"net": "S"},
    "maps": RUN | {"sources": "z"},
    "sta": RUN | {"maps": "z"},
    "sta+": RUN | {"maps": "z", "partners": "short"},
    "join": {"sta": "x", "switch": "y", "out": "z"},
}


def needs_lightning(module: str) -> bool:
    others = {"stanet.run", "stanet.run_plus", "events.run", "__main__"}
    others |= {"events.recipe", "actions.recipe", "actions.presets"}
    return module in ENGINE | others or module.startswith("stanet.recipes.")


def test_nothing_but_training_imports_lightning() -> None:
    root = Path(lookhear.__file__).parent
    names = [path.relative_to(root).with_suffix("").parts for path in root.rglob("*.py")]
    modules = [".".join(parts).removesuffix(".__init__") for parts in names]
    free = [f"lookhear.{module}" for module in modules if not needs_lightning(module)]
    assert {"lookhear.stanet.report", "lookhear.stanet.pseudo_fixations"} < {*free}
    hide = "import sys; sys.modules |= {'lightning': None, 'tensorboard': None}; "
    imports = "from importlib import import_module; [import_module(m) for m in sys.argv[1:]]"
    subprocess.run([sys.executable, "-c", hide + imports, *free], check=True)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("lacks", ["lightning", "tensorboard"])
def test_every_verb_that_trains_says_what_it_needs(
    run: Run, monkeypatch: pytest.MonkeyPatch, verb: str, lacks: str
) -> None:
    find = util.find_spec

    def find_others(name: str) -> Any:
        return None if name == lacks else find(name)

    monkeypatch.setattr(train, "find_spec", find_others)
    options = [word for name, value in VERBS[verb].items() for word in (f"--{name}", value)]
    code, said, error = run("train", verb, *options)
    assert (code, said) == (1, "")
    assert error == f"lookhear: training needs {lacks}: pip install 'lookhear[train]'\n"


def test_all_verbs_are_asked() -> None:
    commands = train.app.registered_commands
    assert {c.name or c.callback.__name__ for c in commands if c.callback} == {*VERBS}
