"""How long work says how far it is, to whoever shows it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

Progress: TypeAlias = Callable[[int], object]
"""Is told how many more steps are done."""
Bars: TypeAlias = Callable[[str, int | None], AbstractContextManager[Progress]]
"""Shows how far a work of some name and number of steps is; None where nobody knows how many."""


def unseen(_: int) -> None:
    """Progress that nobody looks at."""


def no_bars(_: str, __: int | None) -> AbstractContextManager[Progress]:
    """Bars that nobody looks at."""
    return nullcontext(unseen)
