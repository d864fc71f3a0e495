"""The command line: a verb each, thin."""

import json
import logging
import math
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from typer.exceptions import TyperException

from lookhear import __version__
from lookhear.errors import LookhearError
from lookhear.files import write_whole

# PyTorch takes seconds to import, and help or a wrong option should not wait for it: what needs
# it is imported by the verb that uses it.
if TYPE_CHECKING:
    from lookhear.nets.sta import STA
    from lookhear.report import ModelNotes
    from lookhear.results import Settings

app = typer.Typer(
    help="Predict where people look in a video, from what they see and what they hear.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
train_app = typer.Typer(help="Train a network.", no_args_is_help=True)
app.add_typer(train_app, name="train")

# Names of files are data, not markup.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

INTERRUPTED = 130  # what shells expect, and what Typer returns, on Ctrl-C

Model = Annotated[str, typer.Option(help="small, a folder of a saved model, or a name on the hub.")]
Device = Annotated[str, typer.Option(help="Where the network runs, such as cpu or cuda.")]


def main() -> None:
    """Run the command line; every error the user can mend is one line on stderr."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    warnings.simplefilter("ignore")  # of libraries, to their callers
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        if message := error.format_message():
            _complain(f"{message} (lookhear --help shows what there is)")
        code = 2
    except (LookhearError, OSError) as error:
        _complain(str(error))
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        _complain("interrupted; what was finished is kept")
    sys.exit(code if isinstance(code, int) else 0)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"lookhear {__version__}")
        raise typer.Exit


@app.callback()
def lookhear(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Predict where people look in a video, from what they see and what they hear."""


@app.command()
def predict(
    clips: Annotated[
        list[Path], typer.Argument(help="Videos, pictures, or folders of numbered frames.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="Gets a folder of results for each clip.")],
    model: Model = "small",
    device: Device = "cpu",
    fps: Annotated[
        float | None, typer.Option(min=0.01, help="Maps a second.", show_default="3")
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Instead, a map of every so many frames.")
    ] = None,
    maps: Annotated[
        Literal["npz", "png", "none"], typer.Option(help="How to keep the maps.")
    ] = "npz",
    overlay: Annotated[bool, typer.Option(help="Make the clip with attention over it.")] = True,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Frames through the network at once.", show_default="4"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace results that are there.")] = False,
) -> None:
    """Predict where people look in clips: overlay, maps, fixations and a report for each."""
    if fps is not None and every is not None:
        raise typer.BadParameter("--fps and --every exclude each other; give one")
    if fps is not None and not math.isfinite(fps):
        raise typer.BadParameter("--fps must be a number of maps a second")
    from lookhear.models import card_sections, load_model, model_folder
    from lookhear.prediction import BATCH_SIZE
    from lookhear.report import ModelNotes
    from lookhear.results import Settings

    model_files = model_folder(model)
    net = load_model(model_files, device).folded()
    notes = ModelNotes(model, card_sections(model_files))
    settings = Settings(model=model, every=every, maps=maps, overlay=overlay)
    if fps is not None:
        settings = replace(settings, fps=fps)

    failed = 0
    for clip, results in zip(clips, _result_folders(clips, folder), strict=True):
        try:
            if not _is_done(clip, results, settings, overwrite):
                _predict_one(clip, results, net, notes, settings, batch_size or BATCH_SIZE)
        except (LookhearError, OSError) as error:
            _complain(str(error))
            failed += 1
    if failed and len(clips) > 1:
        _complain(f"{failed} of {len(clips)} clips failed; the others are done")
    if failed:
        raise typer.Exit(1)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Gets the scene and its results.")] = Path(
        "lookhear-demo"
    ),
) -> None:
    """Render a short clip with sound, predict it, and score it against the known truth."""
    from lookhear.demo import run_demo
    from lookhear.models import card_sections, load_model
    from lookhear.report import ModelNotes

    net, notes = load_model("small").folded(), ModelNotes("small", card_sections("small"))
    with _progress("frames") as progress:
        bar = progress.add_task("predicting", total=None)
        run_demo(folder, out.print, net, notes, advance=lambda: progress.advance(bar))


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Pictures with fixations, in OSIE's layout.")],
    model: Annotated[
        list[str],
        typer.Option(
            help="Repeatable: a model, centre, a folder of maps, or maps in FILE.npz[:PREFIX]."
        ),
    ],
    names: Annotated[
        Path | None, typer.Option(help="Text file of picture names; only these count.")
    ] = None,
    device: Device = "cpu",
    results: Annotated[Path | None, typer.Option("--out", help="JSON file for all values.")] = None,
) -> None:
    """Score models by how well they predict fixations on pictures."""
    from lookhear.data.osie import read_names, read_osie
    from lookhear.evaluate import evaluate_pictures, find_map_source, of_model, table
    from lookhear.models import load_model
    from lookhear.prediction import attend_picture

    if results and not results.absolute().parent.is_dir():
        raise LookhearError(f"{results}: there is no folder {results.parent}; make it first")
    pictures = read_osie(data, names=read_names(names) if names else None)
    sources = {}
    for name in model:
        source = find_map_source(name)
        if source is None:
            source = of_model(partial(attend_picture, load_model(name, device)))
        sources[name] = source
    with _progress("pictures") as progress:
        bar = progress.add_task("scoring", total=len(pictures) * len(sources))
        scores = evaluate_pictures(pictures, sources, lambda: progress.advance(bar))
    out.print(table(scores))
    if results:
        write_whole(results, json.dumps(scores.as_json(), indent=1) + "\n")


@train_app.command()
def fixations(
    data: Annotated[Path, typer.Option(help="Pictures with fixations, in OSIE's layout.")],
    folder: Annotated[Path, typer.Option("--out", help="Run folder; a run that stopped goes on.")],
    recipe: Annotated[str, typer.Option(help="Which recipe: small or tiny.")] = "small",
    exclude: Annotated[
        Path | None, typer.Option(help="Text file of picture names never to train on.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything left to chance.")] = 0,
) -> None:
    """Train STA on still pictures with fixations."""
    from lookhear.data.osie import read_names, read_osie

    try:
        from lookhear.training.fixations import RECIPES, train_fixations
    except ModuleNotFoundError as error:
        raise LookhearError(
            f"training needs {error.name}: pip install 'lookhear[train]'"
        ) from error

    if recipe not in RECIPES:
        raise LookhearError(f"--recipe {recipe}: unknown; there are {', '.join(RECIPES)}")
    pictures = read_osie(data, exclude=read_names(exclude) if exclude else ())
    saved = train_fixations(pictures, folder, RECIPES[recipe], seed)
    out.print(f"{saved}: trained on {len(pictures)} pictures; use it with --model {saved}")


def _result_folders(clips: list[Path], folder: Path) -> list[Path]:
    """Name each clip's folder after its file, with the suffix where stems coincide."""
    files = [Path(os.path.abspath(clip)) for clip in clips]  # noqa: PTH100 (keeps links)
    stems = Counter(file.stem.casefold() for file in files)
    usable = [stems[file.stem.casefold()] == 1 and file.stem.strip(".") for file in files]
    names = [file.stem if ok else file.name for file, ok in zip(files, usable, strict=True)]
    counts = Counter(name.casefold() for name in names)
    for name in names:
        if counts[name.casefold()] > 1:
            raise LookhearError(
                f"{folder / name}: would be written for {counts[name.casefold()]} clips; run them "
                "one by one, each with its own --out"
            )
    return [folder / name for name in names]


def _is_done(clip: Path, results: Path, settings: "Settings", overwrite: bool) -> bool:
    """Say whether results are there already; protect what is not ours to replace."""
    from lookhear.results import made_with

    if not clip.exists() or not results.exists():
        return False
    if clip.resolve().is_relative_to(results.resolve()):
        raise LookhearError(f"{clip}: lies in {results}, where results go; choose another --out")
    made = made_with(results)
    if made is None:
        raise LookhearError(f"{results}: holds more than results; choose another --out")
    if overwrite:
        return False
    if made != settings.describe(clip):
        raise LookhearError(
            f"{results}: holds results of another clip or other settings; use --overwrite or "
            "another --out"
        )
    out.print(f"{clip.name}: done already in {results}; --overwrite does it again")
    return True


def _predict_one(
    clip_path: Path,
    results: Path,
    net: "STA",
    notes: "ModelNotes",
    settings: "Settings",
    batch_size: int,
) -> None:
    from lookhear.media import open_clip
    from lookhear.results import REPORT, write_results

    clip = open_clip(clip_path)
    started = time.monotonic()
    with _progress("frames") as progress:
        bar = progress.add_task(clip_path.name, total=clip.frame_count)
        summary = write_results(
            clip, results, net, notes, settings, batch_size, lambda: progress.advance(bar)
        )
        frames = int(progress.tasks[bar].completed)
    for problem in clip.problems:
        err.print(f"{clip_path.name}: {problem}")
    rate = frames / (time.monotonic() - started)
    out.print(
        f"{clip_path.name}: {_count(frames, 'frame')}, {_count(len(summary.times), 'map')}, "
        f"{rate:.0f} frames a second; see {results / REPORT}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class _SpeedColumn(ProgressColumn):
    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        speed = "-" if task.speed is None else f"{task.speed:.0f}"
        return Text(f"{speed} {self._what}/s")


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """A bar that says what is done, how fast and how long to go; gone when it is done."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(what),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield progress


def _complain(line: str) -> None:
    err.print(f"lookhear: {' '.join(line.split())}")
