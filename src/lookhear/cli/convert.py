"""The verb that takes over published weights."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import out
from lookhear.cli.options import Out


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A state dict: .pth, .safetensors.")],
    kind: Annotated[
        str,
        typer.Option(
            "--as",
            help="Whose weights: sta, audio-switch, scam-s, scam-sa, scam-st, scam-plus-s, "
            "scam-plus-sa, scam-plus-st, sta-plus or vggsound.",
        ),
    ],
    folder: Out,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Order of the classes of S, SA, ST and S+, SA+, ST+: ave (the release), report, "
            "or a file with a line for each, or a JSON list."
        ),
    ] = None,
) -> None:
    """Turn published weights of STANet or VGGSound into a saved model."""
    from lookhear.stanet.published import convert as convert_file

    classes_said = convert_file(file, kind, folder, classes)
    uses = {
        "sta": f"use it with --model {folder}",
        "sta-plus": f"use it with --model {folder}",
        "audio-switch": f"put it into an STA with lookhear train join --switch {folder}",
    }
    parts = (f"{folder}: {kind}, from {file}", classes_said, uses.get(kind, ""))
    out.print("; ".join(filter(None, parts)))
