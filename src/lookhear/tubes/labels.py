"""Which classes are explained: what is asked for, and what that means for a network."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor

from lookhear.errors import LookhearError

SHOWN_NAMES = 4
MOST_LABELS = 20


@dataclass(frozen=True)
class Label:
    """A class of a network."""

    index: int  # of its logit
    name: str  # the index, in digits, if it has no name


@dataclass(frozen=True)
class Asked:
    """Classes that are asked for, some of which are known only when a clip was seen."""

    classes: tuple[Label, ...]  # all that there are
    # In the order asked for, each a label, or how many of the most probable.
    wanted: tuple[Label | int, ...]

    @property
    def named(self) -> tuple[Label, ...]:
        """All of them, each once, if none depends on what is seen; else none."""
        labels = tuple(wanted for wanted in self.wanted if isinstance(wanted, Label))
        return tuple(dict.fromkeys(labels)) if len(labels) == len(self.wanted) else ()

    def labels(self, probabilities: Tensor) -> tuple[Label, ...]:
        """Return the classes asked for, each once, the most probable first where these are asked.

        Args:
            probabilities: of the classes in what was seen, (K,), or logits.
        """
        ranking = probabilities.argsort(descending=True, stable=True).tolist()
        found: dict[Label, None] = {}
        for wanted in self.wanted:
            if isinstance(wanted, Label):
                found[wanted] = None
            else:
                found |= dict.fromkeys(self.classes[index] for index in ranking[:wanted])
        return tuple(found)


def ask(asked: Sequence[str], categories: Sequence[str], count: int) -> Asked:
    """Read which classes are asked for, before anything is seen.

    Args:
        asked: each the name of a category, whatever its case and with spaces, hyphens or
            underscores; its number, from 0; or ``top-K`` for the K most probable.
        categories: the names of all classes; none if they are unknown.
        count: how many classes there are.

    Raises:
        LookhearError: there is no such class, there are fewer than K, or more are asked for than
            `MOST_LABELS`, or none.
    """
    if not asked:
        raise LookhearError("no label: give one, or top-1 for the most probable")
    classes = tuple(map(Label, range(count), categories or map(str, range(count))))
    wanted = tuple(_wanted(text, classes) for text in asked)
    count = sum(1 if isinstance(one, Label) else one for one in wanted)
    if count > MOST_LABELS:
        raise LookhearError(f"{count} labels: too many to show; give at most {MOST_LABELS}")
    return Asked(classes, wanted)


def _wanted(text: str, classes: Sequence[Label]) -> Label | int:
    # Reversed, for of several with the same name the first is meant.
    by_plain_name = {_plain(label.name): label for label in reversed(classes)}
    by_name = by_plain_name | {label.name: label for label in reversed(classes)}
    label = by_name.get(text) or by_plain_name.get(_plain(text))
    if label is not None:
        return label
    number = re.fullmatch(r"(top-)?([0-9]{1,9})", text.strip().lower())
    if number and number[1] and 1 <= int(number[2]) <= len(classes):
        return int(number[2])
    if number and not number[1] and int(number[2]) < len(classes):
        return classes[int(number[2])]
    most_like = [] if number else _most_like(_plain(text), by_plain_name)
    choices = ", ".join(
        [*most_like, f"top-1 to top-{len(classes)}", f"or a number from 0 to {len(classes) - 1}"]
    )
    raise LookhearError(f"label {text!r}: the network has no such class; try {choices}")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip().casefold())


def _most_like(text: str, labels: Mapping[str, Label]) -> list[str]:
    holding = [name for name in labels if text and text in name]
    names = holding or get_close_matches(text, labels, n=SHOWN_NAMES, cutoff=0.5)
    return [labels[name].name for name in names[:SHOWN_NAMES]]
