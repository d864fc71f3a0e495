"""How much predicting a clip costs beside what cannot be avoided, measured side by side.

    python benchmarks/speed.py CLIP [--model small] [--rounds 5]

Every round runs all contenders in turn, by ONNX Runtime and by PyTorch, so that a machine whose
speed drifts drifts for all; a ratio is the median of the rounds' ratios. Importing and loading the
model are not counted, as they are paid once for any number of clips.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

from lookhear.media import open_clip
from lookhear.media.soundtrack import AAC_BITS_PER_CHANNEL, COPIED_CODECS
from lookhear.media.write import X264_B_FRAMES, X264_CRF, X264_PRESET
from lookhear.nets import Engine
from lookhear.nets.saved import load_watcher
from lookhear.nets.watching import Watcher
from lookhear.prediction.page import ModelNotes
from lookhear.prediction.results import Settings, write_results
from lookhear.prediction.stream import BATCH_SIZE, MAPS_PER_SECOND, stream

DECODE, DECODE_BY_ALL = "decode, PyAV's default threads", "decode, all threads"
REENCODE, OVERLAY = "decode and re-encode", "predict with overlay"
FORWARD, MAPS = "forward passes", "maps only"


def decode(path: Path, threads: str) -> None:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = threads
        for _ in container.decode(video=0):
            pass


def reencode(path: Path, out: Path) -> None:
    """Decode with all threads and encode as the overlay is, sound too, with nothing in between."""
    with (
        av.open(str(path)) as source,
        av.open(str(path)) as heard,
        av.open(str(out), "w") as target,
    ):
        video = source.streams.video[0]
        video.thread_type = "AUTO"
        stream = target.add_stream(
            "libx264",
            Fraction(video.average_rate or 25),
            options={"preset": X264_PRESET, "crf": X264_CRF, "bf": X264_B_FRAMES},
            width=video.width,
            height=video.height,
            pix_fmt="yuv420p",
            time_base=video.time_base,
        )
        sound = sound_packets(heard, target) if heard.streams.audio else iter(())
        first = next(sound, None)
        for frame in source.decode(video):
            target.mux(stream.encode(frame.reformat(format="yuv420p")))
        target.mux(stream.encode(None))
        if first is not None:
            target.mux([first, *sound])


def sound_packets(source: InputContainer, target: OutputContainer) -> Iterator[Packet]:
    """Copy the sound where the overlay does, re-encode it where the overlay does."""
    audio = source.streams.audio[0]
    if audio.codec_context.codec.canonical_name in COPIED_CODECS:
        copy = target.add_stream_from_template(audio)
        for packet in source.demux(audio):
            if packet.dts is not None:
                packet.stream = copy
                yield packet
    else:
        stream = target.add_stream("aac", audio.rate, layout=audio.layout.name)
        stream.bit_rate = AAC_BITS_PER_CHANNEL * audio.channels
        for frame in source.decode(audio):
            yield from stream.encode(frame)
        yield from stream.encode(None)


def forward(watcher: Watcher, pictures: NDArray[np.uint8]) -> None:
    """See all pictures in batches and attend to a moment around each: no clip, no threads."""
    for start in range(0, len(pictures), BATCH_SIZE):
        looks = watcher.see(pictures[start : start + BATCH_SIZE])
        watcher.attend([(look,) * (2 * watcher.reach + 1) for look in looks])


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("clip", type=Path)
    arguments.add_argument("--model", default="small")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    path: Path = options.clip

    engines: tuple[Engine, ...] = ("onnx", "torch")
    watchers = {engine: load_watcher(options.model, "cpu", engine) for engine in engines}
    clip = open_clip(path)
    count = sum(1 for _ in stream(path, watchers["onnx"]))
    size = watchers["onnx"].size_for(clip.height, clip.width)
    pictures = np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)
    notes, settings = ModelNotes(options.model, ()), Settings()

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        contenders: dict[str, Callable[[], object]] = {
            DECODE: partial(decode, path, "SLICE"),
            DECODE_BY_ALL: partial(decode, path, "AUTO"),
            REENCODE: partial(reencode, path, out / "reencoded.mp4"),
        }
        for engine, watcher in watchers.items():
            contenders |= {
                f"{engine}: {FORWARD}": partial(forward, watcher, pictures),
                f"{engine}: {MAPS}": lambda of=watcher: sum(1 for _ in stream(path, of)),
                f"{engine}: {OVERLAY}": lambda of=watcher: write_results(
                    open_clip(path), out / "results", of, notes, settings
                ),
            }
        rounds = [
            {name: timed(action) for name, action in contenders.items()}
            for _ in range(options.rounds + 1)
        ][1:]

    print(f"{path.name}: {count} maps at {MAPS_PER_SECOND:g} a second, {os.cpu_count()} cores")
    for name in contenders:
        seconds = [times[name] for times in rounds]
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"  {name:32} {statistics.median(seconds):7.2f} s  ({spread})")

    def ratio(of: str, *to: str) -> float:
        return statistics.median(times[of] / max(times[name] for name in to) for times in rounds)

    for engine in watchers:
        passes, maps = f"{engine}: {FORWARD}", f"{engine}: {MAPS}"
        seen = statistics.median(times[passes] for times in rounds) / count
        print(f"{engine}: a map at {size[0]} x {size[1]}: {1000 * seen:.1f} ms")
        print(f"  overlay / re-encode: {ratio(f'{engine}: {OVERLAY}', REENCODE):.2f}")
        print(f"  maps / max(decode, forward): {ratio(maps, DECODE, passes):.2f}")
        print(f"    decoding with all threads: {ratio(maps, DECODE_BY_ALL, passes):.2f}")


if __name__ == "__main__":
    main()
