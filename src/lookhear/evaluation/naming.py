"""What the names of models on the command line stand for.

- `centre`, `spectral-residual`, `itti-koch`, `gbvs`: a baseline.
- `centre-fitted`: a Gaussian fitted to where people looked in all other clips, or pictures of the
  same set.
- `inter-observer`: each person, predicted by all others: no model, but what one could reach.
- `small`, a folder of a saved network or of a run, a name on the hub, a file of `lookhear export`:
  what predicts fixations, by `lookhear.nets.saved.load_watcher`.
- `RUN:ROW`: what a run made of its test: `S`, `SA`, `ST`, `SCAM-coarse`, `SCAM`,
  `pseudo-fixations`; and one of STANet+: `S+-short` and the like, `SCAM+`, `pseudo-fixations+`.
- `METHOD:NETWORK`: where a saved S, SA or ST sees the class that it finds most probable, such as
  `GradCAM:RUN/coarse/S`.
- `METHOD:MODULE:FACTORY`: the same of your own classifier, which takes (B, 3, H, W), RGB in [0, 1].
- `CAMs:...`: all methods of `lookhear.cam`, a model each; CAM itself only where a linear layer
  comes straight after the pooling, which it needs.
- A folder, `FILE.npz` or `FILE.npz:PREFIX`: maps made elsewhere, see
  `lookhear.evaluation.from_files`.

`LABEL=NAME` gives a model another name in the results.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lookhear.baselines import BASELINES
from lookhear.cam import METHODS
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import OfArchive, OfFolder
from lookhear.evaluation.from_runs import ROWS, OfRun
from lookhear.evaluation.kinds import label_of
from lookhear.evaluation.models import Model, OfBaseline, OfFittedCentre, OfWatcher
from lookhear.evaluation.stimuli import StimulusSet
from lookhear.nets import Engine
from lookhear.nets.saved import CONFIG, RUN_MODEL, load_network, load_watcher

if TYPE_CHECKING:
    from lookhear.evaluation.cams import OfOwn, OfSource

FITTED_CENTRE, PEOPLE, ALL_METHODS = "centre-fitted", "inter-observer", "CAMs"
_METHODS = {method.lower(): method for method in METHODS}

log = logging.getLogger(__name__)


def find_models(
    names: Sequence[str],
    stimuli: StimulusSet,
    device: str | None,
    engine: Engine | None = None,
) -> dict[str, Model | None]:
    """Find models by their names, see the head of this module.

    Args:
        names: Of models, with or without a label.
        stimuli: The set they will be scored on.
        device: Where networks run; None for CUDA where there is one, else the CPU.
        engine: By what; see `lookhear.nets.saved.load_watcher`.

    Returns:
        Label -> model, in the order given; None for people.

    Raises:
        LookhearError: One is unknown or cannot be loaded, or two have the same label.
    """
    models: dict[str, Model | None] = {}
    for name in names:
        label, named = label_of(name)
        found = dict(_found(named, stimuli, device, engine))
        for own, model in found.items():
            chosen = own if label is None else label if len(found) == 1 else f"{label} {own}"
            if not chosen or chosen in models:
                raise LookhearError(f"--model {name}: give it a name of its own, as LABEL={named}")
            models[chosen] = model
    return models


def paths_in(name: str) -> list[Path]:
    """The files and folders that a name of a model may speak of, between any = and : in it."""
    marks = [at for at, letter in enumerate(name) if letter in "=:"]
    begins, ends = [0, *(at + 1 for at in marks)], [*marks, len(name)]
    parts = {name[begin:end] for begin in begins for end in ends if begin < end}
    return [Path(part) for part in sorted(parts) if Path(part).exists()]


def _found(
    name: str, stimuli: StimulusSet, device: str | None, engine: Engine | None
) -> Iterator[tuple[str, Model | None]]:
    """The models that a name stands for, each with what it is called unless it has a label."""
    before, colon, _ = name.partition(":")
    if name == PEOPLE:
        yield name, None
    elif name == FITTED_CENTRE:
        yield name, OfFittedCentre(stimuli.subjects)
    elif name in BASELINES:
        yield name, OfBaseline(BASELINES[name])
    elif colon and (before == ALL_METHODS or before.lower() in _METHODS):
        yield from _cams(name, stimuli, device)
    elif name.endswith(".npz"):
        yield Path(name).stem, OfArchive(Path(name))
    elif ".npz:" in name:
        path, _, prefix = name.rpartition(":")
        yield prefix, OfArchive(Path(path), f"{prefix}/")
    elif name.rpartition(":")[2] in ROWS and name.rpartition(":")[1]:
        run, _, row = name.rpartition(":")
        yield row, OfRun(Path(run), row)
    elif name and Path(name).is_dir() and not _is_network(Path(name)):
        yield Path(name).absolute().name, OfFolder(Path(name))
    else:
        yield Path(name).name, OfWatcher(load_watcher(name, device, engine))


def _cams(name: str, stimuli: StimulusSet, device: str | None) -> Iterator[tuple[str, Model]]:
    """A method of CAM, or all of them, of a classifier: `METHOD:NETWORK`."""
    from lookhear.evaluation.cams import OfOwn, OfSource
    from lookhear.nets.imported import imported_network
    from lookhear.nets.kinds import NamingNetwork

    method, _, network = name.partition(":")
    of: Callable[[str], OfOwn | OfSource]
    if ":" in network and not Path(network).exists():
        of, called = partial(OfOwn, imported_network(network, device)), network.rpartition(":")[2]
    else:
        source = load_network(NamingNetwork, Path(network), device)
        of, called = partial(OfSource, source), type(source).__name__
    every = method == ALL_METHODS
    methods = _fitting(name, of, stimuli) if every else [_METHODS[method.lower()]]
    yield from ((f"{method} of {called}", of(method)) for method in methods)


def _fitting(
    name: str, of: "Callable[[str], OfOwn | OfSource]", stimuli: StimulusSet
) -> Sequence[str]:
    """The methods that fit a network: whether CAM does, the first frame of the set shows."""
    from lookhear.cam.methods import NoLinearHeadError

    try:
        next(of("CAM").maps(stimuli.subjects[0], [0], lambda *_: None))
    except NoLinearHeadError:
        log.warning("%s: CAM is left out: no linear layer comes straight after the pooling", name)
        return [method for method in METHODS if method != "CAM"]
    return METHODS


def _is_network(folder: Path) -> bool:
    return (folder / CONFIG).exists() or (folder / RUN_MODEL / CONFIG).exists()
