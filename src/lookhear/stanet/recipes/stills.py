"""Train STA on still pictures with fixations: the recipe of the model that comes along."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lookhear.data.identity import identities
from lookhear.data.readers.fixated import density_of
from lookhear.data.readers.osie import FixatedPicture
from lookhear.errors import LookhearError
from lookhear.nets.pretrained import IMAGENET, LITE0, LITE0_EARLY, Pretrained
from lookhear.nets.watching import Eye
from lookhear.resume import described
from lookhear.stanet.sta import STA, Seen
from lookhear.training.augment import random_views
from lookhear.training.initial_weights import beginning, begun_with
from lookhear.training.loop import train
from lookhear.training.losses import fixation_losses
from lookhear.training.mixing import Mixture
from lookhear.training.schedule import ONE_DEVICE, Machine, Schedule
from lookhear.training.task import Task
from lookhear.words import count, named

ROOM = 1.25
"""How high pictures are kept for views of 1: the larger part of crops is not enlarged again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FixationRecipe:
    """All that decides how a fixation network is trained.

    Attributes:
        net: arguments of :class:`~lookhear.stanet.sta.STA`.
        schedule: how its weights are learnt.
        pretrained: with which its backbone begins; None for weights of chance.
        views: height and width, in pixels, of the area of what it is trained on; None for its
            ``input_size``. One that has learnt from smaller views, in half the time, sees more in
            larger pictures (as Touvron et al., arXiv 1906.06423, found of classifiers).
        moving: pictures of a batch that are shown drifting, see
            :func:`~lookhear.training.augment.random_views`.
        smallest_crop: side of the smallest crop, as a share of the picture's.
        loss: weight of each term of :func:`~lookhear.training.losses.fixation_losses`.
        first_output: weight of the stride-16 output's loss; the stride-8 output's is 1.
    """

    net: dict[str, Any]
    schedule: Schedule
    pretrained: Pretrained | None = None
    views: tuple[int, int] | None = None
    moving: int = 4
    smallest_crop: float = 0.6
    loss: dict[str, float] = field(
        default_factory=lambda: {"bce": 1.0, "kl": 1.0, "cc": 1.0, "nss": 0.2}
    )
    first_output: float = 0.4


RECIPES = {
    "small": FixationRecipe(
        net=LITE0
        | {"sound_encoder": None, "width": 48, "input_size": [240, 336], "keep_aspect": True},
        schedule=Schedule(
            epochs=14,
            frozen=LITE0_EARLY,
            backbone_rate=3e-4,
        ),
        pretrained=IMAGENET,
        views=(192, 256),
    ),
    "tiny": FixationRecipe(
        net={
            "backbone": "resnet10t",
            "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
            "sound_encoder": None,
            "width": 8,
            "input_size": [96, 128],
            "keep_aspect": True,
        },
        schedule=Schedule(epochs=2, batch_size=4),
        moving=1,
    ),
}


def beginning_with(recipe: FixationRecipe, weights: Pretrained | None) -> FixationRecipe:
    """Change with what a recipe's backbone begins; all of another one learns."""
    if weights == recipe.pretrained:
        return recipe
    return replace(begun_with(recipe, weights), pretrained=weights)


class FixationTask(Task):
    """Trains STA on batches of (pictures, densities).

    Weights are saved in 16 bits, as they come along in a package. Of 60 held-out pictures, maps
    of the bundled model differ by 0.0043 at most.
    """

    saves_in = torch.float16
    recipe: FixationRecipe
    net: STA

    def build(self, _: tuple[str, ...]) -> STA:
        """Build STA."""
        return STA(**self.recipe.net)

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """Return the loss of pictures (B, 3, H, W) uint8 and densities (B, H, W)."""
        recipe = self.recipe
        pictures, densities = batch
        views = random_views(
            pictures.float() / 255,
            densities,
            (round(pictures.shape[2] / ROOM), round(pictures.shape[3] / ROOM)),
            smallest_crop=recipe.smallest_crop,
            moving=recipe.moving,
        )
        seen = self.net.see(torch.cat([views.target, views.before, views.after]))
        count, moving = len(views.target), recipe.moving
        target, still = seen.at(slice(count)), seen.at(slice(moving, count))
        before = Seen.cat([seen.at(slice(count, count + moving)), still])
        after = Seen.cat([seen.at(slice(count + moving, None)), still])

        first, last = self.net.head.attend(before, target, after)
        total = torch.zeros((), device=self.device)
        for weight, logits in ((1.0, last), (recipe.first_output, first)):
            terms = fixation_losses(logits[:, 0], views.density)
            total = total + weight * sum(recipe.loss[name] * terms[name] for name in recipe.loss)
        return self.log_loss(total)


def train_fixations(
    sets: Sequence[Sequence[FixatedPicture]],
    out: Path,
    recipe: FixationRecipe,
    seed: int = 0,
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train, or go on with the training that ``out`` holds, and save the network.

    A training that is finished is left as it is.

    Args:
        sets: pictures to train on; a batch at least. Each set is drawn from as often as another.
        out: run folder; gets ``model/``, ``checkpoints/`` and ``logs/``.
        recipe: how.
        seed: of everything left to chance.
        machine: what to train on; one device.

    Returns:
        The folder of the saved model, for :func:`lookhear.load_model`.

    Raises:
        LookhearError: too few pictures, weights to begin with that cannot be had, or ``out`` cannot
            be written or holds another training.
    """
    batch_size, total = recipe.schedule.batch_size, sum(map(len, sets))
    if total < batch_size:
        raise LookhearError(f"{total} pictures are fewer than a batch of {batch_size}; give more")
    start = beginning("backbone", recipe.pretrained)
    task = FixationTask(recipe, start).begin(seed)
    stills = Stills(sets, recipe.views or task.net.input_size, batch_size)
    names = [[picture.name for picture in pictures] for pictures in sets]
    made_of = described(replace(recipe, pretrained=None)) | identities(start)
    made_of |= {"seed": seed, "pictures": names}
    mixture = Mixture(stills.sets, stills.shapes, batch_size, seed)
    return train(task, stills, out, made_of, machine=machine, mixture=mixture)


class Stills(Dataset[tuple[Tensor, Tensor]]):
    """Pictures and where people looked in them, each in a shape that a batch can be filled with.

    Attributes:
        sets: which set each is of.
        shapes: height and width, in pixels, of the views of each.
    """

    def __init__(
        self, sets: Sequence[Sequence[FixatedPicture]], size: tuple[int, int], batch_size: int
    ) -> None:
        pictures = [picture for of_one in sets for picture in of_one]
        self.sets = [index for index, of_one in enumerate(sets) for _ in of_one]
        eye = Eye(size, keep_aspect=True)
        own = [eye.size_for(of.height, of.width) for of in pictures]
        self.shapes = _common(own, batch_size)
        stretched = [
            of.name
            for of, mine, seen in zip(pictures, own, self.shapes, strict=True)
            if mine != seen
        ]
        if stretched:
            log.warning(
                "%s of %d are of shapes too rare for a batch, and stretched to the next: %s",
                count(len(stretched), "picture"),
                len(pictures),
                named(stretched),
            )
        self._kept = [
            _kept(picture, shape) for picture, shape in zip(pictures, self.shapes, strict=True)
        ]

    def __len__(self) -> int:
        """Pictures."""
        return len(self._kept)

    def __getitem__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, H, W) uint8, `ROOM` times as high as views; densities (B, H/2, W/2)."""
        kept = [self._kept[index] for index in indices]
        pixels, densities = (torch.from_numpy(np.stack(part)) for part in zip(*kept, strict=True))
        return pixels.permute(0, 3, 1, 2), densities


def _common(shapes: Sequence[tuple[int, int]], least: int) -> list[tuple[int, int]]:
    """Shapes, where fewer than so many have one by the next that is common."""
    often = Counter(shapes)
    common = [shape for shape, times in often.items() if times >= least]
    common = common or [often.most_common(1)[0][0]]

    def nearest(shape: tuple[int, int]) -> tuple[int, int]:
        return min(common, key=lambda of: abs(math.log(of[1] * shape[0] / of[0] / shape[1])))

    return [nearest(shape) for shape in shapes]


def _kept(
    picture: FixatedPicture, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    height, width = (round(side * ROOM / 2) * 2 for side in shape)
    pixels = cv2.resize(picture.pixels(), (width, height), interpolation=cv2.INTER_AREA)
    looked = picture.fixation_map(height // 2, width // 2)
    return pixels.astype(np.uint8, copy=False), density_of(looked)
