"""The best and the worst frames of each model, and how the page shows them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear import maps
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import Statistics
from lookhear.maps import Maps
from lookhear.show import heat, page
from lookhear.show.heat import Pixels
from lookhear.show.page import PANEL_AREA, PANEL_WIDTH, Picture
from lookhear.words import time_label

JUDGE = "NSS"  # the metric that says which frames are best, and which models come first
LOOKED = "where people looked"

MOST_MAPS_IN_ROW = 5
MOST_ROWS = 60
ALL_PIXELS = 6_500_000  # of all panels: even of noise, which JPEG compresses worst, 5 MB


class Reason(NamedTuple):
    """Why a frame is shown: it is one of a model's best or worst."""

    model: str
    which: Literal["best", "worst"]

    def __str__(self) -> str:
        return f"{self.model}'s {self.which}"


class Choice(NamedTuple):
    """A frame worth showing: indices of the subject and of its frame, and why, at least once."""

    subject: int
    frame: int
    why: tuple[Reason, ...]


@dataclass(frozen=True)
class Example:
    """A frame, what people did on it and what models made of it.

    Attributes:
        subject: name of the clip or picture.
        time: seconds; of a picture, 0.
        frame: `(H, W, 3)`, uint8 RGB.
        truth: `(h, w)`, float32, at least 0: how much each place was looked at.
        fixations: `(N, 2)`, x and y in pixels of `truth`, from its upper left corner.
        maps: model -> `(h, w)`, float32, of any size and range; one may be missing.
        values: model -> metric -> value, NaN where it is not defined.
        why: whose best or worst it is; the page puts it under the first.
    """

    subject: str
    time: float
    frame: Pixels
    truth: Maps
    fixations: NDArray[np.floating]
    maps: Mapping[str, Maps]
    values: Mapping[str, Mapping[str, float]]
    why: tuple[Reason, ...]


def ranking(of: Statistics) -> list[str]:
    """The models, the highest NSS first, those without one last; people if there are no others."""

    def key(model: str) -> tuple[bool, float]:
        mean = of.estimates[model][JUDGE].mean
        return math.isnan(mean), -mean

    models = [model for model in of.estimates if model not in of.people]
    return sorted(models or of.estimates, key=key)


def choose_examples(scores: Scores, per_model: int = 3) -> list[Choice]:
    """Choose each model's best and worst frames by NSS.

    No two frames of a model are of one subject, unless there is but one. Where there are fewer
    than twice `per_model` subjects, best and worst share them. A frame chosen for several
    models is given once.

    Args:
        scores: of the models.
        per_model: how many of the best, and how many of the worst, at most.

    Returns:
        The choices, of one model after another, the best first, then the worst; none of a model
        whose NSS is defined nowhere.
    """
    why: dict[tuple[int, int], list[Reason]] = {}
    for model, metrics in scores.values.items():
        if model in scores.people:  # who draw no map
            continue
        highest = _extremes(metrics[JUDGE], 1)
        lowest = _extremes(metrics[JUDGE], -1)
        count = min(per_model, max(1, len(highest) // 2))
        best = highest[:count]
        rest = [place for place in lowest if place[0] not in dict(best)] or lowest
        for place in best:
            why.setdefault(place, []).append(Reason(model, "best"))
        for place in rest[:count]:
            if place not in best:
                why.setdefault(place, []).append(Reason(model, "worst"))
    return [Choice(*place, tuple(reasons)) for place, reasons in why.items()]


def _extremes(of_subjects: Sequence[Sequence[float]], sign: int) -> list[tuple[int, int]]:
    """Each subject's frame of the highest value, or with sign -1 of the lowest; the most first."""
    found = []
    for subject, values in enumerate(of_subjects):
        defined = [(sign * value, -frame) for frame, value in enumerate(values) if value == value]
        if defined:
            value, frame = max(defined)
            found.append((-value, subject, -frame))
    return [(subject, frame) for _, subject, frame in sorted(found)]


class Panel(NamedTuple):
    """A picture of a row, what it shows in words, and a model's score if it is its map.

    It is a model's own if the row was chosen for that model.
    """

    picture: Picture
    caption: str
    seen: str
    value: str = ""
    is_own: bool = False


class Row(NamedTuple):
    """An example as the page shows it: where it is, why it is there, and what it looks like.

    `others` are the models whose map is not shown, with their scores.
    """

    place: str
    title: str
    why: tuple[Reason, ...]
    panels: list[Panel]
    others: list[tuple[str, str]]


class Section(NamedTuple):
    """A model's rows, and for what else, shown elsewhere, it is one of the best or worst."""

    model: str
    rows: list[Row]
    elsewhere: list[tuple[Reason, Row]]


def gallery(examples: Sequence[Example], scores: Scores, ranked: Sequence[str]) -> list[Section]:
    """Each model's best and worst frames; what has none is left out.

    Args:
        examples: what to show.
        scores: of the models.
        ranked: the models, the best first: who is shown where not all can be.
    """
    shown = [models_shown(example.why, ranked) for example in examples]
    area = min(PANEL_AREA, ALL_PIXELS // max(1, sum(2 + len(models) for models in shown)))
    rows = []
    for index, (example, chosen) in enumerate(zip(examples, shown, strict=True)):
        models = [model for model in scores.values if model in chosen]
        clock = f", {time_label(example.time)}" if scores.kind == "clips" else ""
        rows.append(_row(example, f"frame-{index}", f"{example.subject}{clock}", models, area))
    sections = []
    for model in scores.values:
        own = [row for row in rows if row.why[0].model == model]
        elsewhere = [(of, row) for row in rows for of in row.why[1:] if of.model == model]
        if own or elsewhere:
            sections.append(Section(model, own, elsewhere))
    return sections


def most_of_each(models: int) -> int:
    """How many of the best frames, and of the worst, a page shows of each of so many models."""
    return max(1, MOST_ROWS // (2 * models))


def models_shown(why: Iterable[Reason], ranked: Sequence[str]) -> list[str]:
    """Whose maps of a frame are shown: those it was chosen for, then the best."""
    return list(dict.fromkeys([*(reason.model for reason in why), *ranked]))[:MOST_MAPS_IN_ROW]


def _row(example: Example, place: str, title: str, models: Sequence[str], area: int) -> Row:
    frame = heat.within(example.frame, area, PANEL_WIDTH)
    looked = _with_dots(_with_heat(frame, example.truth), example)
    panels = [
        Panel(page.picture(frame), "frame", f"{title}, as it was shown"),
        Panel(page.picture(looked), LOOKED, _in_words(LOOKED, example.truth)),
        *(_map_panel(example, model, frame) for model in models),
    ]
    others = [(model, _value(example, model)) for model in example.values if model not in models]
    return Row(place, title, example.why, panels, others)


def _map_panel(example: Example, model: str, frame: Pixels) -> Panel:
    is_own = model in {reason.model for reason in example.why}
    value = _value(example, model)
    if (attention := example.maps.get(model)) is None:
        blank = page.picture(np.full_like(frame, 127))
        return Panel(blank, model, f"{model} gave no map", value, is_own)
    words = f"{_in_words(model, attention)}; {JUDGE} {value}"
    return Panel(page.picture(_with_heat(frame, attention)), model, words, value, is_own)


def _value(example: Example, model: str) -> str:
    return page.score(example.values.get(model, {}).get(JUDGE, math.nan), "z.2f")


def _stretched(values: Maps) -> Maps:
    """A map of any range from 0 to 1, where it is not finite 0."""
    finite = np.isfinite(values)
    floor = values[finite].min() if finite.any() else 0.0
    return maps.normalise(np.where(finite, values, floor).astype(np.float32))


def _with_heat(picture: Pixels, values: Maps) -> Pixels:
    """The picture under a map whose strongest place has the strongest heat."""
    small = maps.resize(_stretched(values), picture.shape[:2])
    return heat.blend_rgb(picture, _stretched(small))


def _with_dots(picture: Pixels, example: Example) -> Pixels:
    """The picture with each fixation dotted, white on black."""
    height, width = example.truth.shape
    scale = picture.shape[1] / width, picture.shape[0] / height
    dotted = picture.copy()
    bits = 4
    places = (np.asarray(example.fixations, float).reshape(-1, 2) * scale - 0.5) * 2**bits
    for colour, radius in (((20, 16, 28), 2.3), ((255, 255, 255), 1.3)):
        for x, y in places.round().astype(int).tolist():
            cv2.circle(
                dotted, (x, y), round(radius * 2**bits), colour, cv2.FILLED, cv2.LINE_AA, bits
            )
    return dotted


def _in_words(name: str, values: Maps) -> str:
    peaks = maps.peaks(_stretched(values), 1)
    return f"{name}: attention is {heat.in_words(peaks[0] if peaks else None)}"
