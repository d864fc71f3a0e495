"""Train STA on the pseudo-fixations of moments (STANet, section 3.4)."""

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.resume import LATER
from lookhear.stanet.sta import STA, Seen
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.initial_weights import InitialWeights
from lookhear.training.losses import fixation_losses
from lookhear.training.schedule import Schedule
from lookhear.training.task import MomentsTask, windows_of

RING = (2, 0, 1), (0, 1, 2), (1, 2, 0)
"""Before, target and after, where each of three frames takes its turn: the release joins the last
frame to the first."""


@dataclass(frozen=True)
class STARecipe:
    """All that decides how STA is trained.

    Attributes:
        net: arguments of :class:`~lookhear.stanet.sta.STA`.
        schedule: how its weights are learnt.
        augmentation: how much moments are varied.
        loss: weight of each term of :func:`~lookhear.training.losses.fixation_losses`; published
            are ``bce`` and ``batch kl``.
        deaf: share of the moments whose sound gate is closed, so that the network knows what to do
            when it hears nothing.
        still: share of a batch's moments whose neighbours are the frame itself, so that it knows
            stills, and fewer frames have to be looked at.
        every_frame: whether each of a moment's three frames is the target once, as published, and
            their losses are summed; else the middle one alone. Moments have one map, which is the
            middle frame's; it is taken for all three, which are a small part of a second apart.
            (The release has a map of each.) ``still`` has no say then.
    """

    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    loss: dict[str, float] = field(default_factory=lambda: {"bce": 1.0, "kl": 1.0})
    deaf: float = 0.0
    still: float = 0.0
    every_frame: bool = field(default=False, metadata=LATER)


class STATask(MomentsTask):
    """Trains STA.

    Args:
        recipe: how.
        fixations: the fine maps, see :func:`~lookhear.stanet.pseudo_fixations.make_maps`.
        start: where parts of the network begin.
    """

    recipe: STARecipe
    net: STA
    watched = ("validation loss", "min")

    def __init__(
        self, recipe: STARecipe, fixations: Path, start: InitialWeights | None = None
    ) -> None:
        super().__init__(recipe, start, fixations=fixations)

    def moments(self, prepared: Path, split: Split) -> Moments:
        """Open triplets to see and hear, with where to look."""
        return Moments(
            prepared,
            split,
            size=self.recipe.augmentation.prepared_size,
            frames=3,
            windows=windows_of(self.recipe.net),
            fixations=self.reads["fixations"],
        )

    def usable(self, data: Moments) -> Subset[dict[str, Any]]:
        """Leave out moments with an empty map: no source knew their tag, so it says nothing.

        Raises:
            LookhearError: too few are left to train on.
        """
        known = [index for index in range(len(data)) if data.fixations(index).any()]
        batch_size = self.schedule.batch_size
        if data.split == "train" and len(known) < batch_size:
            raise LookhearError(
                f"{self.reads['fixations']}: only {len(known)} of {len(data)} moments have "
                f"pseudo-fixations, fewer than a batch of {batch_size}; train the sources longer, "
                "or on more or longer clips"
            )
        return Subset(data, known)

    def build(self, tags: tuple[str, ...]) -> STA:
        """Build STA, with a kind of sound for each tag."""
        return STA(**self.recipe.net, sound_kinds=len(tags))

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
        self.log_watched(loss, len(batch["tag"]))

    def _loss(self, batch: Batch, stills: int) -> Tensor:
        """The loss of a batch, of which the last moments are taken for stills."""
        turns = self._every_turn(batch) if self.recipe.every_frame else [self._turn(batch, stills)]
        total = torch.zeros((), device=self.device)
        for logits in chain.from_iterable(self.net.head.attend(*turn) for turn in turns):
            terms = fixation_losses(logits[:, 0], batch["fixations"])
            total = total + sum(weight * terms[name] for name, weight in self.recipe.loss.items())
        return total

    def _turn(self, batch: Batch, stills: int) -> tuple[Seen, Seen, Seen]:
        """Before, target and after of each moment; only the target hears."""
        frames = batch["frames"]  # B, 3, 3, H, W
        switch = batch["has_sound"].float()
        target = self.net.see(frames[:, 1], batch["sound"][:, 1], switch)
        moving = len(frames) - stills
        around = self.net.see(frames[:moving, ::2].flatten(0, 1))  # before, after, before, ...
        still = target.at(slice(moving, None))
        before, after = (Seen.cat([around.at(slice(time, None, 2)), still]) for time in range(2))
        return before, target, after

    def _every_turn(self, batch: Batch) -> list[tuple[Seen, ...]]:
        """Before, target and after of each moment, each frame of which is the target once."""
        frames, switch = batch["frames"], batch["has_sound"].float().repeat_interleave(3)
        seen = self.net.see(frames.flatten(0, 1), batch["sound"].flatten(0, 1), switch)
        of_time = [seen.at(slice(time, None, 3)) for time in range(3)]
        return [tuple(of_time[time] for time in turn) for turn in RING]
