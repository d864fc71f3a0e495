"""What STANet trains: a file a training, and the presets of whole runs."""

from collections.abc import Mapping
from typing import TypeVar

from lookhear.errors import LookhearError

Recipe = TypeVar("Recipe")


def named(name: str, recipes: Mapping[str, Recipe], option: str) -> Recipe:
    """Choose what an option names.

    Raises:
        LookhearError: there is none of this name.
    """
    if name not in recipes:
        raise LookhearError(f"--{option} {name}: unknown; there are {', '.join(recipes)}")
    return recipes[name]
