"""Whether memory stays flat: the peak of predicting a short clip and a long one.

    python benchmarks/memory.py CLIP [--short 30] [--long 600]

The clip is repeated to each length without decoding it; each prediction runs in a process of its
own, whose largest resident set the operating system tells.
"""

import argparse
import multiprocessing
import resource
import tempfile
from pathlib import Path

import av


def repeat(path: Path, seconds: float, out: Path) -> Path:
    """Write the clip, over and over, until it lasts so many seconds."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        length = source.duration / av.time_base
        offset = 0.0
        while offset < seconds:
            source.seek(0)
            for packet in source.demux(*source.streams):
                if packet.dts is None:
                    continue
                shift = round(offset / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
            offset += length
    return out


def peak_megabytes(path: Path, out: Path) -> float:
    from lookhear.media import open_clip
    from lookhear.nets.saved import load_watcher
    from lookhear.prediction.page import ModelNotes
    from lookhear.prediction.results import Settings, write_results

    watcher, notes = load_watcher("small", "cpu"), ModelNotes("small", ())
    write_results(open_clip(path), out, watcher, notes, Settings())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("clip", type=Path)
    arguments.add_argument("--short", type=float, default=30)
    arguments.add_argument("--long", type=float, default=600)
    options = arguments.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as scratch:
        for seconds in (options.short, options.long):
            clip = repeat(options.clip, seconds, Path(scratch) / f"long{options.clip.suffix}")
            with multiprocessing.get_context("spawn").Pool(1) as process:
                peaks.append(process.apply(peak_megabytes, (clip, Path(scratch) / "results")))
            print(f"{seconds:5.0f} s: {peaks[-1]:.0f} MB at most", flush=True)
    print(f"long / short: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
