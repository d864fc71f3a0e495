"""What computing a frame's features once is worth, on STA at the paper's size.

    python benchmarks/sharing.py [--moments 16] [--device cpu]

Consecutive moments of a clip, ResNeXt-101 32x8d, 356 x 356, random weights, without sound: once
with three backbone passes a moment, as the published code does, and once with shared features.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.stanet.sta import STA, Seen


@torch.inference_mode()
def three_passes(net: STA, frames: Tensor) -> Tensor:
    return torch.cat([net(frames[i : i + 3][None]) for i in range(len(frames) - 2)])


@torch.inference_mode()
def shared(net: STA, frames: Tensor) -> Tensor:
    seen = Seen.cat([net.see(batch) for batch in frames.split(3)])
    attention = net.attend(seen.at(slice(-2)), seen.at(slice(1, -1)), seen.at(slice(2, None)))
    return F.interpolate(attention[:, None], frames.shape[-2:], mode="bilinear")[:, 0]


def timed(
    action: Callable[[STA, Tensor], Tensor], net: STA, frames: Tensor
) -> tuple[float, Tensor]:
    start = time.perf_counter()
    maps = action(net, frames).cpu()
    return time.perf_counter() - start, maps


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--moments", type=int, default=16)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--device", default="cpu")
    options = arguments.parse_args()
    torch.manual_seed(0)
    net = STA(backbone="resnext101_32x8d", sound_encoder=None).eval().to(options.device)
    frames = torch.rand(options.moments + 2, 3, 356, 356, device=options.device)
    shared(net, frames[:3])
    ratios = []
    for _ in range(options.rounds):
        slow, expected = timed(three_passes, net, frames)
        fast, maps = timed(shared, net, frames)
        ratios.append(slow / fast)
        difference = (maps - expected).abs().max().item()
        print(
            f"three passes {slow:.1f} s, shared {fast:.1f} s: {slow / fast:.2f} times as fast, "
            f"largest difference {difference:.1e}",
            flush=True,
        )
    print(f"median: {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
