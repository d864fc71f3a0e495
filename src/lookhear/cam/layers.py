"""Which layer of a network to look at, and which of its layers predicts."""

import math
from itertools import islice
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from lookhear.cam.layout import Layout, layout_of
from lookhear.cam.watched import Hook, Watched, are_frames, hooked, undisturbed
from lookhear.errors import LookhearError

# Their output is a coarser view of the layer before.
_POOLING = (nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)


class TellingClassifier(nn.Module):
    """A classifier that tells which of its layers to look at; of others, that is found out.

    It may be of certain inputs, of which it knows more than the pictures.

    Attributes:
        layer: dotted name of the layer whose features are weighed.
    """

    layer: str

    @property
    def head(self) -> str | None:
        """Dotted name of the linear layer that predicts from the layer; None if there is none."""
        raise NotImplementedError

    def of(self, items: slice) -> Self:
        """Return a classifier of some of the inputs."""
        raise NotImplementedError


class _Use(NamedTuple):
    """What a module did in a pass: its output, how that is laid out, and when it came."""

    output: Any
    layout: Layout | None
    turn: int


def find_layer(net: nn.Module, inputs: Tensor) -> str:
    """Find the last layer whose output has places that matter for the scores.

    Of a convolutional network this is the last before the pooling. Of a transformer with a class
    token it is the last block but one: nothing reads what the last block makes of the places.

    Args:
        net: gives logits (B, K).
        inputs: (B, C, H, W) or (B, C, T, H, W), of which the first is used.

    Returns:
        Its dotted name.

    Raises:
        LookhearError: there is no such layer, or the scores also come from layers beside it.
    """
    if isinstance(net, TellingClassifier):
        return net.layer
    with undisturbed(net), torch.inference_mode(mode=False):
        first = inputs[:1].clone()
        useful = _useful(net, net, first)
        found = _last_useful(net, "", *useful)
        if found is None:
            raise LookhearError(
                f"network {type(net).__name__}: no layer of it has places that its scores depend "
                "on; name a layer"
            )
        turns, matters = _useful(net, Watched(net, found), first)
        beside = [
            name
            for name in sorted(matters, key=turns.__getitem__)
            if turns[name] < turns[found] and not name.startswith(f"{found}.")
        ]
    if beside:
        raise LookhearError(
            f"network {type(net).__name__}: its scores come from {found} and, beside it, from "
            f"{', '.join(beside[-3:])}; name the layer to look at"
        )
    return found


def linear_head(net: nn.Module, gradients: Tensor, classes: Tensor) -> str | None:
    """Find the linear layer that predicts from the pooled features of a layer.

    Pooling, whether by mean or maximum, hands each channel's weight on to its places: over all of
    them, the gradients of a class's score sum up to the class's weights.

    Args:
        net: the network.
        gradients: of the classes' scores by the features, (B, C, *grid).
        classes: (B,).

    Returns:
        Its dotted name, or None if no such layer comes straight after the pooling.
    """
    if isinstance(net, TellingClassifier):
        return net.head
    sums = gradients.flatten(2).sum(2)
    name: str
    for name, module in net.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
            continue
        weights = module.weight.detach().flatten(1)
        is_pointwise = isinstance(module, nn.Linear) or math.prod(module.kernel_size) == 1
        if not is_pointwise or weights.shape[1] != sums.shape[1] or len(weights) <= classes.max():
            continue
        chosen = weights[classes].to(sums)
        if torch.allclose(chosen, sums, rtol=1e-3, atol=1e-3 * float(chosen.abs().max())):
            return name
    return None


def _useful(net: nn.Module, model: nn.Module, inputs: Tensor) -> tuple[dict[str, int], set[str]]:
    """The last turn of each module of a network in a pass of a model, and whose places matter."""
    uses: dict[str, list[_Use]] = {}
    patches = size = tuple(inputs.shape[2:])

    def noting(name: str) -> Hook:
        def note(module: nn.Module, _args: Any, output: Any) -> None:
            nonlocal patches
            if isinstance(module, nn.Conv2d | nn.Conv3d) and output.ndim >= 4:
                patches = (*size[:-2], *output.shape[-2:]) if output.ndim == 4 else output.shape[2:]
            layout = layout_of(output, 1, size, patches)
            turn = sum(map(len, uses.values()))
            uses.setdefault(name, []).append(_Use(output, layout, turn))

        return note

    named = [(name, module) for name, module in net.named_modules() if name]
    with torch.enable_grad(), hooked((module, noting(name)) for name, module in named):
        # A copy of the leaf, for a network may change its input in place.
        scores = model(inputs.clone().requires_grad_().clone())
        if not isinstance(scores, Tensor) or not scores.requires_grad:
            return {}, set()
        candidates = {
            name: (layout, [layout.pick(use.output) for use in of_name])
            for name, module in named
            if (of_name := uses.get(name))
            and not isinstance(module, _POOLING)
            and (len(of_name) == 1 or are_frames([use.output for use in of_name], 1, size[0]))
            and (layout := of_name[0].layout) is not None
            and max(layout.grid[-2:]) > 1  # not scores in time, of a clip whose space is pooled
            and all(layout.pick(use.output).requires_grad for use in of_name)
        }
        top = scores.flatten(1).amax(1).sum()
        tensors = [tensor for _, of_name in candidates.values() for tensor in of_name]
        found = torch.autograd.grad(top, tensors, allow_unused=True) if tensors else ()
    gradients = iter(found)
    matters = {
        name
        for name, (layout, of_name) in candidates.items()
        for gradient in [*islice(gradients, len(of_name))]
        if gradient is not None and bool(layout.maps(gradient).any())
    }
    return {name: of_name[-1].turn for name, of_name in uses.items()}, matters


def _last_useful(
    module: nn.Module, name: str, turns: dict[str, int], matters: set[str]
) -> str | None:
    """Search a module's children, the last first; and what is in a child that does not matter."""

    def last_turn(child: str) -> int:
        inside = [turn for used, turn in turns.items() if f"{used}.".startswith(f"{child}.")]
        return max(inside, default=-1)

    children = {f"{name}.{own}" if name else own: child for own, child in module.named_children()}
    in_order = sorted(children, key=last_turn, reverse=True)
    # The block before tells more than a part of the last.
    if isinstance(module, nn.Sequential | nn.ModuleList):
        useful = [child for child in in_order if child in matters]
        if useful:
            return useful[0]
    for child in in_order:
        if child in matters:
            return child
        inside = _last_useful(children[child], child, turns, matters)
        if inside is not None:
            return inside
    return None
