"""What the verbs share: two consoles, a progress bar, one-line errors, what became of clips."""

import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lookhear.clip_results import Outcome
from lookhear.progress import Bars
from lookhear.words import counted

# Names of files are data, not markup.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


class _OfClip(Protocol):
    @property
    def problems(self) -> Sequence[str]: ...


Made = TypeVar("Made", bound=_OfClip)


def command_line() -> str:
    """The command that was given, for pages to say how they were made."""
    return shlex.join(["lookhear", *sys.argv[1:]])


def complain(line: str) -> None:
    """Say what went wrong, in one line."""
    err.print(f"lookhear: {' '.join(line.split())}")


class _SpeedColumn(ProgressColumn):
    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        speed = "-" if task.speed is None else f"{task.speed:.{0 if task.speed >= 10 else 1}f}"
        return Text(f"{speed} {self._what}/s")


def bars(unit: str) -> Bars:
    """Bars that say what is done, how fast in a unit, and how long to go; gone when it is done."""

    @contextmanager
    def bar(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _SpeedColumn(unit),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
            yield partial(shown.advance, shown.add_task(what, total=total))

    return bar


def tell(
    outcomes: Iterable[Outcome[Made]], folder: Path, report: str, line: Callable[[Made], str]
) -> None:
    """Say in a line each what became of clips, and at the end what is as it was, or went wrong.

    Args:
        outcomes: one after the other, as they come.
        folder: of all results.
        report: name of what to look at, in a clip's folder.
        line: says what was found.

    Raises:
        typer.Exit: a clip failed.
    """
    total, done = 0, list[str]()
    failed = defaultdict[str, list[str]](list)
    for of in outcomes:
        total, name = total + 1, of.clip.name
        if of.error:
            reason = of.error.removeprefix(f"{of.clip}: ")
            failed[reason].append(name)
            if len(failed[reason]) == 1:  # others are told of at the end, all at once
                complain(of.error)
        elif of.made is None:
            done.append(name)
        else:
            if of.made.problems:
                err.print(f"{name}: {'; '.join(of.made.problems)}")
            out.print(f"{name}: {line(of.made)}; see {of.folder / report}")
    if done:
        out.print(f"done already in {folder}: {counted('clip', done)}; --overwrite does it again")
    for reason, names in failed.items():
        if len(names) > 1:
            complain(f"{counted('clip', names)}: {reason}")
    if without := sum(map(len, failed.values())):
        if total > 1:
            others = "; the others are done" if without < total else ""
            complain(f"{without} of {total} clips failed{others}")
        raise typer.Exit(1)
