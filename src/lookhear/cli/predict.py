"""The verbs that predict: predict and demo."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookhear.cli.console import bars, complain, err, out
from lookhear.cli.options import BatchSize, Device, EngineName, Model, Out, Overwrite
from lookhear.words import count, counted

# Help or a wrong option should not wait for what takes long to import: the verb that uses it does.


def predict(
    clips: Annotated[
        list[Path],
        typer.Argument(metavar="CLIP", help="Videos, pictures, or folders of numbered frames."),
    ],
    folder: Out,
    model: Model = "small",
    device: Device = None,
    engine: EngineName = None,
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
    batch_size: BatchSize = 4,
    overwrite: Overwrite = False,
) -> None:
    """Predict where people look in clips: overlay, maps, fixations and a report for each.

    Each clip's results are a folder of its name in --out.
    """
    if fps is not None and every is not None:
        raise typer.BadParameter("--fps and --every exclude each other; give one")
    if fps is not None and not math.isfinite(fps):
        raise typer.BadParameter("--fps must be a number of maps a second")
    from lookhear.prediction.results import REPORT, Settings, predict_clips
    from lookhear.prediction.stream import MAPS_PER_SECOND

    settings = Settings(model, fps or MAPS_PER_SECOND, every, maps, overlay)
    done: list[str] = []
    failed = defaultdict[str, list[str]](list)
    for of in predict_clips(
        clips,
        folder,
        settings,
        device=device,
        engine=engine,
        batch_size=batch_size,
        overwrite=overwrite,
        bars=bars("frames"),
    ):
        name = of.clip.name
        if of.was_done:
            done.append(name)
        elif of.error:
            reason = of.error.removeprefix(f"{of.clip}: ")
            failed[reason].append(name)
            if len(failed[reason]) == 1:  # others are told of at the end, all at once
                complain(of.error)
        else:
            if of.problems:
                err.print(f"{name}: {'; '.join(of.problems)}")
            out.print(
                f"{name}: {count(of.frames, 'frame')}, {count(of.maps, 'map')}, "
                f"{of.frames / of.seconds:.0f} frames a second; see {of.folder / REPORT}"
            )
    if done:
        out.print(f"done already in {folder}: {counted('clip', done)}; --overwrite does it again")
    for reason, names in failed.items():
        if len(names) > 1:
            complain(f"{counted('clip', names)}: {reason}")
    if failed:
        without = sum(map(len, failed.values()))
        if len(clips) > 1:
            others = "; the others are done" if without < len(clips) else ""
            complain(f"{without} of {len(clips)} clips failed{others}")
        raise typer.Exit(1)


def demo(
    folder: Out = Path("lookhear-demo"),
) -> None:
    """Render a short clip with sound, predict it, and score it against the known truth."""
    from lookhear.prediction.demo import run_demo

    run_demo(folder, out.print, bars("frames"))
