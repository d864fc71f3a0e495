"""How long work says how far it is, to whoever shows it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

Progress: TypeAlias = Callable[[int], object]
"""Is told how many more steps are done."""
Bars: TypeAlias = Callable[[str, int], AbstractContextManager[Progress]]
"""Shows a work of some name and so many steps until it is done, and is told how far it is."""


def unseen(_: int) -> None:
    """Progress that nobody looks at."""
