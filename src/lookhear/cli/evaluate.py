"""The verb that scores: evaluate."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import Device, out, progress_bar
from lookhear.errors import LookhearError
from lookhear.files import write_whole


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
    with progress_bar("pictures") as progress:
        bar = progress.add_task("scoring", total=len(pictures) * len(sources))
        scores = evaluate_pictures(pictures, sources, lambda: progress.advance(bar))
    out.print(table(scores))
    if results:
        write_whole(results, json.dumps(scores.as_json(), indent=1) + "\n")
