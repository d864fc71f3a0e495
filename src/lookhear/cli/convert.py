"""The verb that takes over published weights."""

from pathlib import Path
from typing import Annotated

import typer

from lookhear.cli.console import out
from lookhear.cli.options import Out
from lookhear.errors import LookhearError


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A state dict: .pth, .safetensors.")],
    kind: Annotated[
        str,
        typer.Option(
            "--as",
            help="Whose weights: sta, audio-switch, scam-s, scam-sa, scam-st, scam-plus-s, "
            "scam-plus-sa, scam-plus-st, sta-plus or vggsound; where-when-plain or "
            "where-when-recurrent.",
        ),
    ],
    folder: Out,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Order of the classes of S, SA, ST and S+, SA+, ST+: ave (the release), report, "
            "or a file with a line for each, or a JSON list. Of where-when: a file."
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Of where-when, whose weights lack the backbone: a name that timm knows, or a "
            "file, of ResNet-50's.",
            show_default="resnet50.tv_in1k",
        ),
    ] = None,
) -> None:
    """Turn published weights of STANet, VGGSound or Where and when to look into a saved model."""
    if kind.startswith("where-when"):
        from lookhear.actions.published import RESNET50
        from lookhear.actions.published import convert as convert_actions

        names = None if classes is None else Path(classes)
        convert_actions(file, kind, folder, names, pretrained or RESNET50)
        out.print(f"{folder}: {kind}, from {file}; use it with lookhear actions --model {folder}")
        return
    if pretrained is not None:
        raise LookhearError(f"--pretrained: {kind} brings all its weights; leave it out")
    from lookhear.stanet.published import convert as convert_file

    classes_said = convert_file(file, kind, folder, classes)
    uses = {
        "sta": f"use it with --model {folder}",
        "sta-plus": f"use it with --model {folder}",
        "audio-switch": f"put it into an STA with lookhear train join --switch {folder}",
    }
    parts = (f"{folder}: {kind}, from {file}", classes_said, uses.get(kind, ""))
    out.print("; ".join(filter(None, parts)))
