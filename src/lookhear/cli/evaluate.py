"""The verb that scores: evaluate."""

import shlex
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import out, progress_bar
from lookhear.cli.options import Device, Overwrite


def evaluate(
    data: Annotated[
        Path, typer.Option(help="Pictures with fixations in OSIE's layout, or clips in STAViS's.")
    ],
    model: Annotated[
        list[str],
        typer.Option(
            help="Repeatable: centre, centre-fitted, spectral-residual, itti-koch, gbvs, "
            "inter-observer; a saved model or run; RUN:SCAM and other steps of a run; "
            "GradCAM:NETWORK, or CAMs:NETWORK for all methods; a folder of maps; "
            "FILE.npz[:PREFIX]. LABEL=NAME gives it a name of your own."
        ),
    ],
    results: Annotated[
        Path | None, typer.Option("--out", help="Folder that gets the results.")
    ] = None,
    names: Annotated[
        Path | None, typer.Option(help="Text file of names of pictures or clips; only these count.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Of a folder in STAViS's layout; all if left out.")
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Score the middle frame of every so many of a clip.")
    ] = 1,
    smooth: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1000,
            help="Sigma in pixels of the map; 2 for clips, as STAViS, and 0 for pictures.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    device: Device = None,
) -> None:
    """Score models by how well they predict where people looked."""
    from lookhear.evaluation.models import OfOwn
    from lookhear.evaluation.naming import find_models, paths_in
    from lookhear.evaluation.results import RESULTS, write_report
    from lookhear.evaluation.score_cache import Kept, stamp
    from lookhear.evaluation.scoring import Choices, score_models
    from lookhear.evaluation.statistics import analyse
    from lookhear.evaluation.stimuli import read_viewed
    from lookhear.evaluation.tables import terminal_table
    from lookhear.files import check_replaceable
    from lookhear.nets.devices import usable

    if results:
        check_replaceable(results, RESULTS, overwrite=overwrite)
    viewed = read_viewed(data, names=names, database=database)
    models = find_models(model, viewed, usable(device))
    choices = Choices.of(viewed, smooth, every)
    frames = {subject.name: choices.frames(subject) for subject in viewed.subjects}
    kept = None
    # Nobody can tell whether the code behind a network of one's own has changed.
    if results and not any(isinstance(of, OfOwn) for of in models.values()):
        used = stamp([data, *(path for name in model for path in paths_in(name))])
        described = {"data": str(data.resolve()), "models": model, "used": used}
        kept = Kept(results, described | {"frames": frames, **asdict(choices)})
    with progress_bar("frames" if viewed.kind == "clips" else "pictures") as progress:
        bar = progress.add_task("scoring", total=sum(map(len, frames.values())))
        scores = score_models(viewed, models, choices, partial(progress.advance, bar), kept)
    found = analyse(scores)
    for note in scores.notes:
        out.print(note)
    out.print(terminal_table(scores, found))
    if results:
        command = shlex.join(["lookhear", *sys.argv[1:]])
        with progress_bar("examples") as progress:
            bar = progress.add_task("report", total=None)
            write_report(
                results,
                viewed,
                models,
                choices,
                scores,
                found,
                command,
                lambda: progress.advance(bar),
            )
        if kept:
            kept.clear()
        out.print(f"{results / 'report.html'}: the results, to look at")
