"""How Lightning is run: quietly, in one process or several, until it is done or is stopped."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from lightning.pytorch.strategies import DDPStrategy
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from lookhear.errors import LookhearError

IN_ANOTHER = f"{LookhearError.__module__}.{LookhearError.__qualname__}: "
TALKATIVE = ("lightning", "lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn")


class Processes(DDPStrategy):
    """A new process per device, so that the calling one stays the one that leads."""

    def __init__(self) -> None:
        super().__init__(start_method="spawn")

    def setup_environment(self) -> None:
        """Begin a process, as quiet as the one that started it."""
        _quieten()
        super().setup_environment()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's tips, and its and torch's warnings, from the terminal."""
    with warnings.catch_warnings():
        _quieten()
        yield


def _quieten() -> None:
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    for category in (UserWarning, DeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", category)


def fit(
    trainer: L.Trainer, module: L.LightningModule, data: L.LightningDataModule, last: Path
) -> None:
    """Train, from a checkpoint on if it is there.

    Raises:
        LookhearError: what any of the processes raised, or one of them died.
        KeyboardInterrupt: Ctrl-C or SIGTERM stopped it.
    """
    at_interrupt = signal.getsignal(signal.SIGINT)
    resume = last if last.exists() else None
    try:
        with quiet():
            trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    except SystemExit as stopped:  # what Lightning makes of both; further Ctrl-C it ignores
        signal.signal(signal.SIGINT, at_interrupt)
        if trainer.strategy.launcher is not None:
            trainer.strategy.launcher.kill(signal.SIGKILL)
        raise KeyboardInterrupt from stopped
    except (LookhearError, ProcessRaisedException) as error:
        # Of another process's error there is the traceback, which ends with its one line.
        _, in_another, line = str(error).strip().rpartition(IN_ANOTHER)
        if not in_another:
            raise
        raise LookhearError(line) from error
    except ProcessExitedException as error:
        raise LookhearError(
            f"a training process died ({error}), maybe for lack of memory; run again"
        ) from error
