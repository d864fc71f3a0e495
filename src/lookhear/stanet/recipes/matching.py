"""Train AudioSwitch to tell whether a sound belongs to a picture (STANet, section 3.3)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.nets.saved import CONFIG, load_network, model_folder
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.checkpoints import save_model
from lookhear.training.initial_weights import Beginnings, begin_with
from lookhear.training.loop import ONE_DEVICE, Machine, Schedule, Training, train
from lookhear.training.moments import require_sound, train_and_val, windows_of

EAR = "head.gate.sound"
"""What tells the kinds of sounds apart in a head that looks for things."""


@dataclass(frozen=True)
class SwitchRecipe:
    """All that decides how an AudioSwitch is trained.

    Attributes:
        net: arguments of :class:`~lookhear.stanet.switch.AudioSwitch`.
        schedule: how its weights are learnt.
        augmentation: how much moments are varied.
        matches: whether the head looks for things, of a kind for each category. What knows the
            categories by ear already, the sound encoder and, if it begins with trained weights,
            the head's own ear, stays as it is then.
        others: how much a loss of others' sounds counts for one of own sounds. A picture's own
            sound surely belongs; another's may, too, where things beside the tagged one are seen.
    """

    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    matches: bool = False
    others: float = 1.0


class SwitchTraining(Training):
    """One training step of AudioSwitch on batches of `Moments`."""

    net: AudioSwitch
    watched = ("accuracy", "max")

    def __init__(self, recipe: SwitchRecipe, categories: int, seed: int) -> None:
        L.seed_everything(seed, verbose=False)
        kinds = categories if recipe.matches else None
        super().__init__(AudioSwitch(**recipe.net, kinds=kinds), recipe.schedule, seed)
        self.augmentation = recipe.augmentation
        self.others = recipe.others

    def on_train_epoch_start(self) -> None:
        """Leave a sound encoder that does not learn the statistics that it has, too."""
        encoder = self.net.sound_encoder
        encoder.train(any(parameter.requires_grad for parameter in encoder.parameters()))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch, to which own and others' sounds contribute by kind."""
        logits, belongs = self._pairs(random_batch(batch, self.net.input_size, self.augmentation))
        losses = F.cross_entropy(logits, belongs.long(), reduction="none")
        return self.log_loss(_by_kind(losses, belongs, self.others))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often a sound is told to belong or not, own and others' counting alike."""
        logits, belongs = self._pairs(plain_batch(batch, self.net.input_size))
        accuracy = _by_kind((logits.argmax(1) == belongs).float(), belongs, others=1.0)
        count = len(batch["tag"])
        self.log("accuracy", accuracy, prog_bar=True, sync_dist=True, batch_size=count)

    def _pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Match each picture with its own sound and with those of other tags.

        Returns:
            Logits (P, 2), and for each whether the sound is the picture's own.
        """
        (features,) = self.net.features(batch["frames"][:, 0])
        sounds = self.net.sound_encoder(batch["sound"][:, 0])
        tags = batch["tag"]
        own = torch.eye(len(tags), dtype=torch.bool, device=tags.device)
        usable = (own | (tags[:, None] != tags)) & batch["has_sound"]
        return self.net.head.pairs(features, sounds)[usable], own[usable]


def _by_kind(values: Tensor, belongs: Tensor, others: float) -> Tensor:
    """The mean over what belongs and that over what does not, averaged; 0 of nothing.

    Args:
        values: (P,).
        belongs: (P,), whether each is of what belongs.
        others: weight of the mean over what does not; of the other it is 1.
    """
    kinds = ((belongs, 1.0), (~belongs, others))
    means = [(values[kind].mean() * weight, weight) for kind, weight in kinds if kind.any()]
    if not means:
        return values.sum()
    return torch.stack([mean for mean, _ in means]).sum() / sum(weight for _, weight in means)


def train_switch(
    prepared: Path,
    out: Path,
    recipe: SwitchRecipe,
    seed: int = 0,
    *,
    start: Beginnings = MappingProxyType({}),
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train AudioSwitch on prepared moments, or go on with the training there.

    A moment's own sound belongs to its picture; the sound of a moment of another tag does not.

    Args:
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        out: run folder, see :func:`~lookhear.training.loop.train`.
        recipe: how.
        seed: of everything left to chance.
        start: where parts of the network begin.
        machine: what to train on.

    Returns:
        The folder of the saved network.

    Raises:
        LookhearError: there are too few moments, one category only or no sound, ``start`` does not
            fit, or ``out`` cannot be written or holds another training.
    """

    def moments(split: Split) -> Moments:
        size, windows = recipe.augmentation.prepared_size, windows_of(recipe.net)
        return Moments(prepared, split, size=size, windows=windows)

    data, held_out = train_and_val(prepared, moments, recipe.schedule.batch_size)
    if len(data.tags) < 2:
        raise LookhearError(f"{prepared}: has one category only; no sound of it is another's")
    require_sound(data, prepared)
    if recipe.schedule.batch_size // machine.devices < 2:
        raise LookhearError(
            f"--devices {machine.devices}: leaves each one moment, and no other sound"
        )
    training = SwitchTraining(recipe, len(data.tags), seed)
    begin_with(training.net, start)
    if recipe.matches:
        training.net.sound_encoder.requires_grad_(False)
        if EAR in start:
            training.net.get_submodule(EAR).requires_grad_(False)
    read = identities({"data": prepared, **start})
    described = asdict(recipe) | {"seed": seed} | read
    return train(training, data, out, described, validation=held_out, machine=machine)


def save_joined(sta: Path, switch: Path, folder: Path) -> None:
    """Save an STA with the AudioSwitch that closes its sound gate.

    Args:
        sta: folder of a saved :class:`~lookhear.stanet.sta.STA`; a switch that it has is replaced.
        switch: folder of a saved :class:`~lookhear.stanet.switch.AudioSwitch`.
        folder: gets the model.

    Raises:
        LookhearError: one cannot be loaded, they do not fit, or ``folder`` cannot be written.
    """
    net, matching = load_network(STA, sta), load_network(AudioSwitch, switch)
    arguments, of_switch = (
        json.loads((model_folder(saved) / CONFIG).read_text(encoding="utf-8"))
        for saved in (sta, switch)
    )
    try:
        joined = STA(**arguments | {"switch": of_switch})
    except ValueError as error:
        raise LookhearError(f"{sta}: does not take {switch}: {error}") from error
    weights = {k: x for k, x in net.state_dict().items() if not k.startswith("switch.")}
    weights |= {f"switch.{k}": x for k, x in matching.state_dict().items()}
    joined.load_state_dict(weights)
    save_model(joined, folder)
