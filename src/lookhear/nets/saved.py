"""Saved networks: which there are, and where they lie: in the package, folders, and on the hub.

PyTorch is imported only when a network is loaded.
"""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lookhear.errors import LookhearError, lacking, one_line
from lookhear.files import whole_folder
from lookhear.nets import Engine
from lookhear.nets.devices import CPU, has_cuda
from lookhear.nets.watching import Watcher

if TYPE_CHECKING:
    import torch

    from lookhear.nets.kinds import SavedNetwork, WatchingNetwork

    N = TypeVar("N", bound=SavedNetwork)

NETWORKS: dict[str, str] = {
    "STA": "lookhear.stanet.sta:STA",
    "S": "lookhear.stanet.sources:S",
    "SA": "lookhear.stanet.sources:SA",
    "ST": "lookhear.stanet.sources:ST",
    "S+": "lookhear.stanet.sources_plus:SPlus",
    "SA+": "lookhear.stanet.sources_plus:SAPlus",
    "ST+": "lookhear.stanet.sources_plus:STPlus",
    "STA+": "lookhear.stanet.sta_plus:STAPlus",
    "STANet+": "lookhear.stanet.stanet_plus:STANetPlus",
    "AudioSwitch": "lookhear.stanet.switch:AudioSwitch",
    "WhereWhen": "lookhear.actions.net:WhereWhen",
    "SoundClassifier": "lookhear.nets.sound:SoundClassifier",
    "Events": "lookhear.events.net:EventNet",
}
"""What ``config.json`` calls a network -> its class. A new network is one file and one line."""

NETWORK = "network"  # under which config.json has the name

_BEFORE_NAMES: dict[str, set[str]] = {
    "SA": {"categories", "sound_gate"},
    "ST": {"categories", "time_mixing"},
    "S": {"categories", "backbone"},
    "SoundClassifier": {"categories", "sound_encoder"},
    "STA": {"time_mixing"},
    "AudioSwitch": {"backbone", "sound_encoder"},
}
"""Network -> arguments that only it and those after it have, for folders from before the names."""

BUNDLED = ("small",)
CONFIG, WEIGHTS = "config.json", "model.safetensors"
ONNX = ".onnx"
GRAPHS = f"model{ONNX}"  # of a network, whose weights are those in the same folder
RUN_MODEL = "model"  # where in a run folder the model is


def load_model(
    name: str | Path = "small", device: "str | torch.device | None" = None
) -> "WatchingNetwork":
    """Load a saved model, ready to predict.

    Args:
        name: ``"small"``, which comes with the package; a folder written by a network's
            ``save_pretrained`` or by ``lookhear train``; the folder of a whole run of it; or a name
            on the Hugging Face hub (``owner/name``), which is fetched once and then kept.
        device: where to put it, such as ``"cpu"`` or ``"cuda:1"``; None for CUDA where there is
            one, else the CPU.

    Raises:
        LookhearError: no such model or device, or its files do not fit this version.
    """
    try:
        from lookhear.nets.kinds import WatchingNetwork
    except ModuleNotFoundError as error:
        raise lacking(error, f"model {name}") from error
    return load_network(WatchingNetwork, name, device)


def load_watcher(
    model: "str | Path | Watcher | WatchingNetwork" = "small",
    device: "str | torch.device | None" = None,
    engine: Engine | None = None,
) -> Watcher:
    """Load what runs a network over a clip.

    Args:
        model: what :func:`load_model` takes or gives, or a file of :func:`lookhear.export`; a
            watcher is returned as it is.
        device: where to put it, unless it is loaded already.
        engine: ``"onnx"`` for ONNX Runtime, ``"torch"`` for PyTorch; None for the first where the
            model has graphs for it (``"small"`` has) and the device is a CPU, or PyTorch is not
            installed.

    Raises:
        LookhearError: see :func:`load_model`; or the engine cannot run the model; or the network is
            in training mode.
    """
    if not isinstance(model, str | Path):
        return model if isinstance(model, Watcher) else model.folded().watcher()
    graphs = _graphs_of(model)
    if engine is None:
        fits = graphs is not None and (is_exported(model) or not _wants_torch(device))
        engine = "onnx" if fits else "torch"
    if engine == "torch":
        if is_exported(model):
            raise LookhearError(f"model {model}: is exported, and runs on ONNX Runtime alone")
        return load_watcher(load_model(model, device))
    if graphs is None:
        raise LookhearError(
            f"model {model}: has no graphs for ONNX Runtime; write them by lookhear export"
        )
    from lookhear.nets.exported import ExportedWatcher

    return ExportedWatcher(graphs, None if device is None else str(device))


def is_exported(name: str | Path) -> bool:
    """Say whether a model is a file of :func:`lookhear.export`."""
    return Path(name).suffix == ONNX and not Path(name).is_dir()


def located(name: str | Path) -> Path:
    """Find a model: its file, if it is exported, or its folder; see :func:`model_folder`.

    Raises:
        LookhearError: there is no such model.
    """
    return Path(name) if is_exported(name) else model_folder(name)


def _graphs_of(name: str | Path) -> Path | None:
    """Where a model's graphs for ONNX Runtime are, if it has any."""
    if is_exported(name):
        return Path(name)
    graphs = model_folder(name) / GRAPHS
    return graphs if graphs.is_file() else None


def _wants_torch(device: "str | torch.device | None") -> bool:
    """Say whether a device is a GPU that PyTorch is there for."""
    is_gpu = has_cuda() if device is None else not str(device).startswith(CPU)
    return is_gpu and find_spec("torch") is not None


def load_network(
    kind: "type[N]", name: str | Path, device: "str | torch.device | None" = None
) -> "N":
    """Load any saved network of this project, ready for inference; see :func:`load_model`.

    Args:
        kind: its class; or one of :mod:`lookhear.nets.kinds`, for any that can do that.
        name: a folder, or a name on the hub.
        device: where to put it.

    Raises:
        LookhearError: no such folder or device, or it holds another network.
    """
    from lookhear.nets.devices import placed

    folder = model_folder(name)
    held, _ = saved_as(folder)
    network = _class_of(held)
    if not issubclass(network, kind):
        wanted = " or ".join(other for other in NETWORKS if issubclass(_class_of(other), kind))
        raise LookhearError(
            f"model {name}: its network is {held}, not {wanted}; name the folder of another"
        )
    try:
        # The hub mixin announces local folders on stdout, which belongs to results.
        with contextlib.redirect_stdout(io.StringIO()):
            net = network.from_pretrained(folder, strict=True)
    except Exception as error:  # a stranger's configuration can fail anywhere in timm
        raise LookhearError(f"model {name}: cannot be loaded: {one_line(error)}") from error
    return placed(net, device)


def saved_as(name: str | Path) -> tuple[str, dict[str, Any]]:
    """Return the name of a saved network in `NETWORKS`, and the arguments it was made with.

    Raises:
        LookhearError: there is no such model, or this version does not know the network.
    """
    try:
        config = json.loads((model_folder(name) / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LookhearError(f"model {name}: {CONFIG}: cannot be read: {one_line(error)}") from error
    if not isinstance(config, dict):
        raise LookhearError(f"model {name}: {CONFIG}: names no arguments of a network")
    older = (known for known, needed in _BEFORE_NAMES.items() if needed <= config.keys())
    network = config.pop(NETWORK, None) or next(older, None)
    if not isinstance(network, str) or network not in NETWORKS:
        raise LookhearError(
            f"model {name}: {CONFIG}: its network is {network or 'not told'}, but this version "
            f"knows {', '.join(NETWORKS)}"
        )
    return network, config


def name_of(network: type) -> str:
    """Return the name of a class in `NETWORKS`.

    Raises:
        ValueError: it is not there.
    """
    path = f"{network.__module__}:{network.__qualname__}"
    for name, known in NETWORKS.items():
        if known == path:
            return name
    raise ValueError(f"{path} is none of lookhear.nets.saved.NETWORKS; give it a line there")


def _class_of(name: str) -> "type[SavedNetwork]":
    module, _, own = NETWORKS[name].partition(":")
    network: type[SavedNetwork] = getattr(import_module(module), own)
    return network


@contextlib.contextmanager
def whole_model(folder: Path) -> Iterator[Path]:
    """Give a folder to save a network into, which becomes ``folder`` whole or not at all.

    Raises:
        LookhearError: it cannot be written.
    """
    from safetensors import SafetensorError

    with whole_folder(folder) as partial:
        try:
            yield partial
        except SafetensorError as error:  # which has the number of a full disk in its text
            number = re.search(r"os error (\d+)", str(error))
            said = (int(number[1]), os.strerror(int(number[1]))) if number else (str(error),)
            raise OSError(*said) from error


def save_model(net: Any, folder: Path) -> None:
    """Save a network by its ``save_pretrained``.

    Raises:
        LookhearError: it cannot be written.
    """
    with whole_model(folder) as partial:
        net.save_pretrained(partial)


def card_sections(name: str | Path) -> tuple[tuple[str, str], ...]:
    """Return a saved model's card as (heading, text) pairs, in Markdown; none if it has no card."""
    if is_exported(name):
        return ()
    card = model_folder(name) / "README.md"
    if not card.is_file():
        return ()
    text = card.read_text(encoding="utf-8", errors="replace")
    sections = (section.partition("\n") for section in text.split("\n## ")[1:])
    return tuple((heading.strip(), body.strip()) for heading, _, body in sections)


def model_folder(name: str | Path) -> Path:
    """Find the folder of a saved model, fetching it from the hub if need be.

    Raises:
        LookhearError: there is no such model.
    """
    is_path, name = isinstance(name, Path), str(name)
    bundled = name in BUNDLED
    path = Path(str(resources.files("lookhear"))) / "weights" / name if bundled else Path(name)
    if name and not (path / CONFIG).exists() and (path / RUN_MODEL / CONFIG).is_file():
        path = path / RUN_MODEL
    if name and path.is_dir():
        if not (path / CONFIG).is_file() or not (path / WEIGHTS).is_file():
            raise LookhearError(f"model {name}: its folder lacks {CONFIG} or {WEIGHTS}")
        return path
    if name and path.exists():
        raise LookhearError(f"model {name}: is a file; name the folder that {WEIGHTS} lies in")
    unknown = (
        f"model {name}: unknown; use {', '.join(BUNDLED)}, a folder with {CONFIG} and {WEIGHTS}, "
        "or a name on the hub (owner/name)"
    )
    if is_path or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise LookhearError(unknown)
    try:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError
    except ModuleNotFoundError as error:
        raise lacking(error, f"model {name}: no such folder, and the hub") from error
    try:
        files = [CONFIG, WEIGHTS, "README.md"]
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=files))
    except HFValidationError as error:
        raise LookhearError(unknown) from error
    except Exception as error:  # the hub client raises its own and every HTTP library's errors
        raise LookhearError(
            f"model {name}: no such folder, and not to be had from the hub: {one_line(error)}"
        ) from error
