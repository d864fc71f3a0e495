"""What STA predicts of prepared moments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import SPLITS
from lookhear.data.shards import read_complete
from lookhear.maps import Maps
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import Batch, plain_batch


@torch.inference_mode()
def attention_of(sta: STA, batch: Batch, hears: bool = True, moves: bool = True) -> Maps:
    """STA's attention for a batch of triplets, (B, h, w).

    Args:
        sta: in inference mode.
        batch: of `Moments` with three frames and sound.
        hears: whether the sound gate may open.
        moves: whether the frames around are seen; else the frame itself stands in for them.
    """
    device = sta.mean.device
    seen = {name: x.to(device) for name, x in plain_batch(batch, sta.input_size).items()}
    frames = seen["frames"]
    heard = seen["sound"][:, 1] if hears else None
    target = sta.see(frames[:, 1], heard, seen["has_sound"].float())
    before, after = (sta.see(frames[:, time]) if moves else target for time in (0, 2))
    attention: Maps = sta.attend(before, target, after).cpu().numpy()
    return attention


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
