"""Maps of pictures that need no training: what every model must beat.

| name                | what it is                                                             |
| ------------------- | ---------------------------------------------------------------------- |
| `centre`            | people look at the middle (`centre.py`)                                |
| `spectral-residual` | what is unusual about the picture's spectrum (`spectral.py`)           |
| `itti-koch`         | what differs from its surroundings (`itti.py`)                         |
| `gbvs`              | where a walk that prefers what differs ends up (`gbvs.py`)             |
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lookhear.baselines.centre import CENTRE_SIGMA, Centre, centre_prior, fitted_centre
from lookhear.baselines.gbvs import gbvs
from lookhear.baselines.itti import itti_koch
from lookhear.baselines.pyramids import LEAST_SIDE, checked
from lookhear.baselines.spectral import spectral_residual

__all__ = [
    "BASELINES",
    "CENTRE_SIGMA",
    "LEAST_SIDE",
    "Baseline",
    "Centre",
    "centre_prior",
    "fitted_centre",
    "gbvs",
    "itti_koch",
    "spectral_residual",
]

Baseline = Callable[[Tensor, Tensor | None], Tensor]
"""Gives the maps `(B, h, w)` float32 of pictures `(B, 3, H, W)`, RGB from 0 to 1, and of the frames
before them, of the same shape, or None where there are none. The maps have a size of their own."""


def _centre(pictures: Tensor, previous: Tensor | None = None) -> Tensor:
    batch, _, height, width = checked(pictures, previous).shape
    prior = torch.from_numpy(centre_prior(height, width)).to(pictures.device)
    return prior.expand(batch, -1, -1)


BASELINES: Mapping[str, Baseline] = {
    "centre": _centre,
    "spectral-residual": spectral_residual,
    "itti-koch": itti_koch,
    "gbvs": gbvs,
}
"""The baselines by the names that the command line knows them by."""
