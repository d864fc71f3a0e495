"""Writing networks to ONNX files, which :mod:`lookhear.nets.exported` runs without PyTorch."""

import base64
import copy
import json
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from onnx import TensorProto
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same_arg
from torch import Tensor, nn
from torch.nn import functional as F

from lookhear import __version__
from lookhear.errors import LookhearError, one_line
from lookhear.files import whole_file
from lookhear.nets.exported import (
    ATTEND,
    AUDIBLE,
    FACTS,
    PICTURES,
    SPECTROGRAMS,
    Facts,
    spectrogram_size,
)
from lookhear.nets.kinds import Halves, WatchingNetwork
from lookhear.nets.saved import GRAPHS, ONNX, WEIGHTS, load_model, name_of

OPSET = 18
EXAMPLES = 2  # frames by which graphs are traced; one could be taken for all there are


def export(model: str | Path | WatchingNetwork, out: Path) -> Facts:
    """Write a network that watches clips to an ONNX file, which is a model without PyTorch.

    Batches may be of any number, and pictures of any size at which the network sees them.

    Args:
        model: what :func:`lookhear.load_model` takes or gives.
        out: the file, ``*.onnx``; replaced as a whole.

    Raises:
        LookhearError: there is no such model, it cannot be exported, or the file not be written.

    Example:
        >>> lookhear.export("run/model", Path("mine.onnx"))  # doctest: +SKIP
    """
    if out.suffix != ONNX:
        raise LookhearError(f"{out}: is no name of an ONNX file; give one that ends in {ONNX}")
    net = model if isinstance(model, WatchingNetwork) else load_model(model, "cpu")
    see, attend, facts = _graphs(net)
    _write(out, see, attend, facts)
    return facts


def write_graphs(folder: Path) -> None:
    """Write the graphs of a saved network into its folder, without weights.

    They take these from the network's safetensors, so that one file serves PyTorch and ONNX
    Runtime.

    Raises:
        LookhearError: as :func:`export` does.
    """
    see, attend, facts = _graphs(load_model(folder, "cpu"))
    for graph in (see, attend):
        _take_weights_from(folder / WEIGHTS, graph)
    _write(folder / GRAPHS, see, attend, facts)


def _facts(network: str, halves: Halves) -> Facts:
    mean, std = (tuple(round(x, 6) for x in of.flatten().tolist()) for of in halves.scale)
    return Facts(
        network=network,
        version=__version__,
        reach=halves.reach,
        eyes=halves.eyes,
        mean=mean,
        std=std,
        windows=halves.windows,
        stretched=halves.stretched,
    )


def _graphs(net: WatchingNetwork) -> tuple[onnx.ModelProto, onnx.ModelProto, Facts]:
    """Trace both halves, and tell of them; what the first sees is what the second is shown."""
    net = copy.deepcopy(net).cpu().eval()
    for module in net.modules():
        if type(module) is Conv2dSame:
            module.__class__ = _EvenlyPadded
    halves = net.halves()
    given = _examples(halves)
    with torch.no_grad():
        seen = dict(zip(halves.parts, halves.see(*given.values()), strict=True))
    looks = {look: seen[look.rpartition("@")[0]] for look in halves.looks}
    maps = ["attention"] if halves.stretched is None else ["sta", "short", "cross"]
    return (
        _traced(halves.see, given, halves.parts),
        _traced(halves.attend, looks, maps),
        _facts(name_of(type(net)), halves),
    )


def _examples(halves: Halves) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(0)
    first, *others = (eye.size_for(*eye.input_size) for eye in halves.eyes)
    shape = (EXAMPLES, *first, 3)
    given = {PICTURES: torch.randint(256, shape, generator=chance, dtype=torch.uint8)}
    for at, size in enumerate(others, 1):
        given[f"{PICTURES}.{at}"] = torch.rand(EXAMPLES, *size, 3, generator=chance)
    if halves.windows is not None:
        size = spectrogram_size(halves.windows)
        given[SPECTROGRAMS] = torch.randn(EXAMPLES, *size, generator=chance)
        given[AUDIBLE] = torch.ones(EXAMPLES)
    return given


def _traced(net: nn.Module, given: dict[str, Tensor], names: Sequence[str]) -> onnx.ModelProto:
    """Make a graph of a function, of any number of frames, of any size."""
    free = {
        name: {axis: f"{name}.{axis}" for axis in _free_axes(name, tensor)}
        for name, tensor in given.items()
    }
    try:
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            written = Path(folder) / GRAPHS
            warnings.simplefilter("ignore")  # the tracer is old, and takes some sizes as fixed
            # The newer exporter solves for the sizes that may be, which takes it minutes where a
            # backbone pads by them. Batch norms stay, so that weights have the network's names.
            torch.onnx.export(
                net,
                tuple(given.values()),
                written,
                dynamo=False,
                opset_version=OPSET,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
                input_names=[*given],
                output_names=[*names],
                dynamic_axes=free,
            )
            return onnx.load(written)
    except Exception as error:  # the exporter raises whatever its passes do
        raise LookhearError(f"the network cannot be exported: {one_line(error)}") from error


class _EvenlyPadded(Conv2dSame):
    """A convolution that pads by itself, as sizes at which networks see are padded all alike.

    They are one, or multiples of 32, which stay even. timm's asks for sizes and pads before, which
    costs ONNX Runtime a third of a light backbone's time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        height, width = map(int, x.shape[-2:])
        kernel, stride, dilation = map(list, (self.kernel_size, self.stride, self.dilation))
        pads = pad_same_arg([height, width], kernel, stride, dilation)
        convolved: Tensor = _PaddingConvolution.apply(
            x, self.weight, pads, stride, dilation, self.groups
        )
        return convolved if self.bias is None else convolved + self.bias[:, None, None]


class _PaddingConvolution(torch.autograd.Function):
    """ONNX's convolution, whose padding may be other on each side."""

    @staticmethod
    def forward(
        _: Any,
        x: Tensor,
        weight: Tensor,
        pads: list[int],
        stride: list[int],
        dilation: list[int],
        groups: int,
    ) -> Tensor:
        return F.conv2d(F.pad(x, pads), weight, None, stride, 0, dilation, groups)

    @staticmethod
    def symbolic(
        graph: Any,
        x: Any,
        weight: Any,
        pads: list[int],
        stride: list[int],
        dilation: list[int],
        groups: int,
    ) -> Any:
        left, right, top, bottom = pads
        return graph.op(
            "Conv",
            x,
            weight,
            pads_i=[top, left, bottom, right],
            strides_i=stride,
            dilations_i=dilation,
            group_i=groups,
        )


def _free_axes(name: str, tensor: Tensor) -> Sequence[int]:
    if name in (SPECTROGRAMS, AUDIBLE):
        return (0,)
    return (0, 1, 2) if name.startswith(PICTURES) else (0, *range(2, tensor.ndim))


def _write(out: Path, see: onnx.ModelProto, attend: onnx.ModelProto, facts: Facts) -> None:
    told = {FACTS: facts.to_json(), ATTEND: base64.b64encode(attend.SerializeToString()).decode()}
    onnx.helper.set_model_props(see, told)
    see.producer_name, see.producer_version = "lookhear", __version__
    with whole_file(out) as partial:
        partial.write_bytes(see.SerializeToString())


def _take_weights_from(file: Path, graph: onnx.ModelProto) -> None:
    """Leave a graph's weights out, for the same in a file of safetensors in the same folder."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        header: dict[str, Any] = json.loads(content.read(length))
    kept: list[TensorProto] = []
    casts: list[onnx.NodeProto] = []
    for weight in graph.graph.initializer:
        entry = header[weight.name.removeprefix("net.")]
        start, end = entry["data_offsets"]
        is_half = entry["dtype"] == "F16"
        told = {"location": file.name, "offset": 8 + length + start, "length": end - start}
        kept.append(
            TensorProto(
                name=f"{weight.name}.half" if is_half else weight.name,
                data_type=TensorProto.FLOAT16 if is_half else TensorProto.FLOAT,
                dims=weight.dims,
                data_location=TensorProto.EXTERNAL,
                external_data=[
                    onnx.StringStringEntryProto(key=key, value=str(value))
                    for key, value in told.items()
                ],
            )
        )
        if is_half:
            half = onnx.helper.make_node(
                "Cast", [kept[-1].name], [weight.name], to=TensorProto.FLOAT
            )
            casts.append(half)
    nodes = [*casts, *graph.graph.node]
    for field in ("initializer", "node"):
        graph.graph.ClearField(field)
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(nodes)
