"""Results of an evaluation as files that a spreadsheet, a page, a paper or a program can take.

| file | what it is |
| --- | --- |
| `scores.json` | everything: protocol, means, intervals, comparisons, each frame's values, notes |
| `clips.csv` or `pictures.csv` | a line for each model and clip or picture: its metrics |
| `frames.csv` | of clips: a line for each model, clip and time: its metrics |
| `table.csv` | a line for each database, model and metric: mean, interval, difference, p |
| `table.md`, `table.tex` | the same to read: see `lookhear.evaluation.typeset` |

In CSV files what is not defined is empty, and all databases together are `ALL`.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lookhear.evaluation.literature import SOURCE, printed
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.statistics import Comparison, Estimate, Statistics
from lookhear.evaluation.typeset import (
    best,
    explanation,
    interval,
    latex,
    markdown,
    one_line,
    shown,
    shown_p,
    title,
)
from lookhear.files import whole_file, write_whole
from lookhear.metrics import METRIC_NAMES

SCORES_FILE = "scores.json"
FRAMES_FILE = "frames.csv"
TABLE_FILES = ("table.csv", "table.md", "table.tex")
ALL = "(all)"

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
    """Show means in the terminal, a section for each database, in at most 100 columns.

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
