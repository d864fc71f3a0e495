"""SCAM+ over prepared moments: what S, SA and ST see, and S+, SA+ and ST+, becomes one map.

    fine     the boxes -> class maps of S, SA and ST, pasted back into the frame
    plus     whole frames and their partners -> class maps of S+, SA+ and ST+
    fused    all eleven, each by how probable it finds the class -> pseudo-fixations

See `lookhear.stanet.pseudo_fixations`, of which it is the second half. By the released rules, a
moment has pseudo-fixations only where all eleven name its tag.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookhear.data.derived import BOXES, FIXATIONS, write_derived
from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import SPLITS
from lookhear.data.shards import read_complete
from lookhear.maps import Maps, normalise
from lookhear.nets.saved import RUN_MODEL
from lookhear.progress import Bars, Progress, no_bars, unseen
from lookhear.resume import left, made_from
from lookhear.stanet import PLUS_SOURCES, Loss, ScamRules, scam
from lookhear.stanet.graphs import Graphs, PlusSources
from lookhear.stanet.pseudo_fixations import (
    Grid,
    Sources,
    Tags,
    corners,
    each_clip,
    how,
    saved_sources,
    select,
    without_fixations,
)
from lookhear.stanet.run_folder import CONFIDENCES, FUSED, NAMED, SINGLE

AT_ONCE = 16  # moments whose frames are held together


class Fused(NamedTuple):
    """N moments.

    Attributes:
        named: which class is mapped, (N,).
        confidences: how much each of the sources counts, (N, sources), those of the fine stage
            first.
        maps: of all together, in the frame, (N, h, w).
        single: of S+, SA+ and ST+, each of the class that it finds most probable,
            (N, sources, h, w).
    """

    named: Tags
    confidences: NDArray[np.float32]
    maps: Maps
    single: Maps


def make_maps(
    fine: Sources,
    plus: PlusSources,
    prepared: Path,
    out: Path,
    grid: Grid,
    crops: Path,
    knows_tags: bool = True,
    progress: Progress = unseen,
) -> int:
    """Map moments, going on where a run stopped.

    Args:
        fine: trained on crops; they say by whose rules.
        plus: trained on whole frames with their partners.
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        out: gets the arrays of each shard: `FIXATIONS`, `FUSED`, `NAMED`, `CONFIDENCES` and, where
            tags are not known, `SINGLE`, of the networks of ``plus`` in their order.
        grid: height and width of the maps.
        crops: the coarse maps of the same moments.
        knows_tags: whether the tags may be used; else the partners are of a moment's own clip.
        progress: is told the number of moments that are done.

    Returns:
        How many moments have no pseudo-fixations, which are all 0.

    Raises:
        LookhearError: something cannot be read or written.
    """
    counts, empty = read_complete(prepared).moments, 0
    for split in filter(counts.get, SPLITS):
        data = fine.moments(prepared, split, crops)
        graphs = plus.graphs(prepared, split, of_one_clip=not knows_tags)
        shards = {out / shard: indices for shard, indices in data.shards.items()}
        for folder, indices in left(shards, progress, len).items():
            parts = []
            for chunk in _chunks(indices):
                parts.append(_fuse(fine, data, graphs, chunk, crops, grid, knows_tags))
                progress(len(chunk))
            fused = Fused(*map(np.concatenate, zip(*parts, strict=True)))
            clips = np.array([data.clip(index) for index in indices])
            write_derived(out, folder.name, _kept(fused, clips, fine.rules, knows_tags))
        empty += without_fixations(out, data)
    return empty


def map_moments(
    prepared: Path,
    runs: Path,
    out: Path,
    grid: Grid,
    loss: Loss,
    *,
    plus: Path,
    crops: Path,
    rules: ScamRules = "clean",
    knows_tags: bool = True,
    device: str | None = None,
    bars: Bars = no_bars,
) -> tuple[int, int]:
    """Map moments into a folder of its own, which notes from what; see :func:`make_maps`.

    The sources are those of the run folders S, SA and ST in ``runs``, and of S+/short, S+/long and
    so on in ``plus``, trained by a loss.

    Returns:
        How many moments there are, and what :func:`make_maps` returns.

    Raises:
        LookhearError: something cannot be read or written, or ``out`` holds other maps.
    """
    fine = saved_sources(runs)
    names = [f"{source}/{partners}" for source, partners in PLUS_SOURCES]
    others = {name: plus / name / RUN_MODEL for name in names}
    sources = Sources.load(fine, loss, device, rules)
    plus_sources = PlusSources.load(others, loss, device, rules)
    read = identities({"moments": prepared, "crops": crops, **fine, **others})
    made_from(out, how(grid, knows_tags, rules) | read)
    count = sum(read_complete(prepared).moments.values())
    with bars("maps of SCAM+", count) as progress:
        return count, make_maps(
            sources, plus_sources, prepared, out, grid, crops, knows_tags, progress
        )


def _chunks(indices: range) -> Iterator[range]:
    for start in range(0, len(indices), AT_ONCE):
        yield indices[start : start + AT_ONCE]


def _fuse(
    fine: Sources,
    data: Moments,
    graphs: Graphs,
    indices: range,
    crops: Path,
    grid: Grid,
    knows_tags: bool,
) -> Fused:
    in_boxes, in_frames = fine.look(data, indices), graphs.look(indices)
    probabilities = np.concatenate([in_boxes.probabilities, in_frames.probabilities], 1)
    tags = fine.tags(data, indices) if knows_tags else None
    named, confidences = select(probabilities, tags)
    if knows_tags and fine.rules == "released":
        confidences[(confidences == 0).any(1)] = 0
    boxes = np.stack([data.derived(crops, BOXES, index) for index in indices])
    cells = np.rint(boxes * corners(grid)).astype(np.int64)
    pasted = scam.paste(in_boxes.maps(named, grid), cells, grid)
    maps = np.concatenate([pasted, in_frames.maps(named, grid)], 1)
    own = in_frames.maps(in_frames.probabilities.argmax(-1), grid)
    return Fused(named, confidences, scam.fuse(maps, confidences), normalise(own))


def _kept(
    fused: Fused, clips: NDArray[np.int64], rules: ScamRules, knows_tags: bool
) -> dict[str, NDArray[Any]]:
    fixations = each_clip(partial(scam.pseudo_fixations, rules=rules), fused.maps, clips)
    kept: dict[str, NDArray[Any]] = {
        FIXATIONS: fixations.astype(np.float16),
        FUSED: fused.maps.astype(np.float16),
        NAMED: fused.named,
        CONFIDENCES: fused.confidences,
    }
    return kept if knows_tags else kept | {SINGLE: fused.single.astype(np.float16)}
