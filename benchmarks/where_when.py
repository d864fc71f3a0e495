"""Where and when to look, on two worlds: what each part of attention, and each loss, is worth.

    python benchmarks/where_when.py OUT make            the worlds, in AVE's layout with the truth
    python benchmarks/where_when.py OUT train [NAME...] networks by their recipes, in OUT/runs
    python benchmarks/where_when.py OUT heads [NAME...] heads after the motion blocks of "both"
    python benchmarks/where_when.py OUT score [NAME...] each on clips of another seed, as a table
    python benchmarks/where_when.py OUT data            what waiting for clips costs

Every step goes on where it was stopped. Worlds have every second frame and no sound, which halves
the time that they take; the clips are those of `lookhear world` of the same seeds.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from lookhear.actions.clips import duration_of, looks
from lookhear.actions.finding import (
    Actions,
    features_of,
    find_actions,
    from_features,
    windows_of,
)
from lookhear.actions.net import Attended, WhereWhen
from lookhear.actions.presets import PRESETS
from lookhear.actions.recipe import ActionRecipe, ActionSet, ActionTask, clip_set, train_on
from lookhear.data.labelled import read_labelled
from lookhear.data.readers.ave import VIDEOS, ave_video, write_ave
from lookhear.data.readers.tagged import TaggedClip
from lookhear.data.world.files import TRUTH, World
from lookhear.data.world.truth import Box, Course, Segment, Truth
from lookhear.evaluation.of_actions import FIGURES, NO_ATTENTION, evaluate_actions
from lookhear.files import write_whole
from lookhear.media import VideoWriter, open_clip
from lookhear.nets.saved import load_network
from lookhear.parallel import cores
from lookhear.resume import Journal, described
from lookhear.training.augment import Augmentation, plain_batch, random_batch
from lookhear.training.curves import read_curves
from lookhear.training.initial_weights import parts_of
from lookhear.training.loop import train as run_training
from lookhear.training.schedule import Machine, Schedule
from worlds import make

STEP = 2  # frames of the world from one that is kept to the next
LEARN = {
    "busy": World("busy", clips=504, seed=41, duration=4.0),
    "actions": World("actions", clips=450, seed=31, duration=4.0),
}
TEST = {
    "busy": World("busy", clips=90, seed=43, duration=6.0),
    "actions": World("actions", clips=90, seed=33, duration=6.0),
}


COLOURS = {"reddening": (205, 60, 60), "greening": (60, 190, 70), "bluing": (70, 80, 210)}
SQUARES_RATE = 8.0
SMALL = PRESETS["small"]
SQUARES = ActionRecipe(  # a frame tells what it is: no motion blocks
    net={
        "backbone": "resnet10t",
        "backbone_args": {"channels": [8, 16, 16, 16], "stem_width": 4},
        "input_size": [48, 72],
        "stride": 8,
        "frames": 12,
        "temporal": "recurrent",
        "widths": [16, 16],
        "dropout": 0.0,
    },
    schedule=Schedule(epochs=6, batch_size=8, learning_rate=3e-3, average=0.98),
    augmentation=Augmentation((52, 78), 0.9, (0.1, 0.1, 0.0, 0.0)),
)


def make_squares(out: Path, clips: int, seed: int, seconds: float) -> None:
    """Make clips of squares on noise, each of which changes its colour now and then.

    One takes on a colour of `COLOURS` for a quarter to a half of the time: that is the action. All
    others, and that one at other times, turn dark, light or grey for as long.
    """
    (out / VIDEOS).mkdir(parents=True, exist_ok=True)
    (out / TRUTH).mkdir(exist_ok=True)
    tagged = []
    for number in range(clips):
        chance = np.random.default_rng((seed, number))
        tag = [*COLOURS][number % len(COLOURS)]
        name, split = f"q{seed}-{number:05d}", ("val" if number % 10 == 9 else "train")
        tagged.append(TaggedClip(ave_video(out, name), tag, 0.0, seconds, split))
        if (out / TRUTH / f"{name}.json").exists():
            continue
        length = chance.uniform(0.25, 0.5) * seconds
        begun = chance.uniform(0, seconds - length)
        action = Segment("action", tag, begun, begun + length)
        corners = chance.permutation(6)[:3]
        lefts = corners % 3 * 32 + chance.integers(0, 12, 3)
        tops = corners // 3 * 32 + chance.integers(0, 12, 3)
        ground = chance.integers(80, 140, (64, 96, 3)).astype(np.uint8)
        dull = [(20,) * 3, (235,) * 3, (180, 180, 185), (60, 60, 65)]
        turns = [np.sort(chance.uniform(0, seconds, 5)) for _ in range(3)]
        shades = [[dull[k] for k in chance.integers(len(dull), size=6)] for _ in range(3)]
        with VideoWriter(ave_video(out, name), 96, 64, frame_rate=SQUARES_RATE) as writer:
            for index in range(round(seconds * SQUARES_RATE)):
                time = index / SQUARES_RATE
                picture = ground.copy()
                for square in range(3):
                    acts = square == 0 and action.start <= time < action.end
                    shade = shades[square][int(np.searchsorted(turns[square], time))]
                    rows = slice(tops[square], tops[square] + 18)
                    columns = slice(lefts[square], lefts[square] + 18)
                    picture[rows, columns] = COLOURS[tag] if acts else shade
                writer.write_rgb(picture, time)
        boxes = [
            Box(x - 0.5, y - 0.5, x + 17.5, y + 17.5) for x, y in zip(lefts, tops, strict=True)
        ]
        count = round(seconds * SQUARES_RATE)
        things = tuple(
            Course("square", "other" if square else "target", (box,) * count)
            for square, box in enumerate(boxes)
        )
        truth = Truth("squares", tag, SQUARES_RATE, (action,), things)
        write_whole(out / TRUTH / f"{name}.json", truth.to_json())
    write_ave(out, tagged)


def of_net(recipe: ActionRecipe, **changes: Any) -> ActionRecipe:
    return replace(recipe, net=recipe.net | changes)


RECIPES: dict[str, tuple[str, ActionRecipe]] = {
    "both": ("busy", SMALL),
    "none": ("busy", of_net(SMALL, temporal="even", spatial=False)),
    "spatial": ("busy", of_net(SMALL, temporal="even")),
    "temporal": ("busy", of_net(SMALL, spatial=False)),
    "not by the strongest": ("busy", replace(SMALL, strongest=0.0)),
    "no motion blocks": ("busy", of_net(SMALL, blocks=0)),
    "actions": ("actions", SMALL),
    "squares": ("squares", SQUARES),
    "squares, none": ("squares", of_net(SQUARES, temporal="even", spatial=False)),
    "squares, spatial": ("squares", of_net(SQUARES, temporal="even")),
    "squares, temporal": ("squares", of_net(SQUARES, spatial=False)),
    "squares, additive": ("squares", of_net(SQUARES, temporal="additive")),
    "squares, plain": ("squares", of_net(SQUARES, temporal="plain")),
    "squares, no losses": (
        "squares",
        replace(SQUARES, contrast=0.0, total_variation=0.0, unimodal=0.0),
    ),
    "squares, no total variation": ("squares", replace(SQUARES, total_variation=0.0)),
    "squares, no contrast": ("squares", replace(SQUARES, contrast=0.0)),
    "squares, no unimodal": ("squares", replace(SQUARES, unimodal=0.0)),
    "squares, contrast x 10": ("squares", replace(SQUARES, contrast=1e-3)),
    "squares, contrast x -10": ("squares", replace(SQUARES, contrast=-1e-3)),
    "squares, l1 x 100": ("squares", replace(SQUARES, total_variation=1e-3)),
    "squares, l2 x 100": ("squares", replace(SQUARES, total_variation=1e-3, distance="l2")),
    "squares, huber x 100": ("squares", replace(SQUARES, total_variation=1e-3, distance="huber")),
    "squares, 2 convolutions": ("squares", of_net(SQUARES, widths=[16])),
    "squares, 4 convolutions": ("squares", of_net(SQUARES, widths=[16, 16, 16])),
}
"""What is trained as a whole: name -> world and recipe."""

KEPT = ("backbone", "head.motion", "head.strongest")
CONTRAST = 1e-5  # of seven times as many places, about what the paper's weight is of its own
HEAD = replace(SMALL, contrast=CONTRAST, schedule=replace(SMALL.schedule, epochs=8, frozen=KEPT))
NO_LOSSES: dict[str, Any] = {"contrast": 0.0, "total_variation": 0.0, "unimodal": 0.0}
HEADS: dict[str, ActionRecipe] = {
    "head": HEAD,
    "head, none": of_net(HEAD, temporal="even", spatial=False),
    "head, spatial": of_net(HEAD, temporal="even"),
    "head, temporal": of_net(HEAD, spatial=False),
    "additive": of_net(HEAD, temporal="additive"),
    "plain": of_net(HEAD, temporal="plain"),
    "no losses": replace(HEAD, **NO_LOSSES),
    "no total variation": replace(HEAD, total_variation=0.0),
    "no contrast": replace(HEAD, contrast=0.0),
    "no unimodal": replace(HEAD, unimodal=0.0),
    "total variation x 100": replace(HEAD, total_variation=100 * SMALL.total_variation),
    "the same, squared": replace(HEAD, total_variation=100 * SMALL.total_variation, distance="l2"),
    "the same, Huber's": replace(
        HEAD, total_variation=100 * SMALL.total_variation, distance="huber"
    ),
    "contrast x 10": replace(HEAD, contrast=10 * CONTRAST),
    "contrast x -10": replace(HEAD, contrast=-10 * CONTRAST),
    "unimodal x 10": replace(HEAD, unimodal=10.0),
    "2 convolutions": of_net(HEAD, widths=[24]),
    "4 convolutions": of_net(HEAD, widths=[24, 24, 24]),
}
"""What is trained after the motion blocks of `both`, which stay, from nothing: name -> recipe."""


class HeadTask(ActionTask):
    """Trains a head on features that are at hand."""

    def attended(self, batch: dict[str, torch.Tensor]) -> Attended:
        """Attend to the features of a batch."""
        return self.net.attend(batch["features"].float())


class Features(Dataset[dict[str, Any]]):
    """The features of clips, and of the same clips mirrored."""

    def __init__(self, net: WhereWhen, samples: Any) -> None:
        self.kept: list[torch.Tensor] = []
        self.tags = [samples.clips[index].label for index in range(len(samples))]
        with torch.inference_mode():
            for index in range(len(samples)):
                seen = plain_batch(
                    default_collate([samples[index]]), (net.input_size[0], net.input_size[1])
                )["frames"][0, 0]
                both = torch.cat([seen, seen.flip(-1)])
                features = net.features(both)[-1].half()
                self.kept.append(features.unflatten(0, (2, len(seen))).contiguous())

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, index: int) -> dict[str, Any]:
        side = int(torch.randint(2, ()))
        return {"features": self.kept[index][side].clone(), "tag": self.tags[index]}


def heads(out: Path, names: list[str]) -> None:
    """Train heads on what one network sees, and score them."""
    run = out / "runs" / "both"
    net = load_network(WhereWhen, run, "cpu").folded()
    clips = clip_set(read_labelled(out / "busy-learn"), HEAD, Journal(out / "left-out.jsonl"))
    features = Features(net, clips.train)
    known: dict[Path, list[torch.Tensor]] = {}

    def find(path: Path, head: WhereWhen) -> Actions:
        clip = open_clip(path)
        with torch.inference_mode():
            if path not in known:
                times, _ = windows_of(duration_of(clip), net)
                pictures = looks(clip, times.tolist(), net.input_size, net.sight)
                known[path] = [*features_of(net, pictures)]
            return from_features(head, clip, known[path])

    for name in names:
        recipe = of_net(HEADS[name], seconds=clips.seconds)
        task = HeadTask(recipe, parts_of(run, *KEPT)).begin(0, clips.tags)
        place = out / "runs" / place_of(name)
        begun = time.monotonic()
        run_training(task, features, place, described(recipe))
        curves = {of: round(values[-1], 4) for of, values in read_curves(place).items()}
        print(f"{name}: {time.monotonic() - begun:.0f} s, {json.dumps(curves)}", flush=True)
        score(out, [name], find)


def place_of(name: str) -> str:
    return "".join(letter for letter in name.replace(" ", "-") if letter not in ",'")


def train(out: Path, names: list[str], precision: str) -> None:
    """Train networks, on clips that are decoded once for all of a world."""
    sets: dict[str, ActionSet] = {}
    for name in names:
        world, recipe = RECIPES[name]
        run = out / "runs" / place_of(name)
        if world not in sets:
            clips = read_labelled(out / f"{world}-learn")
            sets[world] = clip_set(clips, recipe, Journal(out / "left-out.jsonl"))
        begun = time.monotonic()
        train_on(sets[world], run, recipe, 0, Machine(precision=precision))
        seconds = time.monotonic() - begun
        curves = read_curves(run)
        last = {of: round(values[-1], 4) for of, values in curves.items()}
        print(f"{name}: {seconds:.0f} s, {json.dumps(last)}", flush=True)


def score(
    out: Path, names: list[str], find: Callable[[Path, WhereWhen], Actions] = find_actions
) -> None:
    """Score networks on clips of another seed."""
    for name in names:
        world = RECIPES[name][0] if name in RECIPES else "busy"
        place = place_of(name)
        file = out / "scores" / f"{place}.json"
        if not file.exists():
            run = {name: str(out / "runs" / place)}
            done = evaluate_actions(out / f"{world}-test", run, find=find)
            file.parent.mkdir(exist_ok=True)
            write_whole(file, json.dumps(done.figures))
        for row, figures in json.loads(file.read_text()).items():
            if row == NO_ATTENTION:
                row = f"{name}, {row}"
            cells = " | ".join(f"{figures[of]:.3f}" for of in FIGURES)
            print(f"| {row} | {cells} |", flush=True)


def data(out: Path, clips: int = 96) -> None:
    """Compare decoding alone, loading, and training, in clips a second."""
    recipe = PRESETS["small"]
    listed = read_labelled(out / "busy-learn")
    few = replace(listed, clips=listed.clips[:clips])
    paths = [clip.path for clip in few.of_split("train")]
    seconds = {"decode, one after the other": timed(lambda: [*map(decode, paths)])}
    with ThreadPoolExecutor(cores()) as pool:
        seconds["decode, on all cores"] = timed(lambda: [*pool.map(decode, paths)])
    samples: Any = clip_set(few, recipe, Journal(out / "left-out.jsonl")).train
    size = recipe.schedule.batch_size
    batches = [range(at, at + size) for at in range(0, len(samples) - size + 1, size)]

    def load() -> None:
        for batch in batches:
            default_collate(samples.__getitems__(batch))

    seconds["load, the first epoch"] = timed(load)
    seconds["load, later ones"] = timed(load)
    net = WhereWhen(few.tags, **recipe.net)

    def step() -> None:
        for batch in batches:
            given = random_batch(
                default_collate(samples.__getitems__(batch)), net.input_size, recipe.augmentation
            )
            with torch.autocast("cpu", torch.bfloat16):
                loss = net(given["frames"][:, 0]).logits.float().square().mean()
            torch.autograd.backward(loss)

    seconds["load and train, later ones"] = timed(step)
    for what, took in seconds.items():
        print(f"| {what} | {took:.1f} s | {len(paths) / took:.1f} clips a second |")
    waits = seconds["load, later ones"] / seconds["load and train, later ones"]
    print(f"waiting for data: {waits:.1%} of the time, from the second epoch on")


def decode(path: Path) -> None:
    for _ in open_clip(path).frames():
        pass


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("step", choices=["make", "train", "heads", "score", "data"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--precision", default="32-true")
    given = parser.parse_args()
    names = given.names or [*(HEADS if given.step == "heads" else RECIPES)]
    if given.step == "make":
        make_squares(given.out / "squares-learn", 300, 51, 4.0)
        make_squares(given.out / "squares-test", 90, 53, 6.0)
        for world in LEARN:
            make(given.out / f"{world}-test", TEST[world], STEP)
            make(given.out / f"{world}-learn", LEARN[world], STEP)
    elif given.step == "heads":
        heads(given.out, names)
    elif given.step == "data":
        data(given.out)
    elif given.step == "train":
        train(given.out, names, given.precision)
    else:
        score(given.out, names)


if __name__ == "__main__":
    main()
