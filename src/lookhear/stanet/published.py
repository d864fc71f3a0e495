"""Published checkpoints of STANet and VGGSound as saved models of this project."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from lookhear.data.readers.ave import CATEGORIES
from lookhear.data.readers.lists import read_names
from lookhear.errors import LookhearError, named_by, one_line
from lookhear.files import is_empty
from lookhear.nets.kinds import SavedNetwork
from lookhear.nets.saved import CONFIG, WEIGHTS, whole_model
from lookhear.nets.sound import VGGSoundEncoder
from lookhear.nets.state_dicts import Names, misfit, read_state, renamed, renamed_key
from lookhear.stanet.blocks import UpsampledSoundGate
from lookhear.stanet.sources import SA, ST, S
from lookhear.stanet.sources_plus import SAPlus, SPlus, STPlus
from lookhear.stanet.sta import STA
from lookhear.stanet.sta_plus import STAPlus
from lookhear.stanet.switch import MOST_WIDTH, WIDTH, AudioSwitch

Weights = Mapping[str, Tensor]

_REPORT_CLASSES = (
    "Church bell; Male speech, man speaking; Bark; Fixed-wing aircraft, airplane; "
    "Race car, auto racing; Female speech, woman speaking; Helicopter; Violin, fiddle; Flute; "
    "Ukulele; Frying (food); Truck; Shofar; Motorcycle; Acoustic guitar; Train horn; Clock; Banjo; "
    "Goat; Baby cry, infant cry; Bus; Chainsaw; Cat; Horse; Toilet flush; Rodents, rats, mice; "
    "Accordion; Mandolin"
)
CLASSES: dict[str, tuple[str, ...]] = {
    "ave": CATEGORIES,
    "report": tuple(_REPORT_CLASSES.split("; ")),
}
"""AVE's 28 categories in the orders of the release and of the reimplementation report."""

_BLOCKS: Names = {
    "extra_conv_fusion": "head.fuse",
    "extra_ConvGRU.reset_gate": "head.gru.reset",
    "extra_ConvGRU.update_gate": "head.gru.update",
    "extra_ConvGRU.out_gate": "head.gru.candidate",
    "extra_projf": "head.self_attention.query",
    "extra_projg": "head.self_attention.key",
    "extra_projh": "head.self_attention.value",
    "extra_refineST.0": "head.time_gate.over_time",
    "extra_refineST.1": "head.time_gate.over_space.0",
    "extra_refineST.2": "head.time_gate.over_space.1",
}

STA_NAMES: Names = _BLOCKS | {
    "features0.0": "backbone.conv1",
    "features0.1": "backbone.bn1",
    "features0.4": "backbone.layer1",
    "features0.5": "backbone.layer2",
    "features1": "backbone.layer3",
    "features2": "backbone.layer4",
    "audio_model": "sound_encoder.resnet",
    "audio_model.8": "sound_encoder.pool",
    "extra_convs": "head.reduce_coarse",
    "extra_convsd1": "head.reduce_middle",
    "extra_convsd0": "head.reduce_fine",
    "extra_gates": "head.self_attention.gate",
    "extra_gateav": "head.sound_gate.gate",
    "extra_lineara": "head.sound_gate.sound",
    "extra_linearv": "head.sound_gate.picture",
    "extra_convv": "head.sound_gate.maps",
    "extra_refine1.0": "head.refine_middle",
    "extra_refine0.0": "head.refine_fine",
    "extra_out1": "head.out_middle",
    "extra_out0": "head.out_fine",
    "extra_audio_d": None,
    "extra_conv_stafusion": None,
    "extra_gate": None,
    "extra_refineSA": None,
}

_RESNET: Names = {
    "0": "conv1",
    "1": "bn1",
    "4": "layer1",
    "5": "layer2",
    "6": "layer3",
    "7": "layer4",
}

_SCAM: Names = _BLOCKS | {
    "extra_gate": "head.self_attention.gate",
    **{f"features.{position}": f"backbone.{layer}" for position, layer in _RESNET.items()},
}

SCAM_NAMES: Names = _SCAM | {"extra_convs": "head.classifier"}

SCAM_SA_NAMES: Names = _SCAM | {
    "audio_model": "sound_encoder.resnet",
    "audio_model.8": "sound_encoder.pool",
    "extra_video_d": "head.classifier",
    "extra_audio_d": "head.sound_gate.sound",
    "Aup": "head.sound_gate.upsample",
    "extra_convs": "head.sound_gate.gate",
}

_JOINED = "extra_bilinear+fc"  # two layers in a row, which are one here

AUDIO_SWITCH_NAMES: Names = {
    **{f"layerV.{position}": f"backbone.{layer}" for position, layer in _RESNET.items()},
    "layerA": "sound_encoder.resnet",
    "layerA.8": "sound_encoder.pool",
    "layerA_d": "head.sound",
    "layerV_d": "head.picture",
    _JOINED: "head.match",
}

_VGG_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

_PLUS: Names = {
    **{f"features.{position}": f"backbone.features_{position}" for position in _VGG_CONVOLUTIONS},
    "extra_convs": "head.classifier",
    "extra_projf": "head.self_attention.query",
    "extra_projg": "head.self_attention.key",
    "extra_projh": "head.self_attention.value",
    "extra_gate": "head.self_attention.gate",
    "extra_proja": "head.propagation.query",
    "extra_projb": "head.propagation.key",
    "extra_conv_fusion": "head.propagation.fuse",
    "extra_ConvGRU.reset_gate": "head.propagation.gru.reset",
    "extra_ConvGRU.update_gate": "head.propagation.gru.update",
    "extra_ConvGRU.out_gate": "head.propagation.gru.candidate",
}

_PLUS_TIME: Names = {
    "extra_refineST.0": "head.time_gate.over_time",
    "extra_refineST.1": "head.time_gate.over_space.0",
    "extra_refineST.2": "head.time_gate.over_space.1",
}

_PLUS_SOUND: Names = {
    "audio_model": "sound_encoder.resnet",
    "audio_model.8": "sound_encoder.pool",
    "extra_gateav": "head.sound_gate.gate",
    "extra_lineara": "head.sound_gate.sound",
    "extra_linearv": "head.sound_gate.picture",
    "extra_convv": "head.sound_gate.maps",
    "extra_audio_d": None,
    "extra_bilinear": None,
    "extra_refineSA": None,
}

S_PLUS_NAMES: Names = _PLUS | {"extra_conv_stfusion": None}

SA_PLUS_NAMES: Names = _PLUS | _PLUS_SOUND | {"extra_conv_safusion": "head.fuse"}

ST_PLUS_NAMES: Names = {
    **_PLUS,
    **_PLUS_TIME,
    "extra_conv_stfusion": "head.fuse",
    **dict.fromkeys(name for name in _PLUS if name.startswith("extra_ConvGRU")),
}

STA_PLUS_NAMES: Names = {
    **_PLUS,
    **_PLUS_TIME,
    **_PLUS_SOUND,
    "extra_convs": "head.reduce",
    "extra_gates": "head.self_attention.gate",
    "extra_gate": "head.message_gate",
    "extra_conv_stafusion": "head.fuse",
    "extra_conv1": "head.read_out.0",
    "extra_bn1": "head.read_out.1",
    "extra_main_classifier1": "head.out",
}

VGGSOUND_NAMES: Names = {
    "audnet.conv1": "resnet.0",
    "audnet.bn1": "resnet.1",
    "audnet.layer1": "resnet.4",
    "audnet.layer2": "resnet.5",
    "audnet.layer3": "resnet.6",
    "audnet.layer4": "resnet.7",
    "audnet.avgpool": "pool",
    "audnet.fc_": None,
}


class Published(NamedTuple):
    """A network of which weights may be published.

    Attributes:
        title: what it is.
        names: of its modules.
        build: makes it as it was, untrained, by its weights, which have their names here, and by
            its classes.
        has_classes: whether it tells classes apart.
        order: of its classes, in `CLASSES`, where there are such weights of one order only.
        joined: makes its weights those of as many layers as there are here.
    """

    title: str
    names: Names
    build: Callable[[Weights, Sequence[str]], nn.Module]
    has_classes: bool = False
    order: str | None = None
    joined: Callable[[Weights], Weights] = dict


def _sa(weights: Weights, classes: Sequence[str]) -> SA:
    first = weights.get("head.sound_gate.upsample.0.weight")
    is_fine = first is not None and first.shape[-1:] == UpsampledSoundGate.FINE[0][:1]
    side = 356 if is_fine else 256
    return SA(
        classes,
        sound_encoder="vggsound-report",
        sound_gate="report-fine" if is_fine else "report",
        input_size=(side, side),
    )


def _audio_switch(weights: Weights, _: Sequence[str]) -> AudioSwitch:
    bias = weights.get("head.sound.bias")
    width = WIDTH if bias is None else min(max(bias.numel(), 1), MOST_WIDTH)
    return AudioSwitch(input_size=(356, 356), width=width, activation="sigmoid")


def _join(weights: Weights) -> Weights:
    """Make one bilinear layer of AudioSwitch's bilinear and linear one, where they fit together."""
    parts = [f"{layer}.{kind}" for layer in ("extra_bilinear", "fc") for kind in ("weight", "bias")]
    if not weights.keys() >= {*parts}:
        return weights
    bilinear, inner_bias, linear, outer_bias = (weights[part].double() for part in parts)
    outer, inner = linear.shape[:1], linear.shape[1:]
    is_fit = (bilinear.ndim, linear.ndim) == (3, 2) and outer_bias.shape == outer
    if not is_fit or not bilinear.shape[:1] == inner_bias.shape == inner:
        return weights
    joined = {
        f"{_JOINED}.weight": torch.einsum("ok,kij->oij", linear, bilinear),
        f"{_JOINED}.bias": linear @ inner_bias + outer_bias,
    }
    return {name: weights[name] for name in weights if name not in parts} | joined


PUBLISHED: dict[str, Published] = {
    "sta": Published(
        "STA, the fixation network of STANet (CVPR 2021)",
        STA_NAMES,
        lambda *_: STA(time_mixing="published"),
    ),
    "audio-switch": Published(
        "AudioSwitch of STANet (CVPR 2021), which tells whether a sound belongs to a picture",
        AUDIO_SWITCH_NAMES,
        _audio_switch,
        joined=_join,
    ),
    "scam-s": Published(
        "S, the classifier of frames of STANet (CVPR 2021)",
        SCAM_NAMES,
        lambda _, classes: S(classes),
        has_classes=True,
    ),
    "scam-sa": Published(
        "SA, the classifier of frames with sound of a report on reimplementing STANet",
        SCAM_SA_NAMES,
        _sa,
        has_classes=True,
        order="report",
    ),
    "scam-st": Published(
        "ST, the classifier of three frames of STANet (CVPR 2021)",
        SCAM_NAMES,
        lambda _, classes: ST(classes, time_mixing="published"),
        has_classes=True,
    ),
    "scam-plus-s": Published(
        "S+, the classifier of frames that knows two others, of STANet+ (arXiv 2112.13697)",
        S_PLUS_NAMES,
        lambda _, classes: SPlus(classes, published=True),
        has_classes=True,
    ),
    "scam-plus-sa": Published(
        "SA+, the classifier of frames with sound that knows two others, of STANet+ "
        "(arXiv 2112.13697)",
        SA_PLUS_NAMES,
        lambda _, classes: SAPlus(classes, published=True),
        has_classes=True,
    ),
    "scam-plus-st": Published(
        "ST+, the classifier of three frames that knows two others, of STANet+ (arXiv 2112.13697)",
        ST_PLUS_NAMES,
        lambda _, classes: STPlus(classes, time_mixing="published", published=True),
        has_classes=True,
    ),
    "sta-plus": Published(
        "STA+, the fixation network of STANet+ (arXiv 2112.13697)",
        STA_PLUS_NAMES,
        lambda *_: STAPlus(time_mixing="published"),
    ),
    "vggsound": Published(
        "The sound encoder of VGGSound (ICASSP 2020), a ResNet-18 with NetVLAD",
        VGGSOUND_NAMES,
        lambda *_: VGGSoundEncoder(),
    ),
}

CARD = """---
library_name: lookhear
---
# {kind}, from published weights

## What it is

{title}.{classes}

Its weights are those in {file}. What may be done with them is for whoever published them to say.

## How good it is

Not measured.
"""


def convert(file: Path, kind: str, folder: Path, classes: str | None = None) -> str:
    """Turn a state dict with the published names into a saved model.

    All are then loaded by :func:`lookhear.nets.saved.load_network` but ``vggsound``, which is the
    part ``sound_encoder`` of networks that have one (`lookhear.training.initial_weights`).

    Args:
        file: see :func:`~lookhear.nets.state_dicts.read_state`.
        kind: which network it belongs to, of :data:`PUBLISHED`.
        folder: gets the model; must not be there, or be empty.
        classes: what those of S, SA, ST and the "+" networks like them are, in the order of the
            weights: a name in :data:`CLASSES`, or a file of names, a line each or a list in JSON.
            None where the weights tell, as only the report's SA can be converted.

    Returns:
        In which order the classes were taken to be, for the user; empty where there are none.

    Raises:
        LookhearError: there is no such kind, the file holds more than weights, cannot be read or
            does not fit the network, its classes are not known, or the folder cannot be written.
    """
    published = named_by("as", kind, PUBLISHED)
    if folder.exists() and not is_empty(folder):
        raise LookhearError(f"{folder}: is there already; choose another --out")
    if classes is not None and not published.has_classes:
        raise LookhearError(f"--classes {classes}: {kind} tells no classes apart; leave it out")
    state = read_state(file)
    if mismatch := _mismatch(state, kind):
        for other in PUBLISHED:
            if not _mismatch(state, other):
                raise LookhearError(f"{file}: these are the weights of {other}; use --as {other}")
        raise LookhearError(f"{file}: not the weights of {kind}: {mismatch}; give the right file")
    names: tuple[str, ...] = ()
    said = ""
    if published.has_classes:
        order = published.order if classes is None else classes
        if order is None:
            raise LookhearError(
                f"{file}: does not say in which order its classes are; give --classes ave, as in "
                "the release, --classes report, as in the reimplementation report, or --classes "
                "FILE, as in a file"
            )
        names, said = read_classes(order), f"classes in the order of {order}"
        if classes is None:
            said += f", as no other {kind} is published"
    network = network_of(state, kind, names)
    of_classes = f" It has its {said}." if said else ""
    card = CARD.format(kind=kind, title=published.title, classes=of_classes, file=file.name)
    with whole_model(folder) as partial:
        if isinstance(network, SavedNetwork):
            network.save_pretrained(partial)
        else:
            save_model(nn.ModuleDict({"sound_encoder": network}), str(partial / WEIGHTS))
            (partial / CONFIG).write_text(json.dumps({"sound_encoder": kind}))
        (partial / "README.md").write_text(card, encoding="utf-8")
    return said


def read_classes(given: str) -> tuple[str, ...]:
    """Return the classes that ``--classes`` gives; see `convert`.

    Raises:
        LookhearError: they are not as many different names as there are classes, or cannot be read.
    """
    if given in CLASSES:
        return CLASSES[given]
    file = Path(given)
    if not file.is_file():
        orders = " or ".join(CLASSES)
        raise LookhearError(f"--classes {given}: no such file; give {orders}, or a file of names")
    names = _listed_in_json(file) if file.suffix == ".json" else read_names(file)
    if len(names) != len(CATEGORIES) or len(set(names)) < len(names):
        raise LookhearError(
            f"--classes {given}: names {len(set(names))} different classes, but the weights tell "
            f"{len(CATEGORIES)} apart; give a name for each"
        )
    return names


def _listed_in_json(file: Path) -> tuple[str, ...]:
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LookhearError(f"{file}: cannot be read as JSON: {one_line(error)}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LookhearError(f"{file}: holds no list of names; give a JSON list of texts")
    return tuple(names)


def network_of(state: Weights, kind: str, classes: Sequence[str] = ()) -> nn.Module:
    """Build a published network around its weights, by their published names, which it shares.

    Raises:
        ValueError: it tells classes apart, and there are none.
    """
    ours = _weights(state, kind)
    with torch.device("meta"):
        network = PUBLISHED[kind].build(ours, classes)
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    network.load_state_dict(
        {name: tensor.to(types[name]).contiguous() for name, tensor in ours.items()}, assign=True
    )
    return network.eval()


def _weights(state: Weights, kind: str) -> Weights:
    """Give weights the names that they have here, in as many layers."""
    return renamed(PUBLISHED[kind].joined(state), PUBLISHED[kind].names)


def _mismatch(state: Weights, kind: str) -> str | None:
    """Say what keeps a state dict from being that of a network; None where nothing does."""
    names, ours = PUBLISHED[kind].names, _weights(state, kind)
    published = {own: theirs for theirs, own in names.items() if own is not None}
    with torch.device("meta"):
        expected = PUBLISHED[kind].build(ours, CATEGORIES).state_dict()
    return misfit(ours, expected, lambda name: renamed_key(name, published))
