"""How a training went: its curves, written after every epoch as TensorBoard logs, and read back.

They are written here and not by a logger of Lightning, which writes an epoch's scalars after the
epoch's checkpoint, and later still to the disk: what a killed run had not written yet would be
missing for good, as the run that goes on from the checkpoint does not come back to that epoch.
"""

import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from lookhear.errors import LookhearError
from lookhear.files import cannot_write

LOGS = "logs"


class CurveWriter(Callback):
    """Adds each epoch's scalars to the logs of a run, before its checkpoint is written.

    Args:
        run: the run folder; gets ``logs/``, with a file for every start of the training.
    """

    def __init__(self, run: Path) -> None:
        self._log = run / LOGS / f"events.out.tfevents.{time.time_ns()}"

    def on_train_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Begin a file."""
        if trainer.is_global_zero:
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Write all that was logged in the epoch.

        Raises:
            LookhearError: the logs cannot be written.
        """
        scalars = trainer.callback_metrics  # which all processes must ask for
        if trainer.is_global_zero:
            values = [Summary.Value(tag=t, simple_value=float(v)) for t, v in scalars.items()]
            summary = Summary(value=values)
            self._write(Event(wall_time=time.time(), step=trainer.current_epoch, summary=summary))

    def _write(self, event: Any) -> None:
        # At once: TensorBoard's own writer does it in a thread, which dies aloud on a full disk.
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as log:
                RecordWriter(log).write(event.SerializeToString())
        except OSError as error:
            raise cannot_write(self._log.parent, error) from error


def read_curves(run: Path) -> dict[str, tuple[float, ...]]:
    """Read how a training went.

    Args:
        run: a run folder, see :func:`~lookhear.training.loop.train`.

    Returns:
        By name (``loss``; others by the training, such as ``accuracy``) a value per epoch. Of an
        epoch that was trained again after a stop the last value counts.

    Raises:
        LookhearError: the folder holds no logs.
    """
    logs = run / LOGS
    if not logs.is_dir():
        raise LookhearError(f"{run}: holds no curves of a training; train there first")
    events = EventAccumulator(str(logs), size_guidance={"scalars": 0})  # 0 keeps all
    events.Reload()
    curves = {}
    for name in events.Tags()["scalars"]:
        in_time = sorted(events.Scalars(name), key=lambda event: event.wall_time)
        by_epoch = {event.step: event.value for event in in_time}
        curves[name] = tuple(by_epoch[epoch] for epoch in sorted(by_epoch))
    return curves
