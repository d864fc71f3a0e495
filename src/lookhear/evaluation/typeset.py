"""Tables of scores as text: Markdown for a page, LaTeX (booktabs) for a paper.

A table for each database, and one for all together if there are several: means with their
intervals, the best of each column in bold, a dagger where a model differs from the first.
Published scores on that database, where there are any, stand below and apart.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lookhear.evaluation.literature import SOURCE, Printed, printed
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import LEVEL, SIGNIFICANT, Comparison, Estimate, Statistics
from lookhear.metrics import LOWER_IS_BETTER

ABSENT = "-"
DAGGER = "†"

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in r"\`*_[]<>|&~#$"})
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        DAGGER: r"\textdagger{}",
        # After \\ and \midrule these two would be read as theirs.
        "[": "{[}",
        "*": "{*}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
)
_LATEX_HEAD = (
    r"% Needs \usepackage{booktabs}. Names in other scripts than Latin need LuaLaTeX or XeLaTeX."
)


def one_line(text: str) -> str:
    """A name of any characters as one line that can be printed."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def shown(value: float) -> str:
    """A score to three decimals; a dash where it is not defined."""
    return ABSENT if math.isnan(value) else f"{value:z.3f}"


def interval(of: Estimate) -> str:
    """The interval in brackets; nothing where there is none."""
    return "" if math.isnan(of.low) else f"[{shown(of.low)}, {shown(of.high)}]"


def shown_p(p: float) -> str:
    """A p-value to three decimals; a dash where it is not defined."""
    return "<0.001" if p < 0.001 else shown(p)


def title(of: Statistics, kind: str) -> str:
    """What a table is about: `DIEM: 17 clips`, or `All 60 clips`."""
    count = f"{of.subjects} {kind if of.subjects != 1 else kind[:-1]}"
    return f"All {count}" if of.group is None else f"{one_line(of.group)}: {count}"


def means_in_words(of: Statistics, kind: str) -> str:
    """What the numbers of a table are, and its intervals; whether there can be any."""
    if of.subjects < 2:
        return f"One {kind[:-1]}: there can be no intervals and no tests."
    return f"Means over {kind} with {LEVEL:.0%} bootstrap intervals."


def comparison_in_words(of: Statistics) -> str:
    """How models were compared with the first."""
    comparisons = [one for metrics in of.comparisons.values() for one in metrics.values()]
    count = sum(not math.isnan(one.p) for one in comparisons)
    return f"two-sided paired sign-flip test, Holm-corrected for {count} comparisons"


def markdown(scores: Scores, found: Sequence[Statistics]) -> str:
    """Write the tables in Markdown, with those of the differences from the first model.

    Args:
        scores: for what they are of, and their notes.
        found: what `analyse` says of them.
    """
    lines = [line for of in found for line in _markdown_section(of, scores.kind)]
    if scores.notes:
        lines += ["## Notes", "", *(f"- {_in_markdown(note)}" for note in scores.notes), ""]
    return "\n".join(lines)


def latex(scores: Scores, found: Sequence[Statistics]) -> str:
    """Write the tables in LaTeX, a `table` environment each, to be input by a paper.

    Args:
        scores: for what they are of.
        found: what `analyse` says of them.
    """
    lines = [line for of in found for line in _latex_section(of, scores.kind)]
    return "\n".join([_LATEX_HEAD, *lines])


def best(of: Statistics, metric: str) -> set[str]:
    """The models that are best by the digits shown; none if there is nothing to compare.

    People are not among them.
    """
    means = {
        model: metrics[metric].mean
        for model, metrics in of.estimates.items()
        if model not in of.people and not math.isnan(metrics[metric].mean)
    }
    if len(means) < 2:
        return set()
    top = (min if metric in LOWER_IS_BETTER else max)(means.values())
    return {model for model, mean in means.items() if shown(mean) == shown(top)}


def explanation(of: Statistics, kind: str, mark: str) -> str:
    """What a table's means, its bold type and its mark are.

    Args:
        of: what is in the table.
        kind: of the subjects.
        mark: what is said of the difference from the first model, up to how it was tested.
    """
    means = means_in_words(of, kind)
    if of.subjects < 2 or not of.comparisons:
        return means
    return f"{means} Bold: best of its column. {mark} ({comparison_in_words(of)})."


def _explanation(of: Statistics, kind: str) -> str:
    mark = f"{DAGGER}: differs from {one_line(of.first)}, p < {SIGNIFICANT}"
    return explanation(of, kind, mark)


def _metrics(of: Statistics) -> list[str]:
    return list(of.estimates[of.first])


def _differs(of: Statistics, model: str, metric: str) -> bool:
    return model in of.comparisons and of.comparisons[model][metric].is_significant


def _published(of: Statistics) -> Printed | None:
    return None if of.group is None else printed(of.group)


def _published_line(of: Printed) -> str:
    return f"As published on {of.database} ({SOURCE}), not measured here."


def _published_cells(rows: Mapping[str, float], metrics: Sequence[str]) -> list[str]:
    return [shown(rows.get(metric, math.nan)) for metric in metrics]


def _in_markdown(text: str) -> str:
    return one_line(text).translate(_MARKDOWN)


def _markdown_section(of: Statistics, kind: str) -> Iterator[str]:
    metrics = _metrics(of)
    bold = {metric: best(of, metric) for metric in metrics}
    arrows = [f"{metric} {'↓' if metric in LOWER_IS_BETTER else '↑'}" for metric in metrics]
    yield from (f"## {_in_markdown(title(of, kind))}", "")
    yield from (_in_markdown(_explanation(of, kind)), "")
    yield from _markdown_head(["model", *arrows])
    for model, estimates in of.estimates.items():
        cells = []
        for metric, one in estimates.items():
            mean = shown(one.mean)
            mean = f"**{mean}**" if model in bold[metric] else mean
            mark = DAGGER if _differs(of, model, metric) else ""
            cells.append(f"{mean}{mark} {interval(one)}".rstrip())
        yield _markdown_row([_in_markdown(model), *cells])
    yield ""
    if of.comparisons:
        yield from (f"### Difference from {_in_markdown(of.first)}, corrected p", "")
        yield from _markdown_head(["model", *metrics])
        for model, comparisons in of.comparisons.items():
            yield _markdown_row([_in_markdown(model), *map(_difference, comparisons.values())])
        yield ""
    if context := _published(of):
        yield from (f"### Published on {context.database}", "")
        line = f"{_published_line(context)} {context.note}".rstrip()
        yield from (_in_markdown(line), "")
        yield from _markdown_head(["model", *arrows])
        for model, row in context.rows.items():
            yield _markdown_row([_in_markdown(model), *_published_cells(row, metrics)])
        yield ""


def _difference(of: Comparison) -> str:
    if math.isnan(of.difference.mean):
        return ABSENT
    size = f"{of.difference.mean:+z.3f} {interval(of.difference)}".rstrip()
    return size if math.isnan(of.p) else f"{size}, p {_in_markdown(shown_p(of.p_corrected))}"


def _markdown_head(cells: Sequence[str]) -> Iterator[str]:
    yield _markdown_row(cells)
    yield _markdown_row(["---", *["--:"] * (len(cells) - 1)])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _in_latex(text: str) -> str:
    return one_line(text).translate(_LATEX)


def _latex_section(of: Statistics, kind: str) -> Iterator[str]:
    metrics = _metrics(of)
    bold = {metric: best(of, metric) for metric in metrics}
    arrows = [
        rf"{metric} $\{'downarrow' if metric in LOWER_IS_BETTER else 'uparrow'}$"
        for metric in metrics
    ]
    yield from ("", r"\begin{table*}[t]", r"\centering")
    caption = f"{title(of, kind)}. {_explanation(of, kind)}"
    if context := _published(of):
        caption = f"{caption} {context.note}".rstrip()
    yield rf"\caption{{{_in_latex(caption)}}}"
    yield rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}"
    yield from (r"\toprule", _latex_row(["", *arrows]), r"\midrule")
    for model, estimates in of.estimates.items():
        cells = []
        for metric, one in estimates.items():
            mean = _latex_number(shown(one.mean))
            mean = rf"\textbf{{{mean}}}" if model in bold[metric] else mean
            cells.append(f"{mean}{_in_latex(DAGGER)}" if _differs(of, model, metric) else mean)
        yield _latex_row([_in_latex(model), *cells])
        if any(intervals := [_latex_number(interval(one)) for one in estimates.values()]):
            yield _latex_row(["", *(rf"{{\scriptsize {one}}}" if one else "" for one in intervals)])
    if context:
        line = rf"{{\footnotesize {_in_latex(_published_line(context))}}}"
        yield r"\midrule"
        yield rf"\multicolumn{{{len(metrics) + 1}}}{{l}}{line} \\"
        for model, row in context.rows.items():
            cells = [_latex_number(value) for value in _published_cells(row, metrics)]
            yield _latex_row([_in_latex(model), *cells])
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table*}", "")


def _latex_number(text: str) -> str:
    return "--" if text == ABSENT else text.replace("-", "$-$")


def _latex_row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"
