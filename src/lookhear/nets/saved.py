"""Saved models: the one in the package, folders, and names on the hub."""

import contextlib
import io
from importlib import resources
from pathlib import Path
from typing import TypeVar

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open

from lookhear.errors import LookhearError
from lookhear.nets.sound import SoundClassifier
from lookhear.stanet.sources import SA, ST, S
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch

SavedNetwork = TypeVar("SavedNetwork", STA, S, SA, ST, AudioSwitch, SoundClassifier)
BUNDLED = ("small",)
CONFIG, WEIGHTS = "config.json", "model.safetensors"
RUN_MODEL = "model"  # where in a run folder the model is


def load_model(name: str | Path = "small", device: str | torch.device = "cpu") -> STA:
    """Load a saved model, ready to predict.

    Args:
        name: ``"small"``, which comes with the package; a folder written by
            ``STA.save_pretrained`` or by ``lookhear train``; the folder of a whole run of it; or a
            name on the Hugging Face hub
            (``owner/name``), which is fetched once and then kept.
        device: where to put it, such as ``"cpu"`` or ``"cuda:1"``.

    Raises:
        LookhearError: no such model or device, or its files do not fit this version.
    """
    return load_network(STA, name, device)


def load_network(
    network: type[SavedNetwork], name: str | Path, device: str | torch.device = "cpu"
) -> SavedNetwork:
    """Load any saved network of this project, ready for inference; see :func:`load_model`.

    Args:
        network: which one it is.
        name: a folder, or a name on the hub.
        device: where to put it.

    Raises:
        LookhearError: no such folder or device, or it holds another network.
    """
    folder = model_folder(name)
    try:
        # The hub mixin announces local folders on stdout, which belongs to results.
        with contextlib.redirect_stdout(io.StringIO()):
            net = network.from_pretrained(folder, strict=True)
    except Exception as error:  # a stranger's configuration can fail anywhere in timm
        raise LookhearError(f"model {name}: cannot be loaded: {_one_line(error)}") from error
    try:
        return net.to(torch.device(device)).eval()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LookhearError(f"device {device}: cannot be used: {_one_line(error)}") from error


def load_source(name: str | Path, device: str | torch.device = "cpu") -> S | SA | ST:
    """Load a saved S, SA or ST, whichever it is; see :func:`load_network`."""
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


def card_sections(name: str | Path) -> tuple[tuple[str, str], ...]:
    """Return a saved model's card as (heading, text) pairs, in Markdown; none if it has no card."""
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
        return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS, "README.md"]))
    except HFValidationError as error:
        raise LookhearError(unknown) from error
    except Exception as error:  # the hub client raises its own and every HTTP library's errors
        raise LookhearError(
            f"model {name}: no such folder, and not to be had from the hub: {_one_line(error)}"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()[:25]) or type(error).__name__
