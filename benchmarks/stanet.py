"""STANet from tags alone, on worlds whose answers are known: the table, the switch, the time.

    python benchmarks/stanet.py OUT [--scenario moving|pausing] [--plus]

makes worlds in OUT (one to learn from; a second, of another seed, to score on; and, where sound
tells, a third with sounds that belong to nothing in the picture), runs `lookhear train stanet` as a
user would, or, with --plus, `lookhear train stanet+`, which goes on from it, and prints what the
project promises of it. A run that was stopped goes on.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.world.files import World, write_world
from lookhear.evaluation.statistics import estimate, sign_flip
from lookhear.nets.saved import load_network
from lookhear.parallel import cores
from lookhear.stanet.predicting import all_moments
from lookhear.stanet.run_folder import PLUS, PSEUDO_FIXATIONS
from lookhear.stanet.steps import (
    SCAM_FINE,
    SCAM_PLUS,
    STA_DEAF,
    STA_STILL,
    STA_WHOLE,
    STANET_PLUS,
)
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import plain_batch

LEARN = World("sounding", clips=1700, seed=11, duration=3.0)  # 1,360 of them to train on
WORLDS = {
    "sounding": {
        "learn": LEARN,
        "test": World("sounding", clips=60, seed=12),
        "offscreen": World("offscreen", clips=40, seed=13),
    },
    "moving": {
        "learn": World("moving", clips=1000, seed=21, duration=3.0),
        "test": World("moving", clips=50, seed=22),
    },
    "pausing": {  # of what is learnt where all is heard, in clips where it is now and then
        "learn": LEARN,
        "test": World("pausing", clips=50, seed=32),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenario", choices=[*WORLDS], default="sounding")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--plus", action="store_true", help="go on to STANet+")
    parser.add_argument("--precision", default="bf16-mixed", help="32-true where bfloat16 is slow")
    arguments = parser.parse_args()
    out: Path = arguments.out
    worlds = {name: out / name for name in WORLDS[arguments.scenario]}
    for folder, world in zip(worlds.values(), WORLDS[arguments.scenario].values(), strict=True):
        write_world(folder, world, cores())
    run = out / f"run-{arguments.preset}"
    verb = "stanet+" if arguments.plus else "stanet"
    command: list[str | Path] = [sys.executable, "-m", "lookhear", "train", verb]
    command += [
        "--data",
        worlds["learn"],
        "--test",
        worlds["test"],
        "--out",
        run,
        "--preset",
        arguments.preset,
    ]
    command += ["--precision", arguments.precision]
    begun = time.monotonic()
    subprocess.run(command, check=True)
    print(f"all of it: {(time.monotonic() - begun) / 60:.1f} minutes on {cores()} cores")
    table = json.loads((run / "test/scores/scores.json").read_text())
    nss = {row: values["NSS"] for row, values in table["means"].items()}
    single = max(nss[source] for source in ("S", "SA", "ST"))
    print(f"SCAM coarse / best single source: {nss['SCAM, coarse'] / single:.2f}")
    print(f"SCAM fine / coarse: {nss['SCAM, fine'] / nss['SCAM, coarse']:.2f}")
    print(f"STA / pseudo-fixations: {nss[STA_WHOLE] / nss[PSEUDO_FIXATIONS]:.2f}")
    for without in (STA_DEAF, STA_STILL):
        clips = table["clips"]
        differences = by_clip(clips, STA_WHOLE, "NSS") - by_clip(clips, without, "NSS")
        (gain,) = estimate(differences[None])
        print(
            f"STA / {without}: {nss[STA_WHOLE] / nss[without]:.2f}; NSS of a clip higher by "
            f"{gain.mean:.3f} [{gain.low:.3f}, {gain.high:.3f}]"
        )
    if arguments.plus:
        of_plus = json.loads((run / PLUS / "test/scores/scores.json").read_text())["clips"]
        for better, than in ((SCAM_PLUS, SCAM_FINE), (STANET_PLUS, STA_WHOLE)):
            for metric in ("NSS", "CC"):
                differences = by_clip(of_plus, better, metric) - by_clip(of_plus, than, metric)
                (gain,), (p,) = estimate(differences[None]), sign_flip(differences[None])
                print(
                    f"{better} over {than}: {metric} of a clip higher by {gain.mean:.3f} "
                    f"[{gain.low:.3f}, {gain.high:.3f}], p = {p:.4f}"
                )
    if "offscreen" in worlds:
        moments = out / "offscreen-moments"
        prepare(read_tagged(worlds["offscreen"]), moments, workers=cores())
        own, other = belongs(run, run / "test/moments"), belongs(run, moments)
        print(
            f"AudioSwitch: {share(own, True):.3f} of sounds that belong, "
            f"{share(other, False):.3f} of sounds off screen; together "
            f"{(share(own, True) + share(other, False)) / 2:.3f}"
        )


def by_clip(clips: dict[str, dict[str, dict[str, float]]], row: str, metric: str) -> np.ndarray:
    """A row's score of each clip."""
    return np.array([of_clip[metric] for of_clip in clips[row].values()], float)


@torch.inference_mode()
def belongs(run: Path, prepared: Path) -> np.ndarray:
    """How probably the switch takes each moment's sound to belong to its picture."""
    switch = load_network(AudioSwitch, run / "switch/model")
    of_batches = []
    for data in all_moments(prepared, switch):
        for batch in DataLoader(data, 32):
            seen = plain_batch(batch, switch.input_size)
            of_batches.append(
                switch.belongs(seen["frames"][:, 0, 1], seen["sound"][:, 0, 1]).numpy()
            )
    return np.concatenate(of_batches)


def share(probabilities: np.ndarray, truth: bool) -> float:
    """The share of the moments of which the switch is right."""
    return float(((probabilities > 0.5) == truth).mean())


if __name__ == "__main__":
    main()
