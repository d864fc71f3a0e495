"""The verbs that train."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from lookhear.cli.console import out
from lookhear.errors import LookhearError
from lookhear.training import Source

app = typer.Typer(help="Train a network.", no_args_is_help=True)


@app.command()
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

    training = _training("fixations")
    if recipe not in training.RECIPES:
        raise LookhearError(f"--recipe {recipe}: unknown; there are {', '.join(training.RECIPES)}")
    pictures = read_osie(data, exclude=read_names(exclude) if exclude else ())
    saved = training.train_fixations(pictures, folder, training.RECIPES[recipe], seed)
    out.print(f"{saved}: trained on {len(pictures)} pictures; use it with --model {saved}")


@app.command()
def source(
    data: Annotated[Path, typer.Option(help="Prepared moments; see lookhear prepare.")],
    folder: Annotated[Path, typer.Option("--out", help="Run folder; a run that stopped goes on.")],
    net: Annotated[Source, typer.Option(help="S sees, SA also hears, ST also sees motion.")],
    preset: Annotated[str, typer.Option(help="Which recipe: paper, small or tiny.")] = "small",
    seed: Annotated[int, typer.Option(help="Of everything left to chance.")] = 0,
) -> None:
    """Train a source of class maps, S, SA or ST, from tags alone."""
    classify = _training("classify")
    if preset not in classify.PRESETS:
        raise LookhearError(f"--preset {preset}: unknown; there are {', '.join(classify.PRESETS)}")
    saved = classify.train_source(data, folder, classify.PRESETS[preset][net], seed)
    out.print(f"{saved}: trained {net} on the tags of {data}")


def _training(room: str) -> ModuleType:
    """Import a room of training, which needs Lightning."""
    try:
        return import_module(f"lookhear.training.{room}")
    except ModuleNotFoundError as error:
        raise LookhearError(
            f"training needs {error.name}: pip install 'lookhear[train]'"
        ) from error
