"""What the unimodal term does to the weights of frames by itself, and beside what asks for a peak.

    python benchmarks/unimodal.py

16 frames, weights by a softmax of free scores, 2,000 steps of gradient descent of rate 1, of 200
starts each: all flat; flat but for noise; with two peaks. Beside the term alone there is one that
asks for weight at two frames far apart, as a class of which both speak would.
"""

import torch
from torch import Tensor

from lookhear.actions.losses import unimodal

FRAMES, STARTS, STEPS = 16, 200, 2000
WANTED = (4, 11)  # the two frames


def starts() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(0)
    noise = torch.randn(STARTS, FRAMES, generator=chance)
    two = torch.zeros(FRAMES)
    two[list(WANTED)] = 2.0
    return {
        "flat": torch.zeros(STARTS, FRAMES),
        "flat but for noise of 0.01": 0.01 * noise,
        "flat but for noise of 1": noise,
        "two peaks, noise of 0.1": two + 0.1 * noise,
    }


def peaks(weights: Tensor) -> float:
    """How many frames have more weight than both neighbours, on average."""
    padded = torch.nn.functional.pad(weights, (1, 1), value=-1.0)
    is_peak = (weights > padded[:, :-2] + 1e-6) & (weights > padded[:, 2:] + 1e-6)
    return float(is_peak.sum(1).float().mean())


def descend(scores: Tensor, *, released: bool, asks: float) -> tuple[Tensor, float]:
    scores = scores.clone().requires_grad_()
    first = 0.0
    for step in range(STEPS):
        weights = scores.softmax(1)
        loss = unimodal(weights[:, None], released=released).sum()
        loss = loss - asks * weights[:, list(WANTED)].log().sum()
        (slope,) = torch.autograd.grad(loss, scores)
        first = float(slope.norm(dim=1).mean()) if step == 0 else first
        scores = (scores - slope).detach().requires_grad_()
    return scores.softmax(1).detach(), first


def main() -> None:
    print("| start | term | beside | slope at first | peaks before, after | highest weight |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, scores in starts().items():
        for released in (False, True):
            for asks in (0.0, 1e-3):
                after, slope = descend(scores, released=released, asks=asks)
                term = "released" if released else "paper's"
                beside = "asked for two" if asks else "alone"
                before = peaks(scores.softmax(1))
                highest = float(after.amax(1).mean()) * FRAMES
                print(
                    f"| {name} | {term} | {beside} | {slope:.1e} | {before:.1f}, "
                    f"{peaks(after):.1f} | {highest:.2f} of an even share |"
                )


if __name__ == "__main__":
    main()
