"""Train S, SA or ST to tell the tags of moments (STANet, section 3.2)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.stanet import Source
from lookhear.stanet.sources import SA, ST, ClassMaps, S
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.initial_weights import Beginnings, begin_with
from lookhear.training.loop import ONE_DEVICE, Machine, Schedule, Training, train
from lookhear.training.moments import require_categories, train_and_val, windows_of

Loss: TypeAlias = Literal["soft margin", "cross-entropy"]
SOURCES: dict[Source, type[S] | type[SA] | type[ST]] = {"S": S, "SA": SA, "ST": ST}


@dataclass(frozen=True)
class ClassRecipe:
    """All that decides how a source of class maps is trained.

    Attributes:
        source: which network.
        net: its arguments, but for the categories.
        schedule: how its weights are learnt.
        augmentation: how much moments are varied.
        loss: ``"soft margin"`` over the categories (the paper's) or ``"cross-entropy"`` (the
            report's).
        weights: of the losses of the plain and the fused scores.
    """

    source: Source
    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    loss: Loss = "soft margin"
    weights: tuple[float, float] = (1.0, 1.0)


class ClassTraining(Training):
    """One training step of S, SA or ST on batches of `Moments`."""

    net: S | SA | ST
    watched = ("accuracy", "max")

    def __init__(self, recipe: ClassRecipe, categories: tuple[str, ...], seed: int) -> None:
        L.seed_everything(seed, verbose=False)
        net = SOURCES[recipe.source](categories, **recipe.net)
        super().__init__(net, recipe.schedule, seed)
        self.recipe = recipe

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        recipe = self.recipe
        varied = random_batch(batch, self.net.input_size, recipe.augmentation)
        total = torch.zeros((), device=self.device)
        for weight, scores in zip(recipe.weights, self._maps(varied).scores(), strict=True):
            total = total + weight * self._loss(scores, varied["tag"])
        return self.log_loss(total)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often the tag is the top class."""
        scores = self._maps(plain_batch(batch, self.net.input_size)).scores()[1]
        right = scores.argmax(-1) == _for_each(scores, batch["tag"])
        self.log(
            "accuracy", right.float().mean(), prog_bar=True, sync_dist=True, batch_size=len(right)
        )

    def _maps(self, batch: Batch) -> ClassMaps:
        """The maps of B moments, (B, ...), or, of ST, (B, 3, ...)."""
        frames = batch["frames"]
        if isinstance(self.net, ST):
            maps = self.net(frames)
        elif isinstance(self.net, SA):
            maps = self.net(frames[:, 0], batch["sound"][:, 0], batch["has_sound"].float())
        else:
            maps = self.net(frames[:, 0])
        return ClassMaps(*maps)

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


def as_probabilities(scores: Tensor, loss: Loss) -> Tensor:
    """What scores (..., categories) say of each category, by the loss they were trained with."""
    return torch.softmax(scores, -1) if loss == "cross-entropy" else torch.sigmoid(scores)


def train_source(
    prepared: Path,
    out: Path,
    recipe: ClassRecipe,
    seed: int = 0,
    *,
    start: Beginnings = MappingProxyType({}),
    crops: Path | None = None,
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train a source of class maps on prepared moments, or go on with the training there.

    Args:
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        out: run folder, see :func:`~lookhear.training.loop.train`.
        recipe: how.
        seed: of everything left to chance.
        start: where parts of the network begin.
        crops: for the fine stage, the coarse maps of
            :func:`~lookhear.stanet.pseudo_fixations.make_maps`.
        machine: what to train on.

    Returns:
        The folder of the saved network.

    Raises:
        LookhearError: there are too few moments or one category only, ``start`` or ``crops`` does
            not fit, or ``out`` cannot be written or holds another training.
    """

    def moments(split: Split) -> Moments:
        return Moments(
            prepared,
            split,
            size=recipe.augmentation.prepared_size,
            frames=3 if recipe.source == "ST" else 1,
            windows=windows_of(recipe.net) if recipe.source == "SA" else None,
            crops=crops,
        )

    data, held_out = train_and_val(prepared, moments, recipe.schedule.batch_size)
    require_categories(data, prepared)
    training = ClassTraining(recipe, data.tags, seed)
    begin_with(training.net, start)
    read = identities({"data": prepared, "crops": crops, **start})
    described = asdict(recipe) | {"seed": seed} | read
    return train(training, data, out, described, validation=held_out, machine=machine)
