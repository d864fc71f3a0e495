"""The verbs of actions: train a network to name them, and find where and when they are."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import bars, command_line, out, tell
from lookhear.cli.options import Clips, Device, Out, Overwrite, Roots, Seed
from lookhear.cli.train import Devices, Precision, PretrainedName, Run, training_verb
from lookhear.errors import named_by
from lookhear.words import count, time_label


def actions(
    clips: Clips,
    folder: Out,
    model: Annotated[
        str, typer.Option(help="Run folder of lookhear train actions, or a saved network's.")
    ],
    threshold: Annotated[
        float,
        typer.Option(help="Weight from which on a frame is of a segment; 1 is an even share."),
    ] = 1.0,
    overlay: Annotated[bool, typer.Option(help="Make the clip under its masks.")] = True,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Find which action clips show, when and where: segments, masks, overlay and a page for each.

    Each clip's results are a folder of its name in --out.
    """
    from lookhear.actions.finding import Actions
    from lookhear.actions.results import REPORT, Settings, find_in_clips

    outcomes = find_in_clips(
        clips,
        folder,
        Settings(model, threshold, overlay),
        device=device,
        overwrite=overwrite,
        command=command_line(),
        bars=bars("frames"),
    )

    def line(made: Actions) -> str:
        (best,) = made.top(1)
        own = [part for part in made.segments if part.label == best.label]
        when = f", {time_label(own[0].start)} to {time_label(own[0].end)}" if own else ""
        more = f" and {count(len(own) - 1, 'more segment')}" if len(own) > 1 else ""
        return f"{best.label} {best.probability:.2f}{when}{more}"

    tell(outcomes, folder, REPORT, line)


def train_actions(
    data: Annotated[
        Path,
        typer.Option(
            help="A folder for each class; lists of path and label; UCF101, HMDB51; ActivityNet's "
            "JSON; AVE's layout or a clips.csv; or prepared moments."
        ),
    ],
    folder: Run,
    preset: Annotated[
        str, typer.Option(help="Which recipe: paper, small, light or tiny.")
    ] = "small",
    pretrained: PretrainedName = None,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
    root: Roots = None,
) -> None:
    """Train a network that names the action of clips, and finds where and when it is."""
    from lookhear.actions.presets import PRESETS
    from lookhear.actions.recipe import beginning_with, train_actions
    from lookhear.data.labelled import read_labelled
    from lookhear.data.shards import MANIFEST
    from lookhear.nets.pretrained import read_pretrained
    from lookhear.training.schedule import Machine

    recipe = named_by("preset", preset, PRESETS)
    if pretrained is not None:
        recipe = beginning_with(recipe, read_pretrained(pretrained))
    clips = data if (data / MANIFEST).exists() else read_labelled(data, root or ())
    saved = train_actions(clips, folder, recipe, seed, Machine(devices, precision))
    out.print(f"{saved}: use it with lookhear actions CLIP --model {folder}")


training_verb(train_actions, "actions")
