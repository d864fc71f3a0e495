"""A network of which one layer is watched, and left as it was."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from lookhear.cam.layout import layout_of
from lookhear.errors import LookhearError

Hook = Callable[[nn.Module, Any, Any], Any]


@contextmanager
def undisturbed(net: nn.Module) -> Iterator[None]:
    """Within, a network infers; after, however it ends, its modes and buffers are as before."""
    modes = [(module, module.training) for module in net.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in net.buffers()]
    try:
        net.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


@contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, Hook]]) -> Iterator[None]:
    """Within, each hook is called after its module's forward pass; after, none is left."""
    handles = []
    try:
        for module, hook in hooks:
            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def layer_named(net: nn.Module, name: str) -> nn.Module:
    """Return a layer by its dotted name.

    Raises:
        LookhearError: there is none of this name; names those most like it.
    """
    layers: dict[str, nn.Module] = dict(net.named_modules())
    if name and name in layers:
        return layers[name]
    raise LookhearError(
        f"layer {name!r}: the network has none of this name; "
        f"try {', '.join(_most_like(name, [known for known in layers if known]))}"
    )


class Watched(nn.Module):
    """A network whose features at one layer are seen, changed, and where gradients begin.

    The features of the last pass, (B, C, *grid), are those that went through ``places``.

    Args:
        net: gives logits (B, K) of inputs (B, C, H, W) or (B, C, T, H, W).
        layer: dotted name.

    Raises:
        LookhearError: there is no such layer.
    """

    def __init__(self, net: nn.Module, layer: str) -> None:
        super().__init__()
        self.net = net
        self.layer = layer
        self.places = nn.Identity()
        self.features = torch.empty(0)
        self._watched = (layer_named(net, layer),)  # in a tuple, for it is the network's

    def forward(self, inputs: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return the logits (B, K).

        Args:
            inputs: (B, C, H, W) or (B, C, T, H, W).
            scale: the layer's features are multiplied by it, (B or 1, C, 1, 1[, 1]).

        Raises:
            LookhearError: the layer's output has no places, or is made never or several times, or
                the network gives no logits.
        """
        size = patches = tuple(inputs.shape[2:])
        calls = 0

        def note_patches(_module: nn.Module, _args: Any, output: Any) -> None:
            nonlocal patches
            if isinstance(output, Tensor) and output.ndim == inputs.ndim:
                patches = tuple(output.shape[2:])

        def through_places(_module: nn.Module, _args: Any, output: Any) -> Any:
            nonlocal calls
            calls += 1
            layout = layout_of(output, len(inputs), size, patches)
            if layout is None:
                raise LookhearError(
                    f"layer {self.layer!r}: its output has no places; name one before the pooling"
                )
            features = layout.maps(layout.pick(output).detach())
            if torch.is_grad_enabled():
                features.requires_grad_()
            self.features = self.places(features)
            # A copy, for the network may go on in place.
            used = self.features.clone() if scale is None else self.features * scale
            return layout.put(used, output)

        convolutions = [m for m in self.net.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]
        hooks: list[tuple[nn.Module, Hook]] = [(m, note_patches) for m in convolutions]
        with hooked([*hooks, (self._watched[0], through_places)]):
            scores = self.net(inputs)
        if calls != 1:
            raise LookhearError(
                f"layer {self.layer!r}: the network uses it {calls} times for an input; "
                "name one that it uses once"
            )
        if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(inputs):
            shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise LookhearError(
                f"network {type(self.net).__name__}: gives {shape} where logits "
                f"({len(inputs)}, classes) are needed; wrap it in a module that returns those"
            )
        return scores

    def check(self, what: str, numbers: Tensor) -> None:
        """Refuse NaN and infinity, of which some methods would make a map of nothing.

        Raises:
            LookhearError: there is some.
        """
        if not numbers.isfinite().all():
            raise LookhearError(
                f"network {type(self.net).__name__}, layer {self.layer!r}: NaN or infinity in "
                f"{what}; train it again, or give it inputs of the range it needs"
            )


def _most_like(name: str, names: list[str]) -> list[str]:
    return get_close_matches(name, names, n=4, cutoff=0.5) or [n for n in names if "." not in n]
