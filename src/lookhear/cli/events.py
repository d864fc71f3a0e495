"""The verbs of events: events, and train events."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli import train
from lookhear.cli.console import bars, command_line, err, out, tell
from lookhear.cli.options import Clips, Device, Out, Overwrite, Roots, Seed, Workers
from lookhear.words import count, named

Forest = Annotated[
    Path | None,
    typer.Option(
        "--edges",
        help="OpenCV's model of structured edges (model.yml.gz), by which boxes are proposed.",
        show_default="plain edges",
    ),
]


def events(
    clips: Clips,
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
    from lookhear.events.finding import Events
    from lookhear.events.results import REPORT, find_in_clips

    outcomes = find_in_clips(
        clips,
        folder,
        model,
        forest=forest,
        overlay=overlay,
        device=device,
        overwrite=overwrite,
        command=command_line(),
        bars=bars("seconds"),
    )

    def line(made: Events) -> str:
        return named([f"{tag.name} ({tag.score:.2f})" for tag in made.tags]) or (
            "no tag that it knows"
        )

    tell(outcomes, folder, REPORT, line)


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
            show_default="two-stream, as in the paper; of small, log-sum-exp",
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
    root: Roots = None,
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
        roots=root or (),
    )
    saved = train_run(settings, err.print, bars("steps"))
    net = load_network(EventNet, saved, "cpu")
    out.print(
        f"{saved}: knows {count(len(net.categories), 'tag')}, found from a score of "
        f"{float(net.threshold):.2f} on; use it with lookhear events CLIP --model {folder}"
    )


train.training_verb(train_events, "events")
