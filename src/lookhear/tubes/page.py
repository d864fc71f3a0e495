"""One HTML page about what a network sees in a clip, where and when."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote

import numpy as np

from lookhear import __version__
from lookhear.show import heat
from lookhear.show.heat import Pixels
from lookhear.show.page import data_uri, stylesheet
from lookhear.tubes.explanation import Explanation, Found
from lookhear.tubes.faithfulness import Faithfulness
from lookhear.tubes.plots import faithfulness_plot, scores_plot

MOST_FINDINGS = 3
SHARE_TOLD = 0.1  # of the pixels, whose loss is told in words
CLEAR = 0.05  # of the untouched window's probability, by which areas must differ to count
STRIP_WIDTH = 2000  # pixels, at most
WIDE_FILMS = "700px"

_FILES = {
    "strip.png": "has the key frames, as a figure.",
    "scores.csv": "has the probability of each label in each window,",
    "faithfulness.csv": "has the curves of deletion and insertion,",
    "tube.npz": "has the tubes themselves, from 0 to 1:",
    "explanation.json": "has what was found and what with, in short.",
}
_READING = """import numpy as np

saved = np.load("tube.npz")
tubes, times = saved["tubes"], saved["times"]  # (labels, frames, height, width), seconds"""


@dataclass(frozen=True)
class Shown:
    """All that the page shows.

    Attributes:
        explained: the explanation.
        found: what it says of each label.
        strip: key frames, (H, W, 3), uint8 RGB.
        posters: what films show until they are played, (H, W, 3), uint8 RGB, of heat and focus.
        films: names of heat and focus beside the page, in each format, the first to be shown.
        problems: one line for each thing that could not be decoded.
        command: by which all this was made.
    """

    explained: Explanation
    found: Sequence[Found]
    strip: Pixels
    posters: tuple[Pixels, Pixels]
    films: Sequence[tuple[str, ...]]
    problems: Sequence[str]
    command: str


def render(shown: Shown) -> str:
    """The HTML text of the page."""
    explained, found = shown.explained, shown.found
    template = files("lookhear.tubes").joinpath("page.html").read_text(encoding="utf-8")
    strip = heat.thumbnail(shown.strip, min(shown.strip.shape[1], STRIP_WIDTH))
    page = Template(template).substitute(
        style=stylesheet(),
        title=escape(explained.path.name),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in _facts(explained)),
        problems=_problems(shown.problems),
        findings="".join(map(_finding, found[:MOST_FINDINGS])),
        films=_films(shown),
        least="380px" if len(found) == 1 else WIDE_FILMS,
        strip=data_uri(heat.encode_jpeg(strip), "image/jpeg"),
        strip_words=escape(". ".join(map(_when_and_where, found))),
        scores=scores_plot(explained),
        table=_table(found) if len(found) > 1 else "",
        faithfulness=_faithfulness(explained, found),
        choices="".join(
            f"<dt>{name}</dt><dd>{chosen}</dd>" for name, chosen in _choices(explained)
        ),
        command=escape(shown.command),
        files="".join(_files(shown)),
        reading=escape(_READING),
    )
    # Names of files that are no text reach Python as lone surrogates, which no file can hold.
    return page.encode("utf-8", "replace").decode("utf-8")


def _facts(explained: Explanation) -> Iterator[str]:
    yield explained.network
    yield _count(len(explained.times), "frame") + " seen"
    yield _count(len(explained.spans), "window")
    yield _count(len(explained.labels), "label")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _problems(problems: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f"<aside><h2>What could not be decoded</h2><ul>{items}</ul></aside>" if items else ""


def _finding(found: Found) -> str:
    return (
        f"<li><strong>{_number(found.probability)}</strong> is the mean probability of "
        f"{escape(_when_and_where(found))}</li>"
    )


def _when_and_where(found: Found) -> str:
    if found.place is None:
        return f"{found.name}, seen everywhere alike"
    return f"{found.name}, strongest at {heat.time_label(found.peak_time)} in the {found.place}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "not defined"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _films(shown: Shown) -> str:
    figures = "".join(
        _film(name, poster)
        for names in shown.films[:1]
        for name, poster in zip(names, shown.posters, strict=True)
    )
    return f'<div class="films">{figures}</div>' if figures else ""


def _film(name: str, poster: Pixels) -> str:
    address, kind = _address(name), name.split(".")[0]
    if name.endswith(".mp4"):
        still = data_uri(heat.encode_jpeg(poster), "image/jpeg")
        film = f'<video controls loop preload="none" src="{address}" poster="{still}"></video>'
    elif "." in name:
        film = f'<img src="{address}" alt="The clip, as {kind}">'
    else:
        return ""
    return f"<figure>{film}<figcaption>{kind}</figcaption></figure>"


def _table(found: Sequence[Found]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(one.name)}</th><td>{_number(one.probability)}</td>"
        f"<td>{heat.time_label(one.peak_time)}</td><td>{one.place or 'everywhere'}</td></tr>"
        for one in found
    )
    heads = ("mean probability", "peak", "where")
    return (
        '<div class="wide"><table><thead><tr><th scope=col>label</th>'
        f"{''.join(f'<th scope=col>{head}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _faithfulness(explained: Explanation, found: Sequence[Found]) -> str:
    said = "".join(
        f"<p>{escape(_told(one.name, one.faithfulness))}</p>" for one in found if one.faithfulness
    )
    if not said:
        return ""
    return (
        f"<section><h2>Whether to believe it</h2>{said}"
        f'<div class="graph">{faithfulness_plot(explained)}</div>'
        "<p class=quiet>Pixels of one window become grey (left), or put back "
        "in place of a blurred picture (right). A faithful map makes the probability fall soon and "
        "rise soon: a small area left, a large one right. The same map moved elsewhere shows "
        "what would come of it without knowledge.</p></section>"
    )


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
    """What was chosen, as HTML."""
    yield "network", f"<code>{escape(explained.network)}</code>"
    yield "layer", f"<code>{escape(explained.layer)}</code>"
    if explained.head is not None:
        yield "head", f"<code>{escape(explained.head)}</code>"
    tubes = "Saliency Tubes: the layer's activations, weighed by the head's weights of the label"
    yield "method", tubes if explained.method == "tube" else escape(explained.method)
    yield "lookhear", escape(__version__)


def _address(name: str) -> str:
    return "./" + quote(name)


def _link(name: str) -> str:
    return f'<a href="{_address(name)}"><code>{escape(name)}</code></a>'


def _files(shown: Shown) -> Iterator[str]:
    for warm, dark in shown.films:
        yield f"<li>{_link(warm)} and {_link(dark)} are the clip under the tubes.</li>"
    for name, has in _FILES.items():
        if name != "faithfulness.csv" or shown.explained.faithfulness:
            plot = name.replace(".csv", ".svg")
            drawn = f" and {_link(plot)} draws it." if plot != name else ""
            yield f"<li>{_link(name)} {has}{drawn}</li>"
