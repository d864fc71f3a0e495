"""The verb that explains: where and when a network sees a class in a clip."""

from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookhear.cli.console import bars, command_line, err, out
from lookhear.cli.options import Device, Out, Overwrite
from lookhear.progress import Progress


class Format(StrEnum):
    """Typer takes no list of literals."""

    VIDEO = "video"
    GIF = "gif"
    PNG = "png"
    SCRIPT = "script"


def explain(
    path: Annotated[
        Path, typer.Argument(metavar="CLIP", help="A video, picture, or folder of numbered frames.")
    ],
    folder: Out,
    network: Annotated[
        str,
        typer.Option(
            help="A video classifier of torchvision such as r3d_18, s3d, mvit_v2_s or swin3d_t; "
            "your own, as module:factory; or the folder of a saved S or SA."
        ),
    ] = "r3d_18",
    weights: Annotated[
        str | None,
        typer.Option(
            help="A file; or random, for an untrained network of torchvision.",
            show_default="the published ones",
        ),
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(help="A file of the classes' names, a line each.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Repeatable: a class by name or number, or top-K for the K most probable.",
            show_default="top-1",
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="tube, for Saliency Tubes, or a method of CAM, such as GradCAM.")
    ] = "tube",
    layer: Annotated[
        str | None,
        typer.Option(help="Whose activations are weighed.", show_default="found by itself"),
    ] = None,
    selection: Annotated[
        Literal["dense", "even", "script"],
        typer.Option(
            "--frames",
            help="dense: all, in windows that overlap; even: as many as fit one window, evenly "
            "spread; script: as even, but rounded down, as the published script of Saliency Tubes "
            "does.",
        ),
    ] = "dense",
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Dense frames a second.", show_default="what the network is used to"
        ),
    ] = None,
    resize: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stretch each frame to a square of so many pixels a side (the script: 256).",
            show_default="the size and shape that the network is used to",
        ),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of that square, show the network only the middle, of so many pixels a side (the "
            "script: 224).",
            show_default="all of it",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Subtracted from red, green and blue: shares of 1, or, if above 1, of 255 (the "
            "script: 124,117,104).",
            show_default="what the network is used to",
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="What they are then divided by, told likewise (the script: 0.229,0.224,0.225).",
            show_default="what the network is used to",
        ),
    ] = None,
    outputs: Annotated[
        Literal["logits", "probabilities"] | None,
        typer.Option(
            help="What your own network gives; one logit alone is taken by the logistic function.",
            show_default="found by itself",
        ),
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format",
            help="Repeatable: what heat and focus are written as; script: PNGs of what the "
            "network saw, drawn and named as the script does.",
            show_default="video",
        ),
    ] = None,
    faithfulness: Annotated[
        bool, typer.Option(help="Measure by deletion and insertion whether it is true.")
    ] = True,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Show where and when a network sees a class in a clip: heat, focus, tube, score over time."""
    from lookhear.tubes.explanation import summary
    from lookhear.tubes.results import REPORT, explain_into

    def shown(what: str, total: int | None) -> AbstractContextManager[Progress]:
        return bars("frames" if what == "writing" else "windows")(what, total)

    explained = explain_into(
        folder,
        path,
        formats=[of.value for of in formats or [Format.VIDEO]],
        command=command_line(),
        overwrite=overwrite,
        progress=shown,
        network=network,
        weights=weights,
        categories=categories,
        labels=label or "top-1",
        method=method,
        layer=layer,
        selection=selection,
        fps=fps,
        resize=resize,
        crop=crop,
        mean=mean,
        std=std,
        outputs=outputs,
        faithfulness=faithfulness,
        device=device,
    )
    if explained.problems:
        err.print(f"{path.name}: {'; '.join(explained.problems)}")
    for line in summary(explained):
        out.print(line)
    out.print(f"{folder / REPORT}: the explanation, to look at")
