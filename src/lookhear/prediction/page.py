"""One self-contained HTML page about where attention went in a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markdown_it import MarkdownIt
from markupsafe import Markup
from numpy.typing import NDArray

from lookhear.media.stills import encode_png
from lookhear.prediction.summary import AttentionSummary, Stay, Still, stays
from lookhear.show import heat, page
from lookhear.show.axes import Axes, Scale
from lookhear.show.heat import Pixels
from lookhear.words import count, place_name, time_label

MOST_PLOT_POINTS = 600
MOST_STAYS = 6

# A model's card is a stranger's: no HTML of its own, and nothing fetched from elsewhere.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

_DARK = (22, 12, 38)
_RIBBON_HEAT = np.vstack(
    [np.linspace(_DARK, heat.HEAT[0], 64), heat.HEAT[np.linspace(0, 255, 192).astype(int)]]
).astype(np.uint8)
"""The heat of the overlay, but fading to dark where the overlay is clear; uint8 (256, 3)."""


@dataclass(frozen=True)
class ClipFacts:
    """What is known about the clip: sides in pixels, as shown; seconds; mean frames a second.

    Duration and frame rate are None for a still picture, or where they are unknown.
    """

    name: str
    width: int
    height: int
    duration: float | None
    frame_rate: float | None
    has_sound: bool


@dataclass(frozen=True)
class ModelNotes:
    """The model's name, and headings with what a reader must know, in Markdown with tables."""

    name: str
    sections: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportData:
    """All that a report shows.

    Attributes:
        clip: Facts about the clip.
        attention: Summary of at least one map.
        model: Facts about the model.
        problems: One line for each thing that could not be decoded.
        overlay: Name of the video or picture beside the report, if there is one.
        fixations: Name of the CSV file beside it, if there is one.
        maps: Name of the .npz file or the folder of PNG beside it, if there is one.
    """

    clip: ClipFacts
    attention: AttentionSummary
    model: ModelNotes
    problems: tuple[str, ...] = ()
    overlay: str | None = None
    fixations: str | None = None
    maps: str | None = None


def render(data: ReportData) -> str:
    """The HTML text of the report."""
    clip, attention = data.clip, data.attention
    moves = len(attention.times) > 1
    stills = attention.shown_stills()
    pictures = [page.picture(_overlaid(still)) for still in stills]
    richest = max(range(len(stills)), key=lambda index: stills[index].picture.std(), default=0)
    longest = sorted(stays(attention), key=lambda stay: -stay.length)
    return page.render(
        "prediction",
        title=clip.name,
        facts=_facts(clip, len(attention.times)),
        data=data,
        columns=min(len(stills), 4 if clip.width >= clip.height else 6),
        stills=[*zip(stills, pictures, strict=True)],
        in_words=heat.in_words,
        place_name=place_name,
        findings=_findings(attention, longest),
        ribbons=_ribbons(attention) if moves else (),
        lone=longest[0] if longest else None,
        stays=longest[:MOST_STAYS] if moves else [],
        concentration=_concentration(attention) if moves else None,
        notes=[(head, Markup(_MARKDOWN.render(text))) for head, text in data.model.sections],
        poster=pictures[richest].address if pictures else "",
    )


def _overlaid(still: Still) -> Pixels:
    blended = heat.blend_rgb(still.picture, heat.shown(still.attention))
    return heat.mark(blended, still.peak) if still.peak else blended


def _facts(clip: ClipFacts, number: int) -> Iterator[str]:
    yield f"{clip.width} by {clip.height} pixels"
    if clip.duration:
        yield f"{time_label(clip.duration)} long"
    if clip.frame_rate:
        yield f"{clip.frame_rate:.4g} frames a second"
    yield "with sound" if clip.has_sound else "without sound"
    yield count(number, "attention map")


def _findings(attention: AttentionSummary, longest: Sequence[Stay]) -> Iterator[tuple[str, str]]:
    moves = len(attention.times) > 1
    mean = f"{attention.half_area.mean():.1%}"
    yield mean, "of the picture holds half of the attention" + (", on average" if moves else "")
    if moves and longest:
        place = place_name(longest[0].x, longest[0].y)
        yield f"{longest[0].length:.1f} s", f"is the longest stay in one place: {place}"
        seen = ~np.isnan(attention.x)
        x, y = attention.x[seen], attention.y[seen]
        middle = np.mean((abs(x - 0.5) < 1 / 6) & (abs(y - 0.5) < 1 / 6))
        yield f"{middle:.0%}", "of the time, attention is strongest in the centre ninth"


class _Course(NamedTuple):
    """A clip for plots: the axis of time, N even parts of it, (N, 2), and the map of each part."""

    time: Scale
    parts: NDArray[np.float64]
    held: NDArray[np.intp]

    @classmethod
    def of(cls, attention: AttentionSummary) -> "_Course":
        start, end = float(attention.times[0]), float(attention.times[-1]) + attention.step
        edges = np.linspace(start, end, min(len(attention.times), MOST_PLOT_POINTS) + 1)
        parts = np.stack([edges[:-1], edges[1:]], axis=1)
        held = np.searchsorted(attention.times, parts.mean(axis=1), side="right") - 1
        return cls(Scale.of_time(start, end), parts, held.clip(0))


def _ribbons(attention: AttentionSummary) -> Iterator[tuple[str, Axes]]:
    """Time from left to right, the place in the picture from top to bottom, heat for attention."""
    course = _Course.of(attention)
    for low, high, profiles, places in (
        ("left", "right", attention.columns, attention.x),
        ("top", "bottom", attention.rows, attention.y),
    ):
        shares = profiles[course.held].astype(np.float32).T
        spread = np.maximum(np.ptp(shares, axis=0), 1e-6)
        levels = (255 * (shares - shares.min(axis=0)) / spread).astype(np.uint8)
        said = f"Attention between {low} and {high} of the picture over time"
        down = Scale(1, 0, {0.05: low, 0.95: high})
        axes = Axes(course.time, down, said, right=len(course.parts))
        axes.image(page.data_uri(encode_png(_RIBBON_HEAT[levels]), "image/png"))
        for kind in ("casing", "peak"):
            axes.spans(zip(*course.parts.T, places[course.held], strict=True), kind)
        yield f"From {low} to {high}", axes


def _concentration(attention: AttentionSummary) -> Axes:
    course = _Course.of(attention)
    shares, mean = attention.half_area[course.held].tolist(), float(attention.half_area.mean())
    said = f"Share of the picture that holds half of the attention, over time; mean {mean:.1%}"
    middles = course.parts.mean(axis=1).tolist()
    axes = Axes(course.time, Scale.of_shares(shares, percent=True), said, right=len(middles))
    axes.grid()
    axes.area(middles, shares)
    axes.line(middles, shares)
    axes.spans([(course.time.low, course.time.high, mean)], "mean")
    return axes
