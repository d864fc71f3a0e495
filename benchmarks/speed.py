"""How much predicting a clip costs beside what cannot be avoided, measured side by side.

    python benchmarks/speed.py CLIP [--model small] [--rounds 5]

Every round runs all contenders in turn, so that a machine whose speed drifts drifts for all; a
ratio is the median of the rounds' ratios. Importing and loading the model are not counted, as
they are paid once for any number of clips.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import torch
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from lookhear.media import open_clip
from lookhear.media.soundtrack import AAC_BITS_PER_CHANNEL, COPIED_CODECS
from lookhear.media.write import X264_B_FRAMES, X264_CRF, X264_PRESET
from lookhear.nets.saved import load_network
from lookhear.prediction.page import ModelNotes
from lookhear.prediction.results import Settings, write_results
from lookhear.prediction.stream import BATCH_SIZE, MAPS_PER_SECOND, stream
from lookhear.stanet.sta import STA


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


def forward(net: STA, pictures: torch.Tensor) -> None:
    """See all pictures in batches and attend to a moment around each: no clip, no threads."""
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH_SIZE):
            frames = pictures[start : start + BATCH_SIZE].permute(0, 3, 1, 2).float() / 255
            seen = net.see(frames)
            net.attend(seen, seen, seen)


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("clip", type=Path)
    arguments.add_argument("--model", default="small", help="an STA")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    path: Path = options.clip

    net = load_network(STA, options.model, "cpu").folded()
    clip = open_clip(path)
    count = sum(1 for _ in stream(path, net))
    size = net.size_for(clip.height, clip.width)
    pictures = torch.randint(0, 256, (count, *size, 3), dtype=torch.uint8)
    notes, settings = ModelNotes(options.model, ()), Settings()

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        contenders: dict[str, Callable[[], object]] = {
            "decode, PyAV's default threads": lambda: decode(path, "SLICE"),
            "decode, all threads": lambda: decode(path, "AUTO"),
            "forward passes": lambda: forward(net, pictures),
            "maps only": lambda: [None for _ in stream(path, net)],
            "decode and re-encode": lambda: reencode(path, out / "reencoded.mp4"),
            "predict with overlay": lambda: write_results(
                open_clip(path), out / "results", net.watcher(), notes, settings
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
    seen = statistics.median(times["forward passes"] for times in rounds) / count
    print(f"a map at {size[0]} x {size[1]}: {1000 * seen:.1f} ms")

    def ratio(of: str, *to: str) -> float:
        return statistics.median(times[of] / max(times[name] for name in to) for times in rounds)

    plain, all_threads = "decode, PyAV's default threads", "decode, all threads"
    print(f"overlay / re-encode: {ratio('predict with overlay', 'decode and re-encode'):.2f}")
    print(f"maps / max(decode, forward): {ratio('maps only', plain, 'forward passes'):.2f}")
    print(f"  decoding with all threads: {ratio('maps only', all_threads, 'forward passes'):.2f}")


if __name__ == "__main__":
    main()
