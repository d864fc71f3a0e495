"""The verb that scores: evaluate."""

import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookhear.cli.console import bars, out
from lookhear.cli.options import Device, Overwrite
from lookhear.errors import LookhearError
from lookhear.progress import Progress


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(
            help="Pictures with fixations in OSIE's layout, repeatable for a table of each set; or "
            "clips in STAViS's layout."
        ),
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
        list[Path] | None,
        typer.Option(
            help="Text file of names of pictures or clips; only these count. With several --data "
            "one for each, in the same order, or none.",
            show_default="all; of DIEM the clips of its test list",
        ),
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
    missing: Annotated[
        Literal["chance", "skip"] | None,
        typer.Option(
            help="What becomes of a clip's frames without a map: scored as chance, or left out, as "
            "STAViS has it.",
            show_default="chance, but skip where there are few maps, at even steps",
        ),
    ] = None,
    overwrite: Overwrite = False,
    device: Device = None,
) -> None:
    """Score models by how well they predict where people looked, or find actions."""
    if find_actions_in(model):
        _evaluate_actions(data, model, results, names, device, overwrite=overwrite)
        return
    from lookhear.evaluation.evaluating import CLIPS, REPORT
    from lookhear.evaluation.evaluating import evaluate as evaluated
    from lookhear.evaluation.tables import terminal_table

    def shown(what: str, total: int | None) -> AbstractContextManager[Progress]:
        return bars(what.rpartition(" ")[2])(what, total)

    done = evaluated(
        data,
        model,
        results,
        names=names,
        database=database,
        every=every,
        smooth=smooth,
        missing=missing,
        overwrite=overwrite,
        device=device,
        command=shlex.join(["lookhear", *sys.argv[1:]]),
        bars=shown,
    )
    if clips := done.protocol.get(CLIPS):
        out.print(f"{CLIPS}: {clips}")
    for note in done.scores.notes:
        out.print(note)
    out.print(terminal_table(done.scores, done.statistics))
    if results:
        out.print(f"{results / REPORT}: the results, to look at")


def find_actions_in(models: Sequence[str]) -> bool:
    """Say whether models are networks of actions, which are scored as such."""
    from lookhear.nets.saved import saved_as

    held = set()
    for model in models:
        with suppress(LookhearError):  # whatever else it is
            held.add(saved_as(Path(_named(model)[1]))[0])
    return held == {"WhereWhen"}


def _named(model: str) -> tuple[str, str]:
    """The label and the name of a model, LABEL=NAME or NAME."""
    label, is_labelled, name = model.partition("=")
    return (label, name) if is_labelled else (model, model)


def _evaluate_actions(
    data: Sequence[Path],
    models: Sequence[str],
    results: Path | None,
    names: Sequence[Path] | None,
    device: str | None,
    *,
    overwrite: bool,
) -> None:
    from lookhear.evaluation.of_actions import TABLE, evaluate_actions, markdown_table

    if len(data) > 1 or len(names or ()) > 1:
        raise LookhearError("networks of actions are scored on one --data, with one --names")
    done = evaluate_actions(
        data[0],
        dict(map(_named, models)),
        results,
        names=names[0] if names else None,
        overwrite=overwrite,
        device=device,
        bars=bars("clips"),
    )
    for note in done.notes:
        out.print(note)
    out.print(markdown_table(done).rstrip())
    if results:
        out.print(f"{results / TABLE}: the figures; all values lie beside it")
