"""The verb that scores: evaluate."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookhear.cli.console import bars, command_line, out
from lookhear.cli.options import Device, EngineName, Overwrite
from lookhear.errors import LookhearError
from lookhear.progress import Progress


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(
            help="Pictures with fixations in OSIE's layout, repeatable for a table of each set; "
            "clips in STAViS's layout; or, for runs of train events, clips with tags."
        ),
    ],
    model: Annotated[
        list[str],
        typer.Option(
            help="Repeatable: centre, centre-fitted, spectral-residual, itti-koch, gbvs, "
            "inter-observer; a saved model, run or file of lookhear export; RUN:SCAM and other "
            "steps of a run; GradCAM:NETWORK, or CAMs:NETWORK for all methods; a folder of maps; "
            "FILE.npz[:PREFIX]; runs of train events, on clips with tags. LABEL=NAME gives it a "
            "name of your own."
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
    engine: EngineName = None,
) -> None:
    """Score models by how well they predict where people looked, or find events or actions."""
    from lookhear.evaluation.kinds import kind_of

    kind = kind_of(model)
    if kind != "gaze":
        only_gaze = (database, smooth, missing, engine, None if every == 1 else every)
        if any(value is not None for value in only_gaze):
            raise LookhearError(
                "--database, --every, --smooth, --missing and --engine are for where people "
                f"looked; leave them out for networks of {kind}"
            )
        if len(data) > 1 or len(names or ()) > 1:
            raise LookhearError(f"--data: networks of {kind} are scored on one set at a time")
        score = _evaluate_events if kind == "events" else _evaluate_actions
        score(data[0], model, results, names[0] if names else None, device, overwrite=overwrite)
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
        engine=engine,
        command=command_line(),
        bars=shown,
    )
    if clips := done.protocol.get(CLIPS):
        out.print(f"{CLIPS}: {clips}")
    for note in done.scores.notes:
        out.print(note)
    out.print(terminal_table(done.scores, done.statistics))
    if results:
        out.print(f"{results / REPORT}: the results, to look at")


def _evaluate_events(
    data: Path,
    models: list[str],
    results: Path | None,
    names: Path | None,
    device: str | None,
    *,
    overwrite: bool,
) -> None:
    from lookhear.evaluation.of_events import TABLES, evaluate_events
    from lookhear.evaluation.tables import plain_table

    done = evaluate_events(
        data, models, results, names=names, overwrite=overwrite, device=device, bars=bars("clips")
    )
    for note in done.notes:
        out.print(note)
    for title, rows in done.tables.items():
        out.print(plain_table(title, rows))
    for other, less in done.differences.items():
        out.print(f"micro F1 of {done.scores[0].model} less that of {other}: {less}")
    if results:
        out.print(f"{results / TABLES}: the tables")


def _evaluate_actions(
    data: Path,
    models: list[str],
    results: Path | None,
    names: Path | None,
    device: str | None,
    *,
    overwrite: bool,
) -> None:
    from lookhear.evaluation.kinds import labelled
    from lookhear.evaluation.of_actions import TABLE, evaluate_actions, in_markdown

    done = evaluate_actions(
        data,
        dict(map(labelled, models)),
        results,
        names=names,
        device=device,
        overwrite=overwrite,
        bars=bars("clips"),
    )
    for note in done.notes:
        out.print(note)
    out.print(in_markdown(done).rstrip())
    if results:
        out.print(f"{results / TABLE}: the figures; all values lie beside it")
