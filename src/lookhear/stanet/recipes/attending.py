"""Train STA and STA+ on the pseudo-fixations of moments (STANet, section 3.4)."""

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from lookhear.data import Partners
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.resume import LATER
from lookhear.stanet.propagation import NODES
from lookhear.stanet.sta import STA, Seen
from lookhear.stanet.sta_plus import STAPlus
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.initial_weights import InitialWeights
from lookhear.training.losses import fixation_losses
from lookhear.training.schedule import Schedule
from lookhear.training.task import MomentsTask, windows_of

RING = (2, 0, 1), (0, 1, 2), (1, 2, 0)
"""Before, target and after, where each of three frames takes its turn: the release joins the last
frame to the first."""


@dataclass(frozen=True)
class AttendingRecipe:
    """What decides how STA or STA+ is trained.

    Attributes:
        net: arguments of the network.
        schedule: how its weights are learnt.
        augmentation: how much moments are varied.
        loss: weight of each term of :func:`~lookhear.training.losses.fixation_losses`; published
            are ``bce`` and ``batch kl``.
        deaf: share of the moments whose sound gate is closed, so that the network knows what to do
            when it hears nothing; of STA+, of the nodes, so that it learns to listen to others.
    """

    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    loss: dict[str, float] = field(default_factory=lambda: {"bce": 1.0, "kl": 1.0})
    deaf: float = 0.0


@dataclass(frozen=True)
class STARecipe(AttendingRecipe):
    """All that decides how STA is trained.

    Attributes:
        still: share of a batch's moments whose neighbours are the frame itself, so that it knows
            stills, and fewer frames have to be looked at.
        every_frame: whether each of a moment's three frames is the target once, as published, and
            their losses are summed; else the middle one alone. Moments have one map, which is the
            middle frame's; it is taken for all three, which are a small part of a second apart.
            (The release has a map of each.) ``still`` has no say then.
    """

    still: float = 0.0
    every_frame: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class STAPlusRecipe(AttendingRecipe):
    """All that decides how STA+ is trained.

    Attributes:
        partners: which moments a target knows.
    """

    partners: Partners = "short"


class AttendingTask(MomentsTask):
    """What the trainings of STA and STA+ share.

    Args:
        recipe: how.
        fixations: the fine maps, see :func:`~lookhear.stanet.pseudo_fixations.make_maps`.
        start: where parts of the network begin.
    """

    recipe: AttendingRecipe
    net: STA | STAPlus
    watched = ("validation loss", "min")

    def __init__(
        self, recipe: AttendingRecipe, fixations: Path, start: InitialWeights | None = None
    ) -> None:
        super().__init__(recipe, start, fixations=fixations)

    @property
    def partners(self) -> Partners | None:
        """Which moments a target knows, if any."""
        return None

    def moments(self, prepared: Path, split: Split) -> Moments:
        """Open triplets to see and hear, with where to look."""
        return Moments(
            prepared,
            split,
            size=self.recipe.augmentation.prepared_size,
            frames=3,
            windows=windows_of(self.recipe.net),
            partners=self.partners,
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

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        varied = random_batch(batch, self.net.input_size, self.recipe.augmentation)
        sounds = varied["has_sound"]
        hears = torch.rand(sounds.shape, device=sounds.device) >= self.recipe.deaf
        varied["has_sound"] = sounds & hears
        return self.log_loss(self.loss_of(varied))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the loss of moments as they are."""
        loss = self.loss_of(plain_batch(batch, self.net.input_size))
        self.log_watched(loss, len(batch["tag"]))

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the loss of a batch as it is."""
        raise NotImplementedError

    def weighed(self, logits: Tensor, fixations: Tensor) -> Tensor:
        """Return the sum of the losses of logits (B, h, w), of fixations (B, H, W), by weight."""
        terms = fixation_losses(logits, fixations)
        return torch.stack(
            [weight * terms[name] for name, weight in self.recipe.loss.items()]
        ).sum()


class STATask(AttendingTask):
    """Trains STA; see :class:`AttendingTask`."""

    recipe: STARecipe
    net: STA

    def build(self, tags: tuple[str, ...]) -> STA:
        """Build STA, with a kind of sound for each tag."""
        return STA(**self.recipe.net, sound_kinds=len(tags))

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the loss of a batch; in training, its last moments may be taken for stills."""
        recipe, count = self.recipe, len(batch["tag"])
        stills = round(recipe.still * count) if self.training else 0
        turns = self._every_turn(batch) if recipe.every_frame else [self._turn(batch, stills)]
        fixations = batch["fixations"][:, 0]
        every = chain.from_iterable(self.net.head.attend(*turn) for turn in turns)
        return torch.stack([self.weighed(logits[:, 0], fixations) for logits in every]).sum()

    def _turn(self, batch: Batch, stills: int) -> tuple[Seen, Seen, Seen]:
        """Before, target and after of each moment; only the target hears."""
        frames = batch["frames"][:, 0]  # B, 3, 3, H, W
        switch = batch["has_sound"][:, 0].float()
        target = self.net.see(frames[:, 1], batch["sound"][:, 0, 1], switch)
        moving = len(frames) - stills
        around = self.net.see(frames[:moving, ::2].flatten(0, 1))  # before, after, before, ...
        still = target.at(slice(moving, None))
        before, after = (Seen.cat([around.at(slice(time, None, 2)), still]) for time in range(2))
        return before, target, after

    def _every_turn(self, batch: Batch) -> list[tuple[Seen, ...]]:
        """Before, target and after of each moment, each frame of which is the target once."""
        frames, switch = batch["frames"][:, 0], batch["has_sound"].float().repeat_interleave(3)
        seen = self.net.see(frames.flatten(0, 1), batch["sound"][:, 0].flatten(0, 1), switch)
        of_time = [seen.at(slice(time, None, 3)) for time in range(3)]
        return [tuple(of_time[time] for time in turn) for turn in RING]


class STAPlusTask(AttendingTask):
    """Trains STA+ on graphs of moments; see :class:`AttendingTask`.

    As published, all three nodes learn.
    """

    recipe: STAPlusRecipe
    net: STAPlus

    @property
    def partners(self) -> Partners:
        """See :class:`AttendingTask`."""
        return self.recipe.partners

    def build(self, tags: tuple[str, ...]) -> STAPlus:
        """Build STA+, with a kind of sound for each tag."""
        return STAPlus(**self.recipe.net, sound_kinds=len(tags))

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, of those nodes that have fixations, as each target has."""
        nodes = self.net.nodes(batch["frames"], batch["sound"][:, :, 1], batch["has_sound"].float())
        logits = self.net.head.attend(*(nodes.at(slice(i, None, NODES)) for i in range(NODES)))
        fixations = batch["fixations"]
        known = fixations.any(-1).any(-1)
        return self.weighed(logits[known], fixations[known])
