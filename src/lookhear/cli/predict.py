"""The verbs that predict: predict and demo."""

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookhear.cli.console import bars, out, tell
from lookhear.cli.options import BatchSize, Clips, Device, EngineName, Model, Out, Overwrite
from lookhear.words import count

# Help or a wrong option should not wait for what takes long to import: the verb that uses it does.


def predict(
    clips: Clips,
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
    from lookhear.prediction.results import REPORT, Predicted, Settings, predict_clips
    from lookhear.prediction.stream import MAPS_PER_SECOND

    settings = Settings(model, fps or MAPS_PER_SECOND, every, maps, overlay)
    outcomes = predict_clips(
        clips,
        folder,
        settings,
        device=device,
        engine=engine,
        batch_size=batch_size,
        overwrite=overwrite,
        bars=bars("frames"),
    )

    def line(made: Predicted) -> str:
        speed = made.frames / made.seconds
        return (
            f"{count(made.frames, 'frame')}, {count(made.maps, 'map')}, {speed:.0f} frames a second"
        )

    tell(outcomes, folder, REPORT, line)


def demo(
    folder: Out = Path("lookhear-demo"),
) -> None:
    """Render a short clip with sound, predict it, and score it against the known truth."""
    from lookhear.prediction.demo import run_demo

    run_demo(folder, out.print, bars("frames"))
