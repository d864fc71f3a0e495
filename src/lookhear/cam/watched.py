"""A network of which one layer is watched, and left as it was."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lookhear.cam.layout import Layout, layout_of
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


class _Pass(NamedTuple):
    """What a network gave, and what the watched layer gave each time it was used."""

    scores: Any
    outputs: list[Any]

    @property
    def calls(self) -> int:
        return len(self.outputs)


def are_frames(outputs: Sequence[Any], batch: int, most: int) -> bool:
    """Whether what a layer gave one time after the other are features (B, C, h, w) of frames.

    Args:
        outputs: of the layer.
        batch: how many inputs the network got, B.
        most: how many frames a clip has.
    """
    shapes = {tuple(of.shape) if isinstance(of, Tensor) else None for of in outputs}
    (shape,) = shapes if len(shapes) == 1 else (None,)
    if shape is None or len(shape) != 4 or shape[0] != batch:
        return False
    return 1 < len(outputs) <= most and math.prod(shape[2:]) > 1


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
        self._asking = False

    def forward(self, inputs: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return the logits (B, K).

        Args:
            inputs: (B, C, H, W) or (B, C, T, H, W).
            scale: the layer's features are multiplied by it, (B or 1, C, 1, 1[, 1]).

        Raises:
            LookhearError: the layer's output has no places, or is made never or several times, or
                the network gives no logits.
        """
        passed = self._pass(inputs, scale)
        if passed.calls > 1 and self._may_be_frames(passed, inputs):
            # Once more, as features that are made one by one have no common beginning.
            passed = self._pass(inputs, scale, passed.outputs)
        elif passed.calls != 1:
            raise LookhearError(
                f"layer {self.layer!r}: the network uses it {passed.calls} times for an input; "
                "name one that it uses once"
            )
        scores = passed.scores
        if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(inputs):
            shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise LookhearError(
                f"network {type(self.net).__name__}: gives {shape} where logits "
                f"({len(inputs)}, classes) are needed; wrap it in a module that returns those"
            )
        return scores

    def _pass(
        self, inputs: Tensor, scale: Tensor | None, by_frame: Sequence[Tensor] = ()
    ) -> "_Pass":
        """Let the network see the inputs.

        Args:
            inputs: see `forward`.
            scale: likewise.
            by_frame: what the layer gave of each frame, if it is used for one at a time; features
                are then those of all frames.
        """
        size = patches = tuple(inputs.shape[2:])
        outputs: list[Any] = []
        frames: list[Tensor] = []

        def note_patches(_module: nn.Module, _args: Any, output: Any) -> None:
            nonlocal patches
            if isinstance(output, Tensor) and output.ndim >= 4:
                patches = (*size[:-2], *output.shape[-2:]) if output.ndim == 4 else output.shape[2:]

        def begin(features: Tensor) -> Tensor:
            """Let gradients begin at features, and give what the network goes on with."""
            if torch.is_grad_enabled():
                features.requires_grad_()
            self.features = self.places(features)
            # A copy, for the network may go on in place.
            return self.features.clone() if scale is None else self.features * scale

        def through_places(_module: nn.Module, _args: Any, output: Any) -> Any:
            if self._asking:
                return None
            outputs.append(output)
            if by_frame:
                return frames[len(outputs) - 1]
            layout = layout_of(output, len(inputs), size, patches)
            if layout is None:
                raise LookhearError(
                    f"layer {self.layer!r}: its output has no places; name one before the pooling"
                )
            if layout.frames is not None and layout.frames > 1 and len(inputs) > 1:
                layout = replace(layout, times_first=self._has_times_first(inputs, output, layout))
            return layout.put(begin(layout.maps(layout.pick(output).detach())), output)

        if by_frame:
            features = begin(torch.stack([*by_frame], 2).detach())
            frames += [features[:, :, time].clone() for time in range(len(by_frame))]
        convolutions = [m for m in self.net.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]
        hooks: list[tuple[nn.Module, Hook]] = [(m, note_patches) for m in convolutions]
        with hooked([*hooks, (self._watched[0], through_places)]):
            scores = self.net(inputs)
        return _Pass(scores, outputs)

    def _may_be_frames(self, passed: "_Pass", inputs: Tensor) -> bool:
        """Whether a layer that is used several times is used for a frame of the clips each time."""
        return inputs.ndim == 5 and are_frames(passed.outputs, len(inputs), inputs.shape[2])

    def _has_times_first(self, inputs: Tensor, output: Any, layout: Layout) -> bool:
        """Find out which frames of several clips come first in a batch, by what one clip gives."""
        alone: list[Tensor] = []

        def note(_module: nn.Module, _args: Any, of: Any) -> None:
            alone.append(layout.pick(of).clone())  # for the network may go on in place

        self._asking = True
        try:
            with hooked([(self._watched[0], note)]), torch.no_grad():
                self.net(inputs[:1])
        finally:
            self._asking = False
        of_one = layout.maps(alone[0])
        features = layout.pick(output)
        clips_first, times_first = (
            replace(layout, times_first=first).maps(features)[:1] for first in (False, True)
        )
        return bool((times_first - of_one).abs().max() < (clips_first - of_one).abs().max())

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
