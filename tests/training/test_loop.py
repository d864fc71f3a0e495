"""A training ends the same whatever happens to it, and says in one line what it cannot do."""

import errno
import os
import random
import signal
import socket
import subprocess
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError
from tensorboard.summary.writer.record_writer import RecordWriter

from lookhear.errors import LookhearError
from lookhear.nets.saved import save_model
from lookhear.stanet.sources import S
from lookhear.training import loop
from lookhear.training.curves import read_curves
from lookhear.training.loop import train
from loop_parts import (
    LineTask,
    Squares,
    SquareTask,
    fresh_context,
    noted,
    train_line,
    train_line_alone,
)


def weights(model: Path) -> bytes:
    return (model / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training nothing happened to, and beside it its notes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    train_line(folder / "run", LineTask(notes=folder / "notes"))
    return folder / "run"


def stop_in_epoch(number: int, stop: Callable[[], None]) -> Callable[[LineTask], None]:
    def hook(self: LineTask) -> None:
        if self.current_epoch == number:
            stop()

    return hook


class KilledError(RuntimeError):
    pass


def killed(*_: Any) -> None:
    raise KilledError


def test_a_run_leaves_a_model_two_checkpoints_and_a_value_per_epoch(undisturbed: Path) -> None:
    curves = read_curves(undisturbed)
    assert set(curves) == {"loss", "error"}
    assert [len(curve) for curve in curves.values()] == [4, 4]
    best, last = (
        torch.load(undisturbed / "checkpoints" / name, weights_only=True)
        for name in ("best.ckpt", "last.ckpt")
    )
    assert last["epoch"] == 3
    assert best["epoch"] == curves["error"].index(min(curves["error"]))
    saved = safetensors.torch.load_file(undisturbed / "model" / "model.safetensors")
    for name, tensor in saved.items():
        assert torch.equal(tensor, last["state_dict"][f"net.{name}"]), name


def test_there_is_no_best_without_validation(tmp_path: Path) -> None:
    train_line(tmp_path / "run", validation=None)
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]


def test_every_epoch_has_its_own_order_and_every_step_its_own_chance(undisturbed: Path) -> None:
    steps = noted(undisturbed.parent / "notes" / "0")
    orders = defaultdict(list)
    for step in steps.values():
        orders[step.epoch] += step.samples
        assert step.told == [step.epoch] * 4
    assert len(orders) == 4
    assert len({tuple(order) for order in orders.values()}) == 4
    assert all(len(set(order)) == 20 for order in orders.values())
    assert len({step.chance for step in steps.values()}) == len(steps)


def test_killed_at_any_moment_it_goes_on_to_the_same_end(tmp_path: Path) -> None:
    epochs, said, fresh = 60, tmp_path / "said", fresh_context()

    def start(out: Path) -> Any:
        process = fresh.Process(target=train_line_alone, args=(out, epochs, said))
        process.start()
        return process

    whole = start(tmp_path / "whole")
    whole.join()
    stopped = tmp_path / "stopped"
    for count in range(1, 4):
        process = start(stopped)
        while len([*stopped.glob("logs/*")]) < count and process.is_alive():
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert not (stopped / "model").exists()
    start(stopped).join()
    assert weights(stopped / "model") == weights(tmp_path / "whole" / "model")
    assert read_curves(stopped) == read_curves(tmp_path / "whole")
    assert len(read_curves(stopped)["loss"]) == epochs
    assert said.read_text() == ""


@pytest.mark.parametrize("average", [None, 0.9])
def test_killed_before_the_model_is_saved_it_saves_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, average: float | None
) -> None:
    whole = train_line(tmp_path / "whole", LineTask(average=average))
    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_model", killed)
        with pytest.raises(KilledError):
            train_line(tmp_path / "stopped", LineTask(average=average))
    assert weights(train_line(tmp_path / "stopped", LineTask(average=average))) == weights(whole)


def test_what_loads_ahead_loads_the_right_epoch_of_a_run_that_goes_on(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LineTask, "on_train_epoch_start", stop_in_epoch(2, killed))
        with pytest.raises(KilledError):
            train_line(tmp_path / "run", LineTask(notes=tmp_path / "notes"), workers=1)
    train_line(tmp_path / "run", LineTask(notes=tmp_path / "notes"), workers=1)
    assert noted(tmp_path / "notes" / "0") == noted(undisturbed.parent / "notes" / "0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_it_goes_on_later(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patched:
        stop = stop_in_epoch(2, lambda: os.kill(os.getpid(), number))
        patched.setattr(LineTask, "on_train_epoch_start", stop)
        with pytest.raises(KeyboardInterrupt):
            train_line(tmp_path / "run")
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not (tmp_path / "run" / "model").exists()
    assert weights(train_line(tmp_path / "run")) == weights(undisturbed / "model")


@pytest.mark.parametrize("kept", [0, 100, -100])
def test_a_damaged_checkpoint_is_named(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LineTask, "on_train_epoch_start", stop_in_epoch(2, killed))
        with pytest.raises(KilledError):
            train_line(tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:kept])
    with pytest.raises(LookhearError, match=r"last\.ckpt: damaged; remove it") as refused:
        train_line(tmp_path / "run")
    assert "\n" not in str(refused.value)
    last.unlink()
    assert weights(train_line(tmp_path / "run")) == weights(undisturbed / "model")
    assert read_curves(tmp_path / "run") == read_curves(undisturbed)


def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(LineTask, "on_train_epoch_start", stop_in_epoch(2, killed))
        with pytest.raises(KilledError):
            train_line(tmp_path / "run")
    with pytest.raises(LookhearError, match=r"last\.ckpt: of another version"):
        train_line(tmp_path / "run", LineTask(width=9))


def no_room(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_room_for_tensors(*_: Any, **__: Any) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space (os error 28)")


@pytest.mark.parametrize(
    ("writer", "method", "fails", "named"),
    [
        (RecordWriter, "write", no_room, "logs"),
        (Path, "write_bytes", no_room, "checkpoints/best.ckpt"),
        (Path, "replace", no_room, "made.json"),
        (safetensors.torch, "save_file", no_room_for_tensors, "model"),
    ],
)
def test_no_room_is_one_line_and_the_next_run_goes_on(
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writer: Any,
    method: str,
    fails: Callable[..., None],
    named: str,
) -> None:
    monkeypatch.setattr("loop_parts.save_file", lambda *a: safetensors.torch.save_file(*a))
    with monkeypatch.context() as patched:
        patched.setattr(writer, method, fails)
        with pytest.raises(LookhearError, match="make room and run again") as refused:
            train_line(tmp_path / "run")
    assert str(refused.value).startswith(f"{tmp_path / 'run' / named}: cannot be written")
    assert "\n" not in str(refused.value)
    assert weights(train_line(tmp_path / "run")) == weights(undisturbed / "model")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_at_any_file(
    undisturbed: Path, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filler, run = small_disk / "filler", small_disk / "run"
    filler.write_bytes(bytes(1 << 20))
    complaints = []
    while not (run / "model").exists():
        try:
            train_line(run)
        except LookhearError as error:
            complaints.append(str(error))
        os.truncate(filler, filler.stat().st_size - 8192)
    why = ": cannot be written: No space left on device; make room and run again"
    full = {Path(each.removesuffix(why)).relative_to(run).as_posix() for each in complaints}
    assert full >= {"made.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    assert weights(run / "model") == weights(undisturbed / "model")
    assert read_curves(run) == read_curves(undisturbed)
    assert capfd.readouterr() == ("", "")


def test_a_disk_that_is_full_when_the_model_is_saved(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler, run = small_disk / "filler", small_disk / "run"

    def fill_and_save(net: Any, folder: Path) -> None:
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 20))
        save_model(net, folder)

    def train_s() -> Path:
        task = SquareTask(1, small_disk / "notes")
        return train(task, Squares(16, small_disk / "no"), run, {})

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_model", fill_and_save)
        with pytest.raises(LookhearError, match=f"^{run / 'model'}: cannot .*; make room"):
            train_s()
    assert not (run / "model").exists()
    filler.unlink()
    assert S.from_pretrained(train_s()).categories == ("red", "green")


def test_it_asks_nothing_of_the_network_and_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network is used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    task = SquareTask(1, tmp_path / "notes")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = train(task, Squares(16, tmp_path / "no"), tmp_path / "run", {})
    assert (model / "README.md").exists()
    assert [str(warning.message) for warning in warned] == []


def test_a_folder_without_curves_is_named(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="holds no curves"):
        read_curves(tmp_path)
