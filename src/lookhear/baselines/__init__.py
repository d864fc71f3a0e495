"""Maps of pictures that need no training: what every model must beat.

| name                | what it is                                                             |
| ------------------- | ---------------------------------------------------------------------- |
| `centre`            | people look at the middle (`centre.py`)                                |
| `spectral-residual` | what is unusual about the picture's spectrum (`spectral.py`)           |
| `itti-koch`         | what differs from its surroundings (`itti.py`)                         |
| `gbvs`              | where a walk that prefers what differs ends up (`gbvs.py`)             |
"""

from collections.abc import Callable, Mapping

import numpy as np

from lookhear.baselines import gbvs, itti
from lookhear.baselines.centre import CENTRE_SIGMA, Centre, centre_prior, fitted_centre
from lookhear.baselines.pictures import LEAST_SIDE, Pictures, checked
from lookhear.baselines.spectral import spectral_residual
from lookhear.maps import Maps

__all__ = [
    "BASELINES",
    "CENTRE_SIGMA",
    "LEAST_SIDE",
    "Baseline",
    "Centre",
    "centre_prior",
    "fitted_centre",
    "spectral_residual",
]

Baseline = Callable[[Pictures, Pictures | None], Maps]
"""Gives the maps `(B, h, w)` float32 of pictures `(B, H, W, 3)`, RGB, uint8 or floating-point from
0 to 1, `LEAST_SIDE` pixels a side or more, and of the frames before them, of the same shape, or
None where there are none. The maps have a size of their own. ValueError: These are no pictures."""


def _centre(pictures: Pictures, previous: Pictures | None = None) -> Maps:
    batch, height, width, _ = checked(pictures, previous)[0].shape
    return np.broadcast_to(centre_prior(height, width), (batch, height, width))


BASELINES: Mapping[str, Baseline] = {
    "centre": _centre,
    "spectral-residual": spectral_residual,
    "itti-koch": itti.itti_koch,
    "gbvs": gbvs.gbvs,
}
"""The baselines by the names that the command line knows them by."""
