"""Whether finding events takes flat memory, and its time beside what it cannot do without.

    python benchmarks/events_length.py CLIP MODEL [--short 300] [--long 3600]

The clip is repeated to each length without decoding it; each is judged in a process of its own,
whose largest resident set the operating system tells. What cannot be done without is to decode the
clip, propose boxes and see what is in them, one after the other.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from memory import repeat


def found(path: Path, model: Path) -> tuple[float, float]:
    """Megabytes at most, and seconds."""
    from lookhear import find_events

    begun = time.monotonic()
    find_events(path, model, device="cpu")
    seconds = time.monotonic() - begun
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds


def bare(path: Path, model: Path) -> float:
    """Seconds to decode, to propose and to see, one after the other."""
    import numpy as np
    import torch

    from lookhear.events.net import EventNet
    from lookhear.events.seconds import SecondsCut, seconds_of
    from lookhear.media import open_clip
    from lookhear.nets.saved import load_network

    net = load_network(EventNet, model, "cpu").folded()
    begun = time.monotonic()
    for second in seconds_of(open_clip(path), SecondsCut(net.boxes)):
        picture = torch.from_numpy(second.picture).permute(2, 0, 1)[None].float() / 255
        boxes = torch.from_numpy(np.ascontiguousarray(second.boxes[None, :, :4]))
        with torch.inference_mode():
            net.pooled(picture, boxes)
    return time.monotonic() - begun


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("clip", type=Path)
    arguments.add_argument("model", type=Path)
    arguments.add_argument("--short", type=float, default=300)
    arguments.add_argument("--long", type=float, default=3600)
    options = arguments.parse_args()
    peaks = []
    alone = multiprocessing.get_context("spawn").Pool
    with tempfile.TemporaryDirectory() as scratch:
        for seconds in (options.short, options.long):
            clip = repeat(options.clip, seconds, Path(scratch) / f"long{options.clip.suffix}")
            with alone(1) as process:
                peak, taken = process.apply(found, (clip, options.model))
            peaks.append(peak)
            print(f"{seconds:5.0f} s: {peak:.0f} MB at most, {taken:.0f} s", flush=True)
            if seconds == options.short:
                with alone(1) as process:
                    least = process.apply(bare, (clip, options.model))
                print(f"decoding, proposing and seeing: {least:.0f} s; {taken / least:.2f} times")
    print(f"long / short: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
