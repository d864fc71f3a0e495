"""Train a sound encoder to tell the tags of moments by ear.

The paper's sound encoder comes from VGGSound, where it learnt to name sounds. Where no such
weights are to be had, the tags at hand teach one; without it, neither SA nor STA nor AudioSwitch
learns from a few hundred clips which of several things makes the sound.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import lightning as L
from torch import Tensor
from torch.nn import functional as F

from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.nets.sound import SOUND_ENCODERS, SoundClassifier
from lookhear.training.augment import Augmentation, Batch, random_batch
from lookhear.training.loop import ONE_DEVICE, Machine, Schedule, Training, train
from lookhear.training.moments import require_categories, require_sound, train_and_val


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


class HearingTraining(Training):
    """One training step of a sound encoder on batches of `Moments`."""

    net: SoundClassifier
    watched = ("accuracy", "max")

    def __init__(self, recipe: HearingRecipe, categories: tuple[str, ...], seed: int) -> None:
        L.seed_everything(seed, verbose=False)
        super().__init__(SoundClassifier(categories, recipe.sound_encoder), recipe.schedule, seed)
        self.augmentation = recipe.augmentation

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch, of what there is to hear."""
        varied = random_batch(batch, self.augmentation.prepared_size, self.augmentation)
        losses = F.cross_entropy(self.net(varied["sound"][:, 0]), varied["tag"], reduction="none")
        return self.log_loss(_mean_of(losses, varied["has_sound"]))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often the tag is the top class, of what there is to hear."""
        right = self.net(batch["sound"][:, 0, 0]).argmax(1) == batch["tag"]
        sounds = batch["has_sound"][:, 0]
        accuracy, count = _mean_of(right.float(), sounds), max(int(sounds.sum()), 1)
        self.log("accuracy", accuracy, prog_bar=True, sync_dist=True, batch_size=count)


def _mean_of(values: Tensor, counts: Tensor) -> Tensor:
    """The mean of the values that count; 0 if none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)


def train_hearing(
    prepared: Path,
    out: Path,
    recipe: HearingRecipe,
    seed: int = 0,
    *,
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train a sound encoder on the tags of prepared moments, or go on with the training there.

    Args:
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        out: run folder, see :func:`~lookhear.training.loop.train`.
        recipe: how.
        seed: of everything left to chance.
        machine: what to train on.

    Returns:
        The folder of the saved :class:`~lookhear.nets.sound.SoundClassifier`.

    Raises:
        LookhearError: there are too few moments with sound or one category only, or ``out``
            cannot be written or holds another training.
    """

    def moments(split: Split) -> Moments:
        windows = SOUND_ENCODERS[recipe.sound_encoder].windows
        return Moments(prepared, split, windows=windows)

    data, held_out = train_and_val(prepared, moments, recipe.schedule.batch_size)
    require_categories(data, prepared)
    require_sound(data, prepared)
    training = HearingTraining(recipe, data.tags, seed)
    described = asdict(recipe) | {"seed": seed} | identities({"data": prepared})
    return train(training, data, out, described, validation=held_out, machine=machine)
