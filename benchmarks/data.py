"""What preparing and loading cost beside decoding alone, measured side by side.

    python benchmarks/data.py DATA

DATA is a folder in AVE's layout, such as `lookhear world` makes.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
from torch.utils.data import DataLoader

from lookhear.data.loader import Moments
from lookhear.data.moment import FRAMES_A_SECOND, JPEG_QUALITY
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.tagged import TaggedClips
from lookhear.media.spectrogram import VGGSOUND
from lookhear.parallel import cores

ROUNDS = 3
SIZE = 256, 256


def decode(data: TaggedClips, jpegs: bool = False) -> None:
    """Decode picture and sound with PyAV's own loop; encode eight frames a second as JPEG."""
    for clip in data.clips:
        with av.open(str(clip.path)) as container:
            due = clip.start
            for frame in container.decode():
                if jpegs and isinstance(frame, av.VideoFrame) and due <= frame.time <= clip.end:
                    due += 1 / FRAMES_A_SECOND
                    pixels = frame.to_ndarray(format="bgr24")
                    cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def prepare_anew(data: TaggedClips, out: Path, workers: int = 1) -> None:
    shutil.rmtree(out, ignore_errors=True)
    prepare(data, out, workers=workers)


def load(folder: Path, workers: int, **what: object) -> int:
    moments = Moments(folder, "train", size=SIZE, **what)  # type: ignore[arg-type]
    for _ in DataLoader(moments, batch_size=16, shuffle=True, num_workers=workers):
        pass
    return len(moments)


def seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = read_tagged(parser.parse_args().data)
    length = sum(clip.end - clip.start for clip in data.clips)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "shards"
        contenders: dict[str, Callable[[], object]] = {
            "decode": lambda: decode(data),
            "decode and encode JPEG": lambda: decode(data, jpegs=True),
            "prepare, one process": lambda: prepare_anew(data, out),
            f"prepare, {cores()} processes": lambda: prepare_anew(data, out, cores()),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, job in contenders.items():
                times[name].append(seconds(job))
        print(f"{len(data.clips)} clips, {length:.0f} s annotated; medians of {ROUNDS} rounds")
        medians = {name: statistics.median(of_one) for name, of_one in times.items()}
        for name, median in medians.items():
            over = median / medians["decode"]
            print(f"{name:28}{median:8.1f} s{length / median:8.0f} x real time{over:8.2f} x decode")
        ratio = medians["prepare, one process"] / medians["decode and encode JPEG"]
        print(f"prepare / (decode and encode JPEG): {ratio:.2f}")
        for name, what in {
            "a frame": {},
            "a triplet and its sounds": {"frames": 3, "windows": VGGSOUND},
            "three triplets, cross": {"frames": 3, "windows": VGGSOUND, "partners": "cross"},
        }.items():
            for workers in (0, cores()):
                start = time.perf_counter()
                count = load(out, workers, **what)
                rate = count / (time.perf_counter() - start)
                print(f"load {name:26}{workers:3} workers{rate:8.0f} moments/s")


if __name__ == "__main__":
    main()
