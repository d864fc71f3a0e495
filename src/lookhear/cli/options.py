"""Options that several verbs have: the same words, and the same default, for each."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.nets import Engine

Clips = Annotated[
    list[Path],
    typer.Argument(metavar="CLIP", help="Videos, pictures, or folders of numbered frames."),
]
Out = Annotated[Path, typer.Option("--out", help="Folder that gets the results.")]
Model = Annotated[
    str,
    typer.Option(
        help="small, a folder of a saved model, a file of lookhear export, or a name on the hub."
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="Where the network runs, such as cpu or cuda.", show_default="cuda where there is one"
    ),
]
EngineName = Annotated[
    Engine | None,
    typer.Option(
        "--engine",
        help="What runs the network: onnx (ONNX Runtime) or torch (PyTorch).",
        show_default="onnx where the model can, on a CPU; else torch",
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Frames through the network at once.")]
Overwrite = Annotated[bool, typer.Option(help="Replace results that are there.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Decides everything that is left to chance.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="How many work at once.", show_default="one for each core"),
]
Roots = Annotated[
    list[Path] | None,
    typer.Option(
        "--root",
        help="Repeatable: a folder where clips of your own table may lie, beside the table's own.",
        show_default="the table's folder alone",
    ),
]
