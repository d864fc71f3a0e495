"""What a training leaves, whole or not at all: checkpoints and, at the end, the model."""

import io
import os
import re
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from safetensors import SafetensorError

from lookhear.errors import LookhearError
from lookhear.files import cannot_write, whole_folder, write_whole


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


def save_model(net: Any, folder: Path) -> None:
    """Save a network by its ``save_pretrained``.

    Raises:
        LookhearError: it cannot be written.
    """
    with whole_folder(folder) as partial:
        try:
            net.save_pretrained(partial)
        except SafetensorError as error:
            raise _os_error(error) from error


def _os_error(error: SafetensorError) -> OSError:
    """Give the number its own place, which safetensors has in the text."""
    number = re.search(r"os error (\d+)", str(error))
    if number is None:
        return OSError(str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])))
