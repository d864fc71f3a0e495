"""Whether what a map calls important is: deletion and insertion (Petsiuk et al., RISE, BMVC 2018).

The most important pixels of a window are taken away first, or put back first, and the probability
of the class is followed. A faithful map makes it fall soon and rise soon. The same is done with the
map moved elsewhere, in space and in time: as smooth and as coarse, but knowing nothing. (Single
pixels at random, as in RISE, or the places of the layer's grid, would flicker as no map does, and
undo what a network sees by that alone.)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lookhear.progress import Progress
from lookhear.tubes.tube import in_space, in_time

STEPS = 10
MOVES = 3  # at random
SEED = 0  # of the moves
BLUR = 8  # times coarser is what insertion begins with
Curve = NDArray[np.float32]


@dataclass(frozen=True)
class Faithfulness:
    """How the probability of a class follows what a map calls important."""

    span: tuple[float, float]  # seconds, of the first and last frame of the window that was tried
    shares: Curve  # (S,) from 0 to 1, of the window's pixels that are gone, or there again
    deletion: Curve  # (S,) probabilities of the class; the most important pixels go first
    insertion: Curve  # (S,) likewise; they come first
    random_deletion: Curve  # (S,) the mean of those of maps moved elsewhere
    random_insertion: Curve  # (S,) likewise

    def area(self, curve: Curve) -> float:
        """Area under one of the curves: for deletion low is good, for insertion high."""
        return float(np.trapezoid(curve, self.shares))


@torch.no_grad()
def measure_faithfulness(
    probabilities: Callable[[Tensor], Tensor],
    inputs: Tensor,
    grey: Tensor,
    maps: NDArray[np.float32],
    index: int,
    span: tuple[float, float],
    advance: Progress,
) -> Faithfulness:
    """Follow the probability of a class while pixels of a window go, or come.

    Pixels that go become grey; those that come take the place of blurred ones.

    Args:
        probabilities: gives those of all classes, (1, K), of inputs.
        inputs: (1, 3, T, H, W), or (1, 3, H, W), one window.
        grey: the same of a grey picture.
        maps: (t, h, w), the window's maps of the class, on the layer's grid.
        index: of the class.
        span: seconds, of the first and last frame of the window.
        advance: is told of each window that has gone through the network.
    """
    blurred = _blurred(inputs)
    shares = np.linspace(0, 1, STEPS + 1, dtype=np.float32)

    def probability(window: Tensor) -> float:
        advance(1)
        return probabilities(window)[0, index].item()

    whole, gone, unclear = map(probability, (inputs, grey, blurred))

    def follow(order: Tensor, before: Tensor, after: Tensor) -> list[float]:
        """The probability while more and more of the pixels, in an order, have changed."""
        changed = (order < share * order.numel() for share in shares[1:-1])
        return [probability(torch.where(where, after, before)) for where in changed]

    def deletion(order: Tensor) -> Curve:
        return np.array([whole, *follow(order, inputs, grey), gone], np.float32)

    def insertion(order: Tensor) -> Curve:
        return np.array([unclear, *follow(order, blurred, inputs), whole], np.float32)

    chance = np.random.default_rng(SEED)
    moved = [moved_elsewhere(maps, chance) for _ in range(MOVES)]
    order, *random_orders = (_order(of, inputs) for of in (maps, *moved))
    return Faithfulness(
        span,
        shares,
        deletion(order),
        insertion(order),
        np.mean([*map(deletion, random_orders)], 0),
        np.mean([*map(insertion, random_orders)], 0),
    )


def passes(labels: int) -> int:
    """How many windows go through the network to measure it for so many labels."""
    return labels * (3 + 2 * (1 + MOVES) * (STEPS - 1))


def moved_elsewhere(maps: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    """Move maps by a quarter to three quarters of each axis; what leaves comes in again."""
    quarters = [-(-size // 4) for size in maps.shape]
    steps = [
        int(chance.integers(quarter, max(quarter, size - quarter) + 1))
        for quarter, size in zip(quarters, maps.shape, strict=True)
    ]
    return np.roll(maps, steps, (0, 1, 2))


def _order(maps: NDArray[np.float32], inputs: Tensor) -> Tensor:
    """Rank the pixels of a window, (T, H, W) or (H, W): 0 for the most important."""
    *frames, height, width = inputs.shape[2:]
    large = in_time(in_space(maps, (height, width)), frames[0] if frames else 1)
    order = torch.from_numpy(large.ravel()).argsort(descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order))
    return ranks.view(inputs.shape[2:]).to(inputs.device)


def _blurred(inputs: Tensor) -> Tensor:
    """What is left of frames when they are made small and large again."""
    frames = inputs.transpose(1, 2).flatten(0, 1) if inputs.ndim == 5 else inputs  # (T, 3, H, W)
    height, width = frames.shape[2:]
    small = F.interpolate(frames, (max(1, height // BLUR), max(1, width // BLUR)), mode="area")
    large = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
    return large[None].transpose(1, 2) if inputs.ndim == 5 else large
