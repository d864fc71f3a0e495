"""The verbs that train."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import out
from lookhear.errors import LookhearError

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
