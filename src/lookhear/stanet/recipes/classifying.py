"""Train S, SA or ST, or S+, SA+ or ST+, to tell the tags of moments (STANet, section 3.2)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.data import Partners
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.resume import LATER
from lookhear.stanet import Loss, PlusSource, Source
from lookhear.stanet.sources import SA, ST, ClassMaps, S
from lookhear.stanet.sources_plus import SAPlus, SPlus, STPlus
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.initial_weights import InitialWeights
from lookhear.training.schedule import Schedule
from lookhear.training.task import MomentsTask, windows_of

SourceNetwork: TypeAlias = S | SA | ST | SPlus | SAPlus | STPlus
SOURCES: dict[Source | PlusSource, type[SourceNetwork]] = {
    "S": S,
    "SA": SA,
    "ST": ST,
    "S+": SPlus,
    "SA+": SAPlus,
    "ST+": STPlus,
}
HEARING, MOVING = ("SA", "SA+"), ("ST", "ST+")
"""Which sources hear, and which look at three frames a moment."""


@dataclass(frozen=True)
class ClassRecipe:
    """All that decides how a source of class maps is trained.

    Attributes:
        source: which network.
        net: its arguments, but for the categories.
        schedule: how its weights are learnt.
        augmentation: how much moments are varied.
        loss: ``"soft margin"`` over the categories, as published, or ``"cross-entropy"``.
        weights: of the losses of the plain and the fused scores.
        sums_frames: whether the losses of ST's three frames, or of a graph's three nodes and their
            frames, are summed, as published, or averaged.
        partners: of S+, SA+ and ST+, which moments their targets know; None for the others.
    """

    source: Source | PlusSource
    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    loss: Loss = "soft margin"
    weights: tuple[float, float] = (1.0, 1.0)
    sums_frames: bool = field(default=False, metadata=LATER)
    partners: Partners | None = field(default=None, metadata=LATER)


class SourceTask(MomentsTask):
    """Trains a source of class maps.

    Args:
        recipe: how.
        start: where parts of the network begin.
        crops: for the fine stage, the coarse maps of
            :func:`~lookhear.stanet.pseudo_fixations.make_maps`.
    """

    recipe: ClassRecipe
    net: SourceNetwork
    watched = ("accuracy", "max")
    needs_categories = "classifiers need two at least"

    def __init__(
        self, recipe: ClassRecipe, start: InitialWeights | None = None, crops: Path | None = None
    ) -> None:
        super().__init__(recipe, start, crops=crops)

    def moments(self, prepared: Path, split: Split) -> Moments:
        """Open moments as the source takes them."""
        recipe = self.recipe
        return Moments(
            prepared,
            split,
            size=recipe.augmentation.prepared_size,
            frames=3 if recipe.source in MOVING else 1,
            windows=windows_of(recipe.net) if recipe.source in HEARING else None,
            partners=recipe.partners,
            as_released=recipe.net.get("published", False),
            crops=self.reads["crops"],
        )

    def build(self, tags: tuple[str, ...]) -> SourceNetwork:
        """Build a classifier of the tags."""
        return SOURCES[self.recipe.source](tags, **self.recipe.net)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        recipe = self.recipe
        varied = random_batch(batch, self.net.input_size, recipe.augmentation)
        total = torch.zeros((), device=self.device)
        for weight, scores in zip(recipe.weights, self._maps(varied).scores(), strict=True):
            frames = scores.shape[1:-1].numel() if recipe.sums_frames else 1
            total = total + weight * frames * self._loss(scores, varied["tag"])
        return self.log_loss(total)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often the tag is the top class."""
        scores = self._maps(plain_batch(batch, self.net.input_size)).scores()[1]
        right = scores.argmax(-1) == _for_each(scores, batch["tag"])
        self.log_watched(right.float().mean(), len(right))

    def _maps(self, batch: Batch) -> ClassMaps:
        """The maps of B moments, (B, ...), and of each frame of ST's, or of each node's, too."""
        recipe = self.recipe
        given = [batch["frames"]]  # B, M, F, 3, H, W
        if recipe.source in HEARING:
            given += [batch["sound"], batch["has_sound"][:, :, None].float()]
        if recipe.source not in MOVING:
            given = [part[:, :, 0] for part in given]
        if recipe.partners is None:
            given = [part[:, 0] for part in given]
        return ClassMaps(*self.net(*given))

    def _loss(self, scores: Tensor, tags: Tensor) -> Tensor:
        """The loss of scores (B, categories) or (B, F, categories)."""
        tags = _for_each(scores, tags)
        if self.recipe.loss == "cross-entropy":
            return F.cross_entropy(scores.flatten(0, -2), tags.flatten())
        one_hot = F.one_hot(tags, scores.shape[-1]).float()
        return F.multilabel_soft_margin_loss(scores.flatten(0, -2), one_hot.flatten(0, -2))


def _for_each(scores: Tensor, tags: Tensor) -> Tensor:
    """Tags (B,) for scores (B, categories) or, of several frames, (B, F, categories)."""
    return tags.view(-1, *[1] * (scores.ndim - 2)).expand(scores.shape[:-1])
