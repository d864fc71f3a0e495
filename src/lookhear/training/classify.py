"""Train S, SA or ST to tell the tags of moments (STANet, section 3.2)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.data.loader import Moments
from lookhear.data.shards import read_manifest
from lookhear.data.tagged import Split
from lookhear.errors import LookhearError
from lookhear.nets.scam import SA, ST, ClassMaps, S
from lookhear.nets.sound import SOUND_ENCODERS
from lookhear.training import Source
from lookhear.training.augment import random_moments
from lookhear.training.loop import Schedule, Training, train

SOURCES: dict[Source, type[S] | type[SA] | type[ST]] = {"S": S, "SA": SA, "ST": ST}


@dataclass(frozen=True)
class ClassRecipe:
    """All that decides how a source of class maps is trained.

    Attributes:
        source: which network.
        net: its arguments, but for the categories.
        schedule: how its weights are learnt.
        prepared_size: height and width to which frames are resized before they are cropped.
        smallest_crop: side of the smallest crop, as a share of the picture's.
        jitter: most change of brightness, contrast, saturation and hue.
        loss: ``"soft margin"`` over the categories (the paper's) or ``"cross-entropy"`` (the
            report's).
        weights: of the losses of the plain and the fused scores.
    """

    source: Source
    net: dict[str, Any]
    schedule: Schedule
    prepared_size: tuple[int, int] = (300, 300)
    smallest_crop: float = 256 / 300
    jitter: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 0.1)
    loss: Literal["soft margin", "cross-entropy"] = "soft margin"
    weights: tuple[float, float] = (1.0, 1.0)


_PAPER = Schedule(
    epochs=15, batch_size=8, optimizer="sgd", learning_rate=1e-3, weight_decay=1e-4, average=None
)
_SMALL = Schedule(epochs=8, batch_size=32, learning_rate=4e-3, average=None)
_TINY = Schedule(epochs=2, batch_size=4, average=None)
_SMALL_NET: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [24, 48, 96, 160], "stem_width": 16},
    "input_size": [128, 224],
}
_TINY_NET: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "input_size": [64, 96],
}


def _light(source: Source, net: dict[str, Any], schedule: Schedule) -> ClassRecipe:
    """A recipe for small pictures and few clips, on a stride at which things are not lost."""
    # Hidden convolutions learn the surroundings by heart where clips are few.
    shallow = {"stride": 16, "hidden": 0}
    more: dict[Source, dict[str, Any]] = {
        "S": {},
        "SA": shallow | {"sound_encoder": "light", "sound_gate": "released"},
        "ST": shallow,
    }
    return ClassRecipe(
        source,
        net | more[source],
        schedule,
        prepared_size=tuple(net["input_size"]),
        smallest_crop=0.7,
        jitter=(0.3, 0.3, 0.2, 0.0),  # the hue tells much where pictures are few
        loss="cross-entropy",
    )


PRESETS: dict[str, dict[Source, ClassRecipe]] = {
    "paper": {
        "S": ClassRecipe("S", {}, _PAPER),
        "SA": ClassRecipe("SA", {}, _PAPER),
        "ST": ClassRecipe("ST", {}, _PAPER, weights=(0.4, 0.6)),
    },
    "small": {source: _light(source, _SMALL_NET, _SMALL) for source in SOURCES},
    "tiny": {source: _light(source, _TINY_NET, _TINY) for source in SOURCES},
}
"""The coarse stage's recipes: of the paper, for a small set on two cores, and for tests."""


class ClassTraining(Training):
    """One training step of S, SA or ST on batches of `Moments`."""

    net: S | SA | ST

    def __init__(self, recipe: ClassRecipe, categories: tuple[str, ...], seed: int) -> None:
        L.seed_everything(seed, verbose=False)
        net = SOURCES[recipe.source](categories, **recipe.net)
        super().__init__(net, recipe.schedule, seed)
        self.recipe = recipe

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        recipe = self.recipe
        frames = random_moments(
            batch["frames"][:, 0].float() / 255,
            self.net.input_size,
            smallest_crop=recipe.smallest_crop,
            jitter=recipe.jitter,
        )
        total = torch.zeros((), device=self.device)
        for weight, scores in zip(recipe.weights, self._maps(frames, batch).scores(), strict=True):
            total = total + weight * self._loss(scores, batch["tag"])
        return self.log_loss(total)

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Log how often the tag is the top class."""
        frames = batch["frames"][:, 0].float() / 255
        resized = F.interpolate(frames.flatten(0, 1), self.net.input_size, mode="bilinear")
        maps = self._maps(resized.view(*frames.shape[:3], *self.net.input_size), batch)
        fused = maps.scores()[1]
        right = fused.argmax(-1) == _for_each(fused, batch["tag"])
        self.log("accuracy", right.float().mean(), prog_bar=True, batch_size=len(frames))

    def _maps(self, frames: Tensor, batch: dict[str, Tensor]) -> ClassMaps:
        """The maps of frames (B, F, 3, H, W): (B, ...), or (B, 3, ...) of ST."""
        maps: ClassMaps
        if isinstance(self.net, ST):
            maps = self.net(frames)
        elif isinstance(self.net, SA):
            is_open = batch["has_sound"][:, 0].float()
            maps = self.net(frames[:, 0], batch["sound"][:, 0, 0], is_open)
        else:
            maps = self.net(frames[:, 0])
        return maps

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


def train_source(
    prepared: Path, out: Path, recipe: ClassRecipe, seed: int = 0, workers: int = 0
) -> Path:
    """Train a source of class maps on prepared moments, or go on with the training there.

    Args:
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        out: run folder, see :func:`~lookhear.training.loop.train`.
        recipe: how.
        seed: of everything left to chance.
        workers: processes that load the moments.

    Returns:
        The folder of the saved network.

    Raises:
        LookhearError: there are too few moments or one category only, or ``out`` cannot be
            written or holds another training.
    """
    data = _moments(prepared, "train", recipe)
    if len(data.tags) < 2:
        raise LookhearError(f"{prepared}: has one category only; classifiers need two at least")
    if len(data) < recipe.schedule.batch_size:
        raise LookhearError(
            f"{prepared}: its {len(data)} moments are fewer than a batch of "
            f"{recipe.schedule.batch_size}; prepare more clips"
        )
    held_out = None
    if read_manifest(prepared).moments["val"]:
        held_out = _moments(prepared, "val", recipe)
    training = ClassTraining(recipe, data.tags, seed)
    described = {"recipe": asdict(recipe), "seed": seed, "moments": len(data), "tags": data.tags}
    return train(training, data, out, described, validation=held_out, workers=workers)


def _moments(prepared: Path, split: Split, recipe: ClassRecipe) -> Moments:
    windows = None
    if recipe.source == "SA":
        windows = SOUND_ENCODERS[recipe.net.get("sound_encoder", "vggsound")].windows
    frames: Literal[1, 3] = 3 if recipe.source == "ST" else 1
    return Moments(prepared, split, size=recipe.prepared_size, frames=frames, windows=windows)
