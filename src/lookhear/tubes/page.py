"""One HTML page about what a network sees in a clip, where and when."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from lookhear import __version__
from lookhear.show import heat, page
from lookhear.show.heat import Pixels
from lookhear.tubes.explanation import Explanation, Found
from lookhear.tubes.faithfulness import Faithfulness
from lookhear.tubes.plots import faithfulness_plot, scores_plot
from lookhear.tubes.views import TUBE
from lookhear.words import count, time_label

MOST_FINDINGS = 3
SHARE_TOLD = 0.1  # of the pixels, whose loss is told in words
CLEAR = 0.05  # of the untouched window's probability, by which areas must differ to count
STRIP_WIDTH = 2000  # pixels, at most


def render(
    explained: Explanation,
    found: Sequence[Found],
    *,
    strip: Pixels,
    posters: Sequence[Pixels],
    films: Sequence[Sequence[str]],
    drawn: Sequence[str],
    problems: Sequence[str],
    command: str,
) -> str:
    """The HTML text of the page.

    Args:
        explained: the explanation.
        found: what it says of each label.
        strip: key frames, (H, W, 3), uint8 RGB.
        posters: what films show until they are played, (H, W, 3), uint8 RGB, of heat and focus.
        films: names of heat and focus beside the page, in each format, the first to be shown.
        drawn: folders beside the page, of what the published script would draw of each label.
        problems: one line for each thing that could not be decoded.
        command: by which all this was made; empty for none.
    """
    strip = heat.thumbnail(strip, min(strip.shape[1], STRIP_WIDTH))
    shown = zip(films[0], posters, strict=True) if films else ()
    return page.render(
        "tubes",
        title=explained.path.name,
        facts=[
            explained.network,
            count(len(explained.times), "frame") + " seen",
            count(len(explained.spans), "window"),
            count(len(explained.labels), "label"),
        ],
        problems=problems,
        findings=[
            (_number(one.probability), f"is the mean probability of {_when_and_where(one)}")
            for one in found[:MOST_FINDINGS]
        ],
        shown=[(name, page.picture(poster)) for name, poster in shown if "." in name],
        strip=page.picture(strip),
        strip_words=". ".join(map(_when_and_where, found)),
        scores=scores_plot(explained),
        found=[(one, _number(one.probability)) for one in found],
        curves=faithfulness_plot(explained) if explained.faithfulness else None,
        said=[_told(one.name, one.faithfulness) for one in found if one.faithfulness],
        choices=[*_choices(explained)],
        command=command,
        films=films,
        drawn=drawn,
    )


def _when_and_where(found: Found) -> str:
    if found.place is None:
        return f"{found.name}, seen everywhere alike"
    return f"{found.name}, strongest at {time_label(found.peak_time)} in the {found.place}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "not defined"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _told(name: str, of: Faithfulness) -> str:
    """What the curves say, in words."""
    step = int(np.abs(of.shares - SHARE_TOLD).argmin())
    start, left, moved = (
        _number(float(value))
        for value in (of.deletion[0], of.deletion[step], of.random_deletion[step])
    )
    return (
        f"Without the {100 * of.shares[step]:.3g}% of pixels that the map calls most important, "
        f"the probability of {name} goes from {start} to {left}; without as many that the map "
        f"names when it is moved elsewhere, to {moved}. {_verdict(of)}"
    )


def _verdict(of: Faithfulness) -> str:
    margin = CLEAR * float(of.deletion[0])
    falls = of.area(of.random_deletion) - of.area(of.deletion) > margin
    rises = of.area(of.insertion) - of.area(of.random_insertion) > margin
    if falls and rises:
        return "Deletion and insertion both say that the map knows what the network uses."
    if falls or rises:
        better, worse = ("deletion", "insertion") if falls else ("insertion", "deletion")
        return f"By {better} the map knows what the network uses, by {worse} it does not."
    return (
        "It does no better than when it is moved elsewhere: do not take it for what the network "
        "uses."
    )


def _choices(explained: Explanation) -> Iterator[tuple[str, str]]:
    code = Markup("<code>{}</code>")
    yield "network", code.format(explained.network)
    yield "layer", code.format(explained.layer)
    if explained.head is not None:
        yield "head", code.format(explained.head)
    tubes = "Saliency Tubes: the layer's activations, weighed by the head's weights of the label"
    yield "method", tubes if explained.method == TUBE else explained.method
    yield "fed with", explained.fed
    yield "lookhear", __version__
