"""Train the network of events from the tags of clips, by recipes of a name each.

`paper` is the paper's as far as it is told: ten boxes a frame, VGGish, two fully connected layers
of 4,096 above RoI pooling, hinge loss, batches of 24 at a rate of 1e-5. It wants pretrained weights
for eye and ear, and a GPU. `small` is made for two cores and a thousand clips or more: a frozen
backbone that knows ImageNet and sees each frame but once, before the training, and a light ear that
begins from nothing. As scores are of unit length, those of 28 categories that are all alike have a
hinge loss of 0.82 already; its loss is a sharper soft margin, in which the tags that a clip carries
weigh as much as all others, and proposals are pooled by a smooth maximum, not by the paper's two
streams. Each sense is taught by itself, too, and half of the boxes are hidden while it learns.
What each of this is worth is in benchmarks/README. `tiny` is for tests.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.errors import LookhearError
from lookhear.events.net import EventNet, Found, Heard, Pooling, Seen, Senses
from lookhear.events.proposals import BOXES
from lookhear.events.scores import best_threshold, tag_scores
from lookhear.nets.pretrained import IMAGENET, LITE0, Pretrained
from lookhear.training.schedule import Schedule
from lookhear.training.task import Task

Loss = Literal["hinge", "soft margin"]
BACKBONE = "backbone"


@dataclass(frozen=True)
class EventRecipe:
    """All that decides how the network of events is trained.

    Attributes:
        net: arguments of :class:`~lookhear.events.net.EventNet`, but for the categories and what
            the clips decide.
        schedule: how its weights are learnt.
        loss: over all categories of a clip: multi-label hinge, as in the paper, or soft margin.
        sharpness, balanced: see :func:`multi_label_loss`.
        alone: weight of the same loss of each sense by itself, beside that of both: else the sense
            that is slower to learn is left with what the other does not explain.
        hidden: share of a clip's boxes that it is not shown, by chance, while it learns: else it
            learns clips by heart, by a box of each.
        boxes: proposed in a frame, at most.
        step: rows, 10 ms each, from one window of sound to the next while it learns.
        pretrained: with which its backbone begins; None for weights of chance.
    """

    net: dict[str, Any]
    schedule: Schedule
    loss: Loss = "hinge"
    sharpness: float = 1.0
    balanced: bool = False
    alone: float = 0.0
    hidden: float = 0.0
    boxes: int = BOXES
    step: int = 48
    pretrained: Pretrained | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone stays as it begins, so that frames are seen but once."""
        return BACKBONE in self.schedule.frozen


LIGHT_EAR = {"channels": [8, 16, 32, 32, 64, 64], "hidden": 256, "norms": True}
RECIPES = {
    "paper": EventRecipe(
        net={"backbone": "vgg16", "cells": 7, "hidden": 4096, "input_size": [256, 448]},
        schedule=Schedule(20, 24, learning_rate=1e-5, weight_decay=0.0, average=None),
        boxes=10,
        pretrained="vgg16.tv_in1k",
    ),
    "small": EventRecipe(
        net=LITE0
        | {
            "strides": [8, 16],
            "levelled": True,
            "pooling": "log-sum-exp",
            "ear": LIGHT_EAR,
        },
        schedule=Schedule(16, 16, learning_rate=2e-3, average=None, frozen=(BACKBONE,)),
        loss="soft margin",
        sharpness=5.0,
        balanced=True,
        alone=0.5,
        hidden=0.5,
        step=96,
        pretrained=IMAGENET,
    ),
    "tiny": EventRecipe(
        net={
            "backbone": "resnet10t",
            "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
            "strides": [8],
            "input_size": [64, 96],
            "hidden": 32,
            "dropout": 0.0,
            "ear": {"channels": [8, 8, 8, 16, 16, 16], "hidden": 32, "norms": True},
        },
        schedule=Schedule(2, 4, average=None),
        boxes=4,
    ),
}


class EventTask(Task):
    """Trains the network of events on bags of proposals; see `lookhear.events.clips.Bags`."""

    recipe: EventRecipe
    net: EventNet
    watched = ("f1", "max")

    def __init__(self, recipe: EventRecipe, *args: Any) -> None:
        super().__init__(recipe, *args)
        self._held_out: list[tuple[Tensor, Tensor]] = []

    def build(self, tags: tuple[str, ...]) -> EventNet:
        """Build the network."""
        return EventNet(tags, **self.recipe.net)

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        found = self._found(batch)
        loss = self._loss(found.scores, batch)
        if self.recipe.alone and found.seen is not None and found.heard is not None:
            each = (self._loss(of.scores, batch) for of in (found.seen, found.heard))
            loss = loss + self.recipe.alone * sum(each)
        return self.log_loss(loss)

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Keep the scores of held-out clips."""
        self._held_out.append((self._found(batch).scores.float(), batch["tags"]))

    def on_validation_epoch_end(self) -> None:
        """Choose the threshold of highest micro F1, and log that F1.

        Below 0, where more speaks against a tag than for it, none is found.
        """
        kept = (torch.cat(of) for of in zip(*self._held_out, strict=True))
        gathered: Any = [self.all_gather(of) for of in kept]  # (N, C), of processes (P, N, C)
        scores, tags = (of.flatten(0, -2).cpu().numpy() for of in gathered)
        self._held_out.clear()
        threshold = max(best_threshold(scores, tags), 0.0)
        self.net.threshold.fill_(threshold)
        f1 = tag_scores(scores >= threshold, tags).micro.f1
        self.log_watched(torch.tensor(f1), len(scores))

    def _found(self, batch: dict[str, Tensor]) -> Found:
        found: Found = self.net(self._seen(batch), self._heard(batch))
        return found

    def _loss(self, scores: Tensor, batch: dict[str, Tensor]) -> Tensor:
        recipe = self.recipe
        return multi_label_loss(
            scores.float(), batch["tags"], recipe.loss, recipe.sharpness, balanced=recipe.balanced
        )

    def _seen(self, batch: dict[str, Tensor]) -> Seen | None:
        if not self.net.sees:
            return None
        there = batch["there"]
        if self.training and self.recipe.hidden:
            there = there & (torch.rand(there.shape, device=there.device) >= self.recipe.hidden)
        if "pooled" in batch:
            return Seen(batch["pooled"], there)
        frames, boxes = batch["frames"].flatten(0, 1).float() / 255, batch["boxes"].flatten(0, 1)
        pooled = self.net.pooled(frames, boxes)
        return Seen(pooled.view(*there.shape, -1), there)

    def _heard(self, batch: dict[str, Tensor]) -> Heard | None:
        return Heard(batch["windows"], batch["audible"]) if self.net.hears else None


def multi_label_loss(
    scores: Tensor, tags: Tensor, loss: Loss, sharpness: float = 1.0, *, balanced: bool = False
) -> Tensor:
    """The mean loss of scores (B, C) by the tags that clips carry, (B, C) bool.

    *hinge* is max(0, 1 - y s), y being 1 of a tag that is carried and -1 of one that is not;
    *soft margin* is log(1 + exp(-y s)). ``sharpness`` is a factor of s. ``balanced`` has the tags
    that a clip carries count as much as all that it does not.
    """
    agreeing = sharpness * torch.where(tags, scores, -scores)
    losses = F.relu(1 - agreeing) if loss == "hinge" else F.softplus(-agreeing)
    if balanced:
        carried = tags.sum(1, keepdim=True)
        others = tags.shape[1] - carried
        losses = losses * torch.where(tags, others / carried.clamp(min=1), 1.0) / 2
    return losses.mean()


def with_choices(net: dict[str, Any], senses: str | None, pooling: str | None) -> dict[str, Any]:
    """Change what a network senses and how it pools; None leaves it.

    Raises:
        LookhearError: there is no such way.
    """
    changed = dict(net)
    for option, value, known in (
        ("senses", senses, get_args(Senses)),
        ("pooling", pooling, get_args(Pooling)),
    ):
        if value is not None and value not in known:
            raise LookhearError(f"--{option} {value}: unknown; there are {', '.join(known)}")
        if value is not None:
            changed[option] = value
    return changed
