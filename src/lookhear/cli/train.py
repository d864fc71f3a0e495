"""The verbs that train: all of STANet, each of its stages, and STA on pictures with fixations."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib.util import find_spec
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar

import typer

from lookhear.cli.console import bars, out
from lookhear.cli.options import Device, Roots, Seed
from lookhear.data import Partners
from lookhear.errors import LookhearError, named_by
from lookhear.stanet import PlusSource, Source, Stage
from lookhear.words import count

if TYPE_CHECKING:
    from lookhear.progress import Bars
    from lookhear.stanet.recipes.classifying import ClassRecipe
    from lookhear.stanet.recipes.presets import PlusPreset, Preset
    from lookhear.stanet.report import Made
    from lookhear.stanet.run import RunSettings
    from lookhear.training.task import MomentsTask

P = ParamSpec("P")
Options = TypeVar("Options")

app = typer.Typer(help="Train a network.", no_args_is_help=True)

Prepared = Annotated[Path, typer.Option("--data", help="Prepared moments; see lookhear prepare.")]
Run = Annotated[Path, typer.Option("--out", help="Run folder; a run that stopped goes on.")]
PresetName = Annotated[
    str, typer.Option("--preset", help="Which recipe: paper, report, small, light or tiny.")
]
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
PretrainedName = Annotated[
    str | None,
    typer.Option(
        "--pretrained",
        metavar="WEIGHTS",
        help="With what the backbone begins: imagenet (of EfficientNet-Lite0), a name that timm "
        "knows, a file, or none. Another backbone than the recipe's takes its place.",
        show_default="as the recipe says",
    ),
]
Precision = Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")]


def training_verb(work: Callable[P, None], name: str | None = None) -> Callable[P, None]:
    """Add a verb, which says in one line if what training needs is not there."""

    @wraps(work)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        for package in ("lightning", "tensorboard"):
            if find_spec(package) is None:
                raise LookhearError(f"training needs {package}: pip install 'lookhear[train]'")
        work(*args, **kwargs)

    return app.command(name)(checked)


@dataclass(frozen=True)
class Training:
    """What all that train on prepared moments are told."""

    data: Prepared
    folder: Run
    preset: PresetName = "small"
    seed: Seed = 0
    devices: Devices = 1
    precision: Precision = "32-true"

    @property
    def recipes(self) -> "Preset":
        """The recipes of the preset."""
        from lookhear.stanet.recipes.presets import PRESETS

        return named_by("preset", self.preset, PRESETS)

    def train(self, task: "MomentsTask") -> Path:
        """Train; return the folder of the saved network."""
        from lookhear.training.loop import train_on_moments
        from lookhear.training.schedule import Machine

        machine = Machine(self.devices, self.precision)
        return train_on_moments(task, self.data, self.folder, self.seed, machine)


@dataclass(frozen=True)
class SeeingTraining(Training):
    """What all are told whose networks see."""

    start: Start = None
    pretrained: PretrainedName = None

    @property
    def recipes(self) -> "Preset":
        """The recipes of the preset, with what backbones begin if that is told."""
        from lookhear.nets.pretrained import read_pretrained
        from lookhear.stanet.recipes.presets import all_begun_with

        if self.pretrained is None:
            return super().recipes
        return all_begun_with(super().recipes, read_pretrained(self.pretrained))

    @property
    def plus(self) -> "PlusPreset":
        """What STANet+ adds to the preset."""
        from lookhear.stanet.recipes.presets import plus_of

        return plus_of(self.recipes, self.preset)

    def train(self, task: "MomentsTask", *, of_plus: bool = False) -> Path:
        """Train; return the folder of the saved network."""
        from lookhear.training.initial_weights import beginning, read_start

        weights = self.recipes.pretrained
        if of_plus and not self.plus.goes_on:
            weights = self.plus.pretrained
        start = read_start(self.start or ())
        if self.pretrained is not None and "backbone" in start:
            raise LookhearError("--pretrained: goes without --start backbone=; give one of them")
        task.start |= beginning("backbone", weights) | start
        return super().train(task)


@dataclass(frozen=True)
class WholeRun:
    """What all that do a whole run are told."""

    data: Annotated[
        Path, typer.Option(help="A folder in AVE's layout, a clips.csv, or prepared moments.")
    ]
    folder: Run
    preset: PresetName = "small"
    test: Annotated[
        Path | None,
        typer.Option(help="Clips with tags, and with gaze in STAViS's layout, to score on."),
    ] = None
    sound: Annotated[
        Path | None,
        typer.Option(help="A saved network whose sound encoder to take, not to train one."),
    ] = None
    pretrained: PretrainedName = None
    seed: Seed = 0
    devices: Devices = 1
    precision: Precision = "32-true"
    root: Roots = None

    def do(self, train: "Callable[[RunSettings, Callable[[str], object], Bars], Made]") -> "Made":
        """Train, and say how far it is and what came of it."""
        from lookhear.evaluation.from_runs import GazeTest
        from lookhear.evaluation.tables import means_table
        from lookhear.stanet.run import RunSettings
        from lookhear.training.schedule import Machine

        settings = RunSettings(
            data=self.data,
            out=self.folder,
            preset=self.preset,
            seed=self.seed,
            test=GazeTest(self.test) if self.test else None,
            sound=self.sound,
            pretrained=self.pretrained,
            machine=Machine(self.devices, self.precision),
            roots=self.root or (),
        )
        begun = time.monotonic()

        def say(stage: str) -> None:
            out.print(f"{time.monotonic() - begun:6.0f} s  {stage}")

        made = train(settings, say, bars("steps"))
        if made.tested:
            title = f"Mean over the clips of {made.tested.name}"
            out.print(means_table(title, made.tested.means))
            if made.plus and made.plus.tested:
                out.print(means_table(f"{title}, STANet+", made.plus.tested.means))
        out.print(f"{made.report}: the run, to look at")
        return made


def _verb_of(
    shared: type[Options], work: Callable[Concatenate[Options, P], None], name: str | None = None
) -> Callable[..., None]:
    """Add a verb of `work`'s own options and those of a dataclass, of which it takes a value."""
    _, *own = signature(work).parameters.values()
    data, folder, *others = signature(shared).parameters.values()

    def joined(**options: Any) -> None:
        told = {option.name: options.pop(option.name) for option in (data, folder, *others)}
        work(shared(**told), **options)  # type: ignore[call-arg]

    joined.__name__, joined.__doc__ = work.__name__, work.__doc__
    named = [o.replace(kind=Parameter.KEYWORD_ONLY) for o in (data, folder, *own, *others)]
    joined.__signature__ = Signature(named)  # type: ignore[attr-defined]
    training_verb(joined, name)
    return work


def _seeing_verb(work: Callable[Concatenate[SeeingTraining, P], None]) -> Callable[..., None]:
    """Add a verb of `work`'s own options and those of `SeeingTraining`."""
    return _verb_of(SeeingTraining, work)


def stanet(run: WholeRun) -> None:
    """From tags to fixations: all stages of STANet, and a report of them."""
    from lookhear.stanet.run import train_stanet

    made = run.do(train_stanet)
    out.print(f"{made.model}: use it with lookhear predict CLIP --model {run.folder}")


def stanet_plus(run: WholeRun) -> None:
    """Go on from STANet to STANet+, whose networks know other moments of a clip, too."""
    from lookhear.stanet.run_folder import PLUS
    from lookhear.stanet.run_plus import train_stanet_plus

    made = run.do(train_stanet_plus)
    assert made.plus is not None
    out.print(f"{made.plus.model}: use it with lookhear predict CLIP --model {run.folder / PLUS}")


_verb_of(WholeRun, stanet)
_verb_of(WholeRun, stanet_plus, "stanet+")


def hearing(training: Training) -> None:
    """Train a sound encoder to tell tags by ear."""
    from lookhear.stanet.recipes.hearing import HearingTask

    recipe = training.recipes.hearing
    if recipe is None:
        raise LookhearError(
            f"--preset {training.preset}: takes a sound encoder that is trained already"
        )
    saved = training.train(HearingTask(recipe))
    out.print(f"{saved}: hears; begin others with --start sound_encoder={saved}")


_verb_of(Training, hearing)


@_seeing_verb
def source(
    training: SeeingTraining,
    net: Annotated[
        Literal[Source, PlusSource],
        typer.Option(help="S sees, SA also hears, ST also sees motion; + knows other moments."),
    ],
    stage: StageName = "coarse",
    crops: Crops = None,
    partners: Annotated[
        Partners | None, typer.Option(help="Other moments that S+, SA+ and ST+ know.")
    ] = None,
) -> None:
    """Train a source of class maps, such as S or S+, from tags alone."""
    from lookhear.stanet.recipes.classifying import SourceTask

    _check_crops(stage, crops)
    task = SourceTask(_recipe_of(training, net, stage, partners), crops=crops)
    saved = training.train(task, of_plus=partners is not None)
    out.print(f"{saved}: trained {net} on the tags of {training.data}")


def _recipe_of(
    training: SeeingTraining, net: Source | PlusSource, stage: Stage, partners: Partners | None
) -> "ClassRecipe":
    """How a source is trained, of which some come by stage, the others by partners."""
    by_stage = {str(of): recipe for of, recipe in training.recipes.sources(stage).items()}
    if net in by_stage:
        if partners is not None:
            raise LookhearError(f"--partners: {net} knows none; they go with S+, SA+ and ST+")
        return by_stage[net]
    plus = training.plus.sources
    recipes = {str(known): recipe for (of, known), recipe in plus.items() if of == net}
    if partners is None:
        raise LookhearError(f"--net {net}: give its --partners, one of {', '.join(recipes)}")
    if stage == "fine":
        raise LookhearError(f"--net {net}: sees whole frames; leave out --stage fine and --crops")
    return named_by("partners", partners, recipes)


@training_verb
def maps(
    data: Prepared,
    folder: Annotated[Path, typer.Option("--out", help="Gets the maps; goes on where it was.")],
    sources: Annotated[
        Path, typer.Option(help="Folder of the run folders S, SA and ST of that stage.")
    ],
    stage: StageName = "coarse",
    crops: Crops = None,
    plus: Annotated[
        Path | None,
        typer.Option(
            help="For SCAM+, beside the fine sources: folder of the run folders S+/short, S+/long, "
            "S+/cross, SA+/long and so on."
        ),
    ] = None,
    tags: Annotated[bool, typer.Option(help="Whether tags may be used.")] = True,
    preset: PresetName = "small",
    device: Device = None,
) -> None:
    """Map and fuse what the sources see: boxes (coarse) or pseudo-fixations (fine)."""
    from lookhear.stanet import pseudo_fixations, scam_plus
    from lookhear.stanet.recipes.presets import PRESETS

    _check_crops(stage, crops)
    if plus is not None and crops is None:
        raise LookhearError("--plus goes with --stage fine and --crops")
    chosen = named_by("preset", preset, PRESETS)
    given = data, sources, folder, chosen.grid, chosen.loss(stage)
    options: dict[str, Any] = {"rules": chosen.rules, "crops": crops, "knows_tags": tags}
    options |= {"device": device, "bars": bars("steps")}
    if plus is None:
        made, empty = pseudo_fixations.map_moments(*given, **options)
    else:
        made, empty = scam_plus.map_moments(*given, plus=plus, **options)
    without = f", {empty} of them without pseudo-fixations" if empty else ""
    out.print(f"{folder}: maps of {count(made, 'moment')}{without}")


@_seeing_verb
def matching(training: SeeingTraining) -> None:
    """Train a first AudioSwitch, whose sight the sources begin with."""
    from lookhear.stanet.recipes.matching import SwitchTask

    recipe = training.recipes.matching
    if recipe is None:
        raise LookhearError(
            f"--preset {training.preset}: its sources begin with pretrained weights instead"
        )
    saved = training.train(SwitchTask(recipe))
    out.print(f"{saved}: has learnt what looks go with what sounds; begin S, SA and ST with it")


@_seeing_verb
def switch(training: SeeingTraining) -> None:
    """Train AudioSwitch: does a sound belong to a picture."""
    from lookhear.stanet.recipes.matching import SwitchTask

    saved = training.train(SwitchTask(training.recipes.switch))
    out.print(f"{saved}: tells whose sounds belong; put it into STA with lookhear train join")


@_seeing_verb
def sta(
    training: SeeingTraining,
    fixations: Annotated[Path, typer.Option("--maps", help="What the fine maps made.")],
) -> None:
    """Train STA on the pseudo-fixations of moments."""
    from lookhear.stanet.recipes.attending import STATask

    saved = training.train(STATask(training.recipes.sta, fixations))
    out.print(f"{saved}: use it with lookhear predict CLIP --model {saved}")


def sta_plus(
    training: SeeingTraining,
    fixations: Annotated[Path, typer.Option("--maps", help="What train maps --plus made.")],
    partners: Annotated[Partners, typer.Option(help="Other moments that it knows.")],
) -> None:
    """Train STA+ on the pseudo-fixations of moments."""
    from lookhear.stanet.recipes.attending import STAPlusTask

    recipes = {str(of): recipe for of, recipe in training.plus.sta.items()}
    task = STAPlusTask(named_by("partners", partners, recipes), fixations)
    saved = training.train(task, of_plus=True)
    out.print(f"{saved}: put it together with STA and the other STA+ by lookhear train join")


_verb_of(SeeingTraining, sta_plus, "sta+")


@training_verb
def join(
    net: Annotated[Path, typer.Option("--sta", help="Folder of a saved STA.")],
    folder: Annotated[Path, typer.Option("--out", help="Gets the model.")],
    matching: Annotated[
        Path | None, typer.Option("--switch", help="Folder of a saved AudioSwitch.")
    ] = None,
    short: Annotated[
        Path | None, typer.Option(help="For STANet+: folder of a saved STA+ with short partners.")
    ] = None,
    cross: Annotated[
        Path | None, typer.Option(help="For STANet+: folder of a saved STA+ with cross partners.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="For STANet+: stretch maps, as the release does.")
    ] = False,
) -> None:
    """Put an AudioSwitch into STA, to close its sound gate; or STA and two STA+ into STANet+."""
    from lookhear.stanet.recipes.matching import save_joined, save_together

    if short is not None and cross is not None:
        switch = {} if matching is None else {"switch": matching}
        parts = {"sta": net, "short": short, "cross": cross} | switch
        save_together(parts, folder, published=published)
    elif short is not None or cross is not None:
        raise LookhearError("--short goes with --cross, and --cross with --short")
    elif published:
        raise LookhearError("--published: is for STANet+; give --short and --cross, too")
    elif matching is not None:
        save_joined(net, matching, folder)
    else:
        raise LookhearError("--switch: give one to join with STA, or --short and --cross")
    out.print(f"{folder}: use it with lookhear predict CLIP --model {folder}")


@training_verb
def fixations(
    data: Annotated[
        list[Path],
        typer.Option(
            help="Repeatable: pictures with fixations, in OSIE's layout; all count alike."
        ),
    ],
    folder: Run,
    recipe: Annotated[str, typer.Option(help="Which recipe: small or tiny.")] = "small",
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            help="Text file of picture names never to train on. With several --data one for each, "
            "in the same order, or none."
        ),
    ] = None,
    pretrained: PretrainedName = None,
    seed: Seed = 0,
    precision: Precision = "32-true",
) -> None:
    """Train STA on still pictures with fixations."""
    from lookhear.data.readers.lists import lists_of, read_names
    from lookhear.data.readers.osie import read_osie
    from lookhear.nets.pretrained import read_pretrained
    from lookhear.stanet.recipes.stills import RECIPES, beginning_with, train_fixations
    from lookhear.training.schedule import Machine

    chosen = named_by("recipe", recipe, RECIPES)
    if pretrained is not None:
        chosen = beginning_with(chosen, read_pretrained(pretrained))
    lists = lists_of(data, exclude or (), "--exclude")
    sets = [
        read_osie(of, exclude=read_names(names) if names else ())
        for of, names in zip(data, lists, strict=True)
    ]
    saved = train_fixations(sets, folder, chosen, seed, Machine(precision=precision))
    total = count(sum(map(len, sets)), "picture")
    out.print(f"{saved}: trained on {total}; use it with --model {saved}")


def _check_crops(stage: Stage, crops: Path | None) -> None:
    if (stage == "fine") != (crops is not None):
        raise LookhearError("--crops goes with --stage fine, and --stage fine with --crops")
