"""The verbs that train: all of STANet, each of its stages, and STA on pictures with fixations."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lookhear.cli.console import Device, out, progress_bar
from lookhear.errors import LookhearError
from lookhear.files import is_empty
from lookhear.stanet import Source, Stage
from lookhear.words import count

if TYPE_CHECKING:
    from lookhear.stanet.recipes.presets import Preset
    from lookhear.training.initial_weights import Part
    from lookhear.training.loop import Machine

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
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of everything left to chance.")]
Devices = Annotated[int, typer.Option(min=1, help="GPUs, or processes where there are none.")]
Precision = Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")]


@app.command()
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
    from lookhear.evaluation.from_runs import GazeTest
    from lookhear.evaluation.tables import means_table

    room = _training("stanet.run")
    _preset(preset)
    settings = room.RunSettings(
        data=data,
        out=folder,
        preset=preset,
        seed=seed,
        test=GazeTest(test) if test else None,
        sound=sound,
        pretrained=pretrained,
        machine=_machine(devices, precision),
    )
    begun = time.monotonic()

    def say(stage: str) -> None:
        out.print(f"{time.monotonic() - begun:6.0f} s  {stage}")

    made = room.train_stanet(settings, say, _bar)
    if made.tested:
        out.print(means_table(f"Mean over the clips of {made.tested.name}", made.tested.means))
    out.print(f"{made.report}: the run, to look at")
    out.print(f"{made.model}: use it with lookhear predict CLIP --model {folder}")


@app.command()
def hearing(
    data: Prepared,
    folder: Run,
    preset: PresetName = "small",
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train a sound encoder to tell tags by ear."""
    recipe = _preset(preset).hearing
    if recipe is None:
        raise LookhearError(f"--preset {preset}: takes a sound encoder that is trained already")
    saved = _training("stanet.recipes.hearing").train_hearing(
        data, folder, recipe, seed, machine=_machine(devices, precision)
    )
    out.print(f"{saved}: hears; begin others with --start sound_encoder={saved}")


@app.command()
def source(
    data: Prepared,
    folder: Run,
    net: Annotated[Source, typer.Option(help="S sees, SA also hears, ST also sees motion.")],
    stage: Annotated[Stage, typer.Option(help="Of whole frames, or of crops.")] = "coarse",
    crops: Annotated[
        Path | None, typer.Option(help="What the coarse maps made, for the fine stage.")
    ] = None,
    preset: PresetName = "small",
    start: Start = None,
    seed: Seed = 0,
    devices: Devices = 1,
    precision: Precision = "32-true",
) -> None:
    """Train a source of class maps, S, SA or ST, from tags alone."""
    _check_crops(stage, crops)
    saved = _training("stanet.recipes.classifying").train_source(
        data,
        folder,
        _preset(preset).sources(stage)[net],
        seed,
        start=_beginnings(start),
        crops=crops,
        machine=_machine(devices, precision),
    )
    out.print(f"{saved}: trained {net} on the tags of {data}")


@app.command()
def maps(
    data: Prepared,
    folder: Annotated[Path, typer.Option("--out", help="Gets the maps; goes on where it was.")],
    sources: Annotated[
        Path, typer.Option(help="Folder of the run folders S, SA and ST of that stage.")
    ],
    stage: Annotated[Stage, typer.Option(help="Of whole frames, or of crops.")] = "coarse",
    crops: Annotated[
        Path | None, typer.Option(help="What the coarse maps made, for the fine stage.")
    ] = None,
    tags: Annotated[bool, typer.Option(help="Whether tags may be used.")] = True,
    preset: PresetName = "small",
    device: Device = "cpu",
) -> None:
    """Map and fuse what the sources see: boxes (coarse) or pseudo-fixations (fine)."""
    _check_crops(stage, crops)
    from lookhear.data.identity import identities
    from lookhear.nets.saved import RUN_MODEL
    from lookhear.resume import made_from

    room, recipes = _training("stanet.pseudo_fixations"), _preset(preset)
    saved = {name: sources / name / RUN_MODEL for name in recipes.sources(stage)}
    nets = room.Sources.load(saved, recipes.sources(stage)["S"].loss, device)
    read: dict[str, Path | tuple[Path, str] | str | None] = {"moments": data, "crops": crops}
    read |= {str(name): net for name, net in saved.items()}
    made_from(folder, {"grid": recipes.grid, "tags": tags, **identities(read)})
    done = 0
    for task in room.tasks_of(data, recipes.grid, knows_tags=tags):
        with _bar(f"{stage} maps, {task.split}", task.moments) as advance:
            room.make_maps(nets, task, folder, crops, advance)
        done += task.moments
    out.print(f"{folder}: maps of {count(done, 'moment')}")


@app.command()
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
    recipe = _preset(preset).matching
    if recipe is None:
        raise LookhearError(f"--preset {preset}: its sources begin with pretrained weights instead")
    saved = _training("stanet.recipes.matching").train_switch(
        data, folder, recipe, seed, start=_beginnings(start), machine=_machine(devices, precision)
    )
    out.print(f"{saved}: has learnt what looks go with what sounds; begin S, SA and ST with it")


@app.command()
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
    saved = _training("stanet.recipes.matching").train_switch(
        data,
        folder,
        _preset(preset).switch,
        seed,
        start=_beginnings(start),
        machine=_machine(devices, precision),
    )
    out.print(f"{saved}: tells whose sounds belong; put it into STA with lookhear train join")


@app.command()
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
    saved = _training("stanet.recipes.attending").train_sta(
        data,
        fixations,
        folder,
        _preset(preset).sta,
        seed,
        start=_beginnings(start),
        machine=_machine(devices, precision),
    )
    out.print(f"{saved}: use it with lookhear predict CLIP --model {saved}")


@app.command()
def join(
    net: Annotated[Path, typer.Option("--sta", help="Folder of a saved STA.")],
    matching: Annotated[Path, typer.Option("--switch", help="Folder of a saved AudioSwitch.")],
    folder: Annotated[Path, typer.Option("--out", help="Gets the model.")],
) -> None:
    """Put an AudioSwitch into STA, to close its sound gate."""
    if folder.exists() and not is_empty(folder):
        raise LookhearError(f"{folder}: is there already; choose another --out")
    _training("stanet.recipes.matching").save_joined(net, matching, folder)
    out.print(f"{folder}: use it with lookhear predict CLIP --model {folder}")


@app.command()
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

    training = _training("stanet.recipes.stills")
    chosen = _known(recipe, "recipe", training.RECIPES)
    pictures = read_osie(data, exclude=read_names(exclude) if exclude else ())
    saved = training.train_fixations(pictures, folder, chosen, seed)
    out.print(f"{saved}: trained on {len(pictures)} pictures; use it with --model {saved}")


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    with progress_bar("steps") as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)


def _check_crops(stage: Stage, crops: Path | None) -> None:
    if (stage == "fine") != (crops is not None):
        raise LookhearError("--crops goes with --stage fine, and --stage fine with --crops")


def _preset(name: str) -> "Preset":
    preset: Preset = _known(name, "preset", _training("stanet.recipes.presets").PRESETS)
    return preset


def _machine(devices: int, precision: str) -> "Machine":
    machine: Machine = _training("training.loop").Machine(devices, precision)
    return machine


def _beginnings(start: list[str] | None) -> "dict[str, Part | str]":
    """Read PART=FOLDER, PART=FOLDER:PART THERE, or backbone=NAME OF WEIGHTS."""
    parts = _training("training.initial_weights")
    beginnings: dict[str, Part | str] = {}
    for given in start or ():
        part, equals, source = given.partition("=")
        if not (part and equals and source):
            raise LookhearError(f"--start {given}: give PART=FOLDER, as backbone=run/S/model")
        folder, colon, there = source.rpartition(":")
        if not colon:
            folder, there = source, part
        is_name = part == "backbone" and not Path(folder).exists() and "/" not in source
        beginnings[part] = source if is_name else parts.Part(Path(folder), there)
    return beginnings


def _known(name: str, option: str, choices: dict[str, Any]) -> Any:
    if name not in choices:
        raise LookhearError(f"--{option} {name}: unknown; there are {', '.join(choices)}")
    return choices[name]


def _training(room: str) -> ModuleType:
    """Import a room of training, which needs Lightning."""
    try:
        return import_module(f"lookhear.{room}")
    except ModuleNotFoundError as error:
        raise LookhearError(
            f"training needs {error.name}: pip install 'lookhear[train]'"
        ) from error
