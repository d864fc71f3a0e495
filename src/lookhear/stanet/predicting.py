"""What STA predicts of prepared moments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import SPLITS
from lookhear.data.shards import read_complete
from lookhear.maps import Maps
from lookhear.nets.watching import Watch
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import Batch


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


def all_moments(prepared: Path, net: STA | AudioSwitch | None = None) -> Iterator[Moments]:
    """Open all moments, whatever their split, as a network takes them; None: their times alone."""
    counts = read_complete(prepared).moments
    taken: dict[str, Any] = {}
    if net is not None:
        assert net.sound_encoder is not None
        taken = {"size": net.input_size, "frames": 3, "windows": net.sound_encoder.windows}
    for split in SPLITS:
        if counts[split]:
            yield Moments(prepared, split, **taken)
