"""Where the parts of a network begin: at the weights of one that is trained already."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from lookhear.errors import LookhearError
from lookhear.nets.backbones import PictureNet
from lookhear.nets.pretrained import (
    Pretrained,
    load_pretrained,
    read_pretrained,
    seeing_as,
)
from lookhear.nets.saved import WEIGHTS, model_folder
from lookhear.nets.state_dicts import misfit, read_state

Recipe = TypeVar("Recipe")


class SavedPart(NamedTuple):
    """A part of a saved network.

    Attributes:
        folder: of the network.
        name: of the part, such as ``backbone``, ``head.votes``.
    """

    folder: Path
    name: str


InitialWeights: TypeAlias = dict[str, SavedPart | Pretrained]
"""Part of a network -> the part of a saved one whose weights it begins with; or the file of a state
dict of it; or, of ``backbone``, pretrained weights."""


def parts_of(folder: Path, *names: str) -> InitialWeights:
    """Parts of a saved network, each for a part of the same name."""
    return {name: SavedPart(folder, name) for name in names}


def begun_with(recipe: Recipe, weights: Pretrained | None) -> Recipe:
    """Change with what a recipe's backbone begins, and so which one it is.

    Single layers of it that were frozen learn then; one that was frozen whole, as it goes on from
    another network's, stays so.

    Args:
        recipe: a dataclass with a ``net``, arguments of a network that sees, and a ``schedule``.
        weights: None for weights of chance, which learn at the rate of all else.
    """
    changed: Any = recipe
    kept = tuple(part for part in changed.schedule.frozen if not part.startswith("backbone."))
    net, schedule = changed.net, replace(changed.schedule, frozen=kept)
    if weights is None:
        schedule = replace(schedule, backbone_rate=None)
    else:
        net = seeing_as(weights, net)
    made: Recipe = replace(changed, net=net, schedule=schedule)
    return made


def beginning(part: str, weights: Pretrained | None) -> InitialWeights:
    """Pretrained weights for a part; nothing where there are none."""
    return {} if weights is None else {part: weights}


def read_start(given: Iterable[str]) -> InitialWeights:
    """Read lines of PART=FOLDER, PART=FOLDER:PART THERE, PART=FILE, or backbone=PRETRAINED WEIGHTS.

    Raises:
        LookhearError: one is none of these.
    """
    start: InitialWeights = {}
    for line in given:
        part, _, source = line.partition("=")
        if not (part and source):
            raise LookhearError(f"--start {line}: give PART=FOLDER, as backbone=run/S/model")
        folder, colon, there = source.rpartition(":")
        if not colon:
            folder, there = source, part
        is_name = part == "backbone" and not Path(folder).exists() and "/" not in source
        if is_name or Path(source).is_file():
            start |= beginning(part, read_pretrained(source))
        else:
            start[part] = SavedPart(Path(folder), there)
    return start


def initialise(net: nn.Module, weights: InitialWeights) -> None:
    """Give parts of a network the weights that they have in saved networks.

    Raises:
        LookhearError: saved weights are missing or damaged, or a part is not there or of another
            shape.
    """
    for part, source in weights.items():
        try:
            module = net.get_submodule(part)
        except AttributeError as error:
            raise LookhearError(f"{part}: {type(net).__name__} has no such part") from error
        if isinstance(source, SavedPart):
            _take_over(module, source)
        elif part == "backbone" and isinstance(net, PictureNet):
            load_pretrained(net, source)
        elif isinstance(source, Path):
            _take_file(module, source)
        else:
            raise LookhearError(f"{part}: has no pretrained weights; give the folder of a network")


def _take_file(module: nn.Module, file: Path) -> None:
    """Take a part's own state dict; what there is beside it is left out."""
    state, own = read_state(file), module.state_dict()
    known = {key: state[key] for key in own if key in state}
    if fault := misfit(known, own):
        raise LookhearError(f"{file}: of another {type(module).__name__}: {fault}")
    module.load_state_dict(known)


def _take_over(module: nn.Module, part: SavedPart) -> None:
    folder, name = part
    try:
        saved = load_file(model_folder(folder) / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise LookhearError(f"{folder / WEIGHTS}: missing or damaged; train it again") from error
    weights = {
        key.removeprefix(f"{name}."): tensor
        for key, tensor in saved.items()
        if key.startswith(f"{name}.")
    }
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise LookhearError(f"{folder}: its {name} is missing or of another shape") from error
