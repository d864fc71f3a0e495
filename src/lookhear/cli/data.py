"""The verbs for data: world, prepare, and data check."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import err, out, progress_bar
from lookhear.data.world.truth import Scenario
from lookhear.errors import LookhearError
from lookhear.words import count

app = typer.Typer(help="Look at data sets.", no_args_is_help=True)

SHOWN_FAULTS = 10
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="How many work at once.", show_default="one for each core"),
]


def world(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Gets the clips and the truth.")],
    clips: Annotated[int, typer.Option(min=1, help="How many.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same world.")
    ] = 0,
    scenario: Annotated[Scenario, typer.Option(help="What happens in the clips.")] = "sounding",
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 10.0,
    workers: Workers = None,
) -> None:
    """Make clips with sound of which all is known: tag, boxes, times, and where people look."""
    from lookhear.data.world.files import World, write_world
    from lookhear.parallel import cores

    wanted = World(scenario, clips, seed, seconds)
    with progress_bar("clips") as progress:
        bar = progress.add_task("rendering", total=clips)
        write_world(folder, wanted, workers or cores(), lambda done: progress.advance(bar, done))
    out.print(
        f"{folder}: {count(clips, 'clip')} of {seconds:g} s; see lookhear data check {folder}"
    )


def prepare(
    data: Annotated[Path, typer.Argument(help="A folder in AVE's layout, or a clips.csv.")],
    folder: Annotated[Path, typer.Option("--out", help="Gets the shards; goes on where it was.")],
    workers: Workers = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Work on a Ray cluster: its HOST:PORT, auto for the one running here, local for "
            "a new one."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Stop at the first clip that is broken.")] = False,
) -> None:
    """Cut tagged clips into shards of moments, which training reads."""
    from lookhear.data.prepare import prepare as prepare_clips
    from lookhear.data.prepare import read_tagged
    from lookhear.data.shards import MANIFEST
    from lookhear.parallel import cores

    clips = read_tagged(data)
    with progress_bar("clips") as progress:
        bar = progress.add_task("preparing", total=len(clips.clips))
        manifest = prepare_clips(
            clips,
            folder,
            workers=workers or cores(),
            ray_address=ray,
            strict=strict,
            advance=lambda done: progress.advance(bar, done),
        )
    for fault in manifest.faults[:SHOWN_FAULTS]:
        err.print(f"left out: {fault}")
    if len(manifest.faults) > SHOWN_FAULTS:
        more = len(manifest.faults) - SHOWN_FAULTS
        err.print(f"left out: {more} more; see {folder / MANIFEST}")
    moments, prepared = sum(manifest.moments.values()), sum(manifest.clips.values())
    out.print(
        f"{folder}: {count(moments, 'moment')} of {count(prepared, 'clip')}, "
        f"{len(manifest.faults)} left out; see {folder / MANIFEST}"
    )


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(
            help="AVE, STAViS's or OSIE's layout, clips.csv, fixations.csv, or prepared."
        ),
    ],
) -> None:
    """Say what a data set holds, what is missing or broken, and how balanced it is.

    Known are AVE, the six eye-tracking sets in STAViS's layout, OSIE, clips.csv (path, tag, start,
    end), fixations.csv (clip, time, x, y, observer), and folders of prepared moments.
    """
    from lookhear.data.check import check as look_at
    from lookhear.data.check.findings import render

    with progress_bar("clips") as progress:
        bar = progress.add_task("looking", total=None)
        findings = look_at(path, lambda done: progress.advance(bar, done))
    out.print(render(findings))
    if not findings.usable:
        raise LookhearError(f"{path}: holds nothing that can be used")
