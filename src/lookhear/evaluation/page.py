"""One self-contained HTML page about how well models predict where people looked."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from lookhear.evaluation.examples import DASH, JUDGE, MOST_MAPS_IN_ROW, Example, gallery, ranking
from lookhear.evaluation.literature import SOURCE, printed
from lookhear.evaluation.plots import MOST_CLIPS, MOST_LINES, forest, over_time
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import LEVEL, SIGNIFICANT, Comparison, Estimate, Statistics
from lookhear.evaluation.typeset import best, title
from lookhear.files import write_whole
from lookhear.metrics import LOWER_IS_BETTER
from lookhear.prediction.page import stylesheet

MOST_NOTES_UNFOLDED = 6

_METRICS_IN_WORDS = {
    "AUC-J": "how well the map tells places looked at from all others: 0.5 is chance, 1 perfect.",
    "SIM": "how much of the map and of where people looked coincides: 0 nothing, 1 all.",
    "s-AUC": "as AUC-J, but from places looked at on other frames, so that favouring the centre "
    "does not help: 0.5 is chance.",
    "CC": "the correlation of the map with where people looked: 0 is none, 1 perfect.",
    "NSS": "the map's mean value where people looked, in its own standard deviations above its "
    "mean: 0 is chance, and there is no highest.",
    "KL": "how much of where people looked the map misses: 0 is nothing; lower is better.",
}


@dataclass(frozen=True)
class EvaluationReport:
    """All that the page shows; what is empty is left out.

    Attributes:
        title: of the page.
        data_name: the set.
        scores: of at least one model.
        statistics: what `analyse` says of the scores.
        protocol: how it was measured: name of a choice -> what was chosen.
        examples: frames to look at, as `choose_examples` chose them.
        command: by which all this was made.
    """

    title: str
    data_name: str
    scores: Scores
    statistics: Sequence[Statistics]
    protocol: Mapping[str, str]
    examples: Sequence[Example] = ()
    command: str | None = None


def write_page(path: Path, data: EvaluationReport) -> None:
    """Write the page as one HTML file that needs no other, whole or not at all.

    Raises:
        LookhearError: the file cannot be written.
    """
    write_whole(path, render(data))


def render(data: EvaluationReport) -> str:
    """The HTML text of the page."""
    whole, scores = data.statistics[-1], data.scores
    ranked = ranking(whole)
    template = files("lookhear.evaluation").joinpath("page.html").read_text(encoding="utf-8")
    page = Template(template).substitute(
        style=stylesheet(),
        title=escape(data.title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in _facts(data)),
        findings="".join(_finding(*finding) for finding in _findings(whole, scores.kind)),
        means=f"<p class=quiet>{_reading(whole, scores.kind)}</p>{_means(whole, scores.kind)}",
        forest=forest(whole) if whole.comparisons else "",
        differences=_differences(whole, scores.kind),
        databases=_databases(data.statistics, scores.kind),
        time=_time(scores, ranked),
        examples=_examples(data, ranked),
        notes=_notes(scores.notes),
        protocol=_protocol(data),
    )
    # Names of files that are no text reach Python as lone surrogates, which no file can hold.
    return page.encode("utf-8", "replace").decode("utf-8")


def _facts(data: EvaluationReport) -> Iterator[str]:
    scores, groups = data.scores, data.scores.groups()
    yield data.data_name
    yield _count(len(scores.subjects), scores.kind[:-1])
    if len(groups) > 1:
        yield _count(len(groups), "database")
    if scores.kind == "clips":
        yield _count(sum(len(subject.times) for subject in scores.subjects), "frame")
    yield _count(len(scores.values), "model")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _findings(of: Statistics, kind: str) -> Iterator[tuple[str, str]]:
    """What a reader in a hurry must know: a figure and what it is, up to three times."""
    ranked = ranking(of)
    top = of.estimates[ranked[0]]
    if math.isnan(top[JUDGE].mean):
        return
    reach = _interval(top[JUDGE])
    surely = f" ({LEVEL:.0%} interval {reach})" if reach else ""
    lone = len(ranked) == 1
    is_highest = f"is the {'' if lone else 'highest '}{JUDGE}, of {ranked[0]}{surely}"
    yield _number(top[JUDGE].mean), is_highest
    if lone:
        return
    first_count = sum(ranked[0] in best(of, metric) for metric in top)
    if first_count:
        yield f"{first_count} of {len(top)}", f"metrics put {ranked[0]} first"
    other = ranked[1] if ranked[0] == of.first else of.first
    compared = of.comparisons[other if ranked[0] == of.first else ranked[0]][JUDGE]
    lead = abs(compared.difference.mean)
    if not math.isnan(lead):
        yield _number(lead), f"NSS ahead of {other}: {_lead_in_words(compared, kind)}"


def _lead_in_words(compared: Comparison, kind: str) -> str:
    if math.isnan(compared.p):
        return f"of one {kind[:-1]}, which says little about others"
    if compared.is_significant:
        return f"more than chance would give ({_p(compared)})"
    return f"chance could give as much ({_p(compared)})"


def _finding(figure: str, meaning: str) -> str:
    return f"<li><strong>{figure}</strong> {escape(meaning)}</li>"


def _reading(of: Statistics, kind: str) -> str:
    """How to read the tables."""
    intervals = f"with {LEVEL:.0%} intervals" if of.subjects > 1 else "with no interval"
    bold = " The best of each column stands out." if of.comparisons else ""
    means = (one.mean for metrics in of.estimates.values() for one in metrics.values())
    dash = " A dash: not defined." if any(map(math.isnan, means)) else ""
    return f"Means over {_count(of.subjects, kind[:-1])}, {intervals}.{bold}{dash}"


def _means(of: Statistics, kind: str) -> str:
    """The table of means, and below a rule what papers say of the same database."""
    metrics = list(of.estimates[of.first])
    bests = {metric: best(of, metric) for metric in metrics}
    heads = "".join(f"<th scope=col>{_arrowed(metric)}</th>" for metric in metrics)
    rows = ""
    for model, estimates in of.estimates.items():
        cells = "".join(
            _mean_cell(one, model in bests[metric]) for metric, one in estimates.items()
        )
        rows += f"<tr><th scope=row>{escape(model)}</th>{cells}</tr>"
    name = escape(title(of, kind))
    return _scrolled(
        name,
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody>{_published(of, metrics)}",
    )


def _published(of: Statistics, metrics: Sequence[str]) -> str:
    context = None if of.group is None else printed(of.group)
    if context is None:
        return ""
    rows = ""
    for model, row in context.rows.items():
        cells = "".join(f"<td>{_number(row.get(metric, math.nan))}</td>" for metric in metrics)
        rows += f"<tr><th scope=row>{escape(model)}</th>{cells}</tr>"
    said = escape(
        f"For context: figures on {context.database} as published ({SOURCE}). They were not "
        f"measured here, and maybe not on the same clips. {context.note}"
    )
    return (
        f'<tbody class="papers"><tr><th scope=rowgroup colspan={len(metrics) + 1}>'
        f"<p>{said}</p></th></tr>{rows}</tbody>"
    )


def _scrolled(name: str, table: str) -> str:
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{name}"><table>{table}</table>'
        "</div>"
    )


def _arrowed(metric: str) -> str:
    arrow, better = ("↓", "lower") if metric in LOWER_IS_BETTER else ("↑", "higher")
    return f'{escape(metric)} <abbr title="{better} is better">{arrow}</abbr>'


def _mean_cell(of: Estimate, is_best: bool) -> str:
    mean = _number(of.mean)
    shown = f"<strong>{mean}</strong>" if is_best else mean
    return f"<td>{shown}{_small(_interval(of))}</td>"


def _small(text: str) -> str:
    return f"<small>{escape(text)}</small>" if text else ""


def _number(value: float) -> str:
    return DASH if math.isnan(value) else f"{value:z.3f}"


def _interval(of: Estimate) -> str:
    return "" if math.isnan(of.low) else f"{_number(of.low)} to {_number(of.high)}"


def _p(of: Comparison) -> str:
    return "p < 0.001" if of.p_corrected < 0.001 else f"p = {of.p_corrected:.3f}"


def _differences(of: Statistics, kind: str) -> str:
    """How each model differs from the first, and whether chance would explain it, in words."""
    if not of.comparisons:
        return ""
    first, name = escape(of.first), f"Differences from {escape(of.first)}"
    if of.subjects < 2:
        why = f"One {kind[:-1]} cannot tell whether models differ beyond it."
        return f"<h3>{name}</h3><p class=quiet>{why}</p>"
    metrics = list(of.estimates[of.first])
    heads = "".join(f"<th scope=col>{_arrowed(metric)}</th>" for metric in metrics)
    rows = ""
    for model, compared in of.comparisons.items():
        cells = "".join(_difference_cell(metric, one) for metric, one in compared.items())
        rows += f"<tr><th scope=row>{escape(model)}</th>{cells}</tr>"
    table = _scrolled(name, f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody>")
    return (
        f"<h3>{name}</h3><p class=quiet>Each model less {first}, on the same {kind}. "
        "<em>Better</em> and <em>worse</em> stand where models that are equally good would "
        f"hardly differ so much (p below {SIGNIFICANT}; sign-flip test over {kind}, corrected by "
        "Holm for all the comparisons of this table), <em>unclear</em> where they well might."
        f"</p>{table}"
    )


def _difference_cell(metric: str, of: Comparison) -> str:
    if math.isnan(of.difference.mean):
        return f"<td>{DASH}</td>"
    size = f"{of.difference.mean:+z.3f}"
    if math.isnan(of.p_corrected):
        return f"<td>{size}</td>"
    if not of.is_significant:
        return f"<td>{size}{_small(f'unclear, {_p(of)}')}</td>"
    is_better = (of.difference.mean > 0) != (metric in LOWER_IS_BETTER)
    verdict = "better" if is_better else "worse"
    return (
        f"<td><b class={verdict}>{'▲' if is_better else '▼'}</b> {size}"
        f"{_small(f'{verdict}, {_p(of)}')}</td>"
    )


def _databases(statistics: Sequence[Statistics], kind: str) -> str:
    if len(statistics) < 2:
        return ""
    tables = "".join(
        f"<h3>{escape(title(of, kind))}</h3>{_means(of, kind)}"
        for of in statistics
        if of.group is not None
    )
    return f"<section><h2>Each database</h2>{tables}</section>"


def _foremost(models: Sequence[str], ranked: Sequence[str]) -> list[str]:
    """As many models as there are lines for: the first and the best, in their own order."""
    chosen = list(dict.fromkeys([models[0], *ranked]))[:MOST_LINES]
    return [model for model in models if model in chosen]


def _time(scores: Scores, ranked: Sequence[str]) -> str:
    if scores.kind != "clips":
        return ""
    models = _foremost(list(scores.values), ranked)
    said = f"{JUDGE} of each frame, with gaps where nobody looked."
    if 1 < len(scores.subjects) <= MOST_CLIPS:
        said += " All clips have the same scale."
    if len(models) < len(ranked):
        said += f" Of {len(ranked)} models these are the first and the best of the others."
    return (
        f"<section><h2>Over time</h2><p class=quiet>{said}</p>"
        f'<div class="time">{over_time(scores, JUDGE, models)}</div></section>'
    )


def _examples(data: EvaluationReport, ranked: Sequence[str]) -> str:
    shown = gallery(data.examples, data.scores, ranked)
    if not shown:
        return ""
    what = "frames" if data.scores.kind == "clips" else "pictures"
    many = len(data.scores.subjects) > 1
    only = "; at most one of a clip" if what == "frames" and many else ""
    said = (
        f"Best and worst by {JUDGE}, which stands below each map{only}. Heat shows where attention "
        "is strongest, not how strong; each white dot is a fixation."
    )
    if len(ranked) > MOST_MAPS_IN_ROW:
        said += (
            f" The maps are the model's and those of the best others, {MOST_MAPS_IN_ROW} in all."
        )
    return (
        f"<section><h2>Best and worst {what} of each model</h2><p class=quiet>{said}</p>"
        '<p class="legend quiet"><span>less</span><i></i><span>more attention</span></p>'
        f"{shown}</section>"
    )


def _notes(notes: Sequence[str]) -> str:
    """What was odd about the maps: all of it, folded if it is much."""
    if not notes:
        return ""
    listed = f'<ul class="plain">{"".join(f"<li>{escape(note)}</li>" for note in notes)}</ul>'
    if len(notes) > MOST_NOTES_UNFOLDED:
        listed = f"<details><summary>{len(notes):,} notes</summary>{listed}</details>"
    return f"<aside><h2>What was odd about the maps</h2>{listed}</aside>"


def _protocol(data: EvaluationReport) -> str:
    choices = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(chosen)}</dd>"
        for name, chosen in data.protocol.items()
    )
    metrics = "".join(
        f"<dt>{escape(metric)}</dt><dd>{escape(_METRICS_IN_WORDS[metric])}</dd>"
        for metric in next(iter(data.scores.values.values()))
        if metric in _METRICS_IN_WORDS
    )
    command = ""
    if data.command is not None:
        command = f"<h3>By this command</h3><pre><code>{escape(data.command)}</code></pre>"
    return (
        f"<section><h2>How it was measured</h2><dl>{choices}</dl>"
        f"<h3>What the metrics say</h3><dl>{metrics}</dl>{command}</section>"
    )
