"""Who imports whom: rooms one way only, and nobody waits for what is not used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lookhear

HOUSE = Path(lookhear.__file__).parent
FLOORS = (
    {"media"},
    {"data"},
    {"nets", "cam", "baselines", "show"},
    {"training", "prediction"},
    {"events", "stanet", "tubes"},
    {"evaluation"},
    {"cli"},
)

SLOW = {"cv2", "lightning", "scipy", "scipy.signal", "timm", "torch"}


def imported(code: str) -> set[str]:
    """Which of the slow ones a program has imported at its end."""
    told = f"{code}\nimport sys\nprint()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return SLOW & {*done.stdout.splitlines()[-1].split()}


def rooms_imported(file: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "lookhear":
            names += [f"lookhear.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return {name.split(".")[1] for name in names if name.startswith("lookhear.")}


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_rooms_import_one_way_and_systems_not_one_another(floor: int) -> None:
    others = set[str]().union(*FLOORS[floor:])
    for room in FLOORS[floor]:
        for file in (HOUSE / room).rglob("*.py"):
            wrong = rooms_imported(file) & (others - {room})
            assert not wrong, f"{file.relative_to(HOUSE)} imports {wrong}"


def test_every_room_has_a_floor() -> None:
    rooms = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert rooms == set[str]().union(*FLOORS)


@pytest.mark.parametrize(
    "code",
    [
        "import lookhear",
        "from lookhear import LookhearError",
        "import sys\nfrom lookhear.cli import app\n"
        "for verb in ([], ['predict'], ['evaluate'], ['events'], ['train', 'stanet'], "
        "['train', 'events'], ['data', 'check']):\n"
        "    app([*verb, '--help'], standalone_mode=False)",
    ],
)
def test_help_and_the_package_itself_import_nothing_slow(code: str) -> None:
    assert imported(code) == set()


def test_predicting_with_the_bundled_model_imports_no_pytorch_and_no_scipy() -> None:
    code = (
        "import lookhear.prediction.results\n"
        "from lookhear.nets.saved import load_watcher\nload_watcher('small', 'cpu')"
    )
    assert imported(code) == {"cv2"}


def test_predicting_by_pytorch_imports_no_training_and_no_scipy_signal() -> None:
    code = "import lookhear.prediction.results\nlookhear.load_model()"
    assert imported(code) == SLOW - {"lightning", "scipy", "scipy.signal"}
