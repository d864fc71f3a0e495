"""Whether what is killed (-9) at random moments ends as what is left undisturbed.

    python benchmarks/kill.py OUT [--kills 5] [--preset tiny] [--clips 60] [--verb train|predict]

makes two small worlds in OUT, runs `lookhear train stanet` on them, and `lookhear predict` on the
clips of one, once without disturbance and once with kills spread over the time that took, and
compares what every stage made, the table of scores, and every file of the results. After each
kill it is looked whether anything half-written bears a name that results have.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lookhear.data.identity import identity
from lookhear.data.world.files import World, write_world
from lookhear.parallel import cores
from lookhear.stanet.run import SCORES

IMPORTS = {"train": 6.0, "predict": 1.0}  # seconds that go by before the work begins
SPREAD = {"train": 14, "predict": 2}  # of the undisturbed time a start may last before it is killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verb", choices=["train", "predict"])
    arguments = parser.parse_args()
    out: Path = arguments.out
    learn, test = out / "learn", out / "test"
    write_world(learn, World("sounding", arguments.clips, seed=1, duration=4.0), cores())
    write_world(test, World("sounding", 10, seed=2, duration=4.0), cores())
    chance = random.Random(arguments.seed)
    faults: list[str] = []
    if arguments.verb != "predict":

        def train(run: Path) -> list[str]:
            command = ["train", "stanet", "--data", f"{learn}", "--test", f"{test}"]
            return [*command, "--out", f"{run}", "--preset", arguments.preset]

        whole, killed = disturbed(train, out / "train", arguments.kills, chance, broken_stages)
        faults += killed.broken
        stages = json.loads((whole / "run.json").read_text())["stages"]
        faults += [
            f"another {stage}"
            for stage in stages
            if identity(product(whole / stage)) != identity(product(killed.folder / stage))
        ]
        if table(whole) != table(killed.folder):
            faults.append("another table of scores")
    if arguments.verb != "train":
        clips = sorted(f"{path}" for path in (test / "AVE").iterdir())

        def predict(results: Path) -> list[str]:
            return ["predict", *clips, "--out", f"{results}"]

        whole, killed = disturbed(predict, out / "predict", arguments.kills, chance, broken_results)
        faults += killed.broken
        files = [path for path in sorted(whole.rglob("*")) if path.is_file()]
        faults += [
            f"another {name}"
            for name in (path.relative_to(whole).as_posix() for path in files)
            if (whole / name).read_bytes() != (killed.folder / name).read_bytes()
        ]
        if len(files) != sum(path.is_file() for path in killed.folder.rglob("*")):
            faults.append("other files")
    print(f"other than undisturbed: {', '.join(faults) or 'nothing'}")
    sys.exit(bool(faults))


class Killed(NamedTuple):
    """A folder of what was killed often, and what was broken in between."""

    folder: Path
    broken: list[str]


def disturbed(
    verb: Callable[[Path], list[str]],
    out: Path,
    kills: int,
    chance: random.Random,
    broken: Callable[[Path], list[str]],
) -> tuple[Path, Killed]:
    """Run a verb into a folder without disturbance, and into another with kills."""

    def begin(folder: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "lookhear", *verb(folder)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    whole, killed = out / "whole", out / "killed"
    begun = time.monotonic()
    assert begin(whole).wait() == 0
    seconds = time.monotonic() - begun
    print(f"{out.name}, undisturbed: {seconds:.0f} s", flush=True)
    found: list[str] = []
    done = 0
    while done < kills:
        process = begin(killed)
        # The first seconds of each start go by with imports.
        imports = IMPORTS[out.name]
        wait = chance.uniform(imports, imports + seconds / SPREAD[out.name])
        try:
            process.wait(wait)
            print("ended before it could be killed; begun anew", flush=True)
            shutil.rmtree(killed)
            continue
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        done += 1
        found += [f"{what} after kill {done}" for what in broken(killed)]
        print(f"kill {done} after {wait:.1f} s", flush=True)
    assert begin(killed).wait() == 0
    return whole, Killed(killed, found)


def broken_stages(run: Path) -> list[str]:
    """Stages that are said to be done and are not there, and JSON that is not whole."""
    broken = [f"{path}: not whole" for path in run.rglob("*.json") if not is_json(path)]
    if (run / "run.json").exists() and not broken:
        stages = json.loads((run / "run.json").read_text())["stages"]
        broken += [
            f"{name}: not there"
            for name, stage in stages.items()
            if stage.get("done") and not (run / name).exists()
        ]
    return broken


def broken_results(results: Path) -> list[str]:
    """Folders of results that have not all that belongs to them."""
    folders = results.iterdir() if results.exists() else ()
    return [
        f"{folder.name}: not whole"
        for folder in folders
        if folder.is_dir() and not folder.name.startswith(".")
        if not (folder / "settings.json").exists() or not is_json(folder / "settings.json")
    ]


def is_json(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts):
        return True  # of what is under way
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def table(run: Path) -> str:
    """The table of scores of a run."""
    return "".join(path.read_text() for path in sorted(run.rglob(SCORES)))


def product(stage: Path) -> Path:
    """What a stage has made: a training's model, or all there is."""
    model = stage / "model"
    return model if model.is_dir() else stage


if __name__ == "__main__":
    main()
