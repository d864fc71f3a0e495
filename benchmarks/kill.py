"""Whether a run of STANet that is killed (-9) at random moments ends as an undisturbed one does.

    python benchmarks/kill.py OUT [--kills 5] [--preset tiny]

makes two small worlds in OUT, runs `lookhear train stanet` on them once without disturbance and
once with kills spread over the time that took, and compares what every stage made.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from lookhear.data.identity import identity
from lookhear.data.world.files import World, write_world
from lookhear.parallel import cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    out: Path = arguments.out
    learn, test = out / "learn", out / "test"
    write_world(learn, World("sounding", arguments.clips, seed=1, duration=4.0), cores())
    write_world(test, World("sounding", 10, seed=2, duration=4.0), cores())

    def begin(run: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "lookhear", "train", "stanet", "--data", str(learn)]
        command += ["--test", str(test), "--out", str(run), "--preset", arguments.preset]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    whole, killed = out / "whole", out / "killed"
    begun = time.monotonic()
    assert begin(whole).wait() == 0
    seconds = time.monotonic() - begun
    print(f"undisturbed: {seconds:.0f} s")
    chance = random.Random(arguments.seed)
    for kill in range(arguments.kills):
        process = begin(killed)
        # The first seconds of each start go by with imports.
        wait = chance.uniform(6, 6 + 1.5 * seconds / (arguments.kills + 1))
        try:
            process.wait(wait)
            print("ended before it could be killed")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print(f"kill {kill + 1} after {wait:.1f} s: {stages(killed)}")
    assert begin(killed).wait() == 0
    other = [
        stage
        for stage in json.loads((whole / "run.json").read_text())["stages"]
        if identity(product(whole / stage)) != identity(product(killed / stage))
    ]
    print(f"other than undisturbed: {', '.join(other) or 'nothing'}")
    sys.exit(bool(other))


def product(stage: Path) -> Path:
    """What a stage has made: a training's model, or all there is."""
    model = stage / "model"
    return model if model.is_dir() else stage


def stages(run: Path) -> str:
    """How far a run is."""
    ledger = run / "run.json"
    text = ledger.read_text() if ledger.exists() else ""
    done = text.count('"done": true')
    return f"{done} stages done"


if __name__ == "__main__":
    main()
