"""Train STA on the pseudo-fixations of moments (STANet, section 3.4)."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import Subset

from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.stanet.sta import STA, Seen
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.initial_weights import Beginnings, begin_with
from lookhear.training.loop import ONE_DEVICE, Machine, Schedule, Training, train
from lookhear.training.losses import fixation_losses
from lookhear.training.moments import train_and_val, windows_of


@dataclass(frozen=True)
class STARecipe:
    """All that decides how STA is trained.

    Attributes:
        net: arguments of :class:`~lookhear.stanet.sta.STA`.
        schedule: how its weights are learnt.
        augmentation: how much moments are varied.
        loss: weight of each term of :func:`~lookhear.training.losses.fixation_losses`.
        deaf: share of the moments whose sound gate is closed, so that the network knows what to do
            when it hears nothing.
        still: share of a batch's moments whose neighbours are the frame itself, so that it knows
            stills, and fewer frames have to be looked at.
    """

    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    loss: dict[str, float] = field(default_factory=lambda: {"bce": 1.0, "kl": 1.0})
    deaf: float = 0.0
    still: float = 0.0


class STATraining(Training):
    """One training step of STA on batches of `Moments`."""

    net: STA
    watched = ("validation loss", "min")

    def __init__(self, recipe: STARecipe, categories: int, seed: int) -> None:
        L.seed_everything(seed, verbose=False)
        super().__init__(STA(**recipe.net, sound_kinds=categories), recipe.schedule, seed)
        self.recipe = recipe

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        recipe = self.recipe
        varied = random_batch(batch, self.net.input_size, recipe.augmentation)
        count, device = len(varied["tag"]), varied["tag"].device
        hears = torch.rand(count, device=device) >= recipe.deaf
        varied["has_sound"] = varied["has_sound"] & hears
        return self.log_loss(self._loss(varied, stills=round(recipe.still * count)))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the loss of moments that are heard and move."""
        loss = self._loss(plain_batch(batch, self.net.input_size), stills=0)
        self.log(
            "validation loss", loss, prog_bar=True, sync_dist=True, batch_size=len(batch["tag"])
        )

    def _loss(self, batch: Batch, stills: int) -> Tensor:
        """The loss of a batch, of which the last moments are taken for stills."""
        frames = batch["frames"]  # B, 3, 3, H, W
        switch = batch["has_sound"].float()
        target = self.net.see(frames[:, 1], batch["sound"][:, 1], switch)
        moving = len(frames) - stills
        around = self.net.see(frames[:moving, ::2].flatten(0, 1))  # before, after, before, ...
        still = target.at(slice(moving, None))
        before, after = (Seen.cat([around.at(slice(time, None, 2)), still]) for time in range(2))
        total = torch.zeros((), device=self.device)
        for logits in self.net.head.attend(before, target, after):
            terms = fixation_losses(logits[:, 0], batch["fixations"])
            total = total + sum(weight * terms[name] for name, weight in self.recipe.loss.items())
        return total


def train_sta(
    prepared: Path,
    fixations: Path,
    out: Path,
    recipe: STARecipe,
    seed: int = 0,
    *,
    start: Beginnings = MappingProxyType({}),
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train STA on prepared moments, or go on with the training there.

    Args:
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        fixations: the fine maps of them, see :func:`~lookhear.stanet.pseudo_fixations.make_maps`.
        out: run folder, see :func:`~lookhear.training.loop.train`.
        recipe: how.
        seed: of everything left to chance.
        start: where parts of the network begin.
        machine: what to train on.

    Returns:
        The folder of the saved network, for :func:`lookhear.load_model`.

    Raises:
        LookhearError: there are too few moments with fixations, ``fixations`` or ``start`` does
            not fit, or ``out`` cannot be written or holds another training.
    """

    def moments(split: Split) -> Moments:
        size, windows = recipe.augmentation.prepared_size, windows_of(recipe.net)
        return Moments(prepared, split, size=size, frames=3, windows=windows, fixations=fixations)

    data, held_out = train_and_val(prepared, moments, recipe.schedule.batch_size)
    known = _known(data)
    if len(known) < recipe.schedule.batch_size:
        raise LookhearError(
            f"{fixations}: only {len(known)} of {len(data)} moments have pseudo-fixations, fewer "
            f"than a batch of {recipe.schedule.batch_size}; train the sources longer or on more "
            "clips"
        )
    training = STATraining(recipe, len(data.tags), seed)
    begin_with(training.net, start)
    read = identities({"data": prepared, "fixations": fixations, **start})
    described = asdict(recipe) | {"seed": seed, "moments": len(known)} | read
    validation = _known(held_out) if held_out else None
    return train(training, known, out, described, validation=validation, machine=machine)


def _known(data: Moments) -> Subset[dict[str, Any]]:
    """Leave out moments with an empty map: no source knew their tag, so it says nothing."""
    return Subset(data, [index for index in range(len(data)) if data.fixations(index).any()])
