"""The best and the worst frames of each model, and how a page shows them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear import maps
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import Statistics
from lookhear.maps import Maps
from lookhear.show import heat
from lookhear.show.heat import Pixels
from lookhear.show.page import data_uri

JUDGE = "NSS"  # the metric that says which frames are best, and which models come first
DASH = "\N{EN DASH}"

MOST_MAPS_IN_ROW = 5
MOST_ROWS = 60
PANEL_WIDTH, PANEL_AREA = 240, 240 * 180  # pixels, at most
ALL_PIXELS = 6_500_000  # of all panels: even of noise, which JPEG compresses worst, 5 MB
JPEG_QUALITY = 80


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


def gallery(examples: Sequence[Example], scores: Scores, ranked: Sequence[str]) -> str:
    """A part of a page for each model: its best and worst frames.

    Args:
        examples: what to show; of many models, only the first of each kind of each.
        scores: of the models.
        ranked: the models, the best first: who is shown where not all can be.
    """
    models = list(scores.values)
    kept = _few_enough(examples, len(models))
    chosen = [models_shown(example.why, ranked) for example in kept]
    shown = [[model for model in models if model in names] for names in chosen]
    panels = sum(2 + len(names) for names in shown)
    area = min(PANEL_AREA, ALL_PIXELS // max(1, panels))
    columns = max([2 + len(names) for names in shown], default=2)
    parts, jumps = "", ""
    for number, model in enumerate(models):
        own, elsewhere = "", ""
        for index, example in enumerate(kept):
            title, place = _title(example, scores.kind), f"frame-{index}"
            if example.why[0].model == model:
                own += _row(example, title, place, shown[index], area)
            for reason in example.why[1:]:
                if reason.model == model:
                    elsewhere += _reference(reason, example, title, place)
        if own or elsewhere:
            also = f"<ul class=also>{elsewhere}</ul>" if elsewhere else ""
            head = f'<h3 id="model-{number}">{escape(model)}</h3>'
            parts += f"<section>{head}{own}{also}</section>"
            jumps += f'<li><a href="#model-{number}">{escape(model)}</a></li>'
    jump = f'<ul class="jump">{jumps}</ul>' if len(models) > 1 else ""
    return f'{jump}<div class="gallery" style="--columns:{columns}">{parts}</div>' if parts else ""


def _title(example: Example, kind: str) -> str:
    clock = f", {heat.time_label(example.time)}" if kind == "clips" else ""
    return f"{example.subject}{clock}"


def most_of_each(models: int) -> int:
    """How many of the best frames, and of the worst, a page shows of each of so many models."""
    return max(1, MOST_ROWS // (2 * models))


def _few_enough(examples: Sequence[Example], models: int) -> list[Example]:
    """The first examples of each model and kind, so that there are not too many in all."""
    most = most_of_each(models)
    count: dict[Reason, int] = {}
    kept = []
    for example in examples:
        count[example.why[0]] = count.get(example.why[0], 0) + 1
        if count[example.why[0]] <= most:
            kept.append(example)
    return kept


def models_shown(why: Iterable[Reason], ranked: Sequence[str]) -> list[str]:
    """Whose maps of a frame are shown: those it was chosen for, then the best."""
    return list(dict.fromkeys([*(reason.model for reason in why), *ranked]))[:MOST_MAPS_IN_ROW]


def _reference(reason: Reason, example: Example, title: str, place: str) -> str:
    return (
        f'<li>{_badge(reason.which)} <a href="#{place}">{escape(title)}</a>, '
        f"shown under {escape(example.why[0].model)}</li>"
    )


def _badge(which: str) -> str:
    return f'<span class="badge {which}">{which}</span>'


def _row(example: Example, title: str, place: str, models: Sequence[str], area: int) -> str:
    height, width = example.frame.shape[:2]
    shown_width = max(1, min(PANEL_WIDTH, int(math.sqrt(area * width / height))))
    picture = heat.thumbnail(example.frame, shown_width)
    own = {reason.model for reason in example.why}
    looked = _with_dots(_with_heat(picture, example.truth), example)
    panels = [
        _panel(picture, "frame", f"{title}, as it was shown"),
        _panel(looked, "where people looked", _in_words("where people looked", example.truth)),
        *(_map_panel(example, model, picture, model in own) for model in models),
    ]
    head = f"<h4>{_badge(example.why[0].which)} {escape(title)}</h4>"
    if len(example.why) > 1:
        also = " and ".join(map(str, example.why[1:]))
        head += f"<p class=quiet>also {escape(also)}</p>"
    rest = ""
    if others := [model for model in example.values if model not in models]:
        listed = ", ".join(f"{escape(model)} {_value(example, model)}" for model in others)
        summary = f"<summary>{JUDGE} of the other {len(others)}</summary>"
        rest = f"<details>{summary}{listed}</details>"
    return (
        f'<article id="{place}"><header>{head}</header><ol>{"".join(panels)}</ol>{rest}</article>'
    )


def _map_panel(example: Example, model: str, picture: Pixels, is_own: bool) -> str:
    value = _value(example, model)
    attention = example.maps.get(model)
    if attention is None:
        blank = np.full_like(picture, 127)
        return _panel(blank, model, f"{model} gave no map", value, is_own)
    words = f"{_in_words(model, attention)}; {JUDGE} {value}"
    return _panel(_with_heat(picture, attention), model, words, value, is_own)


def _value(example: Example, model: str) -> str:
    value = example.values.get(model, {}).get(JUDGE, math.nan)
    return DASH if math.isnan(value) else f"{value:z.2f}"


def _panel(
    picture: Pixels, caption: str, seen: str, value: str | None = None, is_own: bool = False
) -> str:
    height, width = picture.shape[:2]
    address = data_uri(heat.encode_jpeg(picture, JPEG_QUALITY), "image/jpeg")
    name = escape(caption)
    number = "" if value is None else f"<strong>{value}</strong>"
    return (
        f'<li{" class=own" if is_own else ""}><figure><img src="{address}" width="{width}" '
        f'height="{height}" loading="lazy" alt="{escape(seen)}">'
        f'<figcaption><span title="{name}">{name}</span>{number}</figcaption></figure></li>'
    )


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
    place = f"strongest in the {heat.place_name(peaks[0].x, peaks[0].y)}" if peaks else "even"
    return f"{name}: attention is {place}"
