"""Which layer is looked at, how its output is read, and how the network is left."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cam_networks import (
    CLASSES,
    CONVOLUTIONS,
    LAST_MAPS,
    POOLINGS,
    SIZES,
    Convolutional,
    Curved,
    Tokens,
    assert_unchanged,
    everything,
    made,
    pictures,
)
from lookhear.cam import METHODS, class_activation, find_layer, layer_named
from lookhear.cam import methods as cam_methods
from lookhear.errors import LookhearError

AXES = pytest.mark.parametrize("axes", [2, 3])
EACH_METHOD = pytest.mark.parametrize("method", METHODS)
LOOKED_FOR = torch.tensor([4, 0, 2])


class TwoStreams(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = (nn.Conv2d(3, 4, 3, padding=1) for _ in range(2))
        self.head = nn.Linear(8, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        streams = [self.slow(inputs).relu(), self.fast(inputs).relu()]
        logits: Tensor = self.head(torch.cat([maps.mean((2, 3)) for maps in streams], 1))
        return logits


class Wrapped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.net(inputs)
        return logits


class LaidOut(nn.Module):
    """One convolution whose maps are laid out in some way at the layer ``here``."""

    def __init__(self, axes: int, lay: Callable[[Tensor], Any], read: Callable[[Any], Tensor]):
        super().__init__()
        self.convolution = CONVOLUTIONS[axes](3, 8, 3, stride=2, padding=1)
        self.here = nn.Identity()
        self.head = nn.Linear(8, CLASSES)
        self.lay, self.read = lay, read

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(self.read(self.here(self.lay(self.convolution(inputs)))) ** 2)
        return logits


def with_class_token(maps: Tensor) -> Tensor:
    tokens = maps.flatten(2).transpose(1, 2)
    return torch.cat([torch.full_like(tokens[:, :1], 9), tokens], 1)


LAYOUTS: dict[str, tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]] = {
    "channels last": (lambda maps: maps.movedim(1, -1), lambda x: x.flatten(1, -2).mean(1)),
    "tokens": (lambda maps: maps.flatten(2).transpose(1, 2), lambda x: x.mean(1)),
    "class token": (with_class_token, lambda x: x[:, 1:].mean(1)),
    "tuple": (lambda maps: (maps, "and more"), lambda x: x[0].flatten(2).mean(2)),
    "list": (lambda maps: [maps], lambda x: x[0].flatten(2).mean(2)),
}


def in_use(net: nn.Module, inputs: Tensor) -> nn.Module:
    """Put a network into the middle of its training, partly frozen, and with a hook."""
    net.train()
    next(net.parameters()).requires_grad_(False)
    list(net.children())[-1].eval()
    net(inputs).sum().backward()
    net.register_forward_hook(lambda _module, _args, _output: None)
    return net


@AXES
@EACH_METHOD
def test_a_network_is_left_as_it_was(method: str, axes: int) -> None:
    inputs = pictures(axes)
    net = in_use(made(Convolutional, axes), inputs)
    before, inputs_before = everything(net), inputs.clone()
    class_activation(net, inputs, LOOKED_FOR, method)
    assert_unchanged(net, before)
    assert torch.equal(inputs, inputs_before)
    assert not inputs.requires_grad


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@EACH_METHOD
def test_a_network_is_left_as_it_was_when_it_fails(method: str, error: type[BaseException]) -> None:
    inputs = pictures(2)
    net = in_use(made(Convolutional, 2), inputs)
    passes = 0

    def fail(_module: nn.Module, _args: Any, _output: Any) -> None:
        nonlocal passes
        passes += 1
        net.features[1].running_mean += 1
        if passes > 1 or method not in ("CAM", "SmoothGradCAM++", *cam_methods.ONE_BY_ONE):
            raise error

    net.pool.register_forward_hook(fail)
    before = everything(net)
    with pytest.raises(error):
        class_activation(net, inputs, LOOKED_FOR, method, layer=LAST_MAPS)
    assert_unchanged(net, before)


@EACH_METHOD
def test_the_callers_gradient_modes_and_frozen_weights_do_not_matter(method: str) -> None:
    net, inputs = made(Convolutional, 2), pictures(2)
    expected = class_activation(net, inputs, LOOKED_FOR, method)
    net.requires_grad_(False)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            maps = class_activation(net, inputs * 1, LOOKED_FOR, method)
        torch.testing.assert_close(maps, expected)


@AXES
def test_the_last_layer_before_the_pooling_is_found(axes: int) -> None:
    net = made(Convolutional, axes)
    assert find_layer(net, pictures(axes)) == "features"
    assert find_layer(Wrapped(net), pictures(axes)) == "net.features"
    plain = nn.Sequential(
        *made(Convolutional, axes).features, POOLINGS[axes](1), nn.Flatten(), nn.Linear(8, CLASSES)
    )
    assert find_layer(plain, pictures(axes)) == "4"
    # Pooling to several places is still pooling.
    coarse = nn.Sequential(net.features, POOLINGS[axes](2), nn.Flatten(), nn.LazyLinear(CLASSES))
    assert find_layer(coarse, pictures(axes)) == "0"


@AXES
def test_of_a_transformer_with_a_class_token_the_last_block_but_one_is_found(axes: int) -> None:
    assert find_layer(made(Tokens, axes), pictures(axes)) == "blocks.1"


def test_a_network_of_two_streams_is_asked_which_is_meant() -> None:
    with pytest.raises(LookhearError, match="fast and, beside it, from slow; name the layer"):
        find_layer(TwoStreams(), pictures(2))
    net = TwoStreams()
    maps = class_activation(net, pictures(2), LOOKED_FOR, "GradCAM", layer="slow")
    assert maps.shape == (3, *SIZES[2])


def test_a_network_without_places_is_said_to_have_none() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, CLASSES))
    with pytest.raises(LookhearError, match="no layer of it has places"):
        find_layer(flat, pictures(2))


@AXES
@EACH_METHOD
@pytest.mark.parametrize("layout", LAYOUTS)
def test_places_are_found_however_they_are_laid_out(layout: str, method: str, axes: int) -> None:
    if method == "CAM":
        pytest.skip("the squares before its head are not linear")
    inputs = pictures(axes)
    maps_to_maps = (lambda maps: maps, lambda x: x.flatten(2).mean(2))
    plain, laid_out = (
        made(lambda of, how=how: LaidOut(of, *how), axes) for how in (maps_to_maps, LAYOUTS[layout])
    )
    expected = class_activation(plain, inputs, LOOKED_FOR, method, layer="here")
    maps = class_activation(laid_out, inputs, LOOKED_FOR, method, layer="here")
    assert expected.shape == (3, *(side // 2 for side in SIZES[axes]))
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)


@AXES
@EACH_METHOD
def test_each_method_maps_a_transformers_tokens(method: str, axes: int) -> None:
    net, inputs = made(Tokens, axes), pictures(axes)
    if method == "CAM":
        with pytest.raises(LookhearError, match=r"no linear layer .* use GradCAM, GradCAM\+\+"):
            class_activation(net, inputs, LOOKED_FOR, method)
        return
    maps = class_activation(net, inputs, LOOKED_FOR, method)
    assert maps.shape == {2: (3, 3, 4), 3: (3, 3, 3, 4)}[axes]
    assert maps.isfinite().all()


@pytest.mark.parametrize(
    ("classes", "method", "layer", "says"),
    [
        ([0, 0, 0], "GradCam", None, "method 'GradCam': unknown; use one of CAM, GradCAM"),
        ([0, 0, 5], "GradCAM", None, "class 5: the network has 5 classes, from 0 to 4"),
        ([0, 0, 5], "ScoreCAM", None, "class 5: the network has 5 classes, from 0 to 4"),
        ([0, -1, 0], "EigenCAM", None, "class -1: classes are numbered from 0"),
        ([0, 0, 0], "EigenCAM", "feature.4", "layer 'feature.4': .* try features.4"),
        ([0, 0, 0], "EigenCAM", "layer9", "layer 'layer9': .* try features, pool, head"),
        ([0, 0, 0], "EigenCAM", "head", "layer 'head': its output has no places"),
        ([0, 0, 0], "EigenCAM", "pool", "layer 'pool': its output has no places"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    classes: list[int], method: str, layer: str | None, says: str
) -> None:
    net = made(Convolutional, 2)
    with pytest.raises(LookhearError, match=says) as caught:
        class_activation(net, pictures(2), torch.tensor(classes), method, layer=layer)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_used_twice_is_refused() -> None:
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu)
    net = nn.Sequential(net, POOLINGS[2](1), nn.Flatten(), nn.Linear(4, CLASSES))
    with pytest.raises(LookhearError, match=r"layer '0\.1': the network uses it 2 times"):
        class_activation(net, pictures(2), LOOKED_FOR, "GradCAM", layer="0.1")
    assert find_layer(net, pictures(2)) == "0"


def test_a_network_that_gives_no_logits_is_refused() -> None:
    net = made(Convolutional, 2).features
    with pytest.raises(LookhearError, match=r"gives \(3, 8, 6, 8\) where logits \(3, classes\)"):
        class_activation(net, pictures(2), LOOKED_FOR, "EigenCAM", layer="3")


def test_scores_without_gradients_are_said_to_have_none() -> None:
    class Closed(Convolutional):
        @torch.no_grad()
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs)

    net = made(Closed, 2)
    for method in ("GradCAM", "GradCAM++", "SmoothGradCAM++", "CAM"):
        with pytest.raises(LookhearError, match="scores have no gradients by its features"):
            class_activation(net, pictures(2), LOOKED_FOR, method, layer=LAST_MAPS)
    maps = class_activation(net, pictures(2), LOOKED_FOR, "ScoreCAM", layer=LAST_MAPS)
    assert maps.amax() > 0


def test_a_network_that_branches_by_values_is_ablated_all_the_same() -> None:
    class Branching(Convolutional):
        def forward(self, inputs: Tensor) -> Tensor:
            logits = super().forward(inputs)
            return logits * 2 if bool(logits.isfinite().all()) else logits

    plain, branching = made(Convolutional, 2), made(Branching, 2)
    maps = class_activation(branching, pictures(2), LOOKED_FOR, "AblationCAM")
    expected = class_activation(plain, pictures(2), LOOKED_FOR, "AblationCAM")
    torch.testing.assert_close(maps, expected, atol=1e-6, rtol=1e-4)


def test_a_layer_is_had_by_its_name() -> None:
    net = made(Convolutional, 2)
    assert layer_named(net, "features.3") is net.features[3]
    with pytest.raises(LookhearError, match="layer ''"):
        layer_named(net, "")


def test_no_more_inputs_than_the_batch_size_are_seen_at_once() -> None:
    net, inputs = made(Curved, 2), pictures(2)
    seen: list[int] = []
    net.register_forward_hook(lambda _module, args, _output: seen.append(len(args[0])))
    for method in METHODS[1:]:
        class_activation(net, inputs, LOOKED_FOR, method, layer=LAST_MAPS, batch_size=2)
    assert max(seen) == 2
