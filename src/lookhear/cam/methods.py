"""Where a classifier sees a class: twelve ways to weigh the features of a layer.

In the docstrings A is the layer's features, of which A_k is channel k, S the logit of the class,
and g = dS/dA. Sums and means run over the places of a grid of two axes or three. CAM, GradCAM,
XGradCAM and LayerCAM are torchcam's; the others say in what they differ from torchcam and grad-cam.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchcam import methods as torchcam

from lookhear.cam import METHODS
from lookhear.cam.layers import TellingClassifier, find_layer, linear_head
from lookhear.cam.watched import Watched, undisturbed
from lookhear.errors import LookhearError

BATCH_SIZE = 32
SMOOTH_SAMPLES, SMOOTH_NOISE = 8, 0.1
SSCAM_SAMPLES, SSCAM_NOISE = 10, 2.0
ISCAM_STEPS = 10


class NoLinearHeadError(LookhearError):
    """A network has no linear layer straight after the pooling, of which CAM takes the weights."""


@dataclass(frozen=True)
class _Case:
    """Some inputs, and the classes that are looked for in them.

    Attributes:
        network: whose layer is watched.
        inputs: (B, C, H, W) or (B, C, T, H, W).
        classes: (B,) int64.
        batch_size: how many variants of an input the network sees at once.
        seed: of random numbers.
    """

    network: Watched
    inputs: Tensor
    classes: Tensor
    batch_size: int
    seed: int

    def logits(self, inputs: Tensor, scale: Tensor | None = None) -> Tensor:
        """Logits (N, K) of the inputs or of variants of them, the features scaled."""
        logits: Tensor = self.network(inputs, scale)
        if scale is None:
            self.network.check("the features", self.network.features)
            self.network.check("its logits", logits)
        if int(self.classes.max()) >= logits.shape[1]:
            raise LookhearError(
                f"class {int(self.classes.max())}: the network has {logits.shape[1]} classes, "
                f"from 0 to {logits.shape[1] - 1}"
            )
        return logits

    def scores(self, inputs: Tensor, scale: Tensor | None = None) -> Tensor:
        """S, (N,), of a variant of each input, or of N variants of the only one."""
        classes = self.classes.expand(len(inputs))[:, None]
        return self.logits(inputs, scale).gather(1, classes)[:, 0]

    def features(self) -> Tensor:
        """A, (B, C, *grid)."""
        with torch.no_grad():
            self.logits(self.inputs)
        return self.network.features

    def gradients(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """A and g of a variant of each input, (B, C, *grid) each."""
        with torch.enable_grad():
            scores = self.scores(inputs).sum()
            features = self.network.features
            if not scores.requires_grad:
                raise self.no_gradients()
            (gradients,) = torch.autograd.grad(scores, features, allow_unused=True)
        if gradients is None:
            raise self.no_gradients()
        self.network.check("the gradients by the features", gradients)
        return features.detach(), gradients

    def no_gradients(self) -> LookhearError:
        """What to say of scores that have no gradients by the features."""
        return LookhearError(
            f"layer {self.network.layer!r}: the scores have no gradients by its features; name "
            "another layer, or use EigenCAM or ScoreCAM"
        )

    def noises(self, samples: int, size: tuple[int, ...]) -> Iterator[Tensor]:
        """Standard normal noise of a size, drawn on the CPU so that every device gets the same."""
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(samples):
            yield torch.randn(size, generator=generator).to(self.inputs)


def cam(case: _Case) -> Tensor:
    """Weight by the prediction layer that follows the pooling (Zhou et al., CVPR 2016)."""
    _, gradients = case.gradients(case.inputs)
    head = _prediction_layer(case, gradients)
    return _of_torchcam(torchcam.CAM, f"net.{head}")(case)


def _of_torchcam(method: type[Any], *arguments: str) -> Callable[[_Case], Tensor]:
    def weigh(case: _Case) -> Tensor:
        with method(case.network, "places", *arguments) as extractor, torch.enable_grad():
            logits = case.logits(case.inputs)
            try:
                maps: Tensor = extractor(case.classes.tolist(), logits, normalized=False)[0]
            except RuntimeError as error:  # of scores that do not depend on the layer
                raise case.no_gradients() from error
            for gradients in extractor.hook_g:
                if gradients is not None:
                    case.network.check("the gradients by the features", gradients)
        return maps

    return weigh


def grad_cam_plus_plus(case: _Case) -> Tensor:
    """Weight by sum(alpha relu(g)) (Chattopadhyay et al., WACV 2018, equations 10 and 19).

    alpha = g^2 / (2 g^2 + sum(A_k) g^3) is 1 / (2 + sum(A_k) g), and 0 where g is. torchcam 0.5
    multiplies A_k and g^3 before it sums, and then leaves alpha's division out; grad-cam adds 1e-6
    to a denominator that small gradients make smaller.
    """
    features, gradients = case.gradients(case.inputs)
    return _weigh(features, _plus_plus(features, gradients, gradients**2, gradients**3))


def smooth_grad_cam_plus_plus(case: _Case) -> Tensor:
    """GradCAM++ by the mean of g, g^2 and g^3 over noisy inputs (Omeiza et al., 1908.01224).

    The paper has the mean of g above alpha's fraction; it is GradCAM++'s g^2 here, as in torchcam,
    which however takes the last noisy input's g for their mean. The noise's deviation is a tenth of
    the input's range, for inputs have different ranges.
    """
    features = case.features()
    axes = tuple(range(1, case.inputs.ndim))
    spread = case.inputs.amax(axes, keepdim=True) - case.inputs.amin(axes, keepdim=True)
    powers = [torch.zeros_like(features, dtype=torch.float32) for _ in range(3)]
    for noise in case.noises(SMOOTH_SAMPLES, tuple(case.inputs.shape[1:])):
        _, gradients = case.gradients(case.inputs + SMOOTH_NOISE * spread * noise)
        for exponent, power in enumerate(powers, 1):
            power += gradients**exponent / SMOOTH_SAMPLES
    return _weigh(features, _plus_plus(features, *powers))


def score_cam(case: _Case) -> Tensor:
    """Weight by the softmax of S of the input under each channel (Wang et al., CVPRW 2020).

    A channel is enlarged to the input and then spread from 0 to 1, as in the paper's algorithm 1;
    torchcam 0.5 does it the other way round, and its masks of less than 1 darken all of the input.
    """
    return _weigh_by_masks(case, [lambda mask: mask])


def smoothed_score_cam(case: _Case) -> Tensor:
    """ScoreCAM, averaged over masks with noise of deviation 2 (SS-CAM, Wang et al., 2006.14255).

    All channels get the same noise: it is what they make of it that is compared.
    """
    size = tuple(case.inputs.shape[2:])
    noises = [SSCAM_NOISE * noise for noise in case.noises(SSCAM_SAMPLES, size)]
    return _weigh_by_masks(case, [noise.add for noise in noises])


def integrated_score_cam(case: _Case) -> Tensor:
    """ScoreCAM, averaged over masks that open in ten steps (IS-CAM, Naidu et al., 2010.03023).

    torchcam 0.5 sums the steps up, and so ends at an input 5.5 times as bright.
    """
    steps = [(step + 1) / ISCAM_STEPS for step in range(ISCAM_STEPS)]
    return _weigh_by_masks(case, [step.__rmul__ for step in map(torch.tensor, steps)])


def ablation_cam(case: _Case) -> Tensor:
    """Weight by the share of S that goes when the channel is 0 (Desai et al., WACV 2020).

    The share is of |S|, for a negative logit must not turn the map round. The network up to the
    layer does its work once for a batch of ablated channels.
    """
    with torch.no_grad():
        score = case.scores(case.inputs)
        features = case.network.features
        channels, places = features.shape[1], [1] * (features.ndim - 2)
        kept = (1 - torch.eye(channels)).to(features).view(channels, 1, channels, *places)
        ablated_score = partial(case.scores, case.inputs)  # of a scale
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                scores = torch.vmap(ablated_score, chunk_size=case.batch_size)(kept)
        except RuntimeError:  # some networks cannot be vectorised: those that branch by values
            scores = torch.stack([ablated_score(scale) for scale in kept])
    drops = score - scores[:, 0]
    return _weigh(features, (drops / score.abs().clamp(min=torch.finfo(score.dtype).tiny))[None])


def eigen_cam(case: _Case) -> Tensor:
    """The first principal component of A, whatever the class (Muhammad et al., IJCNN 2020)."""
    return _first_component(case.features())


def eigen_grad_cam(case: _Case) -> Tensor:
    """The first principal component of g A, as in grad-cam."""
    features, gradients = case.gradients(case.inputs)
    return _first_component(features * gradients)


_METHODS: dict[str, Callable[[_Case], Tensor]] = {
    "CAM": cam,
    "GradCAM": _of_torchcam(torchcam.GradCAM),
    "GradCAM++": grad_cam_plus_plus,
    "SmoothGradCAM++": smooth_grad_cam_plus_plus,
    "XGradCAM": _of_torchcam(torchcam.XGradCAM),
    "SSCAM": smoothed_score_cam,
    "ScoreCAM": score_cam,
    "LayerCAM": _of_torchcam(torchcam.LayerCAM),
    "ISCAM": integrated_score_cam,
    "AblationCAM": ablation_cam,
    "EigenGradCAM": eigen_grad_cam,
    "EigenCAM": eigen_cam,
}
ONE_BY_ONE = ("SSCAM", "ScoreCAM", "ISCAM", "AblationCAM")


def class_activation(
    net: nn.Module,
    inputs: Tensor,
    classes: Tensor,
    method: str,
    *,
    layer: str | None = None,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
) -> Tensor:
    """Return where a network sees a class in each input.

    The network works in its inference mode, and is left as it was, whatever happens.

    Args:
        net: gives logits (B, K) of inputs.
        inputs: (B, C, H, W) or (B, C, T, H, W), on the network's device.
        classes: (B,) int64, which class to look for in each.
        method: one of `METHODS`. SSCAM, ScoreCAM and ISCAM take a pass of the network for each
            channel of the layer, or ten.
        layer: dotted name of the layer whose features are weighed; None for
            :func:`~lookhear.cam.find_layer`'s, which costs two passes of one input.
        batch_size: how many inputs, or variants of one, the network sees at once.
        seed: of the random numbers of SmoothGradCAM++ and SSCAM.

    Returns:
        (B, h, w) or (B, t, h, w) float32, not negative, on the layer's own grid and scale.

    Raises:
        LookhearError: no such method, layer or class, the layer has no places, the network gives
            no logits, or the method does not fit the network.
        ValueError: inputs and classes do not fit each other.
    """
    if method not in _METHODS:
        raise LookhearError(f"method {method!r}: unknown; use one of {', '.join(METHODS)}")
    if inputs.ndim not in (4, 5) or classes.shape != inputs.shape[:1] or not len(classes):
        raise ValueError(f"inputs {tuple(inputs.shape)} and classes {tuple(classes.shape)}")
    if int(classes.min()) < 0:
        raise LookhearError(f"class {int(classes.min())}: classes are numbered from 0")
    maps = []
    with undisturbed(net), torch.inference_mode(mode=False):
        layer = layer or find_layer(net, inputs)
        step = 1 if method in ONE_BY_ONE else batch_size
        for start in range(0, len(inputs), step):
            items = slice(start, start + step)
            part = net.of(items) if isinstance(net, TellingClassifier) else net
            case = _Case(
                Watched(part, layer),
                inputs[items].detach().clone(),
                classes[items].to(inputs.device, torch.int64, copy=True),
                batch_size,
                seed,
            )
            maps.append(_METHODS[method](case).detach().float().clamp(min=0))
    return torch.cat(maps)


def prediction_layer(net: nn.Module, inputs: Tensor, layer: str) -> str:
    """Find the linear layer that predicts from the pooled features of a layer.

    Args:
        net: gives logits (B, K) of inputs; it is left as it was.
        inputs: (B, C, H, W) or (B, C, T, H, W), of which the first is used.
        layer: dotted name.

    Returns:
        Its dotted name; its weights are (K, channels of the layer, ...).

    Raises:
        LookhearError: no linear layer comes straight after the pooling of the layer.
    """
    with undisturbed(net), torch.inference_mode(mode=False):
        first = inputs[:1].detach().clone()
        with torch.no_grad():
            classes = net(first).argmax(1)
        case = _Case(Watched(net, layer), first, classes, BATCH_SIZE, 0)
        return _prediction_layer(case, case.gradients(first)[1])


def _prediction_layer(case: _Case, gradients: Tensor) -> str:
    head = linear_head(case.network.net, gradients, case.classes)
    if head is None:
        raise NoLinearHeadError(
            f"layer {case.network.layer!r}: no linear layer comes straight after its "
            f"pooling, which tube and CAM need; use {', '.join(METHODS[1:])}"
        )
    return head


def _weigh(features: Tensor, weights: Tensor) -> Tensor:
    """Sum the channels (B, C, *grid) up, by weights (B, C)."""
    return torch.einsum("bc...,bc->b...", features, weights.to(features))


def _plus_plus(features: Tensor, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
    """GradCAM++'s weights (B, C) from the first three powers of g."""
    sums = features.flatten(2).sum(2).view(*features.shape[:2], *[1] * (features.ndim - 2))
    alpha = (second / (2 * second + sums * third)).nan_to_num(0.0, 0.0, 0.0)
    return (alpha * first.clamp(min=0)).flatten(2).sum(2)


def _weigh_by_masks(case: _Case, variants: list[Callable[[Tensor], Tensor]]) -> Tensor:
    """Weight by the softmax of S, averaged over variants of each channel's mask of the input."""
    channels = case.features()[0]
    flat = channels.flatten(1).amax(1) == channels.flatten(1).amin(1)
    # All flat channels mask alike, so that one will do.
    rows = torch.cat([(~flat).nonzero()[:, 0], flat.nonzero()[:1, 0]])
    with torch.no_grad():
        scores = [
            torch.stack([case.scores(case.inputs * variant(masks)) for variant in variants]).mean(0)
            for masks in (
                _masks(channels[some], tuple(case.inputs.shape[2:]))
                for some in torch.split(rows, case.batch_size)
            )
        ]
        of_rows = torch.cat(scores).float()
    of_channels = of_rows[-1].expand(len(channels)).clone()
    of_channels[rows] = of_rows
    return _weigh(channels[None], torch.softmax(of_channels, 0)[None])


def _masks(channels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Enlarge channels (N, *grid) to masks (N, 1, *size) from 0 to 1; a flat one is 0."""
    mode = "bilinear" if len(size) == 2 else "trilinear"
    large = F.interpolate(channels[:, None], size, mode=mode, align_corners=False)
    axes = tuple(range(1, large.ndim))
    large = large - large.amin(axes, keepdim=True)
    most = large.amax(axes, keepdim=True)
    return large / most.where(most > 0, 1)


def _first_component(maps: Tensor) -> Tensor:
    """Project the places of (B, C, *grid) on the first principal component, (B, *grid).

    A component has no sign of its own. It gets that of its correlation with the sum of the
    channels; grad-cam leaves it to the linear algebra, and shows the background half of the time.
    """
    points = maps.float().flatten(2).transpose(1, 2)
    centred = points - points.mean(1, keepdim=True)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    projected = (centred @ axes[:, 0, :, None])[..., 0]
    agreement = (projected * centred.sum(2)).sum(1, keepdim=True)
    signed: Tensor = projected.where(agreement >= 0, -projected)
    return signed.view(len(maps), *maps.shape[2:])
