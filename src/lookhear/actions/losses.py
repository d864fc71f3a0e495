"""What attention is held to beside naming the action (Meng et al., arXiv 1810.04511, section 3.3).

    loss = cross-entropy + l_TV L_TV + l_contrast L_contrast + l_unimodal L_unimodal

Each of the last three is a function here, of one value for each clip, (B,).
"""

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

Distance: TypeAlias = Literal["l1", "l2", "huber"]
HUBER_FROM = 0.1
"""Steps of a mask below which the Huber distance is square, above which it is absolute."""


def total_variation(mask: Tensor, distance: Distance = "l1") -> Tensor:
    """How rough masks are, equation 3.

        L_TV = sum_i (sum_jk |M_i,j+1,k - M_i,jk| + sum_jk |M_i,j,k+1 - M_i,jk|)

    Args:
        mask: (B, n, h, w), from 0 to 1.
        distance: of neighbours: ``"l1"`` as in the paper; or squared; or Huber's, which is square
            for steps below `HUBER_FROM`.
    """
    steps = mask.diff(dim=2), mask.diff(dim=3)
    total = torch.zeros(len(mask), device=mask.device)
    for of_axis in steps:
        if distance == "l1":
            rough = of_axis.abs()
        elif distance == "l2":
            rough = of_axis.square()
        else:
            rough = (
                F.huber_loss(of_axis, torch.zeros_like(of_axis), reduction="none", delta=HUBER_FROM)
                / HUBER_FROM
            )
        total = total + rough.sum((1, 2, 3))
    return total


def contrast(mask: Tensor) -> Tensor:
    """How little masks tell foreground from background, equation 4.

        L_contrast = sum_ijk (-1/2 M B + 1/2 M (1 - B)), B = [M > 0.5]

    It is lowest, -1/2 a place, where a mask is 1 everywhere, and 0 where it is 0 everywhere: it
    pays for foreground (``docs/actions.md`` has how much).

    Args:
        mask: (B, n, h, w), from 0 to 1.
    """
    foreground = (mask > 0.5).to(mask.dtype)
    return (mask * (0.5 - foreground)).sum((1, 2, 3))


def unimodal(glimpses: Tensor, *, released: bool = False) -> Tensor:
    """How far weights over the frames are from log-concave, and so from one peak, equation 5.

        L_unimodal = sum_t sum_i max(0, w_t,i-1 w_t,i+1 - w_t,i^2)

    Weights of fewer than three frames have no inner one, and cost nothing.

    Args:
        glimpses: (B, T, n), each step's sum to 1.
        released: as in the authors' code: the mean over steps and frames of the square roots of
            these, whose slope grows without bound towards 0. There, where it has none, it is 0.
    """
    before, own, after = glimpses[..., :-2], glimpses[..., 1:-1], glimpses[..., 2:]
    excess = F.relu(before * after - own.square())
    if not excess.numel():
        return glimpses.new_zeros(len(glimpses))
    if not released:
        return excess.sum((1, 2))
    # The slope of a root at 0 is infinite, and times the ReLU's 0 it is no number.
    root = torch.where(excess > 0, excess, 1).sqrt()
    return torch.where(excess > 0, root, 0).mean((1, 2))
