"""The verbs of events: events, and train events."""

import shlex
import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli import train
from lookhear.cli.console import bars, complain, err, out
from lookhear.cli.options import Device, Out, Overwrite, Seed, Workers
from lookhear.words import count, counted

Forest = Annotated[
    Path | None,
    typer.Option(
        "--edges",
        help="OpenCV's model of structured edges (model.yml.gz), by which boxes are proposed.",
        show_default="plain edges",
    ),
]


def events(
    clips: Annotated[
        list[Path],
        typer.Argument(metavar="CLIP", help="Videos, pictures, or folders of numbered frames."),
    ],
    model: Annotated[
        str, typer.Option(help="What train events made: a run, or the folder of a saved network.")
    ],
    folder: Out,
    forest: Forest = None,
    overlay: Annotated[bool, typer.Option(help="Make the clip with boxes and timelines.")] = True,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Find which tags clips have, where and when they are seen, and when they are heard.

    Each clip's results are a folder of its name in --out.
    """
    from lookhear.events.results import REPORT, find_in_clips

    failed = defaultdict[str, list[str]](list)
    done: list[str] = []
    for of in find_in_clips(
        clips,
        folder,
        model,
        forest=forest,
        overlay=overlay,
        device=device,
        overwrite=overwrite,
        command=shlex.join(["lookhear", *sys.argv[1:]]),
        bars=bars("seconds"),
    ):
        name = of.clip.name
        if of.was_done:
            done.append(name)
        elif of.events is None:
            reason = of.error.removeprefix(f"{of.clip}: ")
            failed[reason].append(name)
            if len(failed[reason]) == 1:
                complain(of.error)
        else:
            if of.events.problems:
                err.print(f"{name}: {'; '.join(of.events.problems)}")
            tags = ", ".join(f"{tag.name} ({tag.score:.2f})" for tag in of.events.tags)
            out.print(f"{name}: {tags or 'no tag that it knows'}; see {of.folder / REPORT}")
    if done:
        out.print(f"done already in {folder}: {counted('clip', done)}; --overwrite does it again")
    for reason, names in failed.items():
        if len(names) > 1:
            complain(f"{counted('clip', names)}: {reason}")
    if failed:
        raise typer.Exit(1)


def train_events(
    data: Annotated[
        Path,
        typer.Option(
            help="A folder in AVE's layout, a clips.csv (several tags as a;b), lists of DCASE 2017 "
            "task 4, or what prepare --events made."
        ),
    ],
    folder: train.Run,
    preset: Annotated[
        str, typer.Option("--preset", help="Which recipe: paper, small or tiny.")
    ] = "small",
    senses: Annotated[
        str | None,
        typer.Option(help="both, sight or sound.", show_default="both"),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="How proposals make a clip's score: two-stream, max, log-sum-exp or one-stream.",
            show_default="two-stream",
        ),
    ] = None,
    pretrained: train.PretrainedName = None,
    start: train.Start = None,
    pooled: Annotated[
        Path | None,
        typer.Option(
            help="Keeps what a frozen backbone sees; runs on the same clips may share it.",
            show_default="in the run's folder",
        ),
    ] = None,
    workers: Workers = None,
    seed: Seed = 0,
    devices: train.Devices = 1,
    precision: train.Precision = "32-true",
) -> None:
    """Learn from the tags of clips which are seen and heard, where and when."""
    from lookhear.events.net import EventNet
    from lookhear.events.run import RunSettings
    from lookhear.events.run import train_events as train_run
    from lookhear.nets.saved import load_network
    from lookhear.training.initial_weights import read_start
    from lookhear.training.schedule import Machine

    settings = RunSettings(
        data=data,
        out=folder,
        preset=preset,
        senses=senses,
        pooling=pooling,
        pretrained=pretrained,
        start=read_start(start or ()),
        pooled=pooled,
        seed=seed,
        machine=Machine(devices, precision),
        workers=workers,
    )
    saved = train_run(settings, err.print, bars("steps"))
    net = load_network(EventNet, saved, "cpu")
    out.print(
        f"{saved}: knows {count(len(net.categories), 'tag')}, found from a score of "
        f"{float(net.threshold):.2f} on; use it with lookhear events CLIP --model {folder}"
    )


train.verb(train_events, "events")
