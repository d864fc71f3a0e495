"""Train STA on still pictures with fixations: the recipe of the model that comes along."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.utils.data import TensorDataset

from lookhear.data.readers.fixated import DENSITY_SIGMA_PER_WIDTH
from lookhear.data.readers.osie import FixatedPicture
from lookhear.errors import LookhearError
from lookhear.resume import described
from lookhear.stanet.sta import STA, Seen
from lookhear.training.augment import random_views
from lookhear.training.loop import train
from lookhear.training.losses import fixation_losses
from lookhear.training.schedule import Schedule
from lookhear.training.task import Task


@dataclass(frozen=True)
class FixationRecipe:
    """All that decides how a fixation network is trained.

    Attributes:
        net: arguments of :class:`~lookhear.stanet.sta.STA`.
        schedule: how its weights are learnt.
        moving: pictures of a batch that are shown drifting, see
            :func:`~lookhear.training.augment.random_views`.
        smallest_crop: side of the smallest crop, as a share of the picture's.
        loss: weight of each term of :func:`~lookhear.training.losses.fixation_losses`.
        first_output: weight of the stride-16 output's loss; the stride-8 output's is 1.
    """

    net: dict[str, Any]
    schedule: Schedule
    moving: int = 4
    smallest_crop: float = 0.6
    loss: dict[str, float] = field(
        default_factory=lambda: {"bce": 1.0, "kl": 1.0, "cc": 1.0, "nss": 0.2}
    )
    first_output: float = 0.4


RECIPES = {
    "small": FixationRecipe(
        net={
            "backbone": "resnet10t",
            "backbone_args": {"channels": [32, 64, 112, 176], "stem_width": 16},
            "sound_encoder": None,
            "input_size": [192, 256],
            "keep_aspect": True,
        },
        schedule=Schedule(epochs=100),
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


class FixationTask(Task):
    """Trains STA on batches of (pictures, densities)."""

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
            self.net.input_size,
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
    pictures: Sequence[FixatedPicture], out: Path, recipe: FixationRecipe, seed: int = 0
) -> Path:
    """Train, or go on with the training that ``out`` holds, and save the network.

    A training that is finished is left as it is.

    Args:
        pictures: to train on; at least a batch.
        out: run folder; gets ``model/``, ``checkpoints/`` and ``logs/``.
        recipe: how.
        seed: of everything left to chance.

    Returns:
        The folder of the saved model, for :func:`lookhear.load_model`.

    Raises:
        LookhearError: too few pictures, or ``out`` cannot be written or holds another training.
    """
    batch_size = recipe.schedule.batch_size
    if len(pictures) < batch_size:
        raise LookhearError(
            f"{len(pictures)} pictures are fewer than a batch of {batch_size}; give more"
        )
    task = FixationTask(recipe).begin(seed)
    names = [picture.name for picture in pictures]
    made_of = {"recipe": described(recipe), "seed": seed, "pictures": names}
    return train(task, _in_memory(pictures, task.net.input_size), out, made_of)


def _in_memory(pictures: Sequence[FixatedPicture], size: tuple[int, int]) -> TensorDataset:
    """Pictures (N, 3, H, W) uint8 a little larger than ``size``, densities (N, H / 2, W / 2)."""
    height, width = (round(side * 1.25 / 2) * 2 for side in size)
    scaled = [
        cv2.resize(picture.pixels(), (width, height), interpolation=cv2.INTER_AREA)
        for picture in pictures
    ]
    looked = np.stack([picture.fixation_map(height // 2, width // 2) > 0 for picture in pictures])
    sigma = DENSITY_SIGMA_PER_WIDTH * width / 2
    rows, columns = (_blur_matrix(size, sigma) for size in looked.shape[1:])
    blurred = rows @ torch.from_numpy(looked).float() @ columns.T
    return TensorDataset(torch.from_numpy(np.stack(scaled)).permute(0, 3, 1, 2), blurred)


def _blur_matrix(size: int, sigma: float) -> Tensor:
    """The blur of `lookhear.metrics.density` along one axis: `(size, size)` float32.

    As a product of all pictures at once, it takes a small part of that one's time.
    """
    pixels = np.eye(size)
    blurred = gaussian_filter1d(pixels, sigma, axis=1, mode="mirror", truncate=4)
    return torch.from_numpy(blurred.T).float()
