"""What computing a frame's features once is worth, on STA and STA+ at the paper's size.

    python benchmarks/sharing.py [--network STA+] [--moments 32] [--device cpu]

Consecutive moments of a clip, random weights, without sound: once with a backbone pass for every
frame of every moment (three of STA, nine of STA+), as the published code does, and once with shared
features. STA sees with ResNeXt-101 32x8d at 356 x 356, STA+ with VGG-16 at 256 x 256.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from lookhear.maps import Maps
from lookhear.nets.watching import Watch, Watcher
from lookhear.stanet.sta import STA
from lookhear.stanet.sta_plus import STAPlus

NETWORKS = {"STA": STA, "STA+": STAPlus}
BATCH_SIZE = 4  # as `lookhear predict` has it

Pictures = NDArray[np.uint8]


def each_by_itself(watcher: Watcher, pictures: Pictures) -> Maps:
    span = 2 * watcher.reach + 1
    maps = []
    for first in range(len(pictures) - span + 1):
        watch = Watch(watcher)
        watch.see(range(span), pictures[first : first + span])
        maps.append(watch.attend([tuple(range(span))]))
    return np.concatenate(maps)


def shared(watcher: Watcher, pictures: Pictures) -> Maps:
    watch, maps = Watch(watcher), []
    for first in range(0, len(pictures), BATCH_SIZE):
        batch = pictures[first : first + BATCH_SIZE]
        watch.see(range(first, first + len(batch)), batch)
        ready = range(max(0, first - 2 * watcher.reach), first + len(batch) - 2 * watcher.reach)
        if ready:
            maps.append(watch.attend(tuple(range(i, i + 2 * watcher.reach + 1)) for i in ready))
            watch.forget(before=ready.stop)
    return np.concatenate(maps)


def timed(
    action: Callable[[Watcher, Pictures], Maps], watcher: Watcher, pictures: Pictures
) -> tuple[float, Maps]:
    start = time.perf_counter()
    maps = action(watcher, pictures)
    return time.perf_counter() - start, maps


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--network", choices=[*NETWORKS], default="STA")
    arguments.add_argument("--moments", type=int, default=16)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--device", default="cpu")
    options = arguments.parse_args()
    torch.manual_seed(0)
    net = NETWORKS[options.network](sound_encoder=None).eval().to(options.device)
    watcher = net.watcher()
    shape = options.moments + 2 * watcher.reach, *net.input_size, 3
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    shared(watcher, pictures[: 2 * watcher.reach + 1])
    ratios = []
    for _ in range(options.rounds):
        slow, expected = timed(each_by_itself, watcher, pictures)
        fast, maps = timed(shared, watcher, pictures)
        ratios.append(slow / fast)
        print(
            f"each moment by itself {slow:.1f} s, shared {fast:.1f} s: {slow / fast:.2f} times as "
            f"fast, largest difference {np.abs(maps - expected).max():.1e}",
            flush=True,
        )
    print(f"median: {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
