"""The networks whose classes are explained: which there are, their weights, and how each is fed.

- One of `NETWORKS`: a video classifier of torchvision, fed as its published weights were tested.
- ``module:factory``: the user's own, fed as its attributes say, see `load_classifier`.
- A folder of a saved S or SA of this project, fed with pictures.
"""

import contextlib
import logging
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torchvision import models

from lookhear.cam.watched import undisturbed
from lookhear.data.readers.lists import read_names
from lookhear.errors import LookhearError, one_line
from lookhear.media import Clip, shaped_like
from lookhear.nets.devices import usable
from lookhear.nets.imported import imported_network, is_size
from lookhear.nets.kinds import NamingNetwork
from lookhear.nets.saved import load_network, name_of
from lookhear.nets.state_dicts import fitted, misfit, read_state
from lookhear.prediction.stream import MAPS_PER_SECOND
from lookhear.tubes.windows import Framing
from lookhear.words import count, sides

log = logging.getLogger(__name__)

_ZOO: Any = models  # whose types do not tell all that it has
NETWORKS: tuple[str, ...] = tuple(_ZOO.list_models(module=_ZOO.video))
RANDOM = "random"  # in place of a file: an untrained network

FRAMES, FRAME_RATE, INPUT_SIZE = 16, 15.0, (112, 112)  # R3D's (Tran et al., CVPR 2018)
MOST_FRAMES = 64  # of a window; S3D's paper trains with as many (Xie et al., ECCV 2018)
SIDE_STEP = 16  # pixels; places of the last layers are 16 or 32 wide
MOST_SIDE = 4096  # pixels, to which frames may be stretched
WHITE = 255  # of colours that are told as those of pictures are

RGB = tuple[float, float, float]
Outputs = Literal["logits", "probabilities"]

# What autograd calls the last step of a network, and steps that only give it another shape.
SQUASHING = ("SigmoidBackward0", "SoftmaxBackward0")
RESHAPING = re.compile(r"(View|UnsafeView|Squeeze|Unsqueeze|Reshape|Clone|Select|ToCopy)Backward\d")
SUM_ERROR = 1e-3  # by which the sum of probabilities may miss 1


@dataclass(frozen=True)
class Classifier:
    """A network that names what is in a clip or picture, and how it is fed."""

    name: str  # as the user named it
    # In eval mode, on its device. It gives scores (B, classes) of clips (B, 3, T, H, W), or of
    # pictures (B, 3, H, W).
    net: nn.Module
    device: str  # where it is
    classes: int  # how many it tells apart
    categories: tuple[str, ...]  # names of the classes; none if they are unknown
    takes_pictures: bool  # whether it takes pictures, not clips
    frames: int  # T, of a window; 1 if it takes pictures
    frame_rate: float  # frames a second at which it is fed
    input_size: tuple[int, int]  # height and width in pixels
    keeps_aspect: bool = False  # whether pictures may have other shapes of the same area
    # Height and width to which frames are stretched before what it sees is cut from the middle;
    # None if it sees all of them.
    whole: tuple[int, int] | None = None
    mean: RGB = (0.0, 0.0, 0.0)  # of red, green and blue in [0, 1], taken away from each
    std: RGB = (1.0, 1.0, 1.0)  # what each is then divided by
    outputs: Outputs = "logits"  # what the network gives

    def probabilities(self, scores: Tensor) -> Tensor:
        """Turn what the network gives, (B, classes), into probabilities, float32.

        A single logit is that of the class being there, by the logistic function.
        """
        scores = scores.float()
        if self.outputs == "probabilities":
            return scores
        return torch.softmax(scores, 1) if scores.shape[1] > 1 else torch.sigmoid(scores)

    def size_for(self, clip: Clip) -> tuple[int, int]:
        """Choose the height and width, in pixels, at which the network looks at a clip."""
        if not self.keeps_aspect:
            return self.input_size
        width = float(clip.width * clip.sample_aspect_ratio)
        return shaped_like(clip.height, width, self.input_size, SIDE_STEP)

    def framing_of(self, clip: Clip) -> Framing:
        """Say what the network sees of each frame of a clip."""
        return Framing(self.size_for(clip), self.whole)

    def in_words(self, framing: Framing) -> str:
        """Say how the network is fed with frames of which it sees so much."""
        words = f"{count(self.frames, 'frame')} of {sides(framing.size)}"
        if framing.whole not in (None, framing.size):
            words += f", the middle of {sides(framing.whole)}"
        words += ", in colours from 0 to 1"
        if any(self.mean):
            words += f" less {_listed(self.mean)}"
        if self.std != (1, 1, 1):
            words += f" divided by {_listed(self.std)}"
        return words

    def inputs(self, windows: Tensor) -> Tensor:
        """Turn windows (B, T, H, W, 3), uint8 RGB, into what the network takes, on its device."""
        channels_first = windows.to(self.device).movedim(-1, 1)
        pixels = channels_first.to(torch.float32, memory_format=torch.contiguous_format) / 255
        mean, std = (pixels.new_tensor(of).view(3, 1, 1, 1) for of in (self.mean, self.std))
        clips = pixels.sub_(mean).div_(std)
        return clips.squeeze(2) if self.takes_pictures else clips


def _listed(numbers: RGB) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers)


def load_classifier(
    name: str,
    weights: str | Path | None = None,
    categories: str | Path | None = None,
    device: str | None = None,
    *,
    resize: int | None = None,
    crop: int | None = None,
    mean: str | Sequence[float] | None = None,
    std: str | Sequence[float] | None = None,
    outputs: str | None = None,
) -> Classifier:
    """Load a network that names what is in a clip or picture.

    Args:
        name: One of `NETWORKS`; ``module:factory`` for the user's own; the folder of a saved S or
            SA, which is fed with pictures, and does not hear. The user's own takes clips if it has
            an attribute ``frames`` above 1 or, without that attribute, any ``Conv3d``, else
            pictures; RGB in [0, 1], as its attributes ``input_size`` (height, width),
            ``frame_rate`` and ``categories`` say.
        weights: A file of a state dict, by torch or safetensors; its prediction layer tells how
            many classes a network of torchvision has. ``random`` for an untrained network of
            torchvision, the same each time. None for those published for it, which torchvision
            fetches once and keeps, or those that the user's or the saved network comes with.
        categories: A file with the names of the classes, a line each; None for those of
            Kinetics-400 if there are as many classes, or those that the network comes with.
        device: Where it runs; None for CUDA where there is one, else the CPU.
        resize: The side, in pixels, of the square to which frames are stretched, bilinearly and by
            OpenCV; None for the size that it is used to. With it pictures are fed as the published
            script of Saliency Tubes feeds them, whose sides are 256 and 224.
        crop: The side of the square that is cut from the middle of that; None for all of it.
        mean: Three numbers, of red, green and blue, or a text of them with commas between: what
            is taken away from each. Numbers above 1 are of colours from 0 to 255, as the script's
            124, 117, 104, others of colours from 0 to 1. None for what it is used to.
        std: Likewise what each is then divided by, as the script's 0.229, 0.224, 0.225.
        outputs: ``logits`` or ``probabilities``: what the user's own network gives; None to find
            out, by whether it ends in a sigmoid or softmax, or what it gives sums up to 1.

    Raises:
        LookhearError: There is no such network, file or device, weights or names do not fit, or
            the user's network cannot be fed; one line says which.
    """
    fed: dict[str, Any] = _sizes(resize, crop)
    fed |= {} if mean is None else {"mean": _colours("mean", mean)}
    fed |= {} if std is None else {"std": _colours("std", std)}
    if outputs is not None:
        if outputs not in get_args(Outputs):
            raise LookhearError(f"--outputs {outputs}: must be {' or '.join(get_args(Outputs))}")
        fed["outputs"] = outputs
    names = None if categories is None else read_names(Path(categories))
    device = usable(device)
    if name in NETWORKS:
        classifier = replace(_of_torchvision(name, weights, device), **fed)
    elif ":" in name and not Path(name).exists():
        classifier = _imported(name, weights, device, fed)
    elif name and Path(name).is_dir():
        classifier = replace(_saved(name, weights, device), **fed)
    else:
        known = sorted(NETWORKS, key=lambda of: -SequenceMatcher(None, name.lower(), of).ratio())
        raise LookhearError(
            f"network {name}: unknown; there are {', '.join(known)}, MODULE:FACTORY, "
            "and folders of a saved S or SA"
        )
    if names is None:
        return classifier
    if not _name_all(names, classifier.classes):
        raise LookhearError(
            f"{categories}: holds {len(names)} names, but {name} has {classifier.classes} classes; "
            "give one name a line"
        )
    return replace(classifier, categories=names[-classifier.classes :])


def _name_all(names: Sequence[str], classes: int) -> bool:
    """Whether names are those of all classes; of a single logit also of its absence and it."""
    return len(names) == classes or (classes, len(names)) == (1, 2)


def _sizes(resize: int | None, crop: int | None) -> dict[str, Any]:
    """What of a `Classifier` is otherwise where frames are stretched and cut."""
    if resize is None and crop is None:
        return {}
    if resize is None:
        raise LookhearError(f"--crop {crop}: cut from what? Give --resize, too, such as 256")
    if not 1 <= resize <= MOST_SIDE:
        raise LookhearError(f"--resize {resize}: must be from 1 to {MOST_SIDE} pixels")
    side = resize if crop is None else crop
    if not 1 <= side <= resize:
        raise LookhearError(f"--crop {crop}: must be from 1 to the {resize} pixels of --resize")
    return {"input_size": (side, side), "whole": (resize, resize), "keeps_aspect": False}


def _colours(option: str, told: str | Sequence[float]) -> RGB:
    """Read three numbers of red, green and blue as those of colours from 0 to 1."""
    text = told if isinstance(told, str) else ",".join(map(str, told))
    try:
        red, green, blue = map(float, text.split(","))
    except ValueError as error:
        raise LookhearError(
            f"--{option} {text}: must be three numbers with commas between, of red, green and blue"
        ) from error
    values = red, green, blue
    divides_by_0 = option == "std" and 0 in values
    if divides_by_0 or not all(0 <= value <= WHITE for value in values):
        least = "above 0" if option == "std" else "from 0"
        raise LookhearError(f"--{option} {text}: must be {least} and up to {WHITE}")
    if max(values) <= 1:
        return values
    if any(0 < value <= 1 for value in values):
        raise LookhearError(
            f"--{option} {text}: are these of colours from 0 to 1, or to 255? Give all three alike"
        )
    return red / WHITE, green / WHITE, blue / WHITE


def _of_torchvision(name: str, weights: str | Path | None, device: str) -> Classifier:
    published = _ZOO.get_model_weights(name).DEFAULT
    tested, fed = published.meta["_docs"], published.transforms()
    if str(weights) == RANDOM and not Path(RANDOM).exists():
        classes = len(published.meta["categories"])
        # Not torch.manual_seed, which would seed the GPUs as well.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            net = _ZOO.get_model(name, num_classes=classes)
    else:
        state = _published(name, published) if weights is None else read_state(Path(weights))
        net, classes = _built_for(name, state)
        _fill(net, state, f"{published.url if weights is None else weights}", name)
    names = tuple(published.meta["categories"])
    return Classifier(
        name,
        net.to(device).eval(),
        device,
        classes,
        categories=names if len(names) == classes else (),
        takes_pictures=False,
        frames=min(int(_told(tested, "clip_len", FRAMES)), MOST_FRAMES),
        frame_rate=_told(tested, "frame_rate", FRAME_RATE),
        input_size=(fed.crop_size[0], fed.crop_size[-1]),
        keeps_aspect=published.meta["min_size"] == (1, 1),
        mean=tuple(fed.mean),
        std=tuple(fed.std),
    )


def _told(tested: str, setting: str, default: float) -> float:
    """What torchvision tells, in a sentence, of how published weights were tested."""
    found = re.search(rf"`{setting}=([0-9.]+)`", tested)
    return float(found[1]) if found else default


def _published(name: str, published: Any) -> dict[str, Tensor]:
    try:
        # torch announces downloads on stdout, which belongs to results.
        with contextlib.redirect_stdout(sys.stderr):
            state: dict[str, Tensor] = published.get_state_dict(
                progress=True, check_hash=True, map_location="cpu", weights_only=True
            )
    except Exception as error:  # urllib raises its own errors, torch's readers any
        raise LookhearError(
            f"{name}: its published weights cannot be downloaded ({type(error).__name__}: "
            f"{error}); give --weights FILE, or --weights {RANDOM} for an untrained network"
        ) from error
    return state


def _built_for(name: str, state: Mapping[str, Tensor]) -> tuple[nn.Module, int]:
    """A network, still without weights, with as many classes as weights are for."""
    with torch.device("meta"):
        net: nn.Module = _ZOO.get_model(name)
        layers = {
            layer: module
            for layer, module in net.named_modules()
            if isinstance(module, nn.Linear | nn.Conv3d)
        }
        head, last = layers.popitem()
        classes = len(last.weight)
        state = fitted(state, net.state_dict())
        shape = state.get(f"{head}.weight", last.weight).shape
        if len(shape) > 1 and shape[0] not in (0, classes):
            classes = shape[0]
            net = _ZOO.get_model(name, num_classes=classes)
    return net, classes


def _fill(net: nn.Module, state: Mapping[str, Tensor], source: str, name: str) -> None:
    """Put weights into a network, which may still be on the meta device.

    Raises:
        LookhearError: they are of another network.
    """
    own = net.state_dict()
    state = fitted(state, own)
    if said := misfit(state, own):
        raise LookhearError(
            f"{source}: these weights do not fit {name}: {said}; give those of this network"
        )
    net.load_state_dict(
        {key: state[key].to(tensor.dtype) for key, tensor in own.items()}, assign=True
    )


def _imported(
    name: str, weights: str | Path | None, device: str, fed: Mapping[str, Any]
) -> Classifier:
    if str(weights) == RANDOM and not Path(RANDOM).exists():
        raise LookhearError(
            f"--weights {RANDOM}: {name} comes with its own, or takes a file; leave --weights out"
        )
    with torch.inference_mode(mode=False):  # whose tensors have no gradients, ever
        net = imported_network(name, device)
    if weights is not None:
        _fill(net, read_state(Path(weights)), str(weights), name)
        net.to(device)

    def told(attribute: str, default: Any, needed: str, is_good: Callable[[Any], bool]) -> Any:
        # What is wrapped may tell it, as a network that Lightning trains.
        telling = [of for of in (net, *net.children()) if hasattr(of, attribute)]
        value = getattr(telling[0], attribute) if telling else default
        if not is_good(value):
            raise LookhearError(f"network {name}: its {attribute} must be {needed}, not {value!r}")
        return value

    has_time = any(isinstance(module, nn.Conv3d) for module in net.modules())
    frames = told("frames", FRAMES if has_time else 1, "a whole number above 0", _is_count)
    rate = told("frame_rate", FRAME_RATE, "a number above 0", _is_rate)
    size = told("input_size", INPUT_SIZE, "(height, width) in pixels", is_size)
    categories = told("categories", (), "names, one a class", _are_names)
    told_itself = Classifier(
        name,
        net,
        device,
        classes=len(categories),
        categories=tuple(categories),
        takes_pictures=frames == 1,
        frames=frames,
        frame_rate=float(rate),
        input_size=(size[0], size[1]),
    )
    unchecked = replace(told_itself, **fed)
    scores = _tried(unchecked)
    classes = scores.shape[1]
    if "outputs" not in fed and _are_probabilities(scores):
        unchecked = replace(unchecked, outputs="probabilities")
        log.warning("%s: gives probabilities, taken as they are; else say --outputs logits", name)
    if categories and not _name_all(categories, classes):
        raise LookhearError(
            f"network {name}: has {len(categories)} categories, but gives {classes} logits"
        )
    return replace(unchecked, classes=classes, categories=tuple(categories[-classes:]))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < math.inf


def _are_names(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(name, str) for name in value)


def _tried(classifier: Classifier) -> Tensor:
    """What a stranger's network gives of a black window, (1, classes)."""
    window = torch.zeros(1, classifier.frames, *classifier.input_size, 3, dtype=torch.uint8)
    inputs = classifier.inputs(window)
    fed = f"{'pictures' if classifier.takes_pictures else 'clips'} {tuple(inputs.shape)}"
    try:
        with undisturbed(classifier.net), torch.inference_mode(mode=False), torch.enable_grad():
            logits = classifier.net(inputs.clone().requires_grad_())
    except Exception as error:  # whatever a stranger's code raises
        raise LookhearError(
            f"network {classifier.name}: fails on {fed}: {one_line(error)}; give it the attributes "
            "frames and input_size that it needs, or use --resize and --crop"
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or not logits.shape[1]:
        raise LookhearError(
            f"network {classifier.name}: gives no logits (1, classes) of {fed}; wrap it in a "
            "module that does"
        )
    return logits


def _are_probabilities(scores: Tensor) -> bool:
    """Whether a network has ended in a sigmoid or softmax."""
    step = scores.grad_fn
    while step is not None and RESHAPING.fullmatch(step.name()):
        step = step.next_functions[0][0]
    if step is not None and step.name() in SQUASHING:
        return True
    values = scores.detach().float()
    sums_to_1 = (values.sum(1) - 1).abs() < SUM_ERROR
    return values.shape[1] > 1 and bool((values >= 0).all() and sums_to_1.all())


def _saved(name: str, weights: str | Path | None, device: str) -> Classifier:
    if weights is not None:
        raise LookhearError(f"--weights {weights}: {name} has its own; leave --weights out")
    net = load_network(NamingNetwork, Path(name), device)
    if net.looks_around:
        raise LookhearError(
            f"network {name}: is an {name_of(type(net))}, which needs the frames around each; give "
            "an S or SA"
        )
    return Classifier(
        name,
        net.as_classifier(),
        device,
        classes=len(net.categories),
        categories=tuple(net.categories),
        takes_pictures=True,
        frames=1,
        frame_rate=MAPS_PER_SECOND,
        input_size=net.input_size,
    )
