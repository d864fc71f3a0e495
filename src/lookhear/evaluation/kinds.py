"""What models are scored on, by which networks they are: where people look, events, or actions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from lookhear.errors import LookhearError
from lookhear.nets.saved import saved_as

Kind: TypeAlias = Literal["gaze", "events", "actions"]

_KIND_OF: dict[str, Kind] = {"Events": "events", "WhereWhen": "actions"}
"""Network in :data:`~lookhear.nets.saved.NETWORKS` -> what it is scored on; others on gaze."""


def kind_of(models: Sequence[str]) -> Kind:
    """Say what models are scored on.

    Args:
        models: names, as `lookhear.evaluation.naming` has them.

    Raises:
        LookhearError: not all on the same.
    """
    kinds = [_kind(labelled(name)[1]) for name in models]
    for name, kind in zip(models, kinds, strict=True):
        if kind != kinds[0]:
            raise LookhearError(
                f"--model {name}: is scored on {kind}, {models[0]} on {kinds[0]}; score it alone"
            )
    return kinds[0]


def labelled(name: str) -> tuple[str, str]:
    """A model's label, by default the name of its folder, and what it is."""
    label, own = label_of(name)
    return (Path(name).name if label is None else label), own


def label_of(name: str) -> tuple[str | None, str]:
    """The label that ``LABEL=NAME`` gives a model, None where it gives none, and the rest."""
    label, equals, own = name.partition("=")
    if not equals or Path(name).exists():  # some folders have = in their names
        return None, name
    return label, own


def _kind(name: str) -> Kind:
    try:
        return _KIND_OF.get(saved_as(Path(name))[0], "gaze")
    except LookhearError:  # no saved network, but there are other models
        return "gaze"
