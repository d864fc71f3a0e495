"""A clip's folder of results: overlay, weights, segments, masks and page, whole or not at all."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lookhear.actions.finding import (
    WEIGHT_FROM,
    Actions,
    Segment,
    check_threshold,
    find_actions,
)
from lookhear.actions.net import WhereWhen
from lookhear.actions.page import Moment, render
from lookhear.clip_results import SETTINGS, Outcome, each_clip, made_from_clip
from lookhear.files import whole_folder, write_whole
from lookhear.maps import Maps, between
from lookhear.media import Clip, open_clip
from lookhear.nets.saved import load_network
from lookhear.prediction.maps_files import write_archive
from lookhear.progress import Bars, no_bars
from lookhear.show import heat
from lookhear.show.films import film_names, open_films
from lookhear.show.lettering import plain

REPORT, WEIGHTS, SEGMENTS, ACTIVITYNET, MASKS = (
    "report.html",
    "weights.csv",
    "segments.csv",
    "activitynet.json",
    "masks.npz",
)
LOOKS = {"overlay": heat.HEAT_LOOK}
RESULTS = {
    *(REPORT, WEIGHTS, SEGMENTS, ACTIVITYNET, MASKS, SETTINGS),
    *("overlay.mp4", "overlay.png"),
}
VERSION = "VERSION 1.3"  # of ActivityNet's, whose form results have
MOMENTS = 8  # pictures on the page
MOMENT_WIDTH = 480  # pixels
TOP = 5  # classes on the page


@dataclass(frozen=True)
class Settings:
    """What decides the results of a clip.

    Attributes:
        model: folder of the network, or of its run.
        threshold: weight from which on a frame is of a segment.
        overlay: whether to make an overlay.
    """

    model: str
    threshold: float = WEIGHT_FROM
    overlay: bool = True

    def describe(self, clip: Path) -> dict[str, Any]:
        """Say from what and how results are made, as kept beside them."""
        return made_from_clip(clip) | {
            "model": self.model,
            "threshold": self.threshold,
            "overlay": self.overlay,
        }


def find_in_clips(
    clips: Sequence[Path],
    out: Path,
    settings: Settings,
    *,
    device: str | None = None,
    overwrite: bool = False,
    command: str = "",
    bars: Bars = no_bars,
) -> Iterator[Outcome[Actions]]:
    """Find actions in clips one after the other; see :func:`~lookhear.clip_results.each_clip`.

    At the end, ``out`` gets the segments of all in ActivityNet's form.

    Args:
        clips: where to look.
        out: gets a folder of results for each, of the clip's name.
        settings: what to make.
        device: where the network runs; CUDA where there is one, if left out.
        overwrite: whether to replace results that are there.
        command: by which this is made again, for the pages.
        bars: show how many frames of a clip are done.

    Raises:
        LookhearError: the model or the device cannot be used, or two clips would have one folder.
    """
    check_threshold(settings.threshold)
    net = load_network(WhereWhen, settings.model, device).folded()

    def make(path: Path, folder: Path) -> Actions:
        clip = open_clip(path)
        found = find_actions(clip, net, threshold=settings.threshold, progress=bars)
        write_actions(folder, clip, found, settings, command, bars)
        return found

    results: dict[str, Any] = {}
    for of in each_clip(clips, out, make, settings.describe, RESULTS, overwrite=overwrite):
        yield of
        kept = of.folder / ACTIVITYNET
        if not of.error and kept.is_file():
            results |= json.loads(kept.read_text(encoding="utf-8"))["results"]
    if results:
        write_whole(out / ACTIVITYNET, _activitynet(results, settings.model))


def write_actions(
    folder: Path,
    clip: Clip,
    found: Actions,
    settings: Settings,
    command: str = "",
    bars: Bars = no_bars,
) -> None:
    """Write all that was found in a clip into a folder, replaced as a whole.

    Raises:
        LookhearError: the clip cannot be decoded, or the folder not be written.
    """
    shown = _Shown(found)
    moments = _moments(found)
    pictures: dict[int, Moment] = {}
    with whole_folder(folder) as partial:
        with (
            open_films(partial, clip, ["video"] * settings.overlay, looks=LOOKS) as film,
            bars("writing", clip.frame_count) as progress,
        ):
            left = [*moments]
            for frame in clip.frames():
                if settings.overlay or clip.is_still:
                    film(frame, [shown.at(frame.time)])
                while left and found.times[left[0]] <= frame.time:
                    picture = heat.thumbnail(frame.rgb(), min(MOMENT_WIDTH, clip.width))
                    index = left.pop(0)
                    pictures[index] = shown.moment(index, picture)
                progress(1)
        films = film_names(clip, ["video"], LOOKS) if settings.overlay else []
        page = render(
            found,
            [pictures[index] for index in moments if index in pictures],
            top=found.top(TOP),
            threshold=settings.threshold,
            overlay=films[0][0] if films else None,
            model=settings.model,
            problems=tuple(dict.fromkeys((*found.problems, *clip.problems))),
            command=command,
        )
        write_whole(partial / REPORT, page)
        _write_weights(partial / WEIGHTS, found)
        _write_table(
            partial / SEGMENTS,
            ["label", "score", "start", "end"],
            (
                [plain(of.label), f"{of.score:.4f}", f"{of.start:.3f}", f"{of.end:.3f}"]
                for of in found.segments
            ),
        )
        results = {clip.path.stem: [_described(of) for of in found.segments]}
        write_whole(partial / ACTIVITYNET, _activitynet(results, settings.model))
        write_archive(
            partial / MASKS,
            "masks",
            found.masks.shape,
            (mask.astype(np.float16).tobytes() for mask in found.masks),
            times=found.times,
            weights=found.weights,
        )
        settled = json.dumps(settings.describe(clip.path), indent=2)
        write_whole(partial / SETTINGS, settled + "\n")


class _Shown:
    """What is laid over frames: the mask, as strong as its frame counts."""

    def __init__(self, found: Actions) -> None:
        self._found = found
        self._strength = found.weights / max(float(found.weights.max()), 1e-9)
        self._map = lru_cache(4)(self._drawn)

    def at(self, moment: float) -> Maps:
        """The map of a time in seconds, between the maps of the frames around it."""
        times = self._found.times
        after = int(np.searchsorted(times, moment))
        if after == 0 or after == len(times):
            return self._map(min(after, len(times) - 1))
        start, end = times[after - 1], times[after]
        share = float((moment - start) / (end - start))
        return between(self._map(after - 1), self._map(after), share)

    def moment(self, index: int, picture: heat.Pixels) -> Moment:
        """A frame that was looked at, for the page, with its box."""
        found = self._found
        height, width = found.size
        box = (found.boxes[index] / (width, height, width, height)).tolist()
        blended = heat.blend_rgb(picture, self._map(index))
        time_, weight = float(found.times[index]), float(found.weights[index])
        return Moment(time_, weight, heat.outlined(blended, box))

    def _drawn(self, index: int) -> Maps:
        drawn = heat.shown_map(self._found.masks[index]) * np.float32(self._strength[index])
        return np.asarray(drawn, np.float32)


def _moments(found: Actions) -> list[int]:
    """Which of the frames to show: evenly spaced, but the one that counts most for the nearest."""
    count = min(MOMENTS, len(found.times))
    even = np.linspace(0, len(found.times) - 1, count).round().astype(int).tolist()
    most = int(found.weights.argmax())
    even.remove(min(even, key=lambda index: abs(index - most)))
    return sorted({*even, most})


def _write_weights(path: Path, found: Actions) -> None:
    """Write how each frame is weighed, its box and its weights for the top classes, as CSV."""
    tops = [found.categories.index(of.label) for of in found.top(TOP)]
    columns = ["time", "weight", "attention", "left", "top", "right", "bottom"]
    _write_table(
        path,
        [*columns, *(plain(found.categories[k]) for k in tops)],
        (
            [
                f"{moment:.3f}",
                f"{weight:.4f}",
                f"{attention:.4f}",
                *(f"{side:.1f}" for side in box),
                *(f"{value:.4f}" for value in of_class),
            ]
            for moment, weight, attention, box, of_class in zip(
                found.times.tolist(),
                found.weights.tolist(),
                found.attention.tolist(),
                found.boxes.tolist(),
                found.of_class[:, tops].tolist(),
                strict=True,
            )
        ),
    )


def _write_table(path: Path, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        csv.writer(file).writerows([heads, *rows])


def _described(segment: Segment) -> dict[str, Any]:
    stretch = [round(segment.start, 3), round(segment.end, 3)]
    return {"label": segment.label, "score": round(segment.score, 4), "segment": stretch}


def _activitynet(results: dict[str, Any], model: str) -> str:
    """Results in ActivityNet's form: clip -> its segments."""
    described = {
        "version": VERSION,
        "results": results,
        "external_data": {"used": True, "details": f"lookhear, {model}"},
    }
    return json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
