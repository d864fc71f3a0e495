"""A clip's folder of results: what is seen and heard, as a film, a table and a page."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lookhear import __version__
from lookhear.clip_results import SETTINGS, Outcome, each_clip, made_from_clip
from lookhear.events.finding import Events, Span, gathered, judged
from lookhear.events.net import EventNet
from lookhear.events.overlay import MOST_TAGS, OVERLAY_NAMES, Drawing, names_of, open_overlay
from lookhear.events.page import render
from lookhear.events.seconds import MIDDLE
from lookhear.files import whole_folder
from lookhear.media import Clip, open_clip
from lookhear.media.ticks import Due
from lookhear.nets.saved import load_network
from lookhear.progress import Bars, Progress, no_bars
from lookhear.show.heat import Pixels

TABLE, FOUND, REPORT = "events.csv", "events.json", "report.html"
RESULTS = {TABLE, FOUND, REPORT, SETTINGS} | OVERLAY_NAMES
COLUMNS = ("tag", "modality", "start", "end", "left", "top", "right", "bottom", "score")


def find_in_clips(
    clips: Sequence[Path],
    out: Path,
    model: str | Path,
    *,
    forest: Path | None = None,
    overlay: bool = True,
    device: str | None = None,
    overwrite: bool = False,
    command: str = "",
    bars: Bars = no_bars,
) -> Iterator[Outcome[Events]]:
    """Find events in clips one after the other; see :func:`~lookhear.clip_results.each_clip`.

    Args:
        clips: what to look and listen into.
        out: gets a folder of results for each, of the clip's name.
        model: see `find_events`.
        forest: likewise.
        overlay: whether to make the film.
        device: where the network runs; CUDA where there is one if left out.
        overwrite: whether to replace results that are there.
        command: by which they are made, for the page.
        bars: show how many seconds of a clip are done.

    Raises:
        LookhearError: the model or the device cannot be used, or two clips would have one folder.
    """
    net = load_network(EventNet, model, device)
    told = {"model": str(model), "edges": forest and forest.name, "overlay": overlay}

    def describe(path: Path) -> dict[str, Any]:
        return made_from_clip(path) | told

    def make(path: Path, folder: Path) -> Events:
        clip = open_clip(path)
        seconds = round(clip.duration) if clip.duration else None
        with bars(path.name, seconds) as progress:
            events = gathered(net, judged(clip, net, forest, progress), clip)
        with (
            bars(f"drawing {path.name}", clip.frame_count) as progress,
            whole_folder(folder) as partial,
        ):
            stills, poster = _draw(partial, clip, events, progress, overlay=overlay)
            page = render(
                clip,
                events,
                net,
                model=str(model),
                stills=stills,
                overlay=names_of(clip)[0] if overlay else None,
                poster=poster,
                command=command,
            )
            (partial / REPORT).write_text(page, encoding="utf-8", errors="replace")
            _write_table(partial / TABLE, clip, events)
            described = {"clip": path.name, "model": str(model)} | _described(clip, events)
            for name, content in ((FOUND, described), (SETTINGS, describe(path))):
                text = json.dumps(content, indent=1, ensure_ascii=False)
                (partial / name).write_text(f"{text}\n", encoding="utf-8", errors="replace")
        return events

    yield from each_clip(clips, out, make, describe, RESULTS, overwrite=overwrite)


def _draw(
    folder: Path, clip: Clip, events: Events, progress: Progress, *, overlay: bool
) -> tuple[list[tuple[str, float, Pixels]], Pixels]:
    """Write the film, if it is wanted; return the frame in which each tag is seen best.

    With them comes what the film shows until it is played: the first of these frames.
    """
    drawing = Drawing(clip, events)
    best = {tag.name: _best(events, tag.name) for tag in events.tags[:MOST_TAGS]}
    times = {tag: span.start + MIDDLE for tag, span in best.items() if span is not None}
    stills: dict[str, tuple[str, float, Pixels]] = {}
    due = {tag: Due([time]) for tag, time in times.items()}
    poster, of_poster = None, Due([next(iter(times.values()), 0.0)])
    width = round(clip.width * clip.sample_aspect_ratio)
    with ExitStack() as opened:
        film = opened.enter_context(open_overlay(folder, clip, drawing)) if overlay else None
        for frame in clip.frames():
            if film is not None:
                film.add(frame)
            elif len(stills) == len(times) and poster is not None:
                break
            if of_poster.by(frame.time) or poster is None:
                poster = drawing.drawn(frame)
            for tag, ticks in due.items():
                if ticks.by(frame.time):
                    picture = frame.rgb((clip.height, width))
                    shown = drawing.with_boxes(picture, times[tag])
                    stills[tag] = (tag, times[tag], shown)
            progress(1)
    assert poster is not None  # else frames() had raised
    return [stills[tag] for tag in times if tag in stills], poster


def _best(events: Events, tag: str) -> Span | None:
    seen = [span for span in events.spans if span.tag == tag and span.box is not None]
    return max(seen, key=lambda span: span.score, default=None)


def _write_table(path: Path, clip: Clip, events: Events) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for span in events.spans:
            box = [f"{side:.1f}" for side in _in_pixels(span, clip)] or [""] * 4
            times = f"{span.start:.2f}", f"{span.end:.2f}"
            table.writerow([span.tag, span.modality, *times, *box, f"{span.score:.4f}"])


def _in_pixels(span: Span, clip: Clip) -> list[float]:
    """A span's box in pixels of the clip's frames, edges of the picture being 0 and its sides."""
    if span.box is None:
        return []
    sides = (clip.width, clip.height) * 2
    return [share * side for share, side in zip(span.box, sides, strict=True)]


def _described(clip: Clip, events: Events) -> dict[str, Any]:
    return {
        "seconds": events.seconds,
        "threshold": round(events.threshold, 4),
        "tags": [{"tag": tag.name, "score": round(tag.score, 4)} for tag in events.tags],
        "events": [
            {
                "tag": span.tag,
                "modality": span.modality,
                "start": round(span.start, 3),
                "end": round(span.end, 3),
                "score": round(span.score, 4),
            }
            | ({"box": [round(x, 1) for x in box]} if (box := _in_pixels(span, clip)) else {})
            for span in events.spans
        ],
        "scores": {name: round(score, 4) for name, score in events.scores.items()},
        "problems": events.problems,
        "lookhear": __version__,
    }
