"""What a training leaves as it goes, whole or not at all: curves and checkpoints.

Curves are written here and not by a logger of Lightning, which writes an epoch's scalars after the
epoch's checkpoint, and later still to the disk: what a killed run had not written yet would be
missing for good, as the run that goes on from the checkpoint does not come back to that epoch.
"""

import io
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from lookhear.errors import LookhearError
from lookhear.files import cannot_write, write_whole
from lookhear.training.curves import LOGS


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


class Checkpoints(TorchCheckpointIO):
    """Writes Lightning's checkpoints beside their place, and moves them there in one step.

    Lightning itself writes them into the folder for temporary files. Where that is on another
    disk, to move them is to copy them, and a run that is killed leaves half of one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; an older one of this name stays until then.

        Raises:
            LookhearError: it cannot be written.
        """
        assert storage_options is None
        path = Path(path)
        content = io.BytesIO()  # torch.save does not say why a file cannot be written
        torch.save(checkpoint, content)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        write_whole(path, content.getbuffer())

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a checkpoint.

        Raises:
            LookhearError: it is damaged.
        """
        try:
            checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        except Exception as error:  # from EOFError to UnpicklingError, as the damage has it
            raise LookhearError(
                f"{path}: damaged; remove it and run again, to train from the start"
            ) from error
        return checkpoint
