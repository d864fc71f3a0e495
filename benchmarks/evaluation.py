"""Whether evaluating keeps memory flat: the peak of scoring a short clip and a long one.

    python benchmarks/evaluation.py [--short 60] [--long 600]

Makes clips of 320 x 240 pixels at 25 frames a second with gaze in STAViS's layout, and maps of
every frame as PNG and as one `maps.npz`; each is scored by `lookhear evaluate` in a process of its
own, whose largest resident set the operating system tells.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from lookhear.data.readers.stavis import write_fold, write_gaze
from lookhear.prediction.maps_files import open_archive

HEIGHT, WIDTH, RATE, PEOPLE = 240, 320, 25, 15


def write_clip(root: Path, seconds: int) -> None:
    """Write a clip of a moving spot that people follow, and maps that follow it less well."""
    chance = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    drawn, packed = root / "drawn/long", root / "packed/long"
    drawn.mkdir(parents=True)
    packed.mkdir(parents=True)
    with open_archive(packed) as keep:
        for frame in range(seconds * RATE):
            x, y = WIDTH * (0.5 + 0.3 * np.sin(frame / 40)), HEIGHT * 0.5
            spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 20**2))
            picture = np.repeat((spot * 200)[..., None], 3, axis=2).astype(np.uint8)
            write_gaze(root, "db", "long", frame, picture, chance.normal((x, y), 12, (PEOPLE, 2)))
            values = np.roll(spot, 8, axis=1)
            cv2.imwrite(str(drawn / f"{frame + 1:06d}.png"), (values * 255).astype(np.uint8))
            keep(values, frame / RATE)
    write_fold(root, "db", "test", 1, [("long", seconds * RATE, RATE)])


def peak_megabytes(root: Path) -> float:
    command = [sys.executable, "-m", "lookhear", "evaluate", "--data", root, "--model", "centre"]
    command += ["--model", root / "drawn", "--model", root / "packed", "--out", root / "scores"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("lookhear evaluate failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=60)
    parser.add_argument("--long", type=int, default=600)
    arguments = parser.parse_args()
    peaks = []
    for seconds in (arguments.short, arguments.long):
        with tempfile.TemporaryDirectory() as scratch:
            write_clip(Path(scratch), seconds)
            begun = time.monotonic()
            peaks.append(peak_megabytes(Path(scratch)))
            spent = time.monotonic() - begun
        print(f"{seconds:5d} s: {peaks[-1]:.0f} MB at most, {spent:.0f} s", flush=True)
    print(f"long / short: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
