"""One HTML page about the action of a clip: what it is, when, and where."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lookhear import __version__
from lookhear.actions.finding import Actions, Ranked
from lookhear.localisation import within
from lookhear.show import page
from lookhear.show.axes import Axes, Scale
from lookhear.show.heat import Pixels
from lookhear.words import count, time_label

MOST_POINTS = 600  # of a plot
MOST_SEGMENTS = 12
UNEVEN = 1.5  # of an even share, that a moment has which counts for more than others


class Moment(NamedTuple):
    """A frame that was looked at: seconds, its weight, and (H, W, 3) uint8 RGB under its mask."""

    time: float
    weight: float
    picture: Pixels


def render(
    found: Actions,
    moments: Sequence[Moment],
    *,
    top: Sequence[Ranked],
    threshold: float,
    overlay: str | None,
    model: str,
    problems: Sequence[str],
    command: str,
) -> str:
    """The HTML text of the page.

    Args:
        found: what was found.
        moments: some of the frames.
        top: the most probable classes.
        threshold: weight from which on a frame is of a segment.
        overlay: name of the video or picture beside the page, if there is one.
        model: the network's name.
        problems: one line for each thing that could not be decoded or seen.
        command: by which all this was made; empty for none.
    """
    height, width = found.size
    pictures = [(of, page.picture(of.picture)) for of in moments]
    heaviest = max(pictures, key=lambda of: of[0].weight, default=None)
    return page.render(
        "actions",
        title=found.path.name,
        facts=[
            f"{width} by {height} pixels",
            f"{time_label(found.duration)} long",
            count(len(found.times), "frame") + " looked at",
            count(len(found.spans), "window"),
            count(len(found.categories), "action") + " told apart",
        ],
        problems=problems,
        findings=_findings(found, top[0]),
        top=[(of.label, f"{of.probability:.1%}") for of in top],
        unsure=top[0].probability < 2 / len(found.categories),
        flat=float(found.weights.max()) < UNEVEN,
        known=len(found.categories),
        moments=pictures,
        columns=min(len(pictures), 4),
        weights=_weights(found, threshold) if len(found.times) > 1 else None,
        segments=found.segments[:MOST_SEGMENTS],
        more=len(found.segments) - len(found.segments[:MOST_SEGMENTS]),
        threshold=threshold,
        overlay=overlay,
        poster=heaviest[1].address if heaviest else "",
        choices=[("network", model), ("lookhear", __version__)],
        command=command,
    )


def _findings(found: Actions, best: Ranked) -> list[tuple[str, str]]:
    told = [(f"{best.probability:.0%}", f"sure that it is {best.label}")]
    own = [of for of in found.segments if of.label == best.label]
    if own:
        told.append((f"{time_label(own[0].start)} to {time_label(own[0].end)}", "is when"))
        is_inside = within(found.times, [(of.start, of.end) for of in own])
        inside = float(found.weights[is_inside].sum() / found.weights.sum())
        share = sum(of.end - of.start for of in own) / found.duration
        told.append((f"{inside:.0%}", f"of the weight lies in {share:.0%} of the time"))
    return told


def _weights(found: Actions, threshold: float) -> Axes:
    """The weight of each frame over time, the threshold, and the segments of the top class."""
    parts = np.array_split(np.arange(len(found.times)), min(len(found.times), MOST_POINTS))
    times = [float(found.times[of].mean()) for of in parts]
    weights = [float(found.weights[of].max()) for of in parts]
    best = found.top(1)[0].label
    axes = Axes(
        Scale.of_time(0, found.duration),
        _scale(max(*weights, threshold)),
        f"Weight of the frames over time; most at {time_label(times[int(np.argmax(weights))])}",
        right=1000,
    )
    axes.grid()
    axes.area(times, weights)
    axes.line(times, weights)
    axes.spans([(0, found.duration, threshold)], "mean")
    axes.spans([(of.start, of.end, 0.0) for of in found.segments if of.label == best], "when")
    return axes


def _scale(highest: float) -> Scale:
    power = 10 ** np.floor(np.log10(highest))
    high = float(power * next(digit for digit in (1, 2, 4, 5, 10) if power * digit >= highest))
    return Scale(0, high, {of: f"{of:.3g}" for of in (0.0, high / 2, high)})
