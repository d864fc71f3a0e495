"""What each method computes, against its paper's formula and grad-cam's own answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cam_networks import LAST_MAPS, Convolutional, Curved, made, pictures
from lookhear.cam import METHODS, class_activation
from lookhear.cam import methods as cam_methods
from lookhear.errors import LookhearError

GOLDEN = Path(__file__).parents[1] / "golden" / "cam.npz"
CLASSES = torch.tensor([4, 0, 2])
AXES = pytest.mark.parametrize("axes", [2, 3])


def features_and_gradients(net: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """A and dS/dA of each input, one after the other."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _args: object, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = net.get_submodule(LAST_MAPS).register_forward_hook(keep)
    for picture, number in zip(inputs, CLASSES, strict=True):
        net(picture[None])[0, number].backward()
    handle.remove()
    net.zero_grad()
    return torch.cat([k.detach() for k in kept]), torch.cat([k.grad for k in kept])


def weighed(features: Tensor, weights: list[list[Tensor | float]]) -> Tensor:
    """Relu of the sum of channels by their weights, channel by channel."""
    maps = torch.stack(
        [
            sum(weight * channel for weight, channel in zip(of_input, channels, strict=True))
            for of_input, channels in zip(weights, features, strict=True)
        ]
    )
    return maps.clamp(min=0)


def by_formula(method: str, features: Tensor, gradients: Tensor) -> Tensor:
    """The map of a method that needs no more than gradients, place by place."""
    weights: list[list[Tensor | float]] = []
    for channels, slopes in zip(features, gradients, strict=True):
        weights.append([])
        for channel, slope in zip(channels, slopes, strict=True):
            if method == "GradCAM":  # equation 1 of 1610.02391
                weight: Tensor | float = slope.mean()
            elif method == "XGradCAM":  # equation 8 of 2008.02312
                weight = (channel * slope).sum() / channel.sum() if channel.any() else 0.0
            elif method == "LayerCAM":  # equations 5 and 6
                weight = slope.clamp(min=0)
            else:  # equations 10 and 19 of 1710.11063
                weight = 0.0
                for g in slope.flatten().tolist():
                    if g > 0:
                        weight += g * g**2 / (2 * g**2 + channel.sum() * g**3)
            weights[-1].append(weight)
    return weighed(features, weights)


@AXES
@pytest.mark.parametrize("method", ["GradCAM", "GradCAM++", "XGradCAM", "LayerCAM"])
def test_a_gradient_method_is_its_papers_formula(method: str, axes: int) -> None:
    net, inputs = made(Curved, axes), pictures(axes)
    expected = by_formula(method, *features_and_gradients(net, inputs))
    maps = class_activation(net, inputs, CLASSES, method, layer=LAST_MAPS)
    assert expected.amax() > 0
    torch.testing.assert_close(maps, expected, atol=1e-6, rtol=1e-4)


@AXES
def test_grad_cam_plus_plus_knows_small_gradients(axes: int) -> None:
    net, inputs = made(Curved, axes), pictures(axes)
    net.head.weight.data *= 1e-4
    net.head.bias.data *= 1e-4
    expected = by_formula("GradCAM++", *features_and_gradients(net, inputs))
    maps = class_activation(net, inputs, CLASSES, "GradCAM++", layer=LAST_MAPS)
    torch.testing.assert_close(maps, expected, atol=1e-9, rtol=1e-3)


@AXES
def test_cam_weighs_by_the_linear_head(axes: int) -> None:
    net, inputs = made(Convolutional, axes), pictures(axes)
    features, _ = features_and_gradients(net, inputs)
    expected = weighed(features, net.head.weight.detach()[CLASSES].tolist())
    maps = class_activation(net, inputs, CLASSES, "CAM")
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)


@AXES
def test_with_average_pooling_grad_cam_is_cam(axes: int) -> None:
    net, inputs = made(Convolutional, axes), pictures(axes)
    maps = class_activation(net, inputs, CLASSES, "GradCAM")
    places = maps[0].numel()
    torch.testing.assert_close(maps * places, class_activation(net, inputs, CLASSES, "CAM"))


@torch.inference_mode()
def mask_weights(net: nn.Module, picture: Tensor, number: Tensor, features: Tensor) -> Tensor:
    """ScoreCAM's channel weights of a picture, channel by channel (algorithm 1 of 1910.01279)."""
    increases = []
    for channel in features:
        mode = "bilinear" if channel.ndim == 2 else "trilinear"
        mask = F.interpolate(channel[None, None], picture.shape[1:], mode=mode)[0, 0]
        mask = mask - mask.min()
        mask = mask / mask.max() if mask.max() > 0 else mask
        shown, nothing = net((picture * mask)[None]), net((picture * 0)[None])
        increases.append((shown - nothing)[0, number])
    return torch.softmax(torch.stack(increases), 0)


@AXES
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_score_cam_is_its_papers_algorithm(axes: int, batch_size: int) -> None:
    net, inputs = made(Curved, axes), pictures(axes)
    net.features[3].bias.data[[1, 5]] = -100  # two channels that see nothing
    features, _ = features_and_gradients(net, inputs)
    assert (features[:, [1, 5]] == 0).all()
    weights = [
        mask_weights(net, picture, number, channels).tolist()
        for picture, number, channels in zip(inputs, CLASSES, features, strict=True)
    ]
    maps = class_activation(
        net, inputs, CLASSES, "ScoreCAM", layer=LAST_MAPS, batch_size=batch_size
    )
    torch.testing.assert_close(maps, weighed(features, weights), atol=1e-6, rtol=1e-4)


@AXES
def test_iscam_of_one_step_is_score_cam(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, inputs = made(Curved, axes), pictures(axes)
    score_cam = class_activation(net, inputs, CLASSES, "ScoreCAM", layer=LAST_MAPS)
    of_ten = class_activation(net, inputs, CLASSES, "ISCAM", layer=LAST_MAPS)
    assert not torch.allclose(of_ten, score_cam, rtol=1e-4)
    monkeypatch.setattr(cam_methods, "ISCAM_STEPS", 1)
    of_one = class_activation(net, inputs, CLASSES, "ISCAM", layer=LAST_MAPS)
    torch.testing.assert_close(of_one, score_cam)


@AXES
@pytest.mark.parametrize(
    ("noisy", "noise", "plain"),
    [("SSCAM", "SSCAM_NOISE", "ScoreCAM"), ("SmoothGradCAM++", "SMOOTH_NOISE", "GradCAM++")],
)
def test_a_noisy_method_without_noise_is_the_plain_one(
    noisy: str, noise: str, plain: str, axes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, inputs = made(Curved, axes), pictures(axes)
    monkeypatch.setattr(cam_methods, noise, 0.0)
    maps = class_activation(net, inputs, CLASSES, noisy, layer=LAST_MAPS)
    expected = class_activation(net, inputs, CLASSES, plain, layer=LAST_MAPS)
    torch.testing.assert_close(maps, expected, atol=1e-6, rtol=1e-4)


def test_smooth_grad_cam_plus_plus_takes_the_means_over_all_noisy_inputs() -> None:
    net, inputs = made(Curved, 2), pictures(2)
    features, _ = features_and_gradients(net, inputs)
    generator = torch.Generator().manual_seed(5)
    spread = (inputs.amax((1, 2, 3)) - inputs.amin((1, 2, 3)))[:, None, None, None]
    slopes = []
    for _ in range(cam_methods.SMOOTH_SAMPLES):
        noise = cam_methods.SMOOTH_NOISE * torch.randn(inputs.shape[1:], generator=generator)
        slopes.append(features_and_gradients(net, inputs + spread * noise)[1])
    first, second, third = (torch.stack(slopes).pow(power).mean(0) for power in (1, 2, 3))
    alpha = second / (2 * second + features.sum((2, 3), keepdim=True) * third)
    weights = (alpha.nan_to_num() * first.clamp(min=0)).sum((2, 3)).tolist()
    maps = class_activation(net, inputs, CLASSES, "SmoothGradCAM++", layer=LAST_MAPS, seed=5)
    torch.testing.assert_close(maps, weighed(features, weights), atol=1e-6, rtol=1e-3)


@AXES
def test_ablation_cam_weighs_by_the_drop_of_the_score(axes: int) -> None:
    net, inputs = made(Convolutional, axes), pictures(axes)
    features, _ = features_and_gradients(net, inputs)
    # With a linear head, a channel's part of the score is its mean times its weight.
    parts = features.flatten(2).mean(2) * net.head.weight.detach()[CLASSES]
    scores = net(inputs).detach().gather(1, CLASSES[:, None])
    assert (scores < 0).any()
    assert (scores > 0).any()
    expected = weighed(features, (parts / scores.abs()).tolist())
    for batch_size in (1, 3, 100):
        maps = class_activation(net, inputs, CLASSES, "AblationCAM", batch_size=batch_size)
        torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)


@AXES
def test_eigen_cam_shows_the_direction_of_most_variance(axes: int) -> None:
    net, inputs = made(Curved, axes), pictures(axes)
    features, _ = features_and_gradients(net, inputs)
    maps = class_activation(net, inputs, CLASSES, "EigenCAM", layer=LAST_MAPS)
    for channels, shown in zip(features.flatten(2), maps.flatten(1), strict=True):
        centred = channels - channels.mean(1, keepdim=True)
        _, directions = torch.linalg.eigh(centred @ centred.T)
        projected = directions[:, -1] @ centred
        projected *= torch.sign(projected @ centred.sum(0))
        torch.testing.assert_close(shown, projected.clamp(min=0), atol=1e-4, rtol=1e-3)


class Undefined(Convolutional):
    """Rises infinitely steeply at its last maps, if it is told so."""

    def __init__(self, axes: int, *, where: str) -> None:
        super().__init__(axes)
        self.where = where

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.features(inputs)
        if self.where == "gradients":  # infinite, of a root at 0
            maps = maps.sub(maps.detach()).sqrt() + maps
        logits: Tensor = self.head(self.pool(maps).flatten(1))
        return logits


WITHOUT_GRADIENTS = ("EigenCAM", "ScoreCAM", "SSCAM", "ISCAM", "AblationCAM")


@pytest.mark.parametrize(
    ("where", "method"),
    [
        (where, method)
        for where in ("features", "logits", "gradients")
        for method in METHODS
        if where != "gradients" or method not in WITHOUT_GRADIENTS
    ],
)
def test_a_network_that_gives_nan_is_one_line(where: str, method: str) -> None:
    net = Undefined(2, where=where).eval()
    if where == "features":
        net.features[3].bias.data[0] = torch.nan
    elif where == "logits":
        net.head.bias.data[1] = torch.inf
    complaint = rf"^network Undefined, layer 'features.4': NaN or infinity in .*{where}[^\n]*\Z"
    with pytest.raises(LookhearError, match=complaint):
        class_activation(net, pictures(2), CLASSES, method, layer=LAST_MAPS)


def golden_network(golden: "np.lib.npyio.NpzFile") -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    weights = {
        key.removeprefix("weight/"): torch.from_numpy(golden[key])
        for key in golden.files
        if key.startswith("weight/")
    }
    net.load_state_dict(weights)
    return net.eval()


@pytest.mark.parametrize(
    "method", ["AblationCAM", "EigenCAM", "EigenGradCAM", "GradCAM", "LayerCAM", "XGradCAM"]
)
def test_a_picture_gets_grad_cams_map(method: str) -> None:
    """The maps are grad-cam 1.5.7's own, with torch 2.15 on a CPU.

    They are what its extractors' `get_cam_image` returned for the second ReLU: before rectifying,
    enlarging and spreading. Weights and inputs are random (torch seed 0), the head's biases raised
    by 2, for grad-cam's AblationCAM divides by the score itself, which turns the map of a negative
    one round. Principal components come with either sign, in grad-cam with any.
    """
    with np.load(GOLDEN) as golden:
        net = golden_network(golden)
        inputs, classes = torch.from_numpy(golden["input"]), torch.from_numpy(golden["classes"])
        theirs = torch.from_numpy(golden[f"map/{method}"])
    maps = class_activation(net, inputs, classes, method)
    for ours, raw in zip(maps, theirs, strict=True):
        same = ours.sub(raw.clamp(min=0)).abs().max() < 1e-4 * raw.abs().max()
        turned = ours.sub((-raw).clamp(min=0)).abs().max() < 1e-4 * raw.abs().max()
        assert same or (turned and method.startswith("Eigen"))


@pytest.mark.parametrize("method", METHODS)
def test_a_map_does_not_depend_on_the_batch_it_is_made_in(method: str) -> None:
    net, inputs = made(Convolutional, 2), pictures(2)
    whole = class_activation(net, inputs, CLASSES, method)
    one_by_one = class_activation(net, inputs, CLASSES, method, batch_size=1)
    alone = class_activation(net, inputs[1:2], CLASSES[1:2], method)
    torch.testing.assert_close(one_by_one, whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone, whole[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_noisy_methods_heed_the_seed_and_always_alike(method: str) -> None:
    net, inputs = made(Curved if method != "CAM" else Convolutional, 2), pictures(2)
    first, again, other = (
        class_activation(net, inputs, CLASSES, method, layer=LAST_MAPS, seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (method not in ("SSCAM", "SmoothGradCAM++"))


@AXES
@pytest.mark.parametrize("method", [method for method in METHODS if method != "CAM"])
def test_what_happens_in_place_after_the_layer_does_not_change_its_features(
    method: str, axes: int
) -> None:
    inputs = pictures(axes, 2)
    tidy = made(Convolutional, axes, ends_in_place=True)
    tidy.ends_in_place = False
    tidy.pool = nn.Sequential(nn.ReLU(), tidy.pool)
    maps = class_activation(tidy, inputs, CLASSES[:2], method, layer=LAST_MAPS)
    in_place = made(Convolutional, axes, ends_in_place=True)
    torch.testing.assert_close(
        class_activation(in_place, inputs, CLASSES[:2], method, layer=LAST_MAPS), maps
    )


def test_every_method_has_a_name_that_is_known_without_pytorch() -> None:
    assert tuple(cam_methods._METHODS) == METHODS
