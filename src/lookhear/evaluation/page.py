"""One self-contained HTML page about how well models predict where people looked."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lookhear.evaluation.examples import JUDGE, MOST_MAPS_IN_ROW, Example, gallery, ranking
from lookhear.evaluation.literature import SOURCE, printed
from lookhear.evaluation.plots import MOST_LINES, forests, over_time
from lookhear.evaluation.scores import Kind, Scores
from lookhear.evaluation.statistics import LEVEL, SIGNIFICANT, Comparison, Estimate, Statistics
from lookhear.evaluation.tables import best, title
from lookhear.metrics import LOWER_IS_BETTER
from lookhear.show import page
from lookhear.show.page import DASH, Cell, score
from lookhear.words import count

LONG_NAME = 12  # characters

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
        data_name: the set, or the sets.
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


def render(data: EvaluationReport) -> str:
    """The HTML text of the page."""
    whole, scores = data.statistics[-1], data.scores
    metrics, ranked = list(whole.estimates[whole.first]), ranking(whole)
    lines = _foremost(list(scores.values), ranked)
    examples = gallery(data.examples, scores, ranked)
    groups = [of for of in data.statistics if of.group is not None]
    return page.render(
        "evaluation",
        title=data.title,
        facts=_facts(data),
        data=data,
        scores=scores,
        whole=whole,
        judge=JUDGE,
        metrics=metrics,
        lower_is_better=LOWER_IS_BETTER,
        findings=_findings(whole, scores.kind),
        reading=_reading(whole, scores.kind),
        table=_Table.of(whole, scores.kind),
        forests=[*forests(whole)] if whole.comparisons else [],
        has_long_names=max(map(len, whole.estimates)) > LONG_NAME,
        significant=SIGNIFICANT,
        differences=[
            (model, [_difference(metric, of) for metric, of in compared.items()])
            for model, compared in whole.comparisons.items()
        ],
        groups=[_Table.of(of, scores.kind) for of in groups] if whole.group is None else [],
        group=_group(scores.kind),
        ranked=ranked,
        lines=lines,
        courses=over_time(scores, JUDGE, lines) if scores.kind == "clips" else [],
        examples=examples,
        columns=max((len(row.panels) for of in examples for row in of.rows), default=2),
        most_maps=MOST_MAPS_IN_ROW,
        in_words=[(of, _METRICS_IN_WORDS[of]) for of in metrics if of in _METRICS_IN_WORDS],
    )


def _facts(data: EvaluationReport) -> Iterator[str]:
    scores, groups = data.scores, data.scores.groups()
    yield data.data_name
    yield count(len(scores.subjects), scores.kind[:-1])
    if len(groups) > 1:
        yield count(len(groups), _group(scores.kind))
    if scores.kind == "clips":
        yield count(sum(len(subject.times) for subject in scores.subjects), "frame")
    yield count(len(scores.values), "model")


def _group(kind: Kind) -> str:
    """What the groups of such subjects are."""
    return "database" if kind == "clips" else "set"


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
    yield score(top[JUDGE].mean), is_highest
    if lone:
        return
    first_count = sum(ranked[0] in best(of, metric) for metric in top)
    if first_count:
        yield f"{first_count} of {len(top)}", f"metrics put {ranked[0]} first"
    other = ranked[1] if ranked[0] == of.first else of.first
    compared = of.comparisons[other if ranked[0] == of.first else ranked[0]][JUDGE]
    lead = abs(compared.difference.mean)
    if not math.isnan(lead):
        yield score(lead), f"NSS ahead of {other}: {_lead_in_words(compared, kind)}"


def _lead_in_words(compared: Comparison, kind: str) -> str:
    if math.isnan(compared.p):
        return f"of one {kind[:-1]}, which says little about others"
    if compared.is_significant:
        return f"more than chance would give ({_p(compared)})"
    return f"chance could give as much ({_p(compared)})"


def _reading(of: Statistics, kind: str) -> str:
    """How to read the tables."""
    intervals = f"with {LEVEL:.0%} intervals" if of.subjects > 1 else "with no interval"
    bold = " The best of each column stands out." if of.comparisons else ""
    means = (one.mean for metrics in of.estimates.values() for one in metrics.values())
    dash = " A dash: not defined." if any(map(math.isnan, means)) else ""
    return f"Means over {count(of.subjects, kind[:-1])}, {intervals}.{bold}{dash}"


class _Table(NamedTuple):
    """Means, and what papers say of the same database."""

    title: str
    rows: list[tuple[str, list[Cell]]]
    papers: list[tuple[str, list[Cell]]]
    said: str

    @classmethod
    def of(cls, of: Statistics, kind: str) -> "_Table":
        metrics = list(of.estimates[of.first])
        bests = {metric: best(of, metric) for metric in metrics}
        rows = [
            (
                model,
                [
                    Cell(score(one.mean), model in bests[metric], _interval(one))
                    for metric, one in estimates.items()
                ],
            )
            for model, estimates in of.estimates.items()
        ]
        context = None if of.group is None else printed(of.group)
        if context is None:
            return cls(title(of, kind), rows, [], "")
        papers = [
            (model, [Cell(score(row.get(metric, math.nan))) for metric in metrics])
            for model, row in context.rows.items()
        ]
        said = (
            f"For context: figures on {context.database} as published ({SOURCE}). They were not "
            f"measured here, and maybe not on the same clips. {context.note}"
        )
        return cls(title(of, kind), rows, papers, said)


def _interval(of: Estimate) -> str:
    return "" if math.isnan(of.low) else f"{score(of.low)} to {score(of.high)}"


def _p(of: Comparison) -> str:
    return "p < 0.001" if of.p_corrected < 0.001 else f"p = {of.p_corrected:.3f}"


def _difference(metric: str, of: Comparison) -> Cell:
    """How a model differs from the first, and whether chance would explain it, in words."""
    if math.isnan(of.difference.mean):
        return Cell(DASH)
    size = f"{of.difference.mean:+z.3f}"
    if math.isnan(of.p_corrected):
        return Cell(size)
    if not of.is_significant:
        return Cell(size, note=f"unclear, {_p(of)}")
    is_better = (of.difference.mean > 0) != (metric in LOWER_IS_BETTER)
    verdict = "better" if is_better else "worse"
    return Cell(size, note=f"{verdict}, {_p(of)}", verdict=verdict)


def _foremost(models: Sequence[str], ranked: Sequence[str]) -> list[str]:
    """As many models as there are lines for: the first and the best, in their own order."""
    chosen = list(dict.fromkeys([models[0], *ranked]))[:MOST_LINES]
    return [model for model in models if model in chosen]
