"""Results of an evaluation as files that a spreadsheet, a page, a paper or a program can take.

| file | what it is |
| --- | --- |
| `scores.json` | everything: protocol, means, intervals, comparisons, each frame's values, notes |
| `clips.csv` or `pictures.csv` | a line for each model and clip or picture: its metrics |
| `frames.csv` | of clips: a line for each model, clip and time: its metrics |
| `table.csv` | a line for each database, model and metric: mean, interval, difference, p |
| `table.md`, `table.tex` | the same to read: Markdown for a page, LaTeX for a paper |

In CSV files what is not defined is empty, a set of pictures is a database, too, and all databases
together are `ALL`.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lookhear.evaluation.literature import SOURCE, printed
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import LEVEL, SIGNIFICANT, Comparison, Estimate, Statistics
from lookhear.files import whole_file, write_whole
from lookhear.metrics import LOWER_IS_BETTER, METRIC_NAMES

SCORES_FILE = "scores.json"
FRAMES_FILE = "frames.csv"
TABLE_FILES = ("table.csv", "table.md", "table.tex")
ALL = "(all)"
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

_MODEL_COLUMNS = 22  # the widest that leaves a terminal table within 100
_NOT_COMPARED = Comparison(Estimate(math.nan, math.nan, math.nan, 0), math.nan, math.nan)


def write_tables(
    folder: Path, scores: Scores, found: Sequence[Statistics], protocol: Mapping[str, Any]
) -> None:
    """Write every file at the head of this module, each whole, replacing older ones.

    Args:
        folder: where; it must exist.
        scores: of at least one model.
        found: what `analyse` says of them.
        protocol: how they were taken, as `json.dump` takes it.

    Raises:
        LookhearError: a file cannot be written.
    """
    everything = {
        "protocol": protocol,
        "statistics": [of.as_json() for of in found],
        "published": _published(scores),
        **scores.as_json(),
    }
    write_whole(folder / SCORES_FILE, json.dumps(everything, allow_nan=False))
    _write_csv(folder / f"{scores.kind}.csv", _subject_lines(scores))
    if scores.kind == "clips":
        _write_csv(folder / FRAMES_FILE, _frame_lines(scores))
    _write_csv(folder / TABLE_FILES[0], _table_lines(found))
    write_whole(folder / TABLE_FILES[1], markdown(scores, found))
    write_whole(folder / TABLE_FILES[2], latex(scores, found))


def terminal_table(scores: Scores, found: Sequence[Statistics]) -> Table:
    """Show means in the terminal, a section for each database or set, in at most 100 columns.

    Args:
        scores: of at least one model.
        found: what `analyse` says of them.

    Returns:
        The table; its last columns are the interval of NSS and the corrected p of its difference
        from the first model.
    """
    mark = f"p: of the difference in NSS from {one_line(found[-1].first)}"
    table = Table(
        title=Text(title(found[-1], scores.kind)),
        caption=Text(explanation(found[-1], scores.kind, mark)),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", overflow="fold", max_width=_MODEL_COLUMNS)
    for heading in (*_metrics(scores), "of NSS", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for of in found:
        table.add_section()
        if len(found) > 1:
            table.add_row(Text(title(of, scores.kind), style="bold"))
        for model, estimates in of.estimates.items():
            compared = of.comparisons.get(model)
            table.add_row(
                Text(one_line(model)),
                *(
                    Text(shown(one.mean), style="bold" if model in best(of, metric) else "")
                    for metric, one in estimates.items()
                ),
                Text(interval(estimates["NSS"])),
                shown_p(compared["NSS"].p_corrected) if compared else "",
            )
    return table


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
    if of.subjects < 2:
        return f"One {kind[:-1]}: there can be no intervals and no tests."
    means = f"Means over {kind} with {LEVEL:.0%} bootstrap intervals."
    if not of.comparisons:
        return means
    comparisons = [one for metrics in of.comparisons.values() for one in metrics.values()]
    count = sum(not math.isnan(one.p) for one in comparisons)
    test = f"two-sided paired sign-flip test, Holm-corrected for {count} comparisons"
    return f"{means} Bold: best of its column. {mark} ({test})."


def markdown(scores: Scores, found: Sequence[Statistics]) -> str:
    """Write the tables in Markdown, with those of the differences from the first model.

    A table for each database or set, and one for all together if there are several: means with
    their intervals, the best of each column in bold, a dagger where a model differs from the first.
    Published scores on that database, where there are any, stand below and apart.

    Args:
        scores: for what they are of, and their notes.
        found: what `analyse` says of them.
    """
    lines = [line for of in found for line in _markdown_section(of, scores.kind)]
    if scores.notes:
        lines += ["## Notes", "", *(f"- {_in_markdown(note)}" for note in scores.notes), ""]
    return "\n".join(lines)


def latex(scores: Scores, found: Sequence[Statistics]) -> str:
    """Write the same in LaTeX, but for differences: a `table` each, to be input by a paper."""
    lines = [line for of in found for line in _latex_section(of, scores.kind)]
    return "\n".join([_LATEX_HEAD, *lines])


class _Mean(NamedTuple):
    text: str
    interval: str
    is_best: bool
    differs: bool


def _means(of: Statistics) -> dict[str, list[_Mean]]:
    """Of each model a mean for each metric, as the tables show it."""
    bests = {metric: best(of, metric) for metric in of.estimates[of.first]}
    return {
        model: [
            _Mean(
                shown(one.mean),
                interval(one),
                model in bests[metric],
                model in of.comparisons and of.comparisons[model][metric].is_significant,
            )
            for metric, one in estimates.items()
        ]
        for model, estimates in of.estimates.items()
    }


def _explanation(of: Statistics, kind: str) -> str:
    mark = f"{DAGGER}: differs from {one_line(of.first)}, p < {SIGNIFICANT}"
    return explanation(of, kind, mark)


def _context(of: Statistics) -> tuple[str, str, dict[str, list[str]]] | None:
    """What papers say of the same database: where and what it is, a note, and each model's row."""
    context = None if of.group is None else printed(of.group)
    if context is None:
        return None
    rows = {
        model: [shown(row.get(metric, math.nan)) for metric in of.estimates[of.first]]
        for model, row in context.rows.items()
    }
    return context.database, context.note, rows


def _published_on(database: str) -> str:
    return (
        f"As published on {database} ({SOURCE}), not measured here and maybe not on the same clips."
    )


def _in_markdown(text: str) -> str:
    return one_line(text).translate(_MARKDOWN)


def _markdown_section(of: Statistics, kind: str) -> Iterator[str]:
    metrics = list(of.estimates[of.first])
    arrows = [f"{metric} {'↓' if metric in LOWER_IS_BETTER else '↑'}" for metric in metrics]
    yield from (f"## {_in_markdown(title(of, kind))}", "", _in_markdown(_explanation(of, kind)), "")
    rows = {model: map(_markdown_mean, means) for model, means in _means(of).items()}
    yield from markdown_table(arrows, rows)
    if of.comparisons:
        yield from (f"### Difference from {_in_markdown(of.first)}, corrected p", "")
        rows = {model: map(_difference, by.values()) for model, by in of.comparisons.items()}
        yield from markdown_table(metrics, rows)
    if context := _context(of):
        database, note, papers = context
        line = _in_markdown(f"{_published_on(database)} {note}".rstrip())
        yield from (f"### Published on {database}", "", line, "")
        yield from markdown_table(arrows, papers)


def _markdown_mean(of: _Mean) -> str:
    mean = f"**{of.text}**" if of.is_best else of.text
    return f"{mean}{DAGGER if of.differs else ''} {of.interval}".rstrip()


def _difference(of: Comparison) -> str:
    if math.isnan(of.difference.mean):
        return ABSENT
    size = f"{of.difference.mean:+z.3f} {interval(of.difference)}".rstrip()
    return size if math.isnan(of.p) else f"{size}, p {_in_markdown(shown_p(of.p_corrected))}"


def short(value: float) -> str:
    """A figure in a table; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def or_null(value: float) -> float | None:
    """A figure as JSON has it, which knows no NaN."""
    return None if math.isnan(value) else value


def markdown_table(heads: Sequence[str], rows: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The lines of a table in Markdown: heads of all columns but the first, model -> cells."""
    lines = [["model", *heads], ["---", *["--:"] * len(heads)]]
    lines += [[_in_markdown(model), *cells] for model, cells in rows.items()]
    yield from (f"| {' | '.join(cells)} |" for cells in lines)
    yield ""


def _in_latex(text: str) -> str:
    return one_line(text).translate(_LATEX)


def _latex_section(of: Statistics, kind: str) -> Iterator[str]:
    metrics = list(of.estimates[of.first])
    arrows = {True: r"$\downarrow$", False: r"$\uparrow$"}
    heads = [f"{metric} {arrows[metric in LOWER_IS_BETTER]}" for metric in metrics]
    context = _context(of)
    caption = f"{title(of, kind)}. {_explanation(of, kind)} {context[1] if context else ''}"
    yield from ("", r"\begin{table*}[t]", r"\centering")
    yield rf"\caption{{{_in_latex(caption.rstrip())}}}"
    yield rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}"
    yield from (r"\toprule", _latex_row(["", *heads]), r"\midrule")
    for model, means in _means(of).items():
        yield _latex_row([_in_latex(model), *map(_latex_mean, means)])
        intervals = [_latex_number(one.interval) for one in means]
        if any(intervals):
            yield _latex_row(["", *(rf"{{\scriptsize {one}}}" if one else "" for one in intervals)])
    if context:
        database, _, papers = context
        line = rf"{{\footnotesize {_in_latex(_published_on(database))}}}"
        yield from (r"\midrule", rf"\multicolumn{{{len(metrics) + 1}}}{{l}}{line} \\")
        for model, row in papers.items():
            yield _latex_row([_in_latex(model), *map(_latex_number, row)])
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table*}", "")


def _latex_mean(of: _Mean) -> str:
    mean = _latex_number(of.text)
    mean = rf"\textbf{{{mean}}}" if of.is_best else mean
    return f"{mean}{_in_latex(DAGGER)}" if of.differs else mean


def _latex_number(text: str) -> str:
    return "--" if text == ABSENT else text.replace("-", "$-$")


def _latex_row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _published(scores: Scores) -> dict[str, Any]:
    """Published scores on the databases, by the names that the databases have here."""
    return {
        group: {"source": SOURCE, "note": of.note, "means": of.rows}
        for group in scores.groups()
        if (of := printed(group))
    }


def _subject_lines(scores: Scores) -> Iterator[Sequence[object]]:
    yield ("model", "database", scores.kind[:-1], "frames", *_metrics(scores))
    for model, metrics in scores.of_subjects.items():
        for subject, values in zip(
            scores.subjects, zip(*metrics.values(), strict=True), strict=True
        ):
            numbers = map(_number, values)
            yield (model, subject.group, subject.name, len(subject.times), *numbers)


def _frame_lines(scores: Scores) -> Iterator[Sequence[object]]:
    yield ("model", "database", "clip", "time", *_metrics(scores))
    for model, metrics in scores.values.items():
        for subject, of_subject in zip(
            scores.subjects, zip(*metrics.values(), strict=True), strict=True
        ):
            for time, *values in zip(subject.times, *of_subject, strict=True):
                yield (model, subject.group, subject.name, time, *map(_number, values))


def _table_lines(found: Sequence[Statistics]) -> Iterator[Sequence[object]]:
    ends = ("mean", "low", "high", "subjects")
    differences = ("difference", "difference_low", "difference_high", "difference_subjects")
    yield ("database", "model", "metric", *ends, *differences, "p", "p_corrected")
    for of in found:
        group = ALL if of.group is None else of.group
        for model, estimates in of.estimates.items():
            for metric, one in estimates.items():
                compared = of.comparisons.get(model, {}).get(metric, _NOT_COMPARED)
                difference, *p = compared
                yield (group, model, metric, *map(_number, (*one, *difference, *p)))


def _metrics(scores: Scores) -> list[str]:
    return list(next(iter(scores.values.values())))


def _number(value: float) -> float | str:
    return "" if math.isnan(value) else value


def _write_csv(path: Path, lines: Iterable[Sequence[object]]) -> None:
    """Write a table line by line; it appears when it is whole."""
    with (
        whole_file(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="replace") as file,
    ):
        csv.writer(file).writerows(lines)


def means_table(title: str, means: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Show means in the terminal: a row for each model, a column for each metric.

    Args:
        title: What stands above.
        means: Row -> metric -> value, of every metric of `METRIC_NAMES`; at least one row.

    Returns:
        The table; its last column is each row's NSS over the first row's.
    """
    first = next(iter(means.values()))["NSS"] or math.nan
    shown = Table(title=title)
    shown.add_column("model", overflow="fold")
    for heading in (*METRIC_NAMES, "NSS / first"):
        shown.add_column(heading, justify="right")
    for row, metrics in means.items():
        values = [math.nan if (value := metrics[name]) is None else value for name in METRIC_NAMES]
        ratio = values[METRIC_NAMES.index("NSS")] / first
        shown.add_row(row, *(f"{value:.3f}" for value in values), f"{ratio:.2f}")
    return shown


def plain_table(title: str, rows: Sequence[Sequence[str]]) -> Table:
    """Show rows in the terminal: a head first, and the name of each row in its first cell."""
    head, *others = rows
    shown = Table(title=Text(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(head):
        shown.add_column(Text(heading), justify="right" if number else "left", overflow="fold")
    for row in others:
        shown.add_row(*(Text(one_line(cell)) for cell in row))
    return shown
