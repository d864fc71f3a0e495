"""The verb that takes over published weights."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import out
from lookhear.cli.options import Out


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A state dict: .pth, .safetensors.")],
    kind: Annotated[
        str, typer.Option("--as", help="Whose weights: sta, scam-s, scam-st or vggsound.")
    ],
    folder: Out,
) -> None:
    """Turn published weights of STANet or VGGSound into a saved model."""
    from lookhear.stanet.published import convert as convert_file

    convert_file(file, kind, folder)
    use = f"; use it with --model {folder}" if kind == "sta" else ""
    out.print(f"{folder}: {kind}, from {file}{use}")
