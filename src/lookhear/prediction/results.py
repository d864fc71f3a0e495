"""A clip's folder of results: overlay, maps, fixations and report, whole or not at all."""

import contextlib
import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lookhear import __version__, maps
from lookhear.errors import LookhearError
from lookhear.files import whole_folder
from lookhear.media import Clip
from lookhear.nets.watching import Watcher
from lookhear.prediction.maps_files import MAPS_NAMES, MapsFormat, open_maps_file
from lookhear.prediction.overlay import OVERLAY_NAMES, open_overlay
from lookhear.prediction.page import ClipFacts, ModelNotes, ReportData, write_report
from lookhear.prediction.stream import (
    BATCH_SIZE,
    BATCHES_UNDER_WAY,
    MAPS_PER_SECOND,
    Attention,
    Glimpse,
)
from lookhear.prediction.summary import AttentionSummary, Collector
from lookhear.show import heat

FIXATIONS, REPORT, SHEET, SETTINGS = (
    "fixations.csv",
    "report.html",
    "contact-sheet.jpg",
    "settings.json",
)
RESULTS = {FIXATIONS, REPORT, SHEET, SETTINGS} | OVERLAY_NAMES | MAPS_NAMES
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
        made = {"clip": clip.name, "bytes": _bytes_of(clip), "lookhear": __version__}
        return made | asdict(self)


def made_with(folder: Path) -> dict[str, Any] | None:
    """Return the :meth:`Settings.describe` of finished results.

    None where there are none, or anything that is not of them: such a folder is somebody's own,
    and must not be replaced.
    """
    try:
        described = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        foreign = {file.name for file in folder.iterdir()} - RESULTS
    except (OSError, ValueError):
        return None
    ours = isinstance(described, dict) and "lookhear" in described and not foreign
    return described if ours else None


def write_results(
    clip: Clip,
    folder: Path,
    watcher: Watcher,
    notes: ModelNotes,
    settings: Settings,
    batch_size: int = BATCH_SIZE,
    advance: Callable[[], None] = lambda: None,
) -> AttentionSummary:
    """Predict an open clip and write all its results into ``folder``, replaced as a whole.

    Args:
        clip: what to predict.
        folder: appears when everything in it is done.
        watcher: of the loaded network.
        notes: about the network, for the report.
        settings: what to make.
        batch_size: frames that go through the network together, at most.
        advance: called after each frame of the clip.

    Raises:
        LookhearError: the clip cannot be decoded, the folder not be written, or the overlay
            would need too much memory.
    """
    if settings.overlay and not clip.is_still:
        batch_size = min(batch_size, _affordable_batch(clip, settings))
    described = json.dumps(settings.describe(clip.path), indent=2)
    with whole_folder(folder) as partial:
        with contextlib.ExitStack() as open_files:
            maps_file = open_files.enter_context(open_maps_file(partial, settings.maps, clip))
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
                maps_file.add(glimpse)
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
                advance()
            for glimpse in attention.finish():
                take(glimpse)
        summary = collector.summary()
        (partial / SHEET).write_bytes(_contact_sheet(summary))
        facts = ClipFacts(
            name=clip.path.name,
            width=clip.width,
            height=clip.height,
            duration=clip.duration,
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
            maps=maps_file.name,
        )
        write_report(partial / REPORT, beside)
        (partial / SETTINGS).write_text(described + "\n", encoding="utf-8")
    return summary


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
    sheet = heat.contact_sheet(
        [still.picture for still in stills],
        [heat.shown(still.attention) for still in stills],
        [still.time for still in stills],
        [still.peak for still in stills],
    )
    return heat.encode_jpeg(sheet)


def _bytes_of(clip: Path) -> int:
    files = clip.iterdir() if clip.is_dir() else [clip]
    return sum(file.stat().st_size for file in files if file.is_file())
