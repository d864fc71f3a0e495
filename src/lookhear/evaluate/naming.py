"""What the names of models on the command line stand for.

- `centre`, `spectral-residual`, `itti-koch`, `gbvs`: a baseline.
- `centre-fitted`: a Gaussian fitted to where people looked in all other clips or pictures.
- `inter-observer`: each person, predicted by all others: no model, but what one could reach.
- `small`, a folder of a saved network or of a run, a name on the hub: STA, by
  `lookhear.load_model`.
- `RUN:ROW`: what a run made of its test: `S`, `SA`, `ST`, `SCAM-coarse`, `SCAM`,
  `pseudo-fixations`.
- `METHOD:NETWORK`: where a saved S, SA or ST sees the class that it finds most probable, such as
  `GradCAM:RUN/coarse/S`.
- `METHOD:MODULE:FACTORY`: the same of your own classifier, which takes (B, 3, H, W), RGB in [0, 1].
- `CAMs:...`: all methods of `lookhear.cam`, a model each.
- A folder, `FILE.npz` or `FILE.npz:PREFIX`: maps made elsewhere, see `lookhear.evaluate.drawn`.

`LABEL=NAME` gives a model another name in the results.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from lookhear.baselines import BASELINES
from lookhear.cam import METHODS
from lookhear.errors import LookhearError
from lookhear.evaluate.drawn import OfArchive, OfFolder
from lookhear.evaluate.models import Model, OfBaseline, OfFittedCentre, OfOwn, OfSource, OfSTA
from lookhear.evaluate.run_maps import ROWS, OfRun
from lookhear.evaluate.viewed import ViewedSet
from lookhear.models import CONFIG, RUN_MODEL, WEIGHTS, load_model, load_network, model_folder
from lookhear.nets.imported import imported_network
from lookhear.nets.scam import SA, ST, S

FITTED_CENTRE, PEOPLE, ALL_METHODS = "centre-fitted", "inter-observer", "CAMs"
_METHODS = {method.lower(): method for method in METHODS}


def find_models(names: Sequence[str], viewed: ViewedSet, device: str) -> dict[str, Model | None]:
    """Find models by their names, see the head of this module.

    Args:
        names: Of models, with or without a label.
        viewed: The set they will be scored on.
        device: Where networks run.

    Returns:
        Label -> model, in the order given; None for people.

    Raises:
        LookhearError: One is unknown or cannot be loaded, or two have the same label.
    """
    models: dict[str, Model | None] = {}
    for name in names:
        label, equals, named = name.partition("=")
        if not equals or Path(name).exists():  # some folders have = in their names
            label, equals, named = "", "", name
        found = dict(_found(named, viewed, device))
        for own, model in found.items():
            chosen = own if not equals else label if len(found) == 1 else f"{label} {own}"
            if not chosen or chosen in models:
                raise LookhearError(f"--model {name}: give it a name of its own, as LABEL={named}")
            models[chosen] = model
    return models


def paths_in(name: str) -> list[Path]:
    """The files and folders that a name of a model speaks of."""
    parts = {name, *name.split("="), *name.split(":"), name.rpartition("=")[2].partition(":")[2]}
    folders = [Path(part) for part in sorted(parts) if part and Path(part).exists()]
    return [path / RUN_MODEL if (path / RUN_MODEL).is_dir() else path for path in folders]


def _found(name: str, viewed: ViewedSet, device: str) -> Iterator[tuple[str, Model | None]]:
    """The models that a name stands for, each with what it is called unless it has a label."""
    before, colon, after = name.partition(":")
    if name == PEOPLE:
        yield name, None
    elif name == FITTED_CENTRE:
        yield name, OfFittedCentre(viewed.subjects)
    elif name in BASELINES:
        yield name, OfBaseline(BASELINES[name])
    elif colon and (before == ALL_METHODS or before.lower() in _METHODS):
        methods = METHODS if before == ALL_METHODS else (_METHODS[before.lower()],)
        if ":" in after and not Path(after).exists():
            net, called = imported_network(after, device), after.rpartition(":")[2]
            yield from ((f"{method} of {called}", OfOwn(net, method)) for method in methods)
        else:
            source = _source(after, device)
            called = type(source).__name__
            yield from ((f"{method} of {called}", OfSource(source, method)) for method in methods)
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
        yield Path(name).name, OfSTA(load_model(name, device))


def _is_network(folder: Path) -> bool:
    return (folder / CONFIG).exists() or (folder / RUN_MODEL / CONFIG).exists()


def _source(name: str, device: str) -> S | SA | ST:
    """Load a saved S, SA or ST, whichever it is."""
    weights = model_folder(Path(name)) / WEIGHTS
    try:
        with safe_open(weights, "pt") as file:
            parts = set(file.keys())
    except (OSError, SafetensorError) as error:
        raise LookhearError(f"{weights}: missing or damaged; train it again") from error
    if any(part.startswith("head.time_gate.") for part in parts):
        return load_network(ST, Path(name), device)
    hears = any(part.startswith("sound_encoder.") for part in parts)
    return load_network(SA, Path(name), device) if hears else load_network(S, Path(name), device)
