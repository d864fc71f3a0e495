"""What the verbs share: two consoles, a progress bar and one-line errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

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

from lookhear.progress import Bars

# Names of files are data, not markup.
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


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
