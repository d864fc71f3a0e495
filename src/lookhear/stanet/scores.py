"""How well every step of a run predicts gaze, from class maps to STA: the table of STANet.

Clips have gaze in STAViS's layout and moments of their own. Each moment is scored on the frame that
is shown at its time, by `lookhear.evaluation.protocol`, for which all maps are brought to one grid.
Nothing but the pseudo-fixations knows the tags.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lookhear.baselines import centre_prior
from lookhear.data.derived import FIXATIONS
from lookhear.data.loader import Moments
from lookhear.data.readers.fixated import FixatedClip
from lookhear.data.readers.stavis import EyeTrackedClip, read_stavis
from lookhear.data.readers.tagged import SPLITS
from lookhear.data.shards import read_complete
from lookhear.errors import LookhearError
from lookhear.evaluation.protocol import Annotation, annotate, ever_fixated, protocol
from lookhear.evaluation.tally import Tally
from lookhear.maps import Maps, resize
from lookhear.nets.watching import Watch
from lookhear.parallel import cores
from lookhear.stanet import Source
from lookhear.stanet.pseudo_fixations import BATCH_SIZE, FUSED, SINGLE
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import Batch

PSEUDO_FIXATIONS = "pseudo-fixations (know the tag)"
STA_DEAF, STA_STILL, STA_WHOLE = "STA without sound", "STA without time", "STA"


@dataclass(frozen=True)
class MapFolders:
    """Where the maps of the test's moments are kept; see `lookhear.stanet.pseudo_fixations`.

    Attributes:
        coarse: made without tags.
        fine: made without tags.
        tagged: the fine ones made with tags.
    """

    coarse: Path
    fine: Path
    tagged: Path


def gaze_of(data: Path) -> dict[str, EyeTrackedClip]:
    """The clips of a folder in STAViS's layout, by name.

    Raises:
        LookhearError: there are none, or two of one name.
    """
    gaze: dict[str, EyeTrackedClip] = {}
    for database in read_stavis(data):
        for clip in database.clips:
            if clip.name in gaze:
                raise LookhearError(f"{data}: has two clips {clip.name}; test on one database")
            gaze[clip.name] = clip
    return gaze


def score(
    prepared: Path,
    gaze: Mapping[str, FixatedClip],
    maps: MapFolders,
    sta: STA,
    grid: tuple[int, int],
    advance: Callable[[int], object] = lambda _: None,
) -> Tally:
    """Score every step on all moments of which there is gaze.

    Args:
        prepared: the test's moments.
        gaze: clips with gaze, by the name of the prepared clip's file without suffix.
        maps: the test's maps.
        sta: the trained network, in inference mode.
        grid: height and width to which all maps are brought.
        advance: called with the number of moments that are done.

    Raises:
        LookhearError: no moment has gaze, or something cannot be read.
    """
    tally = Tally()
    with ThreadPoolExecutor(cores()) as pool:  # most of the work is sorting, which is one thread's
        for data in all_moments(prepared, sta):
            for path, indices in data.clip_moments().items():
                clip = gaze.get(Path(path).stem)
                if clip is not None:
                    shown = [frame_at(clip, data.time(index)) for index in indices]
                    annotation = annotate(clip, shown, ever_fixated(clip))
                    rows = dict(_rows(data, indices, maps, sta, grid))
                    scored = pool.map(partial(_score, annotation, grid), rows.values())
                    for row, values in zip(rows, scored, strict=True):
                        tally.add(row, clip.name, values)
                advance(len(indices))
    if not tally.means():
        raise LookhearError(f"{prepared}: none of its clips has gaze; see their names")
    return tally


def _score(annotation: Annotation, grid: tuple[int, int], maps: Maps) -> dict[str, Tensor]:
    """Score the maps (T, h, w) of a clip, a few at a time."""
    height, width = annotation.fixations.shape[-2:]
    scored: dict[str, list[Tensor]] = defaultdict(list)
    for begin in range(0, len(maps), BATCH_SIZE):
        some = slice(begin, begin + BATCH_SIZE)
        of_some = Annotation(
            annotation.fixations[some], annotation.density[some], annotation.other_fixations[some]
        )
        ready = protocol(resize(maps[some], grid), height, width)
        for metric, values in of_some.score(ready).items():
            scored[metric].append(values)
    return {metric: torch.cat(values) for metric, values in scored.items()}


def frame_at(clip: FixatedClip, time: float) -> int:
    """Which frame of a clip is shown at a time, in seconds."""
    return min(int(time * clip.frame_rate + 1e-6), clip.frame_count - 1)


def _rows(
    data: Moments, indices: list[int], maps: MapFolders, sta: STA, grid: tuple[int, int]
) -> Iterator[tuple[str, Maps]]:
    """Each row of the table and its maps (T, h, w)."""

    def kept(folder: Path, name: str) -> Maps:
        rows = [data.derived(folder, name, index) for index in indices]
        return np.stack(rows).astype(np.float32)

    yield "centre", np.broadcast_to(centre_prior(*grid), (len(indices), *grid))
    single = kept(maps.coarse, SINGLE)
    for column, source in enumerate(get_args(Source)):
        yield source, single[:, column]
    yield "SCAM, coarse", kept(maps.coarse, FUSED)
    yield "SCAM, fine", kept(maps.fine, FUSED)
    yield PSEUDO_FIXATIONS, kept(maps.tagged, FIXATIONS)
    batches = [*DataLoader(Subset(data, indices), BATCH_SIZE)]
    yield STA_DEAF, _predicted(sta, batches, hears=False)
    yield STA_STILL, _predicted(sta, batches, moves=False)
    yield STA_WHOLE, _predicted(sta, batches)


def _predicted(sta: STA, batches: Iterable[Batch], hears: bool = True, moves: bool = True) -> Maps:
    return np.concatenate([attention_of(sta, batch, hears, moves) for batch in batches])


def attention_of(sta: STA, batch: Batch, hears: bool = True, moves: bool = True) -> Maps:
    """STA's attention for a batch of triplets, (B, h, w).

    Args:
        sta: in inference mode.
        batch: of `Moments` with three frames and sound.
        hears: whether the sound gate may open.
        moves: whether the frames around are seen; else the frame itself stands in for them.
    """
    pictures = batch["frames"][:, 0].movedim(2, -1).numpy()  # B, 3, H, W, 3
    count, watch = len(pictures), Watch(sta.watcher())
    before, target, after = (range(time * count, (time + 1) * count) for time in range(3))
    heard = batch["sound"][:, 0, 1].numpy() if hears else None
    watch.see(target, pictures[:, 1], heard, batch["has_sound"][:, 0].float().numpy())
    if not moves:
        return watch.attend(zip(target, target, target, strict=True))
    watch.see(before, pictures[:, 0])
    watch.see(after, pictures[:, 2])
    return watch.attend(zip(before, target, after, strict=True))


def all_moments(prepared: Path, net: STA | AudioSwitch) -> Iterator[Moments]:
    """Open all moments, whatever their split, as a network takes them."""
    counts = read_complete(prepared).moments
    assert net.sound_encoder is not None
    size, windows = net.input_size, net.sound_encoder.windows
    for split in SPLITS:
        if counts[split]:
            yield Moments(prepared, split, size=size, frames=3, windows=windows)
