"""The training loop of every network: Lightning's, with what all trainings here have in common.

A training that was stopped goes on to the same end: the state is kept after every epoch, and every
step's chances are its own.
"""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import (
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
)
from rich.console import Console
from rich.progress import TextColumn
from torch.utils.data import Dataset

from lookhear.data.identity import identities
from lookhear.data.shards import read_complete
from lookhear.errors import LookhearError
from lookhear.nets.saved import RUN_MODEL, save_model
from lookhear.resume import described, made_from
from lookhear.training.checkpoints import Checkpoints, CurveWriter
from lookhear.training.loaders import Loaders
from lookhear.training.mixing import Mixture
from lookhear.training.processes import Processes, fit, quiet
from lookhear.training.schedule import ONE_DEVICE, Machine, check_machine
from lookhear.training.task import MomentsTask, Task


class _Average(EMAWeightAveraging):
    """Lightning's moving average of the weights, but one that can be sent to another process."""

    def __init__(self, decay: float) -> None:
        super().__init__(decay=decay)
        self._decay = decay

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._decay,)


class _Bar(RichProgressBar):
    """Lightning's progress bar on stderr, with a name before it."""

    def __init__(self, name: str) -> None:
        super().__init__(console_kwargs={"stderr": True})
        self._name = name

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        return [TextColumn(self._name, markup=False), *super().configure_columns(trainer)]


def train_on_moments(
    task: MomentsTask, prepared: Path, out: Path, seed: int = 0, machine: Machine = ONE_DEVICE
) -> Path:
    """Train on prepared moments, or go on with the training that a folder holds; see :func:`train`.

    Raises:
        LookhearError: there are too few moments or such that the network cannot learn from them,
            what it begins with does not fit, or ``out`` cannot be written or holds another
            training.
    """
    data, batch_size = task.moments(prepared, "train"), task.schedule.batch_size
    if len(data) < batch_size:
        raise LookhearError(
            f"{prepared}: its {len(data)} moments are fewer than a batch of {batch_size}; "
            "prepare more clips"
        )
    task.check(prepared, data, machine)
    samples, held_out = task.usable(data), None
    if read_complete(prepared).moments["val"]:
        held_out = task.usable(task.moments(prepared, "val"))
    task.begin(seed, data.tags)
    made_of = described(task.recipe) | {"seed": seed}
    if samples is not data:
        made_of["moments"] = len(samples)
    made_of |= identities({"data": prepared, **task.reads, **task.start})
    return train(task, samples, out, made_of, validation=held_out, machine=machine)


def train(
    task: Task,
    data: Dataset[Any],
    out: Path,
    made_of: dict[str, Any],
    *,
    validation: Dataset[Any] | None = None,
    workers: int = 0,
    machine: Machine = ONE_DEVICE,
    mixture: Mixture | None = None,
) -> Path:
    """Train, or go on with the training that a folder holds, and save the network.

    A training that is finished is left as it is. The saved network is the last one and not the
    best: a schedule ends at its lowest rate, where it is best but for chance, and chance is what
    the choice among epochs by few held-out samples would go by.

    Args:
        task: what and how; begun.
        data: to train on; at least a batch.
        out: run folder; gets ``model/``, ``logs/`` (see
            :func:`~lookhear.training.curves.read_curves`) and ``checkpoints/``: ``last.ckpt`` and,
            if there is ``validation`` and something is watched, ``best.ckpt``.
        made_of: all that decides the training, to tell it from another.
        validation: samples for the task's validation step after each epoch; with several
            processes a few come twice, where they do not divide.
        workers: processes that load the data, for each that trains.
        machine: what to train on. More than one device takes as many new processes, each of which
            imports the caller's main module: keep work there behind ``if __name__ == "__main__"``.
        mixture: draws the batches, on one device, for data that takes the samples of a batch and
            gives it whole; None for samples in random order.

    Returns:
        The folder of the saved model.

    Raises:
        LookhearError: ``out`` cannot be written, holds another training or a damaged checkpoint,
            or there is no such machine.
        KeyboardInterrupt: the training was stopped, by Ctrl-C or SIGTERM; the next call goes on.
    """
    trainer = _trainer(task, out, machine, validates=validation is not None)
    goes_on = made_from(out, made_of)
    model = out / RUN_MODEL
    if model.exists():
        if not goes_on:
            raise LookhearError(f"{model}: is there already; choose another --out")
        return model
    loaders = Loaders(
        data,
        validation,
        batch_size=task.schedule.batch_size // machine.devices,
        seed=task.seed,
        workers=workers,
        mixture=mixture,
    )
    last = out / "checkpoints" / "last.ckpt"
    fit(trainer, task, loaders, last)
    # The average, if one is kept, is there even if a run was stopped right after its last epoch.
    task.load_state_dict(Checkpoints().load_checkpoint(last, weights_only=True)["state_dict"])
    net = task.net.cpu().eval()
    for parameter in net.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.to(task.saves_in)
    save_model(net, model)
    return model


def _trainer(task: Task, out: Path, machine: Machine, *, validates: bool) -> L.Trainer:
    """Set up Lightning for a machine, or say why it cannot train there."""
    devices, schedule = machine.devices, task.schedule
    precision: Any = machine.precision
    check_machine(machine, schedule)
    callbacks: list[Callback] = [CurveWriter(out)]
    folder = out / "checkpoints"
    if validates and task.watched is not None:
        name, mode = task.watched
        callbacks.append(
            ModelCheckpoint(folder, "best", name, mode=mode, enable_version_counter=False)
        )
    # After the best, whose score it notes.
    callbacks.append(ModelCheckpoint(folder, "last", enable_version_counter=False))
    if schedule.average is not None:
        callbacks.append(_Average(schedule.average))
    shows_progress = Console(stderr=True).is_terminal
    if shows_progress:
        callbacks.append(_Bar(out.name))
    try:
        with quiet():
            return L.Trainer(
                max_epochs=schedule.epochs,
                accelerator="auto",
                devices=devices,
                strategy="auto" if devices == 1 else Processes(),
                precision=precision,
                gradient_clip_val=1.0 if schedule.optimizer == "adamw" else None,
                default_root_dir=out,
                logger=False,  # but a CurveWriter
                plugins=[Checkpoints()],
                callbacks=callbacks,
                num_sanity_val_steps=0,
                enable_model_summary=False,
                enable_progress_bar=shows_progress,
            )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise LookhearError(
            f"--devices {devices} --precision {precision}: not on this machine ({reason})"
        ) from error
