"""SCAM over prepared moments: what the sources see becomes crops, then pseudo-fixations.

    coarse   whole frames -> class maps of S, SA and ST -> fused maps, and a box for each moment
    fine     the boxes -> class maps of S, SA and ST trained on crops -> fused maps, pasted back
             into the frame -> pseudo-fixations

By whose rules (`lookhear.stanet.scam`) is a preset's choice, and as such noted with the maps.
Where tags are known, it is the tag that is mapped, and a source counts only where it names the tag.
Where they are not, as in a test, it is the class that the sources together find most probable, and
each counts by how probable it finds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lookhear.data.derived import BOXES, FIXATIONS, read_derived, write_derived
from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import SPLITS, Split
from lookhear.data.shards import read_complete
from lookhear.maps import Maps, normalise, resize
from lookhear.nets.backbones import at_size
from lookhear.nets.saved import RUN_MODEL, load_network
from lookhear.progress import Bars, Progress, no_bars, unseen
from lookhear.resume import left, made_from
from lookhear.stanet import Loss, ScamRules, Source, scam
from lookhear.stanet.run_folder import CONFIDENCES, FUSED, NAMED, SINGLE
from lookhear.stanet.sources import SA, ST, ClassMaps, S

BATCH_SIZE = 16
Grid: TypeAlias = tuple[int, int]
"""Height and width of maps."""
ASKED: dict[ScamRules, tuple[int, int, int]] = {
    "clean": (1, 1, 1),
    "report": (0, 0, 0),
    "released": (0, 1, 1),
}
"""Which scores of S, SA and ST say how much a source counts: of map 1 (0) or map 2 (1)."""
Tags: TypeAlias = NDArray[np.int64]
"""Of moments, as the sources number them: (N,); -1 for one that they have never met."""


class Looks(NamedTuple):
    """What the sources make of N moments.

    Attributes:
        plain: map 1 of each source, (N, classes, h, w).
        fused: map 2 of each source, same shape.
        probabilities: of each class by each source, (N, sources, classes).
    """

    plain: tuple[Maps, ...]
    fused: tuple[Maps, ...]
    probabilities: NDArray[np.float32]

    def maps(self, classes: NDArray[np.integer], size: tuple[int, int]) -> Maps:
        """Each source's map, (N, sources, *size), of a class, (N, sources) or (N,) of all."""
        of_each = np.broadcast_to(classes.reshape(len(classes), -1), self.probabilities.shape[:2])
        maps = [
            resize(scam.class_map(plain, fused, named), size)
            for plain, fused, named in zip(self.plain, self.fused, of_each.T, strict=True)
        ]
        return np.stack(maps, axis=1)


def as_probabilities(scores: Tensor, loss: Loss, rules: ScamRules = "clean") -> Tensor:
    """What scores (..., categories) say of each category.

    By the clean rules it is told by the loss they were trained with; the published ones take a
    softmax, whatever the loss.
    """
    among_all = loss == "cross-entropy" or rules != "clean"
    return torch.softmax(scores, -1) if among_all else torch.sigmoid(scores)


@dataclass(frozen=True)
class Sources:
    """The trained S, SA and ST of a stage, ready for inference.

    Attributes:
        s, sa, st: the networks.
        loss: by which they were trained.
        rules: by which their maps are to be fused.
    """

    s: S
    sa: SA
    st: ST
    loss: Loss
    rules: ScamRules = "clean"

    @classmethod
    def load(
        cls,
        folders: Mapping[str, Path],
        loss: Loss,
        device: str | None = None,
        rules: ScamRules = "clean",
    ) -> "Sources":
        """Load three saved networks; see :func:`~lookhear.nets.saved.load_network`.

        Raises:
            LookhearError: one is not there, or is another network.
        """
        return cls(
            load_network(S, folders["S"], device),
            load_network(SA, folders["SA"], device),
            load_network(ST, folders["ST"], device),
            loss,
            rules,
        )

    def moments(self, prepared: Path, split: Split, crops: Path | None = None) -> Moments:
        """Open moments as the networks take them."""
        return Moments(
            prepared,
            split,
            size=self.s.input_size,
            frames=3,
            windows=self.sa.sound_encoder.windows,
            crops=crops,
        )

    def tags(self, data: Moments, indices: range) -> Tags:
        """The tags of some moments, whose data set may number them otherwise."""
        numbers = {name: number for number, name in enumerate(self.s.categories)}
        return np.array([numbers.get(data.tags[data.tag(index)], -1) for index in indices])

    def look(self, data: Moments, indices: range) -> Looks:
        """Look at some moments."""
        loader = DataLoader(Subset(data, indices), BATCH_SIZE)
        of_batches = [self._look_at(batch) for batch in loader]
        plain, fused, scores = (
            [torch.cat(of_source).cpu() for of_source in zip(*kind, strict=True)]
            for kind in zip(*of_batches, strict=True)
        )
        return Looks(
            plain=tuple(maps.numpy() for maps in plain),
            fused=tuple(maps.numpy() for maps in fused),
            probabilities=as_probabilities(torch.stack(scores, 1), self.loss, self.rules).numpy(),
        )

    @torch.inference_mode()
    def _look_at(self, batch: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Plain maps, fused maps and the scores that are `ASKED` of each source for a batch."""
        device = self.s.mean.device
        frames = batch["frames"][:, 0].to(device).float() / 255  # B, 3, 3, H, W
        target = frames[:, 1]
        heard, is_open = batch["sound"][:, 0, 1].to(device), batch["has_sound"][:, 0].to(device)
        seen = self.st.see(at_size(frames.flatten(0, 1), self.st.input_size))
        before, middle, after = (seen.at(slice(time, None, 3)) for time in range(3))
        maps: tuple[ClassMaps, ...] = (
            self.s(target),
            self.sa(at_size(target, self.sa.input_size), heard, is_open.float()),
            self.st.attend(before, middle, after),
        )
        asked = [m.scores()[which] for m, which in zip(maps, ASKED[self.rules], strict=True)]
        return [m.plain for m in maps], [m.fused for m in maps], asked


def make_maps(
    sources: Sources,
    prepared: Path,
    out: Path,
    grid: Grid,
    crops: Path | None = None,
    knows_tags: bool = True,
    progress: Progress = unseen,
) -> int:
    """Map moments, going on where a run stopped: coarse without crops, fine with them.

    Args:
        sources: trained on whole frames, or on crops; they say by whose rules.
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        out: gets the arrays of each shard: `BOXES`, `FUSED`, `SINGLE`, `NAMED` and `CONFIDENCES`
            of coarse maps, `FIXATIONS`, `FUSED`, `NAMED` and `CONFIDENCES` of fine ones.
        grid: height and width of the maps.
        crops: what this function made of the same moments before; None for whole frames.
        knows_tags: whether the tags may be used.
        progress: is told the number of moments that are done.

    Returns:
        How many moments have no pseudo-fixations, which are all 0; none in the coarse stage.

    Raises:
        LookhearError: something cannot be read or written.
    """
    counts, empty = read_complete(prepared).moments, 0
    for split in filter(counts.get, SPLITS):
        data = sources.moments(prepared, split, crops)
        shards = {out / shard: indices for shard, indices in data.shards.items()}
        for folder, indices in left(shards, progress, len).items():
            looks = sources.look(data, indices)
            tags = sources.tags(data, indices) if knows_tags else None
            selected = select(looks.probabilities, tags)
            clips = np.array([data.clip(index) for index in indices])
            if crops is None:
                made = _coarse(looks, selected, clips, grid, knows_tags, sources.rules)
            else:
                boxes = np.stack([data.derived(crops, BOXES, index) for index in indices])
                made = _fine(looks, selected, clips, boxes, grid, sources.rules)
            write_derived(out, folder.name, made)
            progress(len(indices))
        if crops is not None:
            empty += without_fixations(out, data)
    return empty


def without_fixations(out: Path, data: Moments) -> int:
    """Count the moments whose pseudo-fixations are all 0."""
    empty = 0
    for shard, indices in data.shards.items():
        fixations = read_derived(out, shard, FIXATIONS, len(indices))
        empty += int(np.count_nonzero(~fixations.any((1, 2))))
    return empty


def how(grid: Grid, knows_tags: bool, rules: ScamRules) -> dict[str, Any]:
    """What is noted of how moments are mapped, to tell it from another way."""
    # Rules came later: maps that say nothing of them are clean ones.
    return {"grid": grid, "tags": knows_tags} | ({} if rules == "clean" else {"rules": rules})


def map_moments(
    prepared: Path,
    runs: Path,
    out: Path,
    grid: Grid,
    loss: Loss,
    *,
    rules: ScamRules = "clean",
    crops: Path | None = None,
    knows_tags: bool = True,
    device: str | None = None,
    bars: Bars = no_bars,
) -> tuple[int, int]:
    """Map moments into a folder of its own, which notes from what; see :func:`make_maps`.

    The sources are those of the run folders S, SA and ST in ``runs``, trained by a loss.

    Returns:
        How many moments there are, and what :func:`make_maps` returns.

    Raises:
        LookhearError: something cannot be read or written, or ``out`` holds other maps.
    """
    nets = saved_sources(runs)
    sources = Sources.load(nets, loss, device, rules)
    read = identities({"moments": prepared, "crops": crops, **nets})
    made_from(out, how(grid, knows_tags, rules) | read)
    count = sum(read_complete(prepared).moments.values())
    with bars("fine maps" if crops else "coarse maps", count) as progress:
        return count, make_maps(sources, prepared, out, grid, crops, knows_tags, progress)


def saved_sources(runs: Path) -> dict[str, Path]:
    """Where S, SA and ST are saved, of run folders of these names."""
    return {str(source): runs / source / RUN_MODEL for source in get_args(Source)}


class Selected(NamedTuple):
    """Which class is mapped, (N,), and how much each source counts, (N, sources)."""

    named: Tags
    confidences: NDArray[np.float32]


def select(probabilities: NDArray[np.float32], tags: Tags | None) -> Selected:
    """Choose the classes to be mapped, by the probabilities (N, sources, classes) of all.

    Args:
        probabilities: of each class by each source.
        tags: what is mapped; None where nobody tells them.
    """
    if tags is not None:
        return Selected(tags, scam.confidences(probabilities, tags))
    named = probabilities.mean(1).argmax(-1)
    of_named = np.take_along_axis(probabilities, named[:, None, None], axis=-1)[..., 0]
    return Selected(named, of_named)


def _coarse(
    looks: Looks,
    selected: Selected,
    clips: NDArray[np.int64],
    grid: Grid,
    knows_tags: bool,
    rules: ScamRules,
) -> dict[str, NDArray[Any]]:
    """SCAM, steps 1 to 3."""
    maps = looks.maps(selected.named, grid)
    fused = scam.fuse(maps, selected.confidences)
    boxes, _ = scam.crop_boxes(fused, rules)
    if rules != "released":
        boxes = each_clip(scam.smooth_boxes, boxes, clips)
    single = maps if knows_tags else looks.maps(looks.probabilities.argmax(-1), grid)
    return {
        BOXES: (boxes / corners(grid)).astype(np.float32),
        FUSED: fused.astype(np.float16),
        SINGLE: normalise(single).astype(np.float16),
        NAMED: selected.named,
        CONFIDENCES: selected.confidences,
    }


def _fine(
    looks: Looks,
    selected: Selected,
    clips: NDArray[np.int64],
    relative_boxes: NDArray[np.float32],
    grid: Grid,
    rules: ScamRules,
) -> dict[str, NDArray[Any]]:
    """SCAM, steps 4 and 5."""
    in_boxes = scam.fuse(looks.maps(selected.named, grid), selected.confidences)
    boxes = np.rint(relative_boxes * corners(grid)).astype(np.int64)
    fused = scam.paste(in_boxes, boxes, grid)
    fixations = each_clip(partial(scam.pseudo_fixations, rules=rules), fused, clips)
    return {
        FIXATIONS: fixations.astype(np.float16),
        FUSED: fused.astype(np.float16),
        NAMED: selected.named,
        CONFIDENCES: selected.confidences,
    }


def corners(grid: Grid) -> NDArray[np.int64]:
    """What boxes from 0 to 1 are multiplied by to be in cells."""
    height, width = grid
    return np.array([width, height, width, height])


def each_clip(
    of_clip: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[Any], clips: NDArray[np.int64]
) -> NDArray[Any]:
    """Do something to the rows (T, ...) of each clip, and put the results in a row again."""
    starts = [0, *(np.flatnonzero(np.diff(clips)) + 1).tolist(), len(clips)]
    return np.concatenate([of_clip(rows[start:end]) for start, end in pairwise(starts)])
