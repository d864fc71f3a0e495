"""What STA and STANet+ predict of prepared moments."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Subset

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import SPLITS, Split
from lookhear.data.shards import read_complete
from lookhear.maps import Maps
from lookhear.nets.watching import Watch
from lookhear.stanet.sta import STA
from lookhear.stanet.stanet_plus import SeenByAll, STANetPlus, STANetPlusWatcher
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import Batch

BATCH_SIZE = 16


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


class PartneredMoments:
    """The moments of a split, with what is just before and after each, and others of its clip.

    Attributes:
        short, long: with these partners; see `Moments`.
        watcher: of the network that they are for.
    """

    def __init__(self, prepared: Path, split: Split, net: STANetPlus) -> None:
        self.watcher = net.watcher()
        taken = taken_by(net.sta)
        self.short = Moments(prepared, split, partners="short", **taken)
        self.long = Moments(prepared, split, partners="long", **taken)


def attention_of_all(data: PartneredMoments, indices: Sequence[int]) -> tuple[Maps, Maps, Maps]:
    """What STA, STA+ short and STA+ cross say of some moments, each (N, h, w).

    To STA+ cross, other moments are those that `Moments` draws from the whole clip, where a watcher
    has those at a distance.
    """
    watcher = data.watcher
    batches = zip(
        *(DataLoader(Subset(of, indices), BATCH_SIZE) for of in (data.short, data.long)),
        strict=True,
    )
    moments = [moment for pair in batches for moment in _moments(watcher, *pair)]
    starts = range(0, len(moments), BATCH_SIZE)
    each = [watcher.attend_each(moments[start : start + BATCH_SIZE]) for start in starts]
    sta, short, cross = (np.concatenate(of_net) for of_net in zip(*each, strict=True))
    return sta, short, cross


def _moments(watcher: STANetPlusWatcher, short: Batch, long: Batch) -> Iterator[tuple[Any, ...]]:
    """Moments as the watcher takes them, of which all that it does not ask for is the target."""
    for near, far in zip(_looks(watcher, short), _looks(watcher, long, first=1), strict=True):
        target, *partners = near[1], *near[3:]
        looks = [target] * (2 * watcher.reach + 1)
        placed = [(0, near[:3])]
        for apart, frames in ((watcher.short_apart, partners), (watcher.cross_apart, far)):
            placed += [(-apart, frames[:3]), (apart, frames[3:])]
        for shift, triplet in placed:
            middle = watcher.reach + shift
            looks[middle - 1 : middle + 2] = triplet
        yield tuple(looks)


def _looks(watcher: STANetPlusWatcher, batch: Batch, first: int = 0) -> Iterator[list[SeenByAll]]:
    """What is seen of each graph's frames, three of each node from the first that is wanted."""
    frames, sound, has_sound = (batch[of][:, first:] for of in ("frames", "sound", "has_sound"))
    pictures = frames.flatten(0, 2).movedim(1, -1).numpy()
    audible = has_sound.float().repeat_interleave(3, 1).flatten().numpy()
    heard = sound.flatten(0, 2).numpy()
    seen: list[SeenByAll] = []
    for start in range(0, len(pictures), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        seen += watcher.see(pictures[part], heard[part], audible[part])
    of_graph = frames.shape[1] * frames.shape[2]
    for start in range(0, len(seen), of_graph):
        yield seen[start : start + of_graph]


def taken_by(net: STA | AudioSwitch) -> dict[str, Any]:
    """How a network takes moments: arguments of `Moments`."""
    assert net.sound_encoder is not None
    return {"size": net.input_size, "frames": 3, "windows": net.sound_encoder.windows}


def all_moments(prepared: Path, net: STA | AudioSwitch | None = None) -> Iterator[Moments]:
    """Open all moments, whatever their split, as a network takes them; None: their times alone."""
    counts = read_complete(prepared).moments
    taken = taken_by(net) if net is not None else {}
    for split in SPLITS:
        if counts[split]:
            yield Moments(prepared, split, **taken)
