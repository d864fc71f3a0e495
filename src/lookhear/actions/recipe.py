"""Train a network to name the actions of clips, by one label each (arXiv 1810.04511, section 3)."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from lookhear.actions.clips import (
    CLIPS,
    Labelled,
    SpreadClips,
    SpreadMoments,
    duration_of,
    listed,
    tell_left_out,
)
from lookhear.actions.losses import Distance, contrast, total_variation, unimodal
from lookhear.actions.net import Attended, WhereWhen
from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split, TaggedClips, size_of
from lookhear.data.shards import read_complete
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.nets.pretrained import Pretrained
from lookhear.parallel import cores
from lookhear.resume import LATER, Journal, described
from lookhear.training.augment import Augmentation, Batch, plain_batch, random_batch
from lookhear.training.initial_weights import beginning, begun_with
from lookhear.training.loop import train
from lookhear.training.schedule import ONE_DEVICE, Machine, Schedule
from lookhear.training.task import Task
from lookhear.words import count, counted

LEFT_OUT = "left-out.jsonl"
MEASURED = 20  # clips, spread over the list, of which the length is asked

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActionRecipe:
    """All that decides how a network of actions is trained.

    Attributes:
        net: arguments of :class:`~lookhear.actions.net.WhereWhen`, but for its categories and the
            seconds of a clip.
        schedule: how its weights are learnt.
        augmentation: how much clips are varied.
        total_variation, contrast, unimodal: weights of the losses (`lookhear.actions.losses`).
        strongest: weight of naming the action by the strongest places alone, in a network with
            motion blocks.
        distance: of neighbours, in the total variation.
        released: whether losses are as in the authors' code: the total variation of a batch is
            summed over its clips, so that it counts by their number, and the unimodal term is a
            mean of square roots. Else all are means over clips, and that term is the paper's.
        pretrained: with which the backbone begins; None for weights of chance.
    """

    net: dict[str, Any]
    schedule: Schedule
    augmentation: Augmentation
    total_variation: float = 1e-5
    contrast: float = 1e-4
    unimodal: float = 1.0
    strongest: float = field(default=1.0, metadata=LATER)
    distance: Distance = "l1"
    released: bool = False
    pretrained: Pretrained | None = None


def beginning_with(recipe: ActionRecipe, weights: Pretrained | None) -> ActionRecipe:
    """Change with what a recipe's backbone begins; all of another one learns."""
    if weights == recipe.pretrained:
        return recipe
    return replace(begun_with(recipe, weights), pretrained=weights)


class ActionTask(Task):
    """Trains a network on batches of `lookhear.actions.clips`."""

    recipe: ActionRecipe
    net: WhereWhen
    watched = ("accuracy", "max")

    def build(self, tags: tuple[str, ...]) -> WhereWhen:
        """Build a network of the classes."""
        return WhereWhen(tags, **self.recipe.net)

    def attended(self, batch: Batch) -> Attended:
        """Show the network a batch, varied."""
        varied = random_batch(batch, self.net.input_size, self.recipe.augmentation)
        attended: Attended = self.net(varied["frames"][:, 0])
        return attended

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        recipe, attended = self.recipe, self.attended(batch)
        rough = total_variation(attended.mask, recipe.distance)
        terms = {
            "total variation": rough.sum() if recipe.released else rough.mean(),
            "contrast": contrast(attended.mask).mean(),
            "unimodal": unimodal(attended.glimpses, released=recipe.released).mean(),
        }
        self.log("mask", attended.mask.mean(), on_step=False, on_epoch=True, sync_dist=True)
        for name, value in terms.items():
            self.log(name, value, on_step=False, on_epoch=True, sync_dist=True)
        named = F.cross_entropy(attended.logits, batch["tag"])
        if attended.strongest is not None:
            named = named + recipe.strongest * F.cross_entropy(attended.strongest, batch["tag"])
        return self.log_loss(
            named
            + recipe.total_variation * terms["total variation"]
            + recipe.contrast * terms["contrast"]
            + recipe.unimodal * terms["unimodal"]
        )

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log how often the class is the top one."""
        plain = plain_batch(batch, self.net.input_size)
        right = self.net(plain["frames"][:, 0]).logits.argmax(1) == batch["tag"]
        self.log_watched(right.float().mean(), len(right))


@dataclass(frozen=True)
class ActionSet:
    """What a network of actions is trained on.

    Attributes:
        tags: the classes.
        train: samples, see `lookhear.actions.clips`.
        val: samples held out; None where there are none.
        seconds: how long clips are, on average.
        made_of: tells the clips from others, for the run's note.
        workers: processes that load them.
    """

    tags: tuple[str, ...]
    train: Dataset[dict[str, Any]]
    val: Dataset[dict[str, Any]] | None
    seconds: float
    made_of: dict[str, Any] = field(default_factory=dict)
    workers: int = 0


def train_actions(
    data: TaggedClips | Path,
    out: Path,
    recipe: ActionRecipe,
    seed: int = 0,
    machine: Machine = ONE_DEVICE,
) -> Path:
    """Train, or go on with the training that ``out`` holds, and save the network.

    A training that is finished is left as it is. Clips count as a whole, whatever part of them a
    list says the tag is in: that is what the network is to find out.

    Args:
        data: clips with a class each; or a folder of prepared moments.
        out: run folder; gets ``model/``, ``checkpoints/``, ``logs/`` and, where clips cannot be
            decoded, ``left-out.jsonl`` that names them.
        recipe: how.
        seed: of everything left to chance.
        machine: what to train on.

    Returns:
        The folder of the saved network, for :func:`lookhear.find_actions`.

    Raises:
        LookhearError: there are too few clips or classes, weights to begin with cannot be had, or
            ``out`` cannot be written or holds another training.
    """
    left_out = Journal(out / LEFT_OUT)
    of = prepared_set(data, recipe) if isinstance(data, Path) else clip_set(data, recipe, left_out)
    saved = train_on(of, out, recipe, seed, machine)
    if told := tell_left_out(left_out):
        log.warning("%s", told)
    return saved


def train_on(
    of: ActionSet, out: Path, recipe: ActionRecipe, seed: int = 0, machine: Machine = ONE_DEVICE
) -> Path:
    """Train on samples that are at hand; see :func:`train_actions`."""
    samples: Any = of.train
    if len(of.tags) < 2:
        raise LookhearError("all clips are of one class; a network needs two at least")
    if len(samples) < recipe.schedule.batch_size:
        raise LookhearError(
            f"{count(len(samples), 'clip')} to train on: fewer than a batch of "
            f"{recipe.schedule.batch_size}; give more, or take another --preset"
        )
    recipe = replace(recipe, net=recipe.net | {"seconds": of.seconds})
    start = beginning("backbone", recipe.pretrained)
    task = ActionTask(recipe, start).begin(seed, of.tags)
    made_of = described(replace(recipe, pretrained=None)) | identities(start)
    made_of |= {"seed": seed} | of.made_of
    return train(
        task, of.train, out, made_of, validation=of.val, machine=machine, workers=of.workers
    )


def clip_set(data: TaggedClips, recipe: ActionRecipe, left_out: Journal) -> ActionSet:
    """The clips of lists, decoded as they come; what of them cannot be used is told in a line each.

    Raises:
        LookhearError: not one clip to train on is there.
    """
    there = [clip for clip in data.clips if size_of(clip.path) is not None]
    absent = [clip.path.name for clip in data.clips if size_of(clip.path) is None]
    if absent:
        log.warning("%s of the lists not there, and left out", counted("clip", absent))
    if data.faults:
        log.warning("%s of the lists cannot be used", counted("line", [*map(str, data.faults)]))
    for note in data.notes:
        log.warning("%s", note)
    if not any(clip.split == "train" for clip in there):
        why = f"; {data.faults[0]}" if data.faults else ""
        raise LookhearError(f"{data.root}: not one of its clips to train on is there{why}")
    tags = tuple(sorted({clip.tag for clip in there if clip.split == "train"}))
    strangers = sorted({clip.tag for clip in there if clip.split == "val"} - {*tags})
    if strangers:
        log.warning("%s held out, but not trained on: left out", counted("label", strangers))
    often = Counter(clip.tag for clip in there if clip.split == "train")
    lone = [tag for tag in tags if often[tag] == 1]
    if lone:
        log.warning("%s with one clip only to train on", counted("label", lone))

    def samples(split: Split) -> SpreadClips | None:
        labelled = [
            Labelled(clip.path, tags.index(clip.tag))
            for clip in there
            if clip.split == split and clip.tag in tags
        ]
        if not labelled:
            return None
        size, net = recipe.augmentation.prepared_size, recipe.net
        sight = net.get("sight", "colour")
        return SpreadClips(labelled, net["frames"], size, sight, left_out)

    train_on = samples("train")
    assert train_on is not None
    return ActionSet(
        tags,
        train_on,
        samples("val"),
        _mean_seconds([of.path for of in train_on.clips]),
        {CLIPS: listed(data)},
        # Those that stay in memory are decoded by threads, once.
        workers=0 if train_on.kept else cores(),
    )


def _mean_seconds(paths: Sequence[Path]) -> float:
    lengths = []
    for path in paths[:: max(1, len(paths) // MEASURED)]:
        try:
            lengths.append(duration_of(open_clip(path)))
        except LookhearError:  # told when its turn comes
            continue
    if not lengths:
        raise LookhearError(f"{paths[0].parent}: not one of {count(len(paths), 'clip')} opens")
    return sum(lengths) / len(lengths)


def prepared_set(prepared: Path, recipe: ActionRecipe) -> ActionSet:
    """The clips of a folder of prepared moments.

    Raises:
        LookhearError: it is not prepared, or holds none to train on.
    """

    def samples(split: Split) -> SpreadMoments:
        size = recipe.augmentation.prepared_size
        moments = Moments(prepared, split, size=size)
        return SpreadMoments(moments, recipe.net["frames"], recipe.net.get("sight", "colour"))

    train_on = samples("train")
    held_out = samples("val") if read_complete(prepared).moments.get("val") else None
    made_of = identities({"data": prepared})
    return ActionSet(train_on.tags, train_on, held_out, train_on.seconds, made_of)
