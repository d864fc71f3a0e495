"""Train AudioSwitch to tell whether a sound belongs to a picture (STANet, section 3.3).

A moment's own sound belongs to its picture; the sound of a moment of another tag does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.files import is_empty
from lookhear.nets.kinds import SavedNetwork
from lookhear.nets.saved import load_network, save_model, saved_as
from lookhear.stanet.sta import STA
from lookhear.stanet.sta_plus import APART, STAPlus
from lookhear.stanet.stanet_plus import AWAY, STANetPlus
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.schedule import Machine, Schedule
from lookhear.training.task import MomentsTask, windows_of

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


class SwitchTask(MomentsTask):
    """Trains AudioSwitch."""

    recipe: SwitchRecipe
    net: AudioSwitch
    watched = ("accuracy", "max")
    needs_categories = "no sound of it is another's"
    needs_sound = "which STANet learns from"

    def moments(self, prepared: Path, split: Split) -> Moments:
        """Open moments to see and hear."""
        size, windows = self.recipe.augmentation.prepared_size, windows_of(self.recipe.net)
        return Moments(prepared, split, size=size, windows=windows)

    def check(self, prepared: Path, data: Moments, machine: Machine) -> None:
        """Refuse moments none of whose sounds is another's, or that are shared too far."""
        super().check(prepared, data, machine)
        if self.schedule.batch_size // machine.devices < 2:
            raise LookhearError(
                f"--devices {machine.devices}: leaves each one moment, and no other sound"
            )

    def build(self, tags: tuple[str, ...]) -> AudioSwitch:
        """Build a switch, if it looks for things with a kind for each tag."""
        return AudioSwitch(**self.recipe.net, kinds=len(tags) if self.recipe.matches else None)

    @property
    def frozen(self) -> tuple[str, ...]:
        """See :class:`~lookhear.training.task.Task`: what knows the tags already."""
        known: tuple[str, ...] = ()
        if self.recipe.matches:
            known = ("sound_encoder", EAR) if EAR in self.start else ("sound_encoder",)
        return super().frozen + known

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch, to which own and others' sounds contribute by kind."""
        logits, belongs = self._pairs(
            random_batch(batch, self.net.input_size, self.recipe.augmentation)
        )
        losses = F.cross_entropy(logits, belongs.long(), reduction="none")
        return self.log_loss(_by_kind(losses, belongs, self.recipe.others))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often a sound is told to belong or not, own and others' counting alike."""
        logits, belongs = self._pairs(plain_batch(batch, self.net.input_size))
        told = self.net.probability(logits) > 0.5
        accuracy = _by_kind((told == belongs).float(), belongs, others=1.0)
        self.log_watched(accuracy, len(batch["tag"]))

    def _pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Match each picture with its own sound and with those of other tags.

        Returns:
            Logits (P, 2), and for each whether the sound is the picture's own.
        """
        (features,) = self.net.features(batch["frames"][:, 0, 0])
        sounds = self.net.sound_encoder(batch["sound"][:, 0, 0])
        tags = batch["tag"]
        own = torch.eye(len(tags), dtype=torch.bool, device=tags.device)
        usable = (own | (tags[:, None] != tags)) & batch["has_sound"][:, 0]
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


def save_joined(sta: Path, switch: Path, folder: Path, *, replaces: bool = False) -> None:
    """Save an STA with the AudioSwitch that closes its sound gate.

    Args:
        sta: folder of a saved :class:`~lookhear.stanet.sta.STA`; a switch that it has is replaced.
        switch: folder of a saved :class:`~lookhear.stanet.switch.AudioSwitch`.
        folder: gets the model.
        replaces: whether what is there is replaced.

    Raises:
        LookhearError: one cannot be loaded, they do not fit, or ``folder`` cannot be written, or
            is there already.
    """
    _check_place(folder, replaces)
    net, matching = load_network(STA, sta, "cpu"), load_network(AudioSwitch, switch, "cpu")
    (_, arguments), (_, of_switch) = saved_as(sta), saved_as(switch)
    try:
        joined = STA(**arguments | {"switch": of_switch})
    except ValueError as error:
        raise LookhearError(f"{sta}: does not take {switch}: {error}") from error
    joined.load_state_dict(_without_switch(net) | _part("switch", matching.state_dict()))
    save_model(joined, folder)


def save_together(
    parts: Mapping[str, Path], folder: Path, *, published: bool = False, replaces: bool = False
) -> None:
    """Save a :class:`~lookhear.stanet.stanet_plus.STANetPlus` of saved networks.

    Args:
        parts: ``sta``, ``short``, ``cross`` and, if there is one, ``switch`` -> folder of the saved
            network; a switch of another's own is left out. A ``cross`` that watches no farther than
            ``short`` looks :data:`~lookhear.stanet.stanet_plus.AWAY` frames away instead.
        folder: gets the model.
        published: see :class:`~lookhear.stanet.stanet_plus.STANetPlus`.
        replaces: whether what is there is replaced.

    Raises:
        LookhearError: one cannot be loaded, they do not fit, or ``folder`` cannot be written, or
            is there already.
    """
    _check_place(folder, replaces)
    kinds: dict[str, type[SavedNetwork]] = {"sta": STA, "switch": AudioSwitch}
    arguments: dict[str, dict[str, Any]] = {}
    weights: dict[str, Tensor] = {}
    for name, saved in parts.items():
        net = load_network(kinds.get(name, STAPlus), saved, "cpu")
        _, arguments[name] = saved_as(saved)
        if name != "switch":
            arguments[name].pop("switch", None)
        weights |= _part(name, _without_switch(net))
    near, far = (arguments[name].get("apart", APART) for name in ("short", "cross"))
    if far <= near:
        arguments["cross"]["apart"] = AWAY
    try:
        joined = STANetPlus(**arguments, published=published)
    except ValueError as error:
        raise LookhearError(f"{', '.join(map(str, parts.values()))}: {error}") from error
    joined.load_state_dict(weights)
    save_model(joined, folder)


def _check_place(folder: Path, replaces: bool) -> None:
    if not replaces and folder.exists() and not is_empty(folder):
        raise LookhearError(f"{folder}: is there already; choose another --out")


def _without_switch(net: nn.Module) -> dict[str, Tensor]:
    return {k: x for k, x in net.state_dict().items() if not k.startswith("switch.")}


def _part(name: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for key, tensor in weights.items()}
