"""Train a sound encoder to tell the tags of moments by ear.

The paper's sound encoder comes from VGGSound, where it learnt to name sounds. Where no such
weights are to be had, the tags at hand teach one; without it, neither SA nor STA nor AudioSwitch
learns from a few hundred clips which of several things makes the sound.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.nets.sound import SOUND_ENCODERS, SoundClassifier
from lookhear.training.augment import Augmentation, Batch, random_batch
from lookhear.training.schedule import Schedule
from lookhear.training.task import MomentsTask


@dataclass(frozen=True)
class HearingRecipe:
    """All that decides how a sound encoder is trained.

    Attributes:
        sound_encoder: a name in :data:`~lookhear.nets.sound.SOUND_ENCODERS`.
        schedule: how its weights are learnt.
        augmentation: how much sounds are varied.
    """

    sound_encoder: str
    schedule: Schedule
    augmentation: Augmentation


class HearingTask(MomentsTask):
    """Trains a sound encoder, in a classifier of sounds."""

    recipe: HearingRecipe
    net: SoundClassifier
    watched = ("accuracy", "max")
    needs_categories = "classifiers need two at least"
    needs_sound = "which STANet learns from"

    def moments(self, prepared: Path, split: Split) -> Moments:
        """Open moments to hear."""
        windows = SOUND_ENCODERS[self.recipe.sound_encoder].windows
        return Moments(prepared, split, windows=windows)

    def build(self, tags: tuple[str, ...]) -> SoundClassifier:
        """Build a classifier of the tags."""
        return SoundClassifier(tags, self.recipe.sound_encoder)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch, of what there is to hear."""
        augmentation = self.recipe.augmentation
        varied = random_batch(batch, augmentation.prepared_size, augmentation)
        scores = self.net(varied["sound"][:, 0, 0])
        losses = F.cross_entropy(scores, varied["tag"], reduction="none")
        return self.log_loss(_mean_of(losses, varied["has_sound"][:, 0]))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often the tag is the top class, of what there is to hear."""
        right = self.net(batch["sound"][:, 0, 0]).argmax(1) == batch["tag"]
        sounds = batch["has_sound"][:, 0]
        self.log_watched(_mean_of(right.float(), sounds), max(int(sounds.sum()), 1))


def _mean_of(values: Tensor, counts: Tensor) -> Tensor:
    """The mean of the values that count; 0 if none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
