"""Each step of a run as maps of its test's moments, all on one grid, to be scored side by side.

Nothing but the pseudo-fixations knows the tags.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np
from torch.utils.data import DataLoader, Subset

from lookhear.baselines import centre_prior
from lookhear.data.derived import FIXATIONS
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.maps import Maps, enlarge, resize
from lookhear.stanet import PLUS_SOURCES, Source
from lookhear.stanet.predicting import PartneredMoments, attention_of, attention_of_all, taken_by
from lookhear.stanet.pseudo_fixations import Grid
from lookhear.stanet.run_folder import (
    FUSED,
    PSEUDO_FIXATIONS,
    PSEUDO_FIXATIONS_PLUS,
    SINGLE,
    MapFolders,
    PlusMapFolders,
)
from lookhear.stanet.sta import STA
from lookhear.stanet.stanet_plus import STANetPlus

Steps: TypeAlias = Callable[[Moments, Sequence[int]], dict[str, Iterator[Maps]]]
"""From some moments of a split to the maps (h, w) of each of them by each step, by its name."""

STA_DEAF, STA_STILL, STA_WHOLE = "STA without sound", "STA without time", "STA"
SCAM_FINE, SCAM_PLUS = "SCAM, fine", "SCAM+"
STA_SHORT, STA_CROSS, STANET_PLUS = "STA+ short", "STA+ cross", "STANet+"
BATCH_SIZE = 16


@dataclass(frozen=True)
class STANetSteps:
    """The steps of STANet.

    Attributes:
        moments: the test's, prepared.
        maps: of these moments.
        sta: the trained network, in inference mode.
        grid: height and width to which all maps are brought.
    """

    moments: Path
    maps: MapFolders
    sta: STA
    grid: Grid
    _opened: dict[Split, Moments] = field(default_factory=dict)

    def __call__(self, data: Moments, indices: Sequence[int]) -> dict[str, Iterator[Maps]]:
        """See :data:`Steps`."""
        maps, kept = self.maps, partial(_kept, data, indices, self.grid)
        if data.split not in self._opened:
            self._opened[data.split] = Moments(self.moments, data.split, **taken_by(self.sta))
        seen = self._opened[data.split]
        batches = [*DataLoader(Subset(seen, indices), BATCH_SIZE)]

        def predicted(hears: bool = True, moves: bool = True) -> Iterator[Maps]:
            for batch in batches:
                yield from enlarge(attention_of(self.sta, batch, hears, moves), self.grid)

        return {
            "centre": repeat(centre_prior(*self.grid)),
            **{of: kept(maps.coarse, SINGLE, at) for at, of in enumerate(get_args(Source))},
            "SCAM, coarse": kept(maps.coarse, FUSED),
            SCAM_FINE: kept(maps.fine, FUSED),
            PSEUDO_FIXATIONS: kept(maps.tagged, FIXATIONS),
            STA_DEAF: predicted(hears=False),
            STA_STILL: predicted(moves=False),
            STA_WHOLE: predicted(),
        }


@dataclass(frozen=True)
class STANetPlusSteps:
    """The steps that STANet+ adds, and those of STANet that they are to be compared with.

    Attributes:
        moments: the test's, prepared.
        maps: of these moments, of STANet.
        plus: of these moments, of SCAM+.
        net: the three networks, in inference mode.
        grid: height and width to which all maps are brought.
    """

    moments: Path
    maps: MapFolders
    plus: PlusMapFolders
    net: STANetPlus
    grid: Grid
    _opened: dict[Split, PartneredMoments] = field(default_factory=dict)

    def __call__(self, data: Moments, indices: Sequence[int]) -> dict[str, Iterator[Maps]]:
        """See :data:`Steps`."""
        maps, plus, kept = self.maps, self.plus, partial(_kept, data, indices, self.grid)
        if data.split not in self._opened:
            self._opened[data.split] = PartneredMoments(self.moments, data.split, self.net)
        seen = attention_of_all(self._opened[data.split], indices)
        size = self.net.sta.input_size
        return {
            SCAM_FINE: kept(maps.fine, FUSED),
            **{" ".join(of): kept(plus.blind, SINGLE, at) for at, of in enumerate(PLUS_SOURCES)},
            SCAM_PLUS: kept(plus.blind, FUSED),
            PSEUDO_FIXATIONS: kept(maps.tagged, FIXATIONS),
            PSEUDO_FIXATIONS_PLUS: kept(plus.tagged, FIXATIONS),
            **{
                name: iter(enlarge(attention, self.grid))
                for name, attention in zip((STA_WHOLE, STA_SHORT, STA_CROSS), seen, strict=True)
            },
            STANET_PLUS: iter(resize(self.net.together(seen, size), self.grid)),
        }


def _kept(
    data: Moments,
    indices: Sequence[int],
    grid: Grid,
    folder: Path,
    name: str,
    which: int | None = None,
) -> Iterator[Maps]:
    for index in indices:
        yield resize(kept_map(data, index, folder, name, which), grid)


def kept_map(data: Moments, index: int, folder: Path, name: str, which: int | None = None) -> Maps:
    """Read a moment's map (h, w), one of several or the only one, of a run's folder."""
    found: Any = data.derived(folder, name, index)
    return np.asarray(found if which is None else found[which], np.float32)
