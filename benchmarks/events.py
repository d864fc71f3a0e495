"""Learn the tags of the world's unsynchronised clips, and find what is seen and heard, and when.

    python benchmarks/events.py OUT

Makes two worlds of different seeds, of some frames each, prepares the first once, trains the
network and five others that lack something, and scores all of them on the second, once.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

import numpy as np

from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.tagged import once_a_clip, tags_in
from lookhear.data.world.files import World
from lookhear.evaluation.of_events import evaluate_events
from lookhear.events.finding import gathered, judge
from lookhear.events.net import EventNet
from lookhear.events.run import RunSettings, train_events
from lookhear.events.scores import tag_scores
from lookhear.events.seconds import Second, SecondsCut, seconds_of
from lookhear.media import open_clip
from lookhear.nets.saved import load_network
from lookhear.parallel import cores
from lookhear.training.schedule import Machine
from worlds import make

LEARNT = World("unsynchronised", 1900, seed=21, duration=4.0)
TESTED = World("unsynchronised", 100, seed=23, duration=6.0)
LEARNT_STEP, TESTED_STEP = 12, 2  # frames of a world from one that is kept to the next
VARIANTS: dict[str, dict[str, str]] = {
    "both": {"pooling": "two-stream"},
    "sight": {"senses": "sight", "pooling": "two-stream"},
    "sound": {"senses": "sound", "pooling": "two-stream"},
    "max": {"pooling": "max"},
    "log-sum-exp": {"pooling": "log-sum-exp"},
    "one-stream": {"pooling": "one-stream"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    timed("world train", make, out / "train", LEARNT, LEARNT_STEP, sound=True)
    timed("world test", make, out / "test", TESTED, TESTED_STEP, sound=True)
    clips = once_a_clip(read_tagged(out / "train"))
    timed("prepare", prepare, clips, out / "prepared", SecondsCut(), workers=cores())
    for name, choices in VARIANTS.items():
        settings = RunSettings(
            out / "prepared",
            out / name,
            pooled=out / "pooled",
            machine=Machine(precision="bf16-mixed"),
            **choices,
        )
        timed(f"train {name}", train_events, settings, print)
    names = out / "test.txt"  # all: what it is for in a world to learn from does not matter
    names.write_text("\n".join(clip.name for clip in once_a_clip(read_tagged(out / "test")).clips))
    models = [f"{name}={out / name}" for name in VARIANTS]
    done = timed(
        "evaluate",
        evaluate_events,
        out / "test",
        models,
        out / "scores",
        names=names,
        overwrite=True,
    )
    for title, rows in done.tables.items():
        print(f"\n{title}")
        for row in rows:
            print(" | ".join(row))
    for name, less in done.differences.items():
        print(f"micro F1 of both less that of {name}: {less}")
    shuffle(out)


def shuffle(out: Path) -> None:
    """Let other seconds of sound meet the seconds of picture, and see whether tags change."""
    net = load_network(EventNet, out / "both", "cpu").folded()
    chance = np.random.default_rng(0)
    ways = {"as it is": [], "pictures shuffled": [], "seconds of sound shuffled": []}
    there = []
    for tagged in once_a_clip(read_tagged(out / "test")).clips:
        clip = open_clip(tagged.path)
        seconds = [*seconds_of(clip, SecondsCut(net.boxes))]
        order = chance.permutation(len(seconds))
        moved = [seconds[index] for index in order]
        pictures = [Second(a.number, b.picture, b.boxes, a.rows) for a, b in pairs(seconds, moved)]
        sounds = [Second(a.number, a.picture, a.boxes, b.rows) for a, b in pairs(seconds, moved)]
        there.append(np.isin(net.categories, tags_in(tagged.tag)))
        for way, given in zip(ways, (seconds, pictures, sounds), strict=True):
            found = gathered(net, [judge(net, given)], clip)
            ways[way].append(np.isin(net.categories, [tag.name for tag in found.tags]))
    for way, named in ways.items():
        print(f"micro F1, {way}: {tag_scores(np.array(named), np.array(there)).micro.f1:.3f}")


def pairs(ones: list[Second], others: list[Second]) -> zip:
    return zip(ones, others, strict=True)


def timed(name: str, work, *args, **options):
    begun = time.monotonic()
    done = work(*args, **options)
    print(f"{time.monotonic() - begun:6.0f} s  {name}", flush=True)
    return done


if __name__ == "__main__":
    print(shlex.join(sys.argv))
    main()
