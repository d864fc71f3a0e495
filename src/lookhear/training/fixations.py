"""Train STA on still pictures with fixations: the recipe of the model that comes along."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from lookhear.data.fixated import DENSITY_SIGMA_PER_WIDTH
from lookhear.data.osie import FixatedPicture
from lookhear.errors import LookhearError
from lookhear.files import cannot_write, whole_folder, write_whole
from lookhear.metrics import density
from lookhear.nets.sta import STA, Seen
from lookhear.training.augment import random_views
from lookhear.training.losses import fixation_losses


@dataclass(frozen=True)
class FixationRecipe:
    """All that decides how a fixation network is trained.

    Attributes:
        net: arguments of :class:`~lookhear.nets.sta.STA`.
        epochs: passes over the pictures.
        batch_size: pictures a step.
        moving: pictures of a batch that are shown drifting, see
            :func:`~lookhear.training.augment.random_views`.
        smallest_crop: side of the smallest crop, as a share of the picture's.
        learning_rate: highest of a one-cycle schedule, for AdamW.
        weight_decay: of weights; biases and norms have none.
        average: decay per step of the moving average of the weights, which is what is kept.
        loss: weight of each term of :func:`~lookhear.training.losses.fixation_losses`.
        first_output: weight of the stride-16 output's loss; the stride-8 output's is 1.
    """

    net: dict[str, Any]
    epochs: int
    batch_size: int = 16
    moving: int = 4
    smallest_crop: float = 0.6
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    average: float = 0.995
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
        epochs=100,
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
        epochs=2,
        batch_size=4,
        moving=1,
    ),
}


class FixationTraining(L.LightningModule):
    """One training step of STA on batches of (pictures, densities)."""

    def __init__(self, recipe: FixationRecipe, seed: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.seed = seed
        self.net = STA(**recipe.net)

    def on_train_batch_start(self, *_: Any) -> None:
        """Make a step's chances its own, so that a resumed training goes on to the same end."""
        torch.manual_seed(1_000_003 * self.seed + self.global_step)

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
        self.log("loss", total, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return total

    def configure_optimizers(self) -> Any:
        """AdamW with a one-cycle schedule."""
        recipe = self.recipe
        parameters = list(self.net.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            recipe.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.1,
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


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
    if len(pictures) < recipe.batch_size:
        raise LookhearError(
            f"{len(pictures)} pictures are fewer than a batch of {recipe.batch_size}; give more"
        )
    goes_on = _claim(
        out, {"recipe": asdict(recipe), "seed": seed, "pictures": [p.name for p in pictures]}
    )
    model = out / "model"
    if model.exists():
        if not goes_on:
            raise LookhearError(f"{model}: is there already; choose another --out")
        return model
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # tips and advertisements
    L.seed_everything(seed, verbose=False)
    module = FixationTraining(recipe, seed)
    dataset = _in_memory(pictures, module.net.input_size)
    # Of the samplers this one alone is told the epoch, so that a resumed training repeats none.
    order: DistributedSampler[Any] = DistributedSampler(
        dataset, num_replicas=1, rank=0, seed=seed, drop_last=True
    )
    loader = DataLoader(dataset, batch_size=recipe.batch_size, sampler=order, drop_last=True)
    last = out / "checkpoints" / "last.ckpt"
    trainer = L.Trainer(
        max_epochs=recipe.epochs,
        accelerator="auto",
        devices=1,
        gradient_clip_val=1.0,
        default_root_dir=out,
        logger=TensorBoardLogger(out, name="logs", version=""),
        callbacks=[
            EMAWeightAveraging(decay=recipe.average),
            ModelCheckpoint(last.parent, last.stem, enable_version_counter=False),
            RichProgressBar(),
        ],
        log_every_n_steps=1,
        enable_model_summary=False,
    )
    trainer.fit(module, loader, ckpt_path=last if last.exists() else None, weights_only=True)
    with whole_folder(model) as partial:
        module.net.cpu().eval().save_pretrained(partial)
    return model


def _claim(out: Path, training: dict[str, Any]) -> bool:
    """Note what is trained in ``out``; say whether that is going on, refuse if it is another."""
    note, text = out / "training.json", json.dumps(training, indent=1)
    try:
        out.mkdir(parents=True, exist_ok=True)
        goes_on = note.exists()
        if goes_on and note.read_text(encoding="utf-8") != text:
            raise LookhearError(
                f"{out}: holds a training with another recipe, seed or pictures; choose another "
                "--out"
            )
    except OSError as error:
        raise cannot_write(out, error) from error
    if not goes_on:
        write_whole(note, text)
    return goes_on


def _in_memory(pictures: Sequence[FixatedPicture], size: tuple[int, int]) -> TensorDataset:
    """Pictures (N, 3, H, W) uint8 a little larger than ``size``, densities (N, H / 2, W / 2)."""
    height, width = (round(side * 1.25 / 2) * 2 for side in size)
    scaled = [
        cv2.resize(picture.pixels(), (width, height), interpolation=cv2.INTER_AREA)
        for picture in pictures
    ]
    looked = np.stack([picture.fixation_map(height // 2, width // 2) > 0 for picture in pictures])
    blurred = density(torch.from_numpy(looked), DENSITY_SIGMA_PER_WIDTH * width / 2)
    return TensorDataset(torch.from_numpy(np.stack(scaled)).permute(0, 3, 1, 2), blurred.float())
