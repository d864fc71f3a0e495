"""The verbs that predict: predict and demo."""

import math
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lookhear.cli.console import Device, Model, complain, count, err, out, progress_bar
from lookhear.errors import LookhearError

# PyTorch takes seconds to import, and help or a wrong option should not wait for it: what needs
# it is imported by the verb that uses it.
if TYPE_CHECKING:
    from lookhear.nets.watching import Watcher
    from lookhear.prediction.page import ModelNotes
    from lookhear.prediction.results import Settings


def predict(
    clips: Annotated[
        list[Path], typer.Argument(help="Videos, pictures, or folders of numbered frames.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="Gets a folder of results for each clip.")],
    model: Model = "small",
    device: Device = "cpu",
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
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Frames through the network at once.", show_default="4"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace results that are there.")] = False,
) -> None:
    """Predict where people look in clips: overlay, maps, fixations and a report for each."""
    if fps is not None and every is not None:
        raise typer.BadParameter("--fps and --every exclude each other; give one")
    if fps is not None and not math.isfinite(fps):
        raise typer.BadParameter("--fps must be a number of maps a second")
    from lookhear.nets.saved import card_sections, load_watcher, model_folder
    from lookhear.prediction.page import ModelNotes
    from lookhear.prediction.results import Settings
    from lookhear.prediction.stream import BATCH_SIZE

    model_files = model_folder(model)
    watcher = load_watcher(model_files, device)
    notes = ModelNotes(model, card_sections(model_files))
    settings = Settings(model=model, every=every, maps=maps, overlay=overlay)
    if fps is not None:
        settings = replace(settings, fps=fps)

    failed = 0
    for clip, results in zip(clips, _result_folders(clips, folder), strict=True):
        try:
            if not _is_done(clip, results, settings, overwrite):
                _predict_one(clip, results, watcher, notes, settings, batch_size or BATCH_SIZE)
        except (LookhearError, OSError) as error:
            complain(str(error))
            failed += 1
    if failed and len(clips) > 1:
        complain(f"{failed} of {len(clips)} clips failed; the others are done")
    if failed:
        raise typer.Exit(1)


def demo(
    folder: Annotated[Path, typer.Option("--out", help="Gets the scene and its results.")] = Path(
        "lookhear-demo"
    ),
) -> None:
    """Render a short clip with sound, predict it, and score it against the known truth."""
    from lookhear.nets.saved import card_sections, load_watcher
    from lookhear.prediction.demo import run_demo
    from lookhear.prediction.page import ModelNotes

    watcher, notes = load_watcher("small"), ModelNotes("small", card_sections("small"))
    with progress_bar("frames") as progress:
        bar = progress.add_task("predicting", total=None)
        run_demo(folder, out.print, watcher, notes, advance=lambda: progress.advance(bar))


def _result_folders(clips: list[Path], folder: Path) -> list[Path]:
    """Name each clip's folder after its file, with the suffix where stems coincide."""
    files = [Path(os.path.abspath(clip)) for clip in clips]  # noqa: PTH100 (keeps links)
    stems = Counter(file.stem.casefold() for file in files)
    usable = [stems[file.stem.casefold()] == 1 and file.stem.strip(".") for file in files]
    names = [file.stem if ok else file.name for file, ok in zip(files, usable, strict=True)]
    counts = Counter(name.casefold() for name in names)
    for name in names:
        if counts[name.casefold()] > 1:
            raise LookhearError(
                f"{folder / name}: would be written for {counts[name.casefold()]} clips; run them "
                "one by one, each with its own --out"
            )
    return [folder / name for name in names]


def _is_done(clip: Path, results: Path, settings: "Settings", overwrite: bool) -> bool:
    """Say whether results are there already; protect what is not ours to replace."""
    from lookhear.prediction.results import made_with

    if not clip.exists() or not results.exists():
        return False
    if clip.resolve().is_relative_to(results.resolve()):
        raise LookhearError(f"{clip}: lies in {results}, where results go; choose another --out")
    made = made_with(results)
    if made is None:
        raise LookhearError(f"{results}: holds more than results; choose another --out")
    if overwrite:
        return False
    if made != settings.describe(clip):
        raise LookhearError(
            f"{results}: holds results of another clip or other settings; use --overwrite or "
            "another --out"
        )
    out.print(f"{clip.name}: done already in {results}; --overwrite does it again")
    return True


def _predict_one(
    clip_path: Path,
    results: Path,
    watcher: "Watcher",
    notes: "ModelNotes",
    settings: "Settings",
    batch_size: int,
) -> None:
    from lookhear.media import open_clip
    from lookhear.prediction.results import REPORT, write_results

    clip = open_clip(clip_path)
    started = time.monotonic()
    with progress_bar("frames") as progress:
        bar = progress.add_task(clip_path.name, total=clip.frame_count)
        summary = write_results(
            clip, results, watcher, notes, settings, batch_size, lambda: progress.advance(bar)
        )
        frames = int(progress.tasks[bar].completed)
    for problem in clip.problems:
        err.print(f"{clip_path.name}: {problem}")
    rate = frames / (time.monotonic() - started)
    out.print(
        f"{clip_path.name}: {count(frames, 'frame')}, {count(len(summary.times), 'map')}, "
        f"{rate:.0f} frames a second; see {results / REPORT}"
    )
