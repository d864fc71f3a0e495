"""Where and when to look, on two worlds: what each part of attention, and each loss, is worth.

    python benchmarks/where_when.py OUT make            the worlds, in AVE's layout with the truth
    python benchmarks/where_when.py OUT train [NAME...] networks by their recipes, in OUT/runs
    python benchmarks/where_when.py OUT score [NAME...] each on clips of another seed, as a table

Every step goes on where it was stopped. Worlds have every second frame and no sound, which halves
the time that they take; the clips are those of `lookhear world` of the same seeds.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lookhear.actions.presets import PRESETS
from lookhear.actions.recipe import ActionRecipe, ActionSet, clip_set, train_on
from lookhear.cli.console import bars
from lookhear.data.labelled import read_labelled
from lookhear.data.readers.ave import VIDEOS, ave_video, write_ave
from lookhear.data.readers.tagged import TaggedClip
from lookhear.data.world.clip import HEIGHT, WIDTH, WorldClip
from lookhear.data.world.files import TRUTH, World
from lookhear.data.world.scenarios import FRAMES_PER_SECOND
from lookhear.evaluation.of_actions import FIGURES, NO_ATTENTION, evaluate_actions
from lookhear.files import whole_file, write_whole
from lookhear.media import VideoWriter
from lookhear.parallel import cores, in_parallel
from lookhear.resume import Journal, left
from lookhear.training.curves import read_curves
from lookhear.training.schedule import Machine

STEP = 2  # frames of the world from one that is kept to the next
LEARN = {
    "busy": World("busy", clips=450, seed=41, duration=4.0),
    "actions": World("actions", clips=450, seed=31, duration=4.0),
}
TEST = {
    "busy": World("busy", clips=90, seed=43, duration=6.0),
    "actions": World("actions", clips=90, seed=33, duration=6.0),
}


def make(out: Path, world: World) -> None:
    clips = [world.clip(number) for number in range(world.clips)]
    for folder in (VIDEOS, TRUTH):
        (out / folder).mkdir(parents=True, exist_ok=True)
    truths = {out / TRUTH / f"{clip.name}.json": n for n, clip in enumerate(clips)}
    with bars("clips")(f"make {out.name}", world.clips) as progress:
        todo = [*left(truths, progress, lambda _: 1).values()]
        for _ in in_parallel(partial(make_clip, out, world), todo, cores()):
            progress(1)
    tagged = [
        TaggedClip(ave_video(out, clip.name), clip.tag, clip.start, clip.end, clip.split)
        for clip in clips
    ]
    write_ave(out, tagged)


def make_clip(out: Path, world: World, number: int) -> None:
    clip: WorldClip = world.clip(number)
    video, rate = ave_video(out, clip.name), FRAMES_PER_SECOND / STEP
    with whole_file(video) as partial_file:
        writable = partial_file.with_suffix(".mp4")
        with VideoWriter(writable, WIDTH, HEIGHT, frame_rate=rate, threads=1) as writer:
            for index in range(0, len(clip.times), STEP):
                writer.write_rgb(clip.picture(index), clip.times[index])
        writable.replace(partial_file)
    write_whole(out / TRUTH / f"{clip.name}.json", clip.truth().to_json())


def of_net(**changes: Any) -> ActionRecipe:
    small = PRESETS["small"]
    return replace(small, net=small.net | changes)


SMALL = PRESETS["small"]
NONE = {"contrast": 0.0, "total_variation": 0.0, "unimodal": 0.0}
RECIPES: dict[str, tuple[str, ActionRecipe]] = {
    "both": ("busy", SMALL),
    "spatial": ("busy", of_net(temporal="even")),
    "temporal": ("busy", of_net(spatial=False)),
    "none": ("busy", of_net(temporal="even", spatial=False)),
    "additive": ("busy", of_net(temporal="additive")),
    "plain": ("busy", of_net(temporal="plain")),
    "no-tv": ("busy", replace(SMALL, total_variation=0.0)),
    "no-contrast": ("busy", replace(SMALL, contrast=0.0)),
    "no-unimodal": ("busy", replace(SMALL, unimodal=0.0)),
    "no-losses": ("busy", replace(SMALL, **NONE)),
    "actions": ("actions", SMALL),
}


def train(out: Path, names: list[str], precision: str) -> None:
    """Train networks, on clips that are decoded once for all of a world."""
    sets: dict[str, ActionSet] = {}
    for name in names:
        world, recipe = RECIPES[name]
        run = out / "runs" / name
        if world not in sets:
            clips = read_labelled(out / f"{world}-learn")
            sets[world] = clip_set(clips, recipe, Journal(out / "left-out.jsonl"))
        begun = time.monotonic()
        train_on(sets[world], run, recipe, 0, Machine(precision=precision))
        if (seconds := time.monotonic() - begun) > 10:
            write_whole(run / "seconds", f"{seconds:.0f}\n")
        curves = read_curves(run)
        last = {of: round(values[-1], 4) for of, values in curves.items()}
        print(f"{name}: {seconds:.0f} s, {json.dumps(last)}", flush=True)


def score(out: Path, names: list[str]) -> None:
    """Score networks on clips of another seed."""
    print(f"| | {' | '.join(FIGURES)} |\n|{' --- |' * (len(FIGURES) + 1)}")
    for name in names:
        world, _ = RECIPES[name]
        file = out / "scores" / f"{name}.json"
        if not file.exists():
            done = evaluate_actions(out / f"{world}-test", {name: str(out / "runs" / name)})
            file.parent.mkdir(exist_ok=True)
            write_whole(file, json.dumps(done.figures))
        for row, figures in json.loads(file.read_text()).items():
            if row == NO_ATTENTION:
                row = f"{name}, {row}"
            cells = " | ".join(f"{figures[of]:.3f}" for of in FIGURES)
            print(f"| {row} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("step", choices=["make", "train", "score"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--precision", default="32-true")
    given = parser.parse_args()
    names = given.names or [*RECIPES]
    if given.step == "make":
        for world in LEARN:
            make(given.out / f"{world}-test", TEST[world])
            make(given.out / f"{world}-learn", LEARN[world])
    elif given.step == "train":
        train(given.out, names, given.precision)
    else:
        score(given.out, names)


if __name__ == "__main__":
    main()
