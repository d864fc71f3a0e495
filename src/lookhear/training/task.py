"""What a training is: a network, how a batch becomes a loss, what is watched, and what it reads.

A new training is a class of :class:`MomentsTask`, or of :class:`Task` where it does not read
prepared moments, and a recipe; :func:`~lookhear.training.loop.train_on_moments` does the rest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import Subset

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.media.spectrogram import Stft
from lookhear.nets.sound import SOUND_ENCODERS
from lookhear.training.initial_weights import InitialWeights, initialise
from lookhear.training.precision import depthwise_in_full
from lookhear.training.schedule import Machine, Schedule


class Task(L.LightningModule):
    """A training: a network, how it learns, and its steps' own random numbers.

    A training has its own ``build``, and Lightning's ``training_step`` and ``validation_step``.

    Args:
        recipe: all that decides it but for the seed and the data; a dataclass with a ``schedule``.
        start: where parts of the network begin.

    Attributes:
        watched: what is logged in validation that says which epoch was the best, and whether less
            or more of it is better; None where nothing does.
        saves_in: as what weights are saved, but for those of norms and biases.
        net: what learns, with its ``backbone`` and ``save_pretrained``; built by :meth:`begin`.
        seed: of everything left to chance.
    """

    watched: ClassVar[tuple[str, Literal["min", "max"]] | None] = None
    saves_in: ClassVar[torch.dtype] = torch.float32
    recipe: Any
    net: nn.Module
    seed: int

    def __init__(self, recipe: Any, start: InitialWeights | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        self.start = dict(start or {})

    @property
    def schedule(self) -> Schedule:
        """How the weights are learnt."""
        schedule: Schedule = self.recipe.schedule
        return schedule

    @property
    def frozen(self) -> tuple[str, ...]:
        """Parts of the network that stay as they begin."""
        return self.schedule.frozen

    def build(self, tags: tuple[str, ...]) -> nn.Module:
        """Build the network; of some, ``tags`` are the classes."""
        raise NotImplementedError

    def begin(self, seed: int, tags: tuple[str, ...] = ()) -> Self:
        """Build the network by a seed, and give its parts the weights that they begin with.

        Raises:
            LookhearError: the weights are missing or damaged, or do not fit.
        """
        L.seed_everything(seed, verbose=False)
        self.seed = seed
        self.net = self.build(tags)
        initialise(self.net, self.start)
        for part in self.frozen:
            self.net.get_submodule(part).requires_grad_(False)
        return self

    def on_train_epoch_start(self) -> None:
        """Leave to parts that stay as they are the statistics that they have, too."""
        for part in self.frozen:
            self.net.get_submodule(part).eval()

    def on_fit_start(self) -> None:
        """Make the most of a CPU's 16 bits."""
        if self.device.type == "cpu" and self.trainer.precision == "bf16-mixed":
            depthwise_in_full(self.net)

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

    def log_watched(self, value: Tensor, count: int) -> None:
        """Show and keep an epoch's mean of what is watched, of which a batch counts so much."""
        assert self.watched is not None
        self.log(self.watched[0], value, prog_bar=True, sync_dist=True, batch_size=count)

    def configure_optimizers(self) -> Any:
        """Set up what the schedule asks for."""
        if self.schedule.optimizer == "adam":
            of = self.schedule
            return torch.optim.Adam(
                self.net.parameters(), lr=of.learning_rate, weight_decay=of.weight_decay
            )
        return self._adamw() if self.schedule.optimizer == "adamw" else self._sgd()

    def _adamw(self) -> Any:
        schedule, rate = self.schedule, self.schedule.learning_rate
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.net.named_parameters():
            slower = schedule.backbone_rate if name.startswith("backbone.") else None
            decay = schedule.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((slower or rate, decay), []).append(parameter)
        optimizer = torch.optim.AdamW(
            {"params": of, "lr": rate, "weight_decay": decay}
            for (rate, decay), of in groups.items()
        )
        steps = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            [rate for rate, _ in groups],
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.1 + 1e-9,  # of ten steps a tenth, exactly, would be a rise of no length
        )
        return [optimizer], [{"scheduler": steps, "interval": "step"}]

    def _sgd(self) -> Any:
        schedule = self.schedule
        groups = [
            {
                "params": [parameter],
                "lr": schedule.learning_rate
                * (1 if name.startswith(("backbone.", "sound_encoder.")) else 10)
                * (2 if name.endswith("bias") else 1),
            }
            for name, parameter in self.net.named_parameters()
        ]
        optimizer = torch.optim.SGD(
            groups,
            lr=schedule.learning_rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=schedule.weight_decay,
        )
        falls = torch.optim.lr_scheduler.MultiStepLR(optimizer, schedule.falls, 0.1)
        return [optimizer], [falls]


class MomentsTask(Task):
    """A training on prepared moments.

    It may also read ``crops`` or ``fixations``; see :class:`~lookhear.data.loader.Moments`.

    Attributes:
        needs_categories: why moments of one category teach nothing; None where they do.
        needs_sound: why some of the moments must have sound; None where none must.
    """

    needs_categories: ClassVar[str | None] = None
    needs_sound: ClassVar[str | None] = None

    def __init__(
        self, recipe: Any, start: InitialWeights | None = None, **reads: Path | None
    ) -> None:
        super().__init__(recipe, start)
        self.reads = reads

    def moments(self, prepared: Path, split: Split) -> Moments:
        """Open the moments of a split as the network takes them."""
        raise NotImplementedError

    def check(self, prepared: Path, data: Moments, _: Machine) -> None:
        """Refuse moments to train on that the network cannot learn from.

        Raises:
            LookhearError: so it is.
        """
        if self.needs_categories and len(data.tags) < 2:
            raise LookhearError(f"{prepared}: has one category only; {self.needs_categories}")
        if self.needs_sound and not any(map(data.has_sound, range(len(data)))):
            raise LookhearError(f"{prepared}: none of its clips has sound, {self.needs_sound}")

    def usable(self, data: Moments) -> Moments | Subset[dict[str, Any]]:
        """Leave out the moments that teach nothing."""
        return data


def windows_of(net: Mapping[str, Any]) -> Stft:
    """The windows of the spectrograms that a network with these arguments hears."""
    return SOUND_ENCODERS[net.get("sound_encoder", "vggsound")].windows
