"""The whole of a training of events: from clips with tags to a network that finds them.

    RUN/prepared    the clips, second by second: frames, boxes, log-mel spectrograms
    RUN/pooled      what a frozen backbone sees in the boxes
    RUN/model       the network, for `lookhear events --model RUN`

What is there is not made again, and a run that was stopped goes on.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lookhear.data.derived import POOLED, write_derived
from lookhear.data.identity import identities
from lookhear.data.loader import kept_array, kept_picture
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.tagged import once_a_clip
from lookhear.data.shards import (
    BOXES,
    FRAME,
    MANIFEST,
    ShardRecord,
    read_complete,
    read_record,
)
from lookhear.errors import LookhearError, named_by
from lookhear.events.clips import Bags, KeptSecond, Parts, parts_of
from lookhear.events.net import EventNet
from lookhear.events.recipe import BACKBONE, RECIPES, EventRecipe, EventTask, with_choices
from lookhear.events.seconds import SecondsCut
from lookhear.files import sole_use
from lookhear.nets.devices import placed
from lookhear.nets.pretrained import read_pretrained
from lookhear.nets.saved import RUN_MODEL
from lookhear.parallel import cores
from lookhear.progress import Bars, no_bars
from lookhear.resume import described, left, made_from
from lookhear.training.initial_weights import InitialWeights, beginning, begun_with
from lookhear.training.loop import train
from lookhear.training.schedule import ONE_DEVICE, Machine
from lookhear.words import count, named

PREPARED = "prepared"
FRAMES_AT_ONCE = 4
SIGHT = ("backbone", "backbone_args", "pixels", "strides", "input_size", "cells", "boxes")
"""Arguments of the network on which it depends what is seen in boxes."""


@dataclass(frozen=True)
class RunSettings:
    """What decides a run.

    Attributes:
        data: a folder in AVE's layout, a ``clips.csv``, lists of DCASE, or clips prepared for
            events.
        out: the run folder.
        preset: a name in :data:`~lookhear.events.recipe.RECIPES`.
        senses, pooling: of the network, see :mod:`lookhear.events.net`; None for the preset's.
        pretrained: with what the backbone begins, see :mod:`lookhear.nets.pretrained`; None for
            what the preset says.
        start: where other parts of the network begin.
        pooled: folder of what the frozen backbone sees, which several runs may share; None for one
            in the run's.
        seed: of everything left to chance.
        machine: what to train on.
        workers: how many prepare at the same time; None for one for each core.
        roots: folders where clips of a ``clips.csv`` may lie, beside its own.
    """

    data: Path
    out: Path
    preset: str = "small"
    senses: str | None = None
    pooling: str | None = None
    pretrained: str | None = None
    start: InitialWeights | None = None
    pooled: Path | None = None
    seed: int = 0
    machine: Machine = ONE_DEVICE
    workers: int | None = None
    roots: Sequence[Path] = ()

    @property
    def recipe(self) -> EventRecipe:
        """How to train.

        Raises:
            LookhearError: there is no such preset, or no such weights.
        """
        recipe = named_by("preset", self.preset, RECIPES)
        recipe = replace(recipe, net=with_choices(recipe.net, self.senses, self.pooling))
        if self.pretrained is None:
            return recipe
        weights = read_pretrained(self.pretrained)
        if weights == recipe.pretrained:
            return recipe
        begun = begun_with(recipe, weights)
        if weights is None:  # what begins by chance must learn
            begun = replace(begun, schedule=replace(begun.schedule, frozen=()))
        return replace(begun, pretrained=weights)


def train_events(settings: RunSettings, say: Callable[[str], object], bars: Bars = no_bars) -> Path:
    """Train, or go on with what a folder holds; return the folder of the saved network.

    Args:
        settings: of the run.
        say: is told what was left out or is odd, a line each.
        bars: show how far preparing is.

    Raises:
        LookhearError: the data cannot be used, or the folder not be written or it holds something
            else; one line says what.
    """
    recipe = settings.recipe
    with sole_use(settings.out):
        prepared = _prepared(settings, recipe, say, bars)
        parts = parts_of(prepared)
        for note in parts.notes:
            say(note)
        _check(prepared, parts, recipe)
        net = recipe.net | {"boxes": parts.boxes, "stretch": parts.stretch}
        recipe = replace(recipe, net=net)
        start = beginning("backbone", recipe.pretrained) | (settings.start or {})
        task = EventTask(replace(recipe, pretrained=None), start).begin(settings.seed, parts.tags)
        made_of = described(task.recipe) | {"seed": settings.seed}
        made_of |= identities({"data": prepared, **start})
        if (settings.out / RUN_MODEL).exists():
            return train(task, Bags(parts, parts.learnt), settings.out, made_of)
        made_from(settings.out, made_of)  # before what takes long
        sees: dict[str, Any] = {}
        if task.net.sees and recipe.is_frozen:
            pooled = settings.pooled or settings.out / POOLED
            _pool(task, prepared, pooled, bars)
            sees = {"pooled": pooled}
        elif task.net.sees:
            sees = {"size": task.net.input_size}
        common = sees | {"hears": task.net.hears}
        learnt = Bags(
            parts, parts.learnt, **common, step=recipe.step, shifts=True, seed=settings.seed
        )
        held_out = None
        if parts.held_out:
            held_out = Bags(parts, parts.held_out, **common, step=task.net.step)
        return train(
            task, learnt, settings.out, made_of, validation=held_out, machine=settings.machine
        )


def _prepared(
    settings: RunSettings, recipe: EventRecipe, say: Callable[[str], object], bars: Bars
) -> Path:
    """The folder of the prepared clips."""
    if (settings.data / MANIFEST).exists():
        read_complete(settings.data, of_events=True)
        return settings.data
    out = settings.out / PREPARED
    clips = once_a_clip(read_tagged(settings.data, settings.roots))
    with bars("preparing", len(clips.clips)) as progress:
        made = prepare(
            clips,
            out,
            SecondsCut(recipe.boxes),
            workers=settings.workers or cores(),
            advance=progress,
        )
    if made.faults:
        say(f"left out: {named(made.faults)}")
    return out


def _check(prepared: Path, parts: Parts, recipe: EventRecipe) -> None:
    """Refuse clips that the network cannot learn from."""
    batch_size = recipe.schedule.batch_size
    if len(parts.learnt) < batch_size:
        raise LookhearError(
            f"{prepared}: {count(len(parts.learnt), 'clip')} to learn from, fewer than a batch of "
            f"{batch_size}; give more clips"
        )
    if len(parts.tags) < 2:
        raise LookhearError(f"{prepared}: has one tag only; the network learns to tell tags apart")
    if recipe.net.get("senses") == "sound" and not any(of.has_sound for of in parts.learnt):
        raise LookhearError(f"{prepared}: none of its clips has sound, which --senses sound needs")


def _pool(task: EventTask, prepared: Path, out: Path, bars: Bars) -> None:
    """Keep what a frozen backbone sees in the boxes of each frame, shard by shard."""
    sight = {name: task.recipe.net.get(name) for name in SIGHT}
    sight["weights"] = _checksum(task.net.get_submodule(BACKBONE))
    manifest = read_complete(prepared, of_events=True)
    shards = {
        out / name: read_record(prepared / f"{name}.json")
        for split in ("train", "val")
        for name in manifest.shards.get(split, ())
    }
    with sole_use(out), bars("seeing", sum(map(_frames, shards.values()))) as progress:
        made_from(out, {"sight": sight} | identities({"data": prepared}))
        seeing = placed(task.net.folded(), None)
        for folder, record in left(shards, progress, _frames).items():
            shard = prepared / f"{record.name}.tar"
            seconds = [KeptSecond(shard, at) for clip in record.clips for at in clip.moments]
            found = []
            for first in range(0, len(seconds), FRAMES_AT_ONCE):
                some = seconds[first : first + FRAMES_AT_ONCE]
                found.append(pooled_of(seeing, some))
                progress(len(some))
            write_derived(out, folder.name, {POOLED: np.concatenate(found)})
    task.net.train()  # of which most parts were put to use here


def _checksum(network: nn.Module) -> str:
    """Tell by a checksum which weights a network has."""
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(name.encode() + tensor.cpu().numpy().tobytes())
    return total.hexdigest()


def _frames(record: ShardRecord) -> int:
    return sum(len(clip.moments) for clip in record.clips)


def pooled_of(net: EventNet, seconds: Sequence[KeptSecond]) -> NDArray[np.float16]:
    """What a network's backbone sees in the boxes of kept frames: (N, boxes, features) float16."""
    frames = np.stack([kept_picture(second, FRAME, net.input_size) for second in seconds])
    boxes = np.zeros((len(seconds), net.boxes, 4), np.float32)
    there = np.zeros((len(seconds), net.boxes), bool)
    for number, second in enumerate(seconds):
        proposed = kept_array(second, BOXES)[: net.boxes, :4]
        boxes[number, : len(proposed)], there[number, : len(proposed)] = proposed, True
    device = net.threshold.device
    with torch.inference_mode():
        pictures = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 255
        pooled = net.pooled(pictures, torch.from_numpy(boxes).to(device)).cpu().numpy()
    return np.where(there[..., None], pooled, 0).astype(np.float16)
