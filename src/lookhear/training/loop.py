"""The training loop of every network: Lightning's, with what all trainings here have in common.

A training that was stopped goes on to the same end: the state is kept after every epoch, and every
step's chances are its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import (
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
)
from rich.console import Console
from rich.progress import TextColumn
from torch import Tensor, nn
from torch.utils.data import Dataset

from lookhear.errors import LookhearError
from lookhear.nets.saved import RUN_MODEL
from lookhear.resume import made_from
from lookhear.training.checkpoints import Checkpoints, save_model
from lookhear.training.curves import CurveWriter
from lookhear.training.loaders import Loaders
from lookhear.training.processes import Processes, fit, quiet

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class Machine:
    """What a training runs on: no part of its recipe, and another one may go on with it.

    Attributes:
        devices: how many GPUs, or processes where there is none, share each step's samples. Each
            has chances of its own, and batch norms see its share alone.
        precision: one of :data:`PRECISIONS`, Lightning's names: all in 32 bits; or what bears it
            in 16, as bfloat16 or, for GPUs without it, float16. Weights are 32 bits in any case.
    """

    devices: int = 1
    precision: str = "32-true"


ONE_DEVICE = Machine()


@dataclass(frozen=True)
class Schedule:
    """How weights are learnt, whatever the network.

    Attributes:
        epochs: passes over the data.
        batch_size: samples a step, of all processes together.
        optimizer: ``"adamw"`` with a one-cycle schedule; or ``"sgd"``, the paper's: momentum 0.9
            (Nesterov), twice the rate for biases, ten times for what is not the backbone, a
            tenth of it from each of the epochs 5 and 10 on.
        learning_rate: the highest; for ``"sgd"`` that of the backbone's weights.
        weight_decay: for ``"adamw"`` of weights only; biases and norms have none.
        average: decay per step of the moving average of the weights, which is what is kept then;
            None keeps the last.
    """

    epochs: int
    batch_size: int = 16
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    average: float | None = 0.995


class Training(L.LightningModule):
    """One training: a network, how it learns, and its steps' own random numbers.

    Args:
        net: what learns, with its ``backbone``.
        schedule: how.
        seed: of everything left to chance.

    Attributes:
        watched: what is logged in validation that says which epoch was the best, and whether less
            or more of it is better; None where nothing does.
    """

    watched: tuple[str, Literal["min", "max"]] | None = None

    def __init__(self, net: nn.Module, schedule: Schedule, seed: int) -> None:
        super().__init__()
        self.net = net
        self.schedule = schedule
        self.seed = seed

    def on_train_batch_start(self, *_: Any) -> None:
        """Make a step's chances its own, so that a resumed training goes on to the same end."""
        step = 1_000_003 * self.seed + self.global_step
        # Torch takes 32 bits of a seed; in the golden ratio of them, processes do not meet.
        torch.manual_seed(step + 2_654_435_769 * self.global_rank)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint that is not of this network."""
        mine, other = (
            {name: tensor.shape for name, tensor in state.items()}
            for state in (self.state_dict(), checkpoint["state_dict"])
        )
        if mine != other:
            raise LookhearError(
                f"{self.trainer.ckpt_path}: of another version of the network; choose another --out"
            )

    def log_loss(self, loss: Tensor) -> Tensor:
        """Show and keep an epoch's mean of the loss."""
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def configure_optimizers(self) -> Any:
        """Set up what the schedule asks for."""
        return _adamw(self) if self.schedule.optimizer == "adamw" else _sgd(self)


def _adamw(training: Training) -> Any:
    schedule = training.schedule
    parameters = list(training.net.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": schedule.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=schedule.learning_rate)
    steps = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        schedule.learning_rate,
        total_steps=int(training.trainer.estimated_stepping_batches),
        pct_start=0.1 + 1e-9,  # of ten steps a tenth, exactly, would be a rise of no length
    )
    return [optimizer], [{"scheduler": steps, "interval": "step"}]


def _sgd(training: Training) -> Any:
    schedule = training.schedule
    groups = [
        {
            "params": [parameter],
            "lr": schedule.learning_rate
            * (1 if name.startswith("backbone.") else 10)
            * (2 if name.endswith("bias") else 1),
        }
        for name, parameter in training.net.named_parameters()
    ]
    optimizer = torch.optim.SGD(
        groups,
        lr=schedule.learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=schedule.weight_decay,
    )
    steps = torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 10], 0.1)
    return [optimizer], [steps]


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


def train(
    training: Training,
    data: Dataset[Any],
    out: Path,
    described: dict[str, Any],
    *,
    validation: Dataset[Any] | None = None,
    workers: int = 0,
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train, or go on with the training that a folder holds, and save the network.

    A training that is finished is left as it is. The saved network is the last one and not the
    best: a schedule ends at its lowest rate, where it is best but for chance, and chance is what
    the choice among epochs by few held-out samples would go by.

    Args:
        training: what and how; its network has ``save_pretrained``.
        data: to train on; at least a batch.
        out: run folder; gets ``model/``, ``logs/`` (see
            :func:`~lookhear.training.curves.read_curves`) and ``checkpoints/``: ``last.ckpt`` and,
            if there is ``validation`` and something is watched, ``best.ckpt``.
        described: all that decides the training, to tell it from another.
        validation: samples for the training's validation step after each epoch; with several
            processes a few come twice, where they do not divide.
        workers: processes that load the data, for each that trains.
        machine: what to train on. More than one device takes as many new processes, each of which
            imports the caller's main module: keep work there behind ``if __name__ == "__main__"``.

    Returns:
        The folder of the saved model.

    Raises:
        LookhearError: ``out`` cannot be written, holds another training or a damaged checkpoint,
            or there is no such machine.
        KeyboardInterrupt: the training was stopped, by Ctrl-C or SIGTERM; the next call goes on.
    """
    trainer = _trainer(training, out, machine, validates=validation is not None)
    goes_on = made_from(out, described)
    model = out / RUN_MODEL
    if model.exists():
        if not goes_on:
            raise LookhearError(f"{model}: is there already; choose another --out")
        return model
    loaders = Loaders(
        data,
        validation,
        batch_size=training.schedule.batch_size // machine.devices,
        seed=training.seed,
        workers=workers,
    )
    last = out / "checkpoints" / "last.ckpt"
    fit(trainer, training, loaders, last)
    # The average, if one is kept, is there even if a run was stopped right after its last epoch.
    training.load_state_dict(Checkpoints().load_checkpoint(last, weights_only=True)["state_dict"])
    save_model(training.net.cpu().eval(), model)
    return model


def check_machine(machine: Machine, schedule: Schedule) -> None:
    """Refuse what no machine can do.

    Raises:
        LookhearError: the devices or the precision are not to be had, or do not fit the batches.
    """
    devices = machine.devices
    if devices < 1:
        raise LookhearError(f"--devices {devices}: too few; give 1 or more")
    if schedule.batch_size % devices:
        raise LookhearError(
            f"--devices {devices}: a batch of {schedule.batch_size} cannot be shared evenly; "
            "give a number that divides it"
        )
    if machine.precision not in PRECISIONS:
        raise LookhearError(
            f"--precision {machine.precision}: unknown; there are {', '.join(PRECISIONS)}"
        )


def _trainer(training: Training, out: Path, machine: Machine, *, validates: bool) -> L.Trainer:
    """Set up Lightning for a machine, or say why it cannot train there."""
    devices = machine.devices
    precision: Any = machine.precision
    schedule = training.schedule
    check_machine(machine, schedule)
    callbacks: list[Callback] = [CurveWriter(out)]
    folder = out / "checkpoints"
    if validates and training.watched is not None:
        name, mode = training.watched
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
