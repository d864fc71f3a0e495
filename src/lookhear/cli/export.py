"""The verb that writes a network for other engines."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import out


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="small, a folder of a saved model, a run, or a name on the hub."
        ),
    ],
    file: Annotated[Path, typer.Option("--out", help="The file, which ends in .onnx.")],
) -> None:
    """Write a trained network to an ONNX file, which predicts without PyTorch."""
    from lookhear.nets.export import export as export_network

    facts = export_network(model, file)
    out.print(f"{file}: {facts.network}; use it with lookhear predict CLIP --model {file}")
