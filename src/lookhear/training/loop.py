"""The training loop of every network: Lightning's, with what all trainings here have in common.

A training that was stopped goes on to the same end: the state is kept after every epoch, and every
step's chances are its own.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lookhear.errors import LookhearError
from lookhear.files import cannot_write, whole_folder, write_whole


@dataclass(frozen=True)
class Schedule:
    """How weights are learnt, whatever the network.

    Attributes:
        epochs: passes over the data.
        batch_size: samples a step.
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
    """

    def __init__(self, net: nn.Module, schedule: Schedule, seed: int) -> None:
        super().__init__()
        self.net = net
        self.schedule = schedule
        self.seed = seed

    def on_train_batch_start(self, *_: Any) -> None:
        """Make a step's chances its own, so that a resumed training goes on to the same end."""
        torch.manual_seed(1_000_003 * self.seed + self.global_step)

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
        pct_start=0.1,
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


def train(
    training: Training,
    data: Dataset[Any],
    out: Path,
    described: dict[str, Any],
    *,
    validation: Dataset[Any] | None = None,
    workers: int = 0,
) -> Path:
    """Train, or go on with the training that a folder holds, and save the network.

    A training that is finished is left as it is.

    Args:
        training: what and how; its network has ``save_pretrained``.
        data: to train on; at least a batch.
        out: run folder; gets ``model/``, ``checkpoints/`` and ``logs/``.
        described: all that decides the training, to tell it from another.
        validation: samples for the training's validation step after each epoch.
        workers: processes that load the data.

    Returns:
        The folder of the saved model.

    Raises:
        LookhearError: ``out`` cannot be written or holds another training.
    """
    goes_on = _claim(out, described)
    model = out / "model"
    if model.exists():
        if not goes_on:
            raise LookhearError(f"{model}: is there already; choose another --out")
        return model
    schedule = training.schedule
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # tips and advertisements
    # Of the samplers this one alone is told the epoch, so that a resumed training repeats none.
    order: DistributedSampler[Any] = DistributedSampler(
        data, num_replicas=1, rank=0, seed=training.seed, drop_last=True
    )
    loader = DataLoader(
        data,
        batch_size=schedule.batch_size,
        sampler=order,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    held_out = None
    if validation is not None:
        held_out = DataLoader(validation, batch_size=schedule.batch_size, num_workers=workers)
    last = out / "checkpoints" / "last.ckpt"
    callbacks: list[Callback] = [
        ModelCheckpoint(last.parent, last.stem, enable_version_counter=False),
        RichProgressBar(),
    ]
    if schedule.average is not None:
        callbacks.append(EMAWeightAveraging(decay=schedule.average))
    trainer = L.Trainer(
        max_epochs=schedule.epochs,
        accelerator="auto",
        devices=1,
        gradient_clip_val=1.0 if schedule.optimizer == "adamw" else None,
        default_root_dir=out,
        logger=TensorBoardLogger(out, name="logs", version=""),
        callbacks=callbacks,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_model_summary=False,
    )
    resume = last if last.exists() else None
    trainer.fit(training, loader, held_out, ckpt_path=resume, weights_only=True)
    net: Any = training.net.cpu().eval()
    with whole_folder(model) as partial:
        net.save_pretrained(partial)
    return model


def _claim(out: Path, training: dict[str, Any]) -> bool:
    """Note what is trained in ``out``; say whether that is going on, refuse if it is another."""
    note, text = out / "training.json", json.dumps(training, indent=1)
    try:
        out.mkdir(parents=True, exist_ok=True)
        goes_on = note.exists()
        if goes_on and note.read_text(encoding="utf-8") != text:
            raise LookhearError(
                f"{out}: holds a training with another recipe, seed or data; choose another --out"
            )
    except OSError as error:
        raise cannot_write(out, error) from error
    if not goes_on:
        write_whole(note, text)
    return goes_on
