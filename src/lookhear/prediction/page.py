"""One self-contained HTML page about where attention went in a clip."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np
from markdown_it import MarkdownIt
from numpy.typing import NDArray

from lookhear.files import write_whole
from lookhear.prediction.summary import AttentionSummary, Stay, Still, place_name, stays
from lookhear.show import heat

MOST_PLOT_POINTS = 600
MOST_STAYS = 6
TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
SHARE_TOPS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1)

# A model's card is a stranger's: no HTML of its own, and nothing fetched from elsewhere.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

_DARK = (22, 12, 38)
_RIBBON_HEAT = np.vstack(
    [np.linspace(_DARK, heat.HEAT[0], 64), heat.HEAT[np.linspace(0, 255, 192).astype(int)]]
).astype(np.uint8)
"""The heat of the overlay, but fading to dark where the overlay is clear; uint8 (256, 3)."""


@dataclass(frozen=True)
class ClipFacts:
    """What is known about the clip.

    Attributes:
        name: File name.
        width: Pixels, as shown.
        height: Pixels, as shown.
        duration: Seconds; None for a still picture or where unknown.
        frame_rate: Mean frames a second; None for a still picture or where unknown.
        has_sound: Whether sound was heard.
    """

    name: str
    width: int
    height: int
    duration: float | None
    frame_rate: float | None
    has_sound: bool


@dataclass(frozen=True)
class ModelNotes:
    """What a reader must know about the model.

    Attributes:
        name: What was given to `load_model`.
        sections: (heading, text) pairs, the texts in Markdown with tables.
    """

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
        overlay: Name of the overlay video or picture beside the report, if there is one.
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


def write_report(path: Path, data: ReportData) -> None:
    """Write the report as one HTML file that needs no other; it appears whole or not at all.

    Args:
        path: File to write, replaced if there.
        data: What to show.

    Raises:
        LookhearError: The file cannot be written.
    """
    write_whole(path, render(data))


def render(data: ReportData) -> str:
    """The HTML text of the report."""
    template = files("lookhear.prediction").joinpath("page.html").read_text(encoding="utf-8")
    stills = data.attention.shown_stills()
    pictures = [data_uri(_still_jpeg(still), "image/jpeg") for still in stills]
    richest = max(range(len(stills)), key=lambda index: stills[index].picture.std(), default=0)
    return Template(template).substitute(
        style=stylesheet(),
        name=escape(data.clip.name),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in _facts(data)),
        problems=_problems(data.problems),
        columns=min(len(stills), 4 if data.clip.width >= data.clip.height else 6),
        sheet="".join(map(_figure, stills, pictures)),
        findings="".join(_finding(*finding) for finding in _findings(data.attention)),
        where=_where(data.attention),
        stays=_stay_table(stays(data.attention), data.clip),
        concentration=_concentration(data.attention),
        model=escape(data.model.name),
        notes="".join(_note(heading, text) for heading, text in data.model.sections),
        files=_files(data, poster=pictures[richest] if pictures else ""),
    )


def stylesheet() -> str:
    """The look that all pages share: light, dark, narrow and in print."""
    style = files("lookhear.show").joinpath("style.css").read_text(encoding="utf-8")
    colours = ",".join(f"rgb({r},{g},{b})" for r, g, b in heat.HEAT[::51].tolist())
    return Template(style).substitute(heat=colours)


def data_uri(content: bytes, kind: str) -> str:
    """The address of a file that lies in the page itself, `kind` being its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _still_jpeg(still: Still) -> bytes:
    blended = heat.blend_rgb(still.picture, heat.shown(still.attention))
    return heat.encode_jpeg(heat.mark(blended, still.peak) if still.peak else blended, quality=80)


def _figure(still: Still, picture: str) -> str:
    height, width = still.picture.shape[:2]
    where = f"strongest in the {place_name(still.peak.x, still.peak.y)}" if still.peak else "even"
    label = heat.time_label(still.time)
    return (
        f'<figure><img src="{picture}" width="{width}" height="{height}" '
        f'alt="Frame at {label}; attention is {where}."><figcaption>{label}</figcaption></figure>'
    )


def _facts(data: ReportData) -> list[str]:
    clip = data.clip
    facts = [f"{clip.width} by {clip.height} pixels"]
    if clip.duration:
        facts.append(f"{heat.time_label(clip.duration)} long")
    if clip.frame_rate:
        facts.append(f"{clip.frame_rate:.4g} frames a second")
    facts.append("with sound" if clip.has_sound else "without sound")
    count = len(data.attention.times)
    facts.append(f"{count:,} attention map{'s' if count > 1 else ''}")
    return facts


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f'<aside><h2>What could not be decoded</h2><ul class="plain">{items}</ul></aside>'


def _findings(attention: AttentionSummary) -> Iterable[tuple[str, str]]:
    mean = _percent(float(attention.half_area.mean()))
    yield (
        mean,
        "of the picture holds half of the attention"
        + (", on average" if len(attention.times) > 1 else ""),
    )
    seen = ~np.isnan(attention.x)
    if len(attention.times) > 1 and seen.any():
        longest = max(stays(attention), key=lambda stay: stay.length)
        place = place_name(longest.x, longest.y)
        yield _seconds(longest.length), f"is the longest stay in one place: {place}"
        x, y = attention.x[seen], attention.y[seen]
        middle = np.mean((abs(x - 0.5) < 1 / 6) & (abs(y - 0.5) < 1 / 6))
        yield (
            f"{middle:.0%}",
            "of the time, attention is strongest in the centre ninth",
        )


def _finding(figure: str, meaning: str) -> str:
    return f"<li><strong>{figure}</strong> {escape(meaning)}</li>"


def _seconds(duration: float) -> str:
    return f"{duration:.1f} s"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _where(attention: AttentionSummary) -> str:
    if len(attention.times) < 2:
        return f"<p>{_lone_place(float(attention.x[0]), float(attention.y[0]))}</p>"
    held = _held(attention)
    across = _ribbon(attention.columns[held], attention.x[held], "left", "right")
    down = _ribbon(attention.rows[held], attention.y[held], "top", "bottom")
    axis = _time_axis(attention)
    return (
        "<p>Time runs to the right; the brighter, the more attention. The white line follows the "
        f"strongest place.</p><h3>From left to right</h3>{across}{axis}"
        f"<h3>From top to bottom</h3>{down}{axis}"
    )


def _lone_place(x: float, y: float) -> str:
    if np.isnan(x):
        return "Attention is spread evenly over the picture."
    return f"It is strongest in the {place_name(x, y)} (x {x:.2f}, y {y:.2f})."


def _held(attention: AttentionSummary) -> NDArray[np.intp]:
    """Indices of the maps in force at evenly spaced instants, at most 600."""
    count = min(len(attention.times), MOST_PLOT_POINTS)
    start, end = _span(attention)
    instants = start + (np.arange(count) + 0.5) * (end - start) / count
    indices = np.searchsorted(attention.times, instants, side="right") - 1
    return np.asarray(indices.clip(0), dtype=np.intp)


def _span(attention: AttentionSummary) -> tuple[float, float]:
    return float(attention.times[0]), float(attention.times[-1]) + attention.step


def _ribbon(profiles: NDArray[np.float16], places: NDArray[np.float32], low: str, high: str) -> str:
    """Time from left to right, the place in the picture from top to bottom, heat for attention."""
    shares = profiles.astype(np.float32).T
    spread = np.maximum(np.ptp(shares, axis=0), 1e-6)
    levels = (255 * (shares - shares.min(axis=0)) / spread).astype(np.uint8)
    image = data_uri(heat.encode_png(_RIBBON_HEAT[levels]), "image/png")
    count = len(places)
    dashes = "".join(
        f"M{index} {100 * place:.1f}h1" for index, place in enumerate(places) if np.isfinite(place)
    )
    return (
        f'<div class="plot"><div class="scale"><span>{low}</span><span>{high}</span></div>'
        f'<svg viewBox="0 0 {count} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Attention between {low} and {high} of the picture over time">'
        f'<image href="{image}" width="{count}" height="100" preserveAspectRatio="none"/>'
        f'<path class="casing" d="{dashes}"/><path class="peak" d="{dashes}"/></svg></div>'
    )


def _time_axis(attention: AttentionSummary) -> str:
    start, end = _span(attention)
    step = next((step for step in TIME_STEPS if (end - start) / step <= 6), TIME_STEPS[-1])
    margin = 0.03 * (end - start)
    ticks = np.arange(np.ceil((start - margin) / step), (end - margin) / step) * step
    labels = "".join(
        f'<span style="left:{max(0, 100 * (tick - start) / (end - start)):.2f}%">'
        f"{heat.time_label(tick).removesuffix('.0')}</span>"
        for tick in ticks.tolist()
    )
    return f'<div class="axis">{labels}</div>'


def _stay_table(found: Sequence[Stay], clip: ClipFacts) -> str:
    longest = sorted(found, key=lambda stay: -stay.length)[:MOST_STAYS]
    if not longest or not longest[0].length:
        return ""
    rows = "".join(
        f"<tr><td>{_pin(stay, clip)}</td><th scope=row>{place_name(stay.x, stay.y)}</th>"
        f"<td>{heat.time_label(stay.start)}</td><td>{heat.time_label(stay.end)}</td>"
        f"<td>{_seconds(stay.length)}</td><td>{stay.x:.2f}</td><td>{stay.y:.2f}</td></tr>"
        for stay in longest
    )
    heads = "".join(f"<th scope=col>{head}</th>" for head in ("from", "to", "for", "x", "y"))
    return (
        "<h3>Where it stayed longest</h3><div class=wide><table><thead><tr>"
        f"<th scope=col colspan=2>place</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<p class=quiet>x runs from 0 at the left to 1 at the right, y from 0 at the top to 1 at "
        "the bottom.</p>"
    )


def _pin(stay: Stay, clip: ClipFacts) -> str:
    """The place as a dot in a small frame of the picture's shape."""
    scale = 32 / max(clip.width, clip.height)
    width, height = scale * clip.width, scale * clip.height
    return (
        f'<svg class="pin" viewBox="0 0 {width:.1f} {height:.1f}" width="{width:.0f}" '
        f'height="{height:.0f}" aria-hidden="true"><rect width="100%" height="100%" rx="2"/>'
        f'<circle cx="{width * stay.x:.1f}" cy="{height * stay.y:.1f}" r="2.6"/></svg>'
    )


def _concentration(attention: AttentionSummary) -> str:
    mean = float(attention.half_area.mean())
    if len(attention.times) < 2:
        return f"<p>Half of the attention falls on {_percent(mean)} of the picture.</p>"
    shares = attention.half_area[_held(attention)]
    top = next(top for top in SHARE_TOPS if shares.max() <= top)
    heights = (100 * (1 - shares / top)).tolist()
    line = "L".join(f"{index + 0.5} {height:.1f}" for index, height in enumerate(heights))
    level = f"{100 * (1 - mean / top):.1f}"
    count = len(heights)
    return (
        f'<div class="plot"><div class="scale"><span>{top:.0%}</span><span>0</span></div>'
        f'<svg viewBox="0 0 {count} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Share of the picture that holds half of the attention, over time; '
        f'mean {_percent(mean)}"><path class="grid" d="M0 0H{count}M0 50H{count}M0 100H{count}"/>'
        f'<path class="area" d="M0.5 100L{line}L{count - 0.5} 100Z"/>'
        f'<path class="line" d="M{line}"/><path class="mean" d="M0 {level}H{count}"/></svg></div>'
        f"{_time_axis(attention)}"
        f"<p>Mean {_percent(mean)} (dashed), from {_percent(float(attention.half_area.min()))} to "
        f"{_percent(float(attention.half_area.max()))}.</p>"
    )


def _note(heading: str, text: str) -> str:
    return f"<h3>{escape(heading)}</h3><div class=note>{_MARKDOWN.render(text)}</div>"


def _address(name: str) -> str:
    return "./" + quote(name)


def _link(name: str) -> str:
    return f'<a href="{_address(name)}"><code>{escape(name)}</code></a>'


def _files(data: ReportData, poster: str) -> str:
    plays = data.overlay is not None and data.overlay.endswith(".mp4")
    overlaid = "is the clip with attention laid over it" + ("; it plays above." if plays else ".")
    described = (
        (data.overlay, overlaid),
        (data.fixations, "has the strongest places of every map, a line each."),
        (data.maps, "has the maps themselves, from 0 to 1."),
    )
    items = "".join(f"<li>{_link(name)} {text}</li>" for name, text in described if name)
    if not items:
        return ""
    video = ""
    if data.overlay is not None and plays:
        source = f'src="{_address(data.overlay)}" poster="{poster}"'
        video = f'<video controls preload="metadata" {source}></video>'
    code = escape(_reading(data))
    return (
        f"<section><h2>The files beside this page</h2>{video}<ul>{items}</ul>"
        f"<pre><code>{code}</code></pre></section>"
    )


def _reading(data: ReportData) -> str:
    """Python that reads the maps and the peaks."""
    lines: list[str] = []
    if data.maps is not None and data.maps.endswith(".npz"):
        lines += ["import numpy as np", "", f"saved = np.load({data.maps!r})"]
        lines += ['maps, times = saved["maps"], saved["times"]  # (T, h, w), (T,) seconds']
    elif data.maps is not None:
        lines += ["import cv2", "from pathlib import Path", ""]
        lines += [f"files = sorted(Path({data.maps!r}).glob('*.png'))"]
        lines += ["maps = [cv2.imread(file, cv2.IMREAD_GRAYSCALE) / 255 for file in files]"]
    if data.fixations is not None:
        lines += ["", "import csv", "", f"with open({data.fixations!r}, newline='') as file:"]
        lines += ["    peaks = list(csv.DictReader(file))"]
    return "\n".join(lines).strip()
