"""Runs of STANet on a little world, of the preset `tiny`, and what is asked of them."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple, Self

import pytest
import torch

from little_world import write_little_world
from lookhear import cli
from lookhear.stanet import run as stanet

SEED = "3"
SILENT = 3
"""The number of the clip to train on that has no sound."""


class World(NamedTuple):
    """Clips to train on and to test on, and a run on them.

    Attributes:
        data, test: folders of clips.
        out: the run folder.
        said: what the run printed.
        verb: that makes it.
    """

    data: Path
    test: Path
    out: Path
    said: str = ""
    verb: str = "stanet"

    def command(self, out: Path | None = None) -> list[str]:
        paths = ["--data", str(self.data), "--test", str(self.test), "--out", str(out or self.out)]
        return ["train", self.verb, "--preset", "tiny", "--seed", SEED, *paths]

    def made(self) -> Self:
        """Do the run in this process."""
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as said:
            patch.setattr(sys, "argv", ["lookhear", *self.command()])
            patch.setattr(stanet, "cores", lambda: 1)  # others take seconds to begin
            with pytest.raises(SystemExit) as left:
                cli.main()
        assert left.value.code == 0
        return self._replace(said=said.getvalue())

    def copied(self, out: Path) -> Self:
        """A copy of the run, to be changed."""
        shutil.copytree(self.out, out)
        return self._replace(out=out)


def stanet_world(factory: pytest.TempPathFactory) -> World:
    """Do a run of STANet, once for all modules of tests, which leave it as it is."""
    root = factory.getbasetemp() / "stanet"
    world = World(root / "train", root / "test", root / "run")
    said = root / "said.txt"
    if not root.exists():
        write_little_world(world.data, (12, 2, 0), silent=[SILENT])
        write_little_world(world.test, (0, 0, 4), silent=[1], unwatched=[2], seed=1)
        said.write_text(world.made().said)
    return world._replace(said=said.read_text())


def stages_said(printed: str) -> list[str]:
    """The stages that a run said, each with its time before."""
    lines = (line.split(" s  ") for line in printed.splitlines())
    said = [line[1] for line in lines if len(line) == 2 and line[0].strip().isdigit()]
    return [words for words in said if ": " not in words]  # what is said of a stage is none


def table_of(printed: str) -> str:
    return printed[printed.index("Mean over the clips") : printed.rindex("│")]


def times_of(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def assert_same_maps(made: Path, wanted: Path) -> None:
    paths = [path.relative_to(wanted) for path in wanted.rglob("*.npy")]
    assert paths
    for path in paths:
        assert (made / path).read_bytes() == (wanted / path).read_bytes(), path


def start(**parts: object) -> list[object]:
    """Options that begin parts at saved ones; of a part's name, __ is a dot."""
    named = [f"{part.replace('__', '.')}={source}" for part, source in parts.items()]
    return [word for name in named for word in ("--start", name)]


def run_and_kill(command: Sequence[str], stages: Iterable[str]) -> list[str]:
    """Run a command again and again, killed (-9) soon after it says a stage; return all stages."""
    said: list[str] = []
    for last in stages:
        run = subprocess.Popen(
            [sys.executable, "-m", "lookhear", *command],
            stdout=subprocess.PIPE,
            text=True,
            env=same_threads(),
        )
        assert run.stdout is not None
        for line in run.stdout:
            said += stages_said(line)
            if last in said:
                time.sleep(random.uniform(0, 0.3))
                run.kill()
                break
        run.communicate()
        assert run.returncode == -signal.SIGKILL
    return said


def same_threads() -> dict[str, str]:
    """An environment: other numbers of threads add numbers up in another order."""
    return os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
