"""Explaining: which methods run on which networks, and what a long clip takes.

    python benchmarks/explain.py methods [--network swin3d_t]
    python benchmarks/explain.py length CLIP [--short 30] [--long 300] [--network r3d_18]

`methods` explains a clip of two seconds, which it makes, by every method, with untrained networks
that see one window of 16 frames. SSCAM, ScoreCAM, ISCAM and AblationCAM, which take a pass or more
for each of hundreds of channels, see 64 x 64 pixels (s3d and mvit_v2_s are made anew for them), and
SSCAM and ISCAM average one sample only.

`length` repeats a clip to two lengths, explains each by `lookhear explain` in a process of its own,
whose largest resident set the operating system tells; and compares the time of `lookhear.explain`
on the shorter with that of the network's bare passes over the same windows, decoded before.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torchvision import models
from torchvision.models.video import mvit

import lookhear
from lookhear.cam import METHODS, methods
from lookhear.cam.methods import ONE_BY_ONE
from lookhear.errors import LookhearError
from lookhear.media import VideoWriter, open_clip
from lookhear.tubes.networks import Classifier, load_classifier
from lookhear.tubes.views import TUBE
from lookhear.tubes.windows import ClipWindows
from lookhear.words import sides
from memory import repeat

NETWORKS = "r3d_18", "s3d", "mvit_v2_s", "swin3d_t"
SMALL = 64, 64
RATE, SECONDS = 25, 2
ROUNDS = 3


def write_two_seconds(path: Path) -> None:
    """A bright square that moves over noise."""
    chance = np.random.default_rng(0)
    with VideoWriter(path, 320, 240, frame_rate=RATE) as writer:
        for frame in range(SECONDS * RATE):
            picture = chance.integers(60, 120, (240, 320, 3), np.uint8)
            picture[80:140, 5 * frame : 5 * frame + 60] = (250, 200, 60)
            writer.write_rgb(picture, frame / RATE)


def small(network: Classifier) -> Classifier:
    """The same for small pictures, still untrained."""
    if network.name == "s3d":  # whose pooling needs 7 x 7 places
        net = models.get_model(network.name).eval()
        net.avgpool = torch.nn.AvgPool3d(2, stride=1)
        return replace(network, net=net, input_size=SMALL)
    if network.name == "mvit_v2_s":
        build = mvit._mvit
        with patch.object(mvit, "_mvit", lambda **told: build(**told | {"spatial_size": SMALL})):
            net = models.get_model(network.name).eval()
        return replace(network, net=net, input_size=SMALL)
    return replace(network, input_size=SMALL, keeps_aspect=False)


def compare_methods(names: list[str]) -> None:
    """Run every method on every network; print which give a map, and how long each takes."""
    methods.SSCAM_SAMPLES = methods.ISCAM_STEPS = 1
    print("| network | layer | " + " | ".join((TUBE, *METHODS)) + " |")
    print("| --- " * (len(METHODS) + 3) + "|")
    with tempfile.TemporaryDirectory() as scratch:
        clip = Path(scratch) / "clip.mp4"
        write_two_seconds(clip)
        for name in names:
            network = replace(load_classifier(name, "random"), frames=16)
            cells, layers = [], set()
            for method in (TUBE, *METHODS):
                seen_by = small(network) if method in ONE_BY_ONE else network
                begun = time.monotonic()
                try:
                    explained = lookhear.explain(
                        clip, seen_by, method=method, selection="even", faithfulness=False
                    )
                except LookhearError as error:
                    cells.append("refused")
                    print(f"{name}, {method}: {error}", file=sys.stderr)
                    continue
                maps = explained.tubes[0].maps
                assert np.isfinite(maps).all()
                layers.add(explained.layer)
                flat = " (flat)" if np.ptp(maps) == 0 else ""
                cells.append(f"{time.monotonic() - begun:.1f} s{flat}")
            print(f"| {name} | {', '.join(layers)} | " + " | ".join(cells) + " |", flush=True)


def explain_in_a_process(clip: Path, network: str, out: Path) -> None:
    """Run the verb; print its time and its peak memory."""
    command = [sys.executable, "-m", "lookhear", "explain", clip, "--network", network]
    command += ["--weights", "random", "--no-faithfulness", "--out", out]
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("lookhear explain failed")
    spent, peak = time.monotonic() - begun, usage.ru_maxrss / 1024
    print(f"| {open_clip(clip).duration:.0f} s | {spent:.0f} s | {peak:.0f} MB |", flush=True)


def seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def compare_with_bare_passes(clip: Path, name: str) -> None:
    """Take turns: bare passes over all windows, and the explanation."""
    network = load_classifier(name, "random")
    opened = open_clip(clip)
    framing = network.framing_of(opened)
    windows = [*ClipWindows(opened, network.frames, framing, network.frame_rate, "dense")]
    several = max(1, 32 // network.frames)
    batches = [
        network.inputs(torch.from_numpy(np.stack([w.frames for w in windows[i : i + several]])))
        for i in range(0, len(windows), several)
    ]

    @torch.inference_mode()
    def bare() -> None:
        for inputs in batches:
            network.net(inputs)

    def tube() -> None:
        lookhear.explain(clip, network, faithfulness=False)

    turns = [(seconds(bare), seconds(tube)) for _ in range(ROUNDS)]
    ratios = sorted(explained / passes for passes, explained in turns)
    print(f"{len(windows)} windows of {network.frames} frames of {sides(framing.size)}")
    for passes, explained in turns:
        print(f"| bare {passes:.1f} s | tube {explained:.1f} s | {explained / passes:.2f} |")
    print(f"tube / bare passes: {ratios[len(ratios) // 2]:.2f} (at most 1.3)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    of_methods = parts.add_parser("methods")
    of_methods.add_argument("--network", choices=NETWORKS, action="append")
    of_length = parts.add_parser("length")
    of_length.add_argument("clip", type=Path)
    of_length.add_argument("--short", type=float, default=30)
    of_length.add_argument("--long", type=float, default=300)
    of_length.add_argument("--network", default="r3d_18")
    arguments = parser.parse_args()
    if arguments.part == "methods":
        compare_methods(arguments.network or [*NETWORKS])
        return
    with tempfile.TemporaryDirectory() as scratch:
        for wanted in (arguments.short, arguments.long):
            clip = repeat(arguments.clip, wanted, Path(scratch) / f"{wanted:.0f}.mp4")
            explain_in_a_process(clip, arguments.network, Path(scratch) / f"out-{wanted:.0f}")
        short = Path(scratch) / f"{arguments.short:.0f}.mp4"
        compare_with_bare_passes(short, arguments.network)


if __name__ == "__main__":
    main()
