"""Moments of a run to look at, step by step from the frame to what STA predicts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import default_collate

from lookhear.data.derived import BOXES, FIXATIONS
from lookhear.data.loader import Moments
from lookhear.data.readers.fixated import FixatedClip, frame_at
from lookhear.show.heat import Pixels
from lookhear.stanet import PLUS_SOURCES, Source
from lookhear.stanet.page import Panel, Row
from lookhear.stanet.predicting import PartneredMoments, attention_of, attention_of_all
from lookhear.stanet.run_folder import (
    CONFIDENCES,
    FUSED,
    NAMED,
    SINGLE,
    MapFolders,
)
from lookhear.stanet.sta import STA
from lookhear.stanet.stanet_plus import STANetPlus
from lookhear.stanet.steps import (
    STA_CROSS,
    STA_SHORT,
    STA_WHOLE,
    STANET_PLUS,
    kept_map,
)
from lookhear.training.augment import Batch
from lookhear.words import time_label

SOURCES: tuple[Source, ...] = get_args(Source)
ELEVEN = (*SOURCES, *map(" ".join, PLUS_SOURCES))


def rows_with_tags(data: Moments, coarse: Path, fine: Path, sta: STA, count: int) -> Iterator[Row]:
    """Moments whose tags are known: how pseudo-fixations came about, and what STA makes of them.

    Args:
        data: triplets with sound, as STA takes them.
        coarse: folder of their coarse maps.
        fine: folder of their fine maps.
        sta: the trained network.
        count: how many moments, each of another clip.
    """
    for index in _spread(data, count):
        sample = data[index]
        frame = _middle(sample)
        box = data.derived(coarse, BOXES, index)
        counted = data.derived(coarse, CONFIDENCES, index)
        panels = (
            Panel("frame and crop", frame, box=tuple(box.tolist())),
            *_single(data, index, coarse, frame, "its map of the tag"),
            Panel("SCAM, coarse", frame, kept_map(data, index, coarse, FUSED)),
            Panel("the crop", _cropped(frame, box)),
            Panel("SCAM, fine", frame, kept_map(data, index, fine, FUSED)),
            Panel("pseudo-fixations", frame, kept_map(data, index, fine, FIXATIONS)),
            _predicted("STA, without the tag", frame, sta, default_collate([sample])),
        )
        yield Row(_title(data, index, sample), _named_by(SOURCES, counted), panels)


def rows_without_tags(
    data: Moments,
    gaze: Mapping[str, FixatedClip],
    maps: MapFolders,
    sta: STA,
    categories: Sequence[str],
    count: int,
) -> Iterator[Row]:
    """Moments whose tags nothing knew, and where people looked; see :func:`rows_with_tags`.

    ``gaze`` holds clips by their names, ``categories`` the names of the classes that are mapped.
    """
    for index in _spread(data, count, gaze):
        sample = data[index]
        frame, batch = _middle(sample), default_collate([sample])
        clip = gaze[_clip_name(data, index)]
        looked = clip.density(frame_at(clip, data.time(index)))
        named = categories[int(data.derived(maps.coarse, NAMED, index))]
        panels = (
            Panel("frame", frame),
            *_single(data, index, maps.coarse, frame, "what it names"),
            Panel("SCAM, coarse", frame, kept_map(data, index, maps.coarse, FUSED)),
            Panel("SCAM, fine", frame, kept_map(data, index, maps.fine, FUSED)),
            _predicted("STA without sound", frame, sta, batch, hears=False),
            _predicted("STA", frame, sta, batch),
            Panel("where people looked", frame, looked),
        )
        yield Row(_title(data, index, sample), f"taken for: {named}", panels)


def plus_rows_with_tags(
    data: PartneredMoments, fine: Path, plus: Path, net: STANetPlus, count: int
) -> Iterator[Row]:
    """Moments whose tags are known: what SCAM+ and STANet+ make of them; see `rows_with_tags`."""
    for index in _spread(data.short, count):
        sample = data.short[index]
        frame, moments = _middle(sample), data.short
        counted = moments.derived(plus, CONFIDENCES, index)
        panels = (
            Panel("frame", frame),
            Panel("SCAM, fine", frame, kept_map(moments, index, fine, FUSED)),
            Panel("SCAM+", frame, kept_map(moments, index, plus, FUSED)),
            Panel("pseudo-fixations", frame, kept_map(moments, index, plus, FIXATIONS)),
            *_predicted_by_all(data, index, frame, net),
        )
        yield Row(_title(moments, index, sample), _named_by(ELEVEN, counted), panels)


def plus_rows_without_tags(
    data: PartneredMoments,
    gaze: Mapping[str, FixatedClip],
    fine: Path,
    plus: Path,
    net: STANetPlus,
    categories: Sequence[str],
    count: int,
) -> Iterator[Row]:
    """Moments whose tags nothing knew, and where people looked; see `rows_without_tags`."""
    for index in _spread(data.short, count, gaze):
        sample = data.short[index]
        frame, moments = _middle(sample), data.short
        clip = gaze[_clip_name(moments, index)]
        named = categories[int(moments.derived(plus, NAMED, index))]
        single = (
            Panel(" ".join(of), frame, kept_map(moments, index, plus, SINGLE, at))
            for at, of in enumerate(PLUS_SOURCES)
        )
        panels = (
            Panel("frame", frame),
            *single,
            Panel("SCAM, fine", frame, kept_map(moments, index, fine, FUSED)),
            Panel("SCAM+", frame, kept_map(moments, index, plus, FUSED)),
            *_predicted_by_all(data, index, frame, net),
            Panel("where people looked", frame, clip.density(frame_at(clip, moments.time(index)))),
        )
        yield Row(_title(moments, index, sample), f"taken for: {named}", panels)


def _predicted_by_all(
    data: PartneredMoments, index: int, frame: Pixels, net: STANetPlus
) -> Iterator[Panel]:
    each = [maps[0] for maps in attention_of_all(data, [index])]
    for name, attention in zip((STA_WHOLE, STA_SHORT, STA_CROSS), each, strict=True):
        yield Panel(name, frame, attention, is_predicted=True)
    yield Panel(STANET_PLUS, frame, net.together(each, frame.shape[:2]), is_predicted=True)


def _single(data: Moments, index: int, folder: Path, frame: Pixels, what: str) -> Iterator[Panel]:
    maps = kept_map(data, index, folder, SINGLE)
    for source, of_source in zip(SOURCES, maps, strict=True):
        yield Panel(f"{source}, {what}", frame, of_source)


def _predicted(caption: str, frame: Pixels, sta: STA, batch: Batch, hears: bool = True) -> Panel:
    (attention,) = attention_of(sta, batch, hears)
    return Panel(caption, frame, attention, is_predicted=True)


def _spread(data: Moments, count: int, gaze: Mapping[str, FixatedClip] | None = None) -> list[int]:
    """The middle moments of some clips, evenly spread over those that have gaze."""
    clips = data.clip_moments()
    usable = [indices for path, indices in clips.items() if gaze is None or Path(path).stem in gaze]
    chosen = np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(int)
    return [usable[clip][len(usable[clip]) // 2] for clip in chosen]


def _middle(sample: Mapping[str, Any]) -> Pixels:
    """The middle frame of a sample's triplet, (H, W, 3)."""
    return np.ascontiguousarray(sample["frames"][0, 1].permute(1, 2, 0).numpy())


def _cropped(frame: Pixels, box: NDArray[np.float32]) -> Pixels:
    height, width = frame.shape[:2]
    left, top, right, bottom = np.rint(box * (width, height, width, height)).astype(int)
    return frame[top : max(bottom, top + 1), left : max(right, left + 1)]


def _named_by(sources: Sequence[str], confidences: NDArray[np.float32]) -> str:
    """Say which of the sources count, as they named the tag."""
    counts = [name for name, confidence in zip(sources, confidences, strict=True) if confidence]
    return f"named rightly by {', '.join(counts) or 'no source'}"


def _clip_name(data: Moments, index: int) -> str:
    return Path(data.clips[data.clip(index)]).stem


def _title(data: Moments, index: int, sample: Mapping[str, Any]) -> str:
    tag, time = data.tags[sample["tag"]], time_label(data.time(index))
    return f"{_clip_name(data, index)}, {time}: {tag}"
