"""The verb that explains: where and when a network sees a class in a clip."""

import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookhear.cli.console import err, out, progress_bar
from lookhear.cli.options import Device, Out, Overwrite


class Format(StrEnum):
    """Typer takes no list of literals."""

    VIDEO = "video"
    GIF = "gif"
    PNG = "png"


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
            help="A class by name or number, or top-K for the K most probable; may be repeated.",
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
        Literal["dense", "even"],
        typer.Option(
            "--frames", help="All, in windows that overlap; or as many as fit one, evenly spread."
        ),
    ] = "dense",
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Dense frames a second.", show_default="what the network is used to"
        ),
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Of heat and focus; may be repeated.", show_default="video"),
    ] = None,
    faithfulness: Annotated[
        bool, typer.Option(help="Measure by deletion and insertion whether it is true.")
    ] = True,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Show where and when a network sees a class in a clip: heat, focus, tube, score over time."""
    from lookhear.files import check_replaceable
    from lookhear.media import open_clip
    from lookhear.show.heat import time_label
    from lookhear.show.lettering import plain
    from lookhear.tubes.explaining import explain as explain_clip
    from lookhear.tubes.results import RESULTS, write_explanation

    check_replaceable(folder, RESULTS, overwrite=overwrite)
    clip = open_clip(path)
    with progress_bar("windows") as progress:

        def begin(what: str, total: int | None) -> Callable[[int], None]:
            bar = progress.add_task(what, total=total)
            return partial(progress.advance, bar)

        explained = explain_clip(
            path,
            network,
            weights=weights,
            categories=categories,
            labels=label or "top-1",
            method=method,
            layer=layer,
            selection=selection,
            fps=fps,
            faithfulness=faithfulness,
            device=device or "cpu",
            begin=begin,
        )
    command = shlex.join(["lookhear", *sys.argv[1:]])
    with progress_bar("frames") as progress:
        bar = progress.add_task("writing", total=clip.frame_count)
        write_explanation(
            folder,
            clip,
            explained,
            [of.value for of in formats or [Format.VIDEO]],
            command,
            lambda: progress.advance(bar),
        )
    for problem in explained.problems:
        err.print(f"{path.name}: {problem}")
    chosen = f"layer {explained.layer}"
    if explained.head:
        chosen += f", prediction layer {explained.head}"
    out.print(f"{explained.network}: {explained.method} of {chosen}")
    for place, (found, tube) in enumerate(zip(explained.labels, explained.tubes, strict=True)):
        line = (
            f"{plain(found.name)}: probability {explained.probabilities[:, place].mean():.3f}, "
            f"strongest at {time_label(explained.times[tube.peak()])}"
        )
        if explained.faithfulness:
            of = explained.faithfulness[place]
            gone, came, random_gone, random_came = map(
                of.area, (of.deletion, of.insertion, of.random_deletion, of.random_insertion)
            )
            line += (
                f"; deletion {gone:.3f} (moved elsewhere {random_gone:.3f}), "
                f"insertion {came:.3f} (moved elsewhere {random_came:.3f})"
            )
        out.print(line)
    out.print(f"{folder / 'report.html'}: the explanation, to look at")
