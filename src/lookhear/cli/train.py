"""The verbs that train: all of STANet, each of its stages, and STA on pictures with fixations."""

import time
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from lookhear.cli.console import bars, out
from lookhear.cli.options import Device, Seed
from lookhear.errors import LookhearError
from lookhear.stanet import Source, Stage
from lookhear.words import count

if TYPE_CHECKING:
    from lookhear.training.task import MomentsTask

P = ParamSpec("P")

app = typer.Typer(help="Train a network.", no_args_is_help=True)

Prepared = Annotated[Path, typer.Option("--data", help="Prepared moments; see lookhear prepare.")]
Run = Annotated[Path, typer.Option("--out", help="Run folder; a run that stopped goes on.")]
PresetName = Annotated[str, typer.Option("--preset", help="Which recipe: paper, small or tiny.")]
Start = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART=FROM",
        help="Repeatable: begin a part (backbone, sound_encoder, head, ...) with that of a saved "
        "network: FOLDER, or FOLDER:PART THERE; or backbone with weights that timm knows.",
    ),
]
StageName = Annotated[Stage, typer.Option("--stage", help="Of whole frames, or of crops.")]
Crops = Annotated[Path | None, typer.Option(help="What the coarse maps made, for the fine stage.")]
Devices = Annotated[int, typer.Option(min=1, help="GPUs, or processes where there are none.")]
Precision = Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")]


def _verb(work: Callable[P, None]) -> Callable[P, None]:
    """Add a verb, which says in one line if what training needs is not there."""

    @wraps(work)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        for package in ("lightning", "tensorboard"):
            if find_spec(package) is None:
                raise LookhearError(f"training needs {package}: pip install 'lookhear[train]'")
        work(*args, **kwargs)

    return app.command()(checked)


@_verb
def stanet(
    data: Annotated[
        Path, typer.Option(help="A folder in AVE's layout, a clips.csv, or prepared moments.")
    ],
    folder: Run,
    preset: PresetName = "small",
    test: Annotated[
        Path | None,
        typer.Option(help="Clips with tags, and with gaze in STAViS's layout, to score on."),
    ] = None,
    sound: Annotated[
        Path | None,
        typer.Option(help="A saved network whose sound encoder to take, not to train one."),
    ] = None,
    pretrained: Annotated[
        bool, typer.Option(help="Begin with the preset's pretrained backbone, if it has one.")
    ] = True,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """From tags to fixations: all stages of STANet, and a report of them."""
    from lookhear.evaluation.tally import means_table
    from lookhear.stanet.run import RunSettings, train_stanet
    from lookhear.training.schedule import Machine

    settings = RunSettings(
        data=data,
        out=folder,
        preset=preset,
        seed=seed,
        test=test,
        sound=sound,
        pretrained=pretrained,
        machine=Machine(devices, precision),
    )
    begun = time.monotonic()

    def say(stage: str) -> None:
        out.print(f"{time.monotonic() - begun:6.0f} s  {stage}")

    made = train_stanet(settings, say, bars("steps"))
    if made.tested:
        out.print(means_table(f"Mean over the clips of {made.tested.name}", made.tested.means))
    out.print(f"{made.report}: the run, to look at")
    out.print(f"{made.model}: use it with lookhear predict CLIP --model {folder}")


@_verb
def hearing(
    data: Prepared,
    folder: Run,
    preset: PresetName = "small",
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train a sound encoder to tell tags by ear."""
    from lookhear.stanet import recipes

    recipe = recipes.preset_named(preset).hearing
    if recipe is None:
        raise LookhearError(f"--preset {preset}: takes a sound encoder that is trained already")
    saved = _train(recipes.HearingTask(recipe), data, folder, seed, devices, precision)
    out.print(f"{saved}: hears; begin others with --start sound_encoder={saved}")


@_verb
def source(
    data: Prepared,
    folder: Run,
    net: Annotated[Source, typer.Option(help="S sees, SA also hears, ST also sees motion.")],
    stage: StageName = "coarse",
    crops: Crops = None,
    preset: PresetName = "small",
    start: Start = None,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train a source of class maps, S, SA or ST, from tags alone."""
    from lookhear.stanet import recipes

    _check_crops(stage, crops)
    recipe = recipes.preset_named(preset).sources(stage)[net]
    task = recipes.SourceTask(recipe, crops=crops)
    saved = _train(task, data, folder, seed, devices, precision, start)
    out.print(f"{saved}: trained {net} on the tags of {data}")


@_verb
def maps(
    data: Prepared,
    folder: Annotated[Path, typer.Option("--out", help="Gets the maps; goes on where it was.")],
    sources: Annotated[
        Path, typer.Option(help="Folder of the run folders S, SA and ST of that stage.")
    ],
    stage: StageName = "coarse",
    crops: Crops = None,
    tags: Annotated[bool, typer.Option(help="Whether tags may be used.")] = True,
    preset: PresetName = "small",
    device: Device = None,
) -> None:
    """Map and fuse what the sources see: boxes (coarse) or pseudo-fixations (fine)."""
    from lookhear.stanet import recipes
    from lookhear.stanet.pseudo_fixations import map_moments

    _check_crops(stage, crops)
    chosen = recipes.preset_named(preset)
    made = map_moments(
        data,
        sources,
        folder,
        chosen.grid,
        chosen.loss(stage),
        crops=crops,
        knows_tags=tags,
        device=device,
        bars=bars("steps"),
    )
    out.print(f"{folder}: maps of {count(made, 'moment')}")


@_verb
def matching(
    data: Prepared,
    folder: Run,
    preset: PresetName = "small",
    start: Start = None,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train a first AudioSwitch, whose sight the sources begin with."""
    from lookhear.stanet import recipes

    recipe = recipes.preset_named(preset).matching
    if recipe is None:
        raise LookhearError(f"--preset {preset}: its sources begin with pretrained weights instead")
    saved = _train(recipes.SwitchTask(recipe), data, folder, seed, devices, precision, start)
    out.print(f"{saved}: has learnt what looks go with what sounds; begin S, SA and ST with it")


@_verb
def switch(
    data: Prepared,
    folder: Run,
    preset: PresetName = "small",
    start: Start = None,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train AudioSwitch: does a sound belong to a picture."""
    from lookhear.stanet import recipes

    task = recipes.SwitchTask(recipes.preset_named(preset).switch)
    saved = _train(task, data, folder, seed, devices, precision, start)
    out.print(f"{saved}: tells whose sounds belong; put it into STA with lookhear train join")


@_verb
def sta(
    data: Prepared,
    folder: Run,
    fixations: Annotated[Path, typer.Option("--maps", help="What the fine maps made.")],
    preset: PresetName = "small",
    start: Start = None,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train STA on the pseudo-fixations of moments."""
    from lookhear.stanet import recipes

    task = recipes.STATask(recipes.preset_named(preset).sta, fixations)
    saved = _train(task, data, folder, seed, devices, precision, start)
    out.print(f"{saved}: use it with lookhear predict CLIP --model {saved}")


@_verb
def join(
    net: Annotated[Path, typer.Option("--sta", help="Folder of a saved STA.")],
    matching: Annotated[Path, typer.Option("--switch", help="Folder of a saved AudioSwitch.")],
    folder: Annotated[Path, typer.Option("--out", help="Gets the model.")],
) -> None:
    """Put an AudioSwitch into STA, to close its sound gate."""
    from lookhear.stanet import recipes

    recipes.save_joined(net, matching, folder)
    out.print(f"{folder}: use it with lookhear predict CLIP --model {folder}")


@_verb
def fixations(
    data: Annotated[Path, typer.Option(help="Pictures with fixations, in OSIE's layout.")],
    folder: Run,
    recipe: Annotated[str, typer.Option(help="Which recipe: small or tiny.")] = "small",
    exclude: Annotated[
        Path | None, typer.Option(help="Text file of picture names never to train on.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train STA on still pictures with fixations."""
    from lookhear.data.readers.osie import read_names, read_osie
    from lookhear.stanet import recipes

    chosen = recipes.recipe_named(recipe)
    pictures = read_osie(data, exclude=read_names(exclude) if exclude else ())
    saved = recipes.train_fixations(pictures, folder, chosen, seed)
    out.print(f"{saved}: trained on {len(pictures)} pictures; use it with --model {saved}")


def _train(
    task: "MomentsTask",
    data: Path,
    folder: Path,
    seed: int,
    devices: int,
    precision: str,
    start: list[str] | None = None,
) -> Path:
    from lookhear.training.initial_weights import read_start
    from lookhear.training.loop import train_on_moments
    from lookhear.training.schedule import Machine

    task.start |= read_start(start or ())
    return train_on_moments(task, data, folder, seed, Machine(devices, precision))


def _check_crops(stage: Stage, crops: Path | None) -> None:
    if (stage == "fine") != (crops is not None):
        raise LookhearError("--crops goes with --stage fine, and --stage fine with --crops")
