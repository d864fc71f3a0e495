"""What is quick stays quick: nobody waits for what is not used."""

import subprocess
import sys

import pytest

SLOW = {"cv2", "lightning", "scipy.signal", "timm", "torch"}


def imported(code: str) -> set[str]:
    """Which of the slow ones a program has imported at its end."""
    told = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return SLOW & {*done.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import lookhear",
        "from lookhear import LookhearError",
        "import sys\nfrom lookhear.cli import app\n"
        "for verb in [], ['predict'], ['evaluate'], ['train', 'stanet'], ['data', 'check']:\n"
        "    app([*verb, '--help'], standalone_mode=False)",
    ],
)
def test_help_and_the_package_itself_import_nothing_slow(code: str) -> None:
    assert imported(code) == set()


def test_predicting_imports_no_training_and_no_scipy_signal() -> None:
    code = "import lookhear.prediction.results\nlookhear.load_model()"
    assert imported(code) == SLOW - {"lightning", "scipy.signal"}
