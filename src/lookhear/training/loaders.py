"""The samples of a training: whose turn they are in, by seed, epoch and process."""

from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lookhear.training.mixing import Mixture


class Order(DistributedSampler[Any]):
    """A process's share of the samples, shuffled by seed and epoch.

    Step k of N processes is over the very samples that step k of one process is over, if each has
    the N-th part of its batch. A data set that draws by the epoch itself (it has ``set_epoch``) is
    told it, and before a worker asks for a sample.
    """

    def set_epoch(self, epoch: int) -> None:
        """Turn to an epoch; Lightning calls this as each begins."""
        super().set_epoch(epoch)
        data: Any = self.dataset
        if hasattr(data, "set_epoch"):
            data.set_epoch(epoch)


class Loaders(L.LightningDataModule):
    """Makes the loaders, in each process by itself, which alone knows its place among the others.

    ``batch_size`` is of each process's steps, and so many ``workers`` load the data for each. A
    ``mixture`` draws the batches of a single process itself; the data then gives whole ones.
    """

    def __init__(
        self,
        data: Dataset[Any],
        validation: Dataset[Any] | None,
        *,
        batch_size: int,
        seed: int,
        workers: int,
        mixture: Mixture | None = None,
    ) -> None:
        super().__init__()
        self._data = data
        self._validation = validation
        self._batch_size = batch_size
        self._seed = seed
        self._workers = workers
        self._mixture = mixture
        self._epoch = 0

    def train_dataloader(self) -> DataLoader[Any]:
        """Give whole batches in random order."""
        order: Order | Mixture
        order = self._mixture or Order(self._data, *self._place(), seed=self._seed, drop_last=True)
        # Workers begin before Lightning says which epoch it is, and a resumed run's is not the 0th.
        order.set_epoch(self._epoch)
        return DataLoader(
            self._data,
            batch_size=None if self._mixture else self._batch_size,
            sampler=order,
            drop_last=not self._mixture,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Give all held-out samples; a few twice where they do not divide among the processes."""
        if self._validation is None:
            return []
        share: DistributedSampler[Any]
        # Shuffled, as lists are often sorted by tag, and some trainings compare what is in a batch.
        share = DistributedSampler(self._validation, *self._place(), seed=self._seed)
        return DataLoader(
            self._validation,
            batch_size=self._batch_size,
            sampler=share,
            num_workers=self._workers,
        )

    def state_dict(self) -> dict[str, Any]:
        """Note for a checkpoint, written when an epoch ends, which one comes next."""
        assert self.trainer is not None
        return {"epoch": self.trainer.current_epoch + 1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a checkpoint's note; Lightning calls this before it asks for the loaders."""
        self._epoch = state_dict["epoch"]

    def _place(self) -> tuple[int, int]:
        """How many processes there are, and which this one is."""
        assert self.trainer is not None
        return self.trainer.world_size, self.trainer.global_rank
