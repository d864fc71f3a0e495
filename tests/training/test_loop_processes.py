"""Several processes learn what one does, and end together."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from threading import Thread
from typing import Any

import lightning as L
import pytest

from lookhear.errors import LookhearError
from lookhear.training import loop
from lookhear.training.curves import read_curves
from lookhear.training.loop import train
from lookhear.training.schedule import Machine
from loop_parts import (
    DeadlySquares,
    ForkedProcesses,
    Squares,
    SquareTask,
    fresh_context,
    noted,
    train_line,
)


@pytest.fixture
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training processes that are there at once; only to fail in."""
    fresh_context()
    monkeypatch.setattr(loop, "Processes", ForkedProcesses)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine(devices=0), "--devices 0: too few"),
        (Machine(devices=3), "--devices 3: a batch of 4 cannot be shared"),
        (Machine(precision="half"), "--precision half: unknown; there are 32-true, bf16-mixed"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(tmp_path: Path, machine: Machine, words: str) -> None:
    with pytest.raises(LookhearError, match=words):
        train_line(tmp_path / "run", machine=machine)
    assert not (tmp_path / "run").exists()


def test_what_lightning_refuses_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ValueError("You requested\n 4 GPUs")

    monkeypatch.setattr(L, "Trainer", refuse)
    with pytest.raises(LookhearError, match=r"--devices 4 .*machine \(You requested 4 GPUs\)"):
        train_line(tmp_path / "run", machine=Machine(devices=4))


def test_half_precision_trains(tmp_path: Path) -> None:
    train_line(tmp_path / "half", machine=Machine(precision="bf16-mixed"))
    train_line(tmp_path / "whole")
    half, whole = read_curves(tmp_path / "half"), read_curves(tmp_path / "whole")
    assert half["loss"] == pytest.approx(whole["loss"], rel=0.02)
    assert half["loss"] != whole["loss"]


@pytest.mark.usefixtures("_forked")
def test_what_another_process_says_is_said_here(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clip").touch()
    task, data = SquareTask(4, tmp_path / "notes"), Squares(26, tmp_path / "clip")
    with pytest.raises(LookhearError, match=f"^{tmp_path / 'clip'}: is damaged$"):
        train(task, data, tmp_path / "run", {}, machine=Machine(2))
    assert not (tmp_path / "run" / "model").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("_forked")
def test_a_process_that_dies_is_told_in_one_line(tmp_path: Path) -> None:
    task, data = SquareTask(4, tmp_path / "notes"), DeadlySquares(26, tmp_path / "no")
    with pytest.raises(LookhearError, match=r"^a training process died \(.*SIGKILL\), maybe"):
        train(task, data, tmp_path / "run", {}, machine=Machine(2))


@pytest.mark.usefixtures("_forked")
def test_a_signal_stops_other_processes_too(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)

    def press_ctrl_c() -> None:
        while not (tmp_path / "notes" / "1").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    Thread(target=press_ctrl_c).start()
    task, data = SquareTask(1000, tmp_path / "notes"), Squares(26, tmp_path / "no")
    with pytest.raises(KeyboardInterrupt):
        train(task, data, tmp_path / "run", {}, machine=Machine(2))
    assert signal.getsignal(signal.SIGINT) == handler
    assert not (tmp_path / "run" / "model").exists()
    for process in multiprocessing.active_children():
        process.join(10)
        assert process.exitcode == -signal.SIGKILL


def test_two_processes_learn_what_one_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    epochs = 6
    for devices in (1, 2):
        task = SquareTask(epochs, tmp_path / f"notes on {devices}")
        data, held_out = Squares(26, tmp_path / "no"), Squares(5, tmp_path / "no")
        out, machine = tmp_path / f"on {devices}", Machine(devices)
        train(task, data, out, {}, validation=held_out, machine=machine)
    assert capfd.readouterr() == ("", "")

    alone = noted(tmp_path / "notes on 1" / "0")
    first, second = (noted(tmp_path / "notes on 2" / rank) for rank in "01")
    assert [*first] == [*second] == [*alone]
    for number, step in alone.items():
        mine, other = first[number], second[number]
        assert len(mine.samples) == len(other.samples) == 4
        assert {*mine.samples, *other.samples} == {*step.samples}
        assert mine.chance == step.chance
        assert mine.chance != other.chance
    expected, ours = (read_curves(tmp_path / f"on {devices}") for devices in (1, 2))
    assert ours["loss"] == pytest.approx(expected["loss"], rel=0.03)
    assert max(ours["loss"][-1], expected["loss"][-1]) < 0.95 * ours["loss"][0]
    assert len(ours["accuracy"]) == epochs
    assert (tmp_path / "on 2" / "checkpoints" / "best.ckpt").exists()
