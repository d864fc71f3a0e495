"""The verbs for data: world, prepare, and data check."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import bars, err, out
from lookhear.cli.options import Out, Roots, Seed, Workers
from lookhear.data.world.truth import Scenario
from lookhear.errors import LookhearError
from lookhear.words import count, named

app = typer.Typer(help="Look at data sets.", no_args_is_help=True)


def world(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Gets the clips and the truth.")],
    clips: Annotated[int, typer.Option(min=1, help="How many.")],
    seed: Seed = 0,
    scenario: Annotated[Scenario, typer.Option(help="What happens in the clips.")] = "sounding",
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 10.0,
    workers: Workers = None,
) -> None:
    """Make clips with sound of which all is known: tag, boxes, times, and where people look."""
    from lookhear.data.world.files import World, write_world
    from lookhear.parallel import cores

    wanted = World(scenario, clips, seed, seconds)
    with bars("clips")("rendering", clips) as progress:
        write_world(folder, wanted, workers or cores(), progress)
    out.print(
        f"{folder}: {count(clips, 'clip')} of {seconds:g} s; see lookhear data check {folder}"
    )


def prepare(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A folder in AVE's layout or of DCASE's lists, or a clips.csv."
        ),
    ],
    folder: Out,
    events: Annotated[
        bool, typer.Option(help="For train events: whole clips, boxes and log-mel sound.")
    ] = False,
    boxes: Annotated[
        int | None,
        typer.Option(min=1, help="With --events: in a frame, at most.", show_default="16"),
    ] = None,
    edges: Annotated[
        Path | None,
        typer.Option(
            help="With --events: OpenCV's model of structured edges (model.yml.gz).",
            show_default="plain edges",
        ),
    ] = None,
    workers: Workers = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Work on a Ray cluster: its HOST:PORT, auto for the one running here, local for "
            "a new one."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Stop at the first clip that is broken.")] = False,
    root: Roots = None,
) -> None:
    """Cut tagged clips into shards of moments, which training reads; goes on where it was."""
    from lookhear.data.prepare import MomentsCut, read_tagged
    from lookhear.data.prepare import prepare as prepare_clips
    from lookhear.data.readers.tagged import once_a_clip
    from lookhear.data.shards import MANIFEST
    from lookhear.events.seconds import SecondsCut
    from lookhear.parallel import cores

    if not events and (boxes or edges):
        raise LookhearError("--boxes and --edges go with --events")
    clips = read_tagged(data, root or ())
    cut = SecondsCut.of(boxes, edges) if events else MomentsCut()
    if events:
        clips = once_a_clip(clips)
    with bars("clips")("preparing", len(clips.clips)) as progress:
        manifest = prepare_clips(
            clips,
            folder,
            cut,
            workers=workers or cores(),
            ray_address=ray,
            strict=strict,
            advance=progress,
        )
    if manifest.faults:
        err.print(f"left out: {named(manifest.faults)}")
    moments, prepared = sum(manifest.moments.values()), sum(manifest.clips.values())
    pieces = count(moments, "second" if events else "moment")
    out.print(
        f"{folder}: {pieces} of {count(prepared, 'clip')}, "
        f"{len(manifest.faults)} left out; see {folder / MANIFEST}"
    )


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="AVE, STAViS's or OSIE's layout, clips.csv, fixations.csv, or prepared.",
        ),
    ],
    root: Roots = None,
) -> None:
    """Say what a data set holds, what is missing or broken, and how balanced it is.

    Known are AVE, the six eye-tracking sets in STAViS's layout, OSIE, clips.csv (path, tag, start,
    end), fixations.csv (clip, time, x, y, observer), and folders of prepared moments.
    """
    from lookhear.data.check import check as look_at
    from lookhear.data.check.findings import render

    with bars("clips")("looking", None) as progress:
        findings = look_at(path, progress, root or ())
    out.print(render(findings))
    if not findings.usable:
        raise LookhearError(f"{path}: holds nothing that can be used")
