import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray

from lookhear import cli
from lookhear.stanet.sta import STA

settings.register_profile("any machine", deadline=None)  # which may be busy
settings.load_profile("any machine")

# Tests go on all cores at once, where threads of several programs would wait for each other.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"
# Started in the background, or by a worker, programs would inherit to be deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

Run = Callable[..., tuple[int, str, str]]

TINY = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "width": 8,
    "input_size": [96, 128],
    "keep_aspect": True,
}
CARD = """---
license: apache-2.0
---
# A network for tests

## What it is

Untrained.

## What it is not good for

Anything.
"""


@pytest.fixture(scope="session")
def tiny_net() -> STA:
    """An untrained network without hearing."""
    torch.manual_seed(0)
    return STA(**TINY, sound_encoder=None).eval()


@pytest.fixture(scope="session")
def hearing_net() -> STA:
    """An untrained network that hears."""
    torch.manual_seed(0)
    return STA(**TINY, sound_encoder="vggsound").eval()


@pytest.fixture(scope="session")
def tiny_model(tiny_net: STA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a saved network, with a card."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_net.save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder


def moving_disc(count: int, size: tuple[int, int] = (72, 128)) -> list[NDArray[np.uint8]]:
    """Frames of a bright disc that crosses a textured ground from left to right."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    ground = 90 + 20 * np.sin(columns / 7) + 15 * np.cos(rows / 5)
    frames = []
    for index in range(count):
        x = width * (0.2 + 0.6 * index / max(count - 1, 1))
        disc = (rows - height / 2) ** 2 + (columns - x) ** 2 < (height / 6) ** 2
        picture = np.repeat(ground[..., None], 3, axis=2)
        picture[disc] = (250, 200, 40)
        frames.append(picture.astype(np.uint8))
    return frames


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lookhear", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        code = left.value.code
        captured = capsys.readouterr()
        return code if isinstance(code, int) else 0, captured.out, captured.err

    return run
