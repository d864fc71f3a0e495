"""A clip's folder of results: overlay, maps, fixations and report, whole or not at all."""

import contextlib
import csv
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lookhear import maps
from lookhear.clip_results import SETTINGS, Outcome, each_clip, made_from_clip
from lookhear.errors import LookhearError
from lookhear.files import whole_folder, write_whole
from lookhear.media import Clip, open_clip
from lookhear.media.stills import encode_jpeg
from lookhear.nets import Engine
from lookhear.nets.saved import card_sections, load_watcher, located
from lookhear.nets.watching import Watcher
from lookhear.prediction.maps_files import ARCHIVE, FOLDER, MapsFormat, open_maps
from lookhear.prediction.overlay import OVERLAY_NAMES, open_overlay
from lookhear.prediction.page import ClipFacts, ModelNotes, ReportData, render
from lookhear.prediction.stream import (
    BATCH_SIZE,
    BATCHES_UNDER_WAY,
    MAPS_PER_SECOND,
    Attention,
    Glimpse,
)
from lookhear.prediction.summary import AttentionSummary, Collector
from lookhear.progress import Bars, Progress, no_bars, unseen
from lookhear.show import heat
from lookhear.show.panels import contact_sheet

FIXATIONS, REPORT, SHEET = "fixations.csv", "report.html", "contact-sheet.jpg"
SHEET_QUALITY = 82  # of JPEG
RESULTS = {FIXATIONS, REPORT, SHEET, SETTINGS} | OVERLAY_NAMES | {ARCHIVE, FOLDER}
PEAKS = 5
WAITING_BYTES = 256 * 2**20  # of decoded frames that wait for their map; shrinks the batch
MOST_WAITING_BYTES = 8 * WAITING_BYTES  # even with the smallest batch
BYTES_A_PIXEL = 3  # at most, of 8-bit frames
GUESSED_FRAME_RATE = 30.0


@dataclass(frozen=True)
class Settings:
    """What decides the results of a clip.

    Attributes:
        model: what :func:`lookhear.load_model` took.
        fps: maps a second.
        every: instead, a map of every so many frames.
        maps: how the maps are kept.
        overlay: whether to make an overlay.
    """

    model: str = "small"
    fps: float = MAPS_PER_SECOND
    every: int | None = None
    maps: MapsFormat = "npz"
    overlay: bool = True

    def describe(self, clip: Path) -> dict[str, Any]:
        """Say from what and how results are made, as kept beside them."""
        return made_from_clip(clip) | asdict(self)


class Predicted(NamedTuple):
    """What was made of a clip.

    Attributes:
        frames: how many were read.
        maps: how many were made.
        seconds: that it took.
        problems: what could not be decoded, a line each.
    """

    frames: int
    maps: int
    seconds: float
    problems: tuple[str, ...]


def predict_clips(
    clips: Sequence[Path],
    out: Path,
    settings: Settings,
    *,
    device: str | None = None,
    engine: Engine | None = None,
    batch_size: int = BATCH_SIZE,
    overwrite: bool = False,
    bars: Bars = no_bars,
) -> Iterator[Outcome[Predicted]]:
    """Predict clips one after the other; see :func:`~lookhear.clip_results.each_clip`.

    Args:
        clips: what to predict.
        out: gets a folder of results for each, of the clip's name.
        settings: what to make.
        device: where the network runs; CUDA where there is one if left out.
        engine: by what; see :func:`~lookhear.nets.saved.load_watcher`.
        batch_size: frames that go through the network together, at most.
        overwrite: whether to replace results that are there.
        bars: show how many frames of a clip are done.

    Raises:
        LookhearError: the model or the device cannot be used, or two clips would have one folder.
    """
    model = located(settings.model)  # once, as it may be on the hub
    watcher = load_watcher(model, device, engine)
    notes = ModelNotes(settings.model, card_sections(model))

    def make(path: Path, folder: Path) -> Predicted:
        clip = open_clip(path)
        with bars(path.name, clip.frame_count) as progress:
            return write_results(clip, folder, watcher, notes, settings, batch_size, progress)

    yield from each_clip(clips, out, make, settings.describe, RESULTS, overwrite=overwrite)


def write_results(
    clip: Clip,
    folder: Path,
    watcher: Watcher,
    notes: ModelNotes,
    settings: Settings,
    batch_size: int = BATCH_SIZE,
    progress: Progress = unseen,
) -> Predicted:
    """Predict an open clip and write all its results into ``folder``, replaced as a whole.

    Args:
        clip: what to predict.
        folder: appears when everything in it is done.
        watcher: of the loaded network.
        notes: about the network, for the report.
        settings: what to make.
        batch_size: frames that go through the network together, at most.
        progress: is told of each frame of the clip.

    Raises:
        LookhearError: the clip cannot be decoded, the folder not be written, or the overlay
            would need too much memory.
    """
    started, frames, end = time.monotonic(), 0, 0.0
    if settings.overlay and not clip.is_still:
        batch_size = min(batch_size, _affordable_batch(clip, settings))
    described = json.dumps(settings.describe(clip.path), indent=2)
    with whole_folder(folder) as partial:
        with contextlib.ExitStack() as open_files:
            keep = open_files.enter_context(open_maps(partial, settings.maps, clip))
            overlay = open_files.enter_context(open_overlay(partial, settings.overlay, clip))
            fixations = open_files.enter_context(
                (partial / FIXATIONS).open("w", newline="", encoding="utf-8")
            )
            table = csv.writer(fixations)
            table.writerow(["time", "rank", "x", "y", "strength"])
            collector = Collector()

            def take(glimpse: Glimpse) -> None:
                found = maps.peaks(glimpse.map, PEAKS)
                picture = glimpse.picture if collector.wants_picture else None
                collector.add(glimpse.time, glimpse.map, found, picture)
                keep(glimpse.map, glimpse.time)
                overlay.add_map(glimpse)
                for rank, peak in enumerate(found, 1):
                    x, y = peak.in_pixels(clip.width, clip.height)
                    place = f"{x:.1f}", f"{y:.1f}", f"{peak.strength:.4f}"
                    table.writerow([f"{glimpse.time:.3f}", rank, *place])

            attention = open_files.enter_context(
                Attention(
                    clip, watcher, fps=settings.fps, every=settings.every, batch_size=batch_size
                )
            )
            for frame in clip.frames():
                overlay.add_frame(frame)
                for glimpse in attention.push(frame):
                    take(glimpse)
                frames, end = frames + 1, frame.time + frame.duration
                progress(1)
            for glimpse in attention.finish():
                take(glimpse)
        summary = collector.summary()
        (partial / SHEET).write_bytes(_contact_sheet(summary))
        facts = ClipFacts(
            name=clip.path.name,
            width=clip.width,
            height=clip.height,
            duration=max(clip.duration or 0.0, end),
            frame_rate=clip.frame_rate,
            has_sound=clip.has_sound,
        )
        beside = ReportData(
            clip=facts,
            attention=summary,
            model=notes,
            problems=tuple(clip.problems),
            overlay=overlay.name,
            fixations=FIXATIONS,
            maps={"npz": ARCHIVE, "png": FOLDER}.get(settings.maps),
        )
        write_whole(partial / REPORT, render(beside))
        (partial / SETTINGS).write_text(described + "\n", encoding="utf-8")
    seconds = time.monotonic() - started
    return Predicted(frames, len(summary.times), seconds, tuple(clip.problems))


def _affordable_batch(clip: Clip, settings: Settings) -> int:
    """Choose a batch for which the frames that wait for their map fit ``WAITING_BYTES``."""
    rate = clip.frame_rate or GUESSED_FRAME_RATE
    frames_a_look = settings.every or max(rate / settings.fps, 1)
    if clip.frame_count:
        frames_a_look = min(frames_a_look, clip.frame_count)
    bytes_a_look = frames_a_look * clip.width * clip.height * BYTES_A_PIXEL
    batches = BATCHES_UNDER_WAY + 1
    if bytes_a_look * (batches + 1) > MOST_WAITING_BYTES:
        raise LookhearError(
            f"{clip.path}: its overlay would hold {bytes_a_look * batches / 1e9:.0f} GB of frames "
            "between maps that far apart; raise --fps, lower --every, or use --no-overlay"
        )
    return max(1, int(WAITING_BYTES / bytes_a_look / batches))


def _contact_sheet(summary: AttentionSummary) -> bytes:
    stills = summary.shown_stills()
    sheet = contact_sheet(
        [still.picture for still in stills],
        [heat.shown(still.attention) for still in stills],
        [still.time for still in stills],
        [still.peak for still in stills],
    )
    return encode_jpeg(sheet, SHEET_QUALITY, optimize=True)
