"""Blocks of the network of events against loops in float64, gradients against differences."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.events.ear import Ear
from lookhear.events.net import (
    SHARPNESS,
    EventNet,
    Heard,
    Pooling,
    Seen,
    Streams,
    log_sum_exp,
    softmax_over_proposals,
)
from lookhear.events.recipe import multi_label_loss

POOLINGS: tuple[Pooling, ...] = ("two-stream", "max", "log-sum-exp", "one-stream")
TINY = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "strides": [8],
    "input_size": [64, 96],
    "cells": 2,
    "hidden": 16,
    "dropout": 0.0,
    "ear": {"channels": [4, 4, 4, 8, 8, 8], "hidden": 16, "norms": True},
    "boxes": 3,
}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def streams(pooling: Pooling) -> tuple[Streams, Tensor, Tensor]:
    torch.manual_seed(1)
    there = torch.tensor([[True] * 5, [True, True, True, False, False], [False] * 5])
    return Streams(4, 3, pooling).double(), random(3, 5, 4), there


def score_by_hand(
    a: list[list[float]], b: list[list[float]] | None, pooling: Pooling
) -> list[float]:
    """A clip's scores from class scores and localisation scores, [proposal][category]."""
    scores = []
    for c in range(3):
        column = [row[c] for row in a]
        if pooling == "two-stream":
            assert b is not None
            exps = [math.exp(row[c]) for row in b]
            scores.append(sum(x * e / sum(exps) for x, e in zip(column, exps, strict=True)))
        elif pooling == "max":
            scores.append(max(column))
        elif pooling == "log-sum-exp":
            mean = sum(math.exp(SHARPNESS * x) for x in column) / len(column)
            scores.append(math.log(mean) / SHARPNESS)
        else:
            scores.append(sum(column) / len(column))
    length = math.sqrt(sum(score**2 for score in scores))
    return [score / length for score in scores]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_streams_equal_loops(pooling: Pooling) -> None:
    net, features, there = streams(pooling)
    evidence = net(features, there)
    for clip in range(2):
        count = int(there[clip].sum())
        a = net.classification(features[clip, :count]).tolist()
        b = net.localisation(features[clip, :count]).tolist() if pooling == "two-stream" else None
        wanted = torch.tensor(score_by_hand(a, b, pooling), dtype=torch.float64)
        assert (evidence.scores[clip] - wanted).abs().max() < 1e-6


@pytest.mark.parametrize("pooling", POOLINGS)
def test_without_a_proposal_there_is_no_score(pooling: Pooling) -> None:
    net, features, there = streams(pooling)
    scores = net(features, there).scores
    assert scores[2].tolist() == [0, 0, 0]
    scores.sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters())


@pytest.mark.parametrize("pooling", POOLINGS)
def test_shuffled_proposals_give_the_same_scores(pooling: Pooling) -> None:
    net, features, there = streams(pooling)
    order = torch.tensor([3, 0, 4, 2, 1])
    shuffled = net(features[:, order], there[:, order])
    assert torch.allclose(shuffled.scores, net(features, there).scores, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_of_streams_equal_finite_differences(pooling: Pooling) -> None:
    net, features, there = streams(pooling)
    features.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: net(x, there).scores[:2], (features,))


def test_weights_sum_to_one_over_the_proposals_that_are_there() -> None:
    there = torch.tensor([[True, False, True], [False, False, False]])
    weights = softmax_over_proposals(random(2, 3, 2), there)
    assert torch.allclose(weights.sum(1), torch.tensor([[1.0] * 2, [0.0] * 2]).double())
    assert weights[0, 1].tolist() == [0, 0]


def test_log_sum_exp_lies_between_the_mean_and_the_maximum() -> None:
    scores = random(4, 6, 3)
    smooth = log_sum_exp(scores, torch.ones(4, 6, dtype=torch.bool))
    assert (smooth > scores.mean(1)).all()
    assert (smooth < scores.amax(1)).all()


@pytest.mark.parametrize(
    ("loss", "of_one"),
    [
        ("hinge", lambda y, s: max(0.0, 1 - y * s)),
        ("soft margin", lambda y, s: math.log1p(math.exp(-y * s))),
    ],
)
def test_losses_equal_loops(loss: str, of_one: Callable[[int, float], float]) -> None:
    scores, tags = 2 * random(4, 3), random(4, 3, seed=5) > 0
    wanted = [
        of_one(1 if tag else -1, score)
        for tag, score in zip(tags.flatten().tolist(), scores.flatten().tolist(), strict=True)
    ]
    ours = float(multi_label_loss(scores, tags, loss))  # type: ignore[arg-type]
    assert ours == pytest.approx(sum(wanted) / 12, abs=1e-12)
    scores.requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda s: multi_label_loss(s, tags, loss),  # type: ignore[arg-type]
        (scores,),
    )


def roi_by_hand(level: Tensor, box: list[float], cells: int, stride: int) -> Tensor:
    """Girshick's RoI pooling: maxima of cells of a box on whole positions, (C, cells, cells)."""
    _, height, width = level.shape
    left, top, right, bottom = (math.floor(side / stride + 0.5) for side in box)
    across, down = max(right - left + 1, 1), max(bottom - top + 1, 1)
    found = torch.zeros(level.shape[0], cells, cells, dtype=level.dtype)
    for i in range(cells):
        for j in range(cells):
            rows = math.floor(i * down / cells) + top, math.ceil((i + 1) * down / cells) + top
            columns = (
                math.floor(j * across / cells) + left,
                math.ceil((j + 1) * across / cells) + left,
            )
            cell = level[
                :,
                max(rows[0], 0) : min(max(rows[1], 0), height),
                max(columns[0], 0) : min(max(columns[1], 0), width),
            ]
            if cell.shape[1] and cell.shape[2]:
                found[:, i, j] = cell.amax((1, 2))
    return found


def test_boxes_are_pooled_as_fast_r_cnn_does() -> None:
    torch.manual_seed(2)
    net = EventNet(["a", "b"], **TINY).double().eval()
    frames, boxes = random(2, 3, 64, 96).sigmoid(), random(2, 3, 4, seed=4).sigmoid()
    boxes = torch.cat(
        [torch.minimum(boxes[..., :2], boxes[..., 2:]), boxes[..., :2].clamp(min=0.9)], -1
    )
    pooled = net.pooled(frames, boxes)
    (level,) = net.features(frames)
    for frame in range(2):
        for number in range(3):
            box = (boxes[frame, number] * torch.tensor([96, 64, 96, 64])).tolist()
            wanted = roi_by_hand(level[frame], box, 2, 8).flatten()
            assert (pooled[frame, number] - wanted).abs().max() < 1e-6


def ear_by_hand(ear: Ear, window: Tensor) -> Tensor:
    """VGGish layer by layer; its last maps are read by time, band and channel."""
    x, layers = window[None], iter(ear.features)
    for layer in layers:
        if isinstance(layer, torch.nn.Conv2d):
            x = F.conv2d(x[None], layer.weight, layer.bias, padding=1)[0]
        elif isinstance(layer, torch.nn.ReLU):
            x = x.clamp(min=0)
        else:
            c, h, w = x.shape
            x = x.view(c, h // 2, 2, w // 2, 2).amax((2, 4))
    flat = [x[c, t, b] for t in range(6) for b in range(4) for c in range(x.shape[0])]
    vector = torch.stack(flat)
    for layer in ear.embeddings:
        if isinstance(layer, torch.nn.Linear):
            vector = layer.weight @ vector + layer.bias
        else:
            vector = vector.clamp(min=0)
    return vector


def test_the_ear_equals_a_transcription() -> None:
    torch.manual_seed(3)
    ear = Ear([2, 3, 3, 4, 4, 5], hidden=7).double()
    windows = random(2, 96, 64)
    heard = ear(windows)
    for window, vector in zip(windows, heard, strict=True):
        assert (ear_by_hand(ear, window) - vector).abs().max() < 1e-6


def test_the_ear_has_vggishs_weights_by_their_published_names() -> None:
    with torch.device("meta"):
        state = Ear().state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if "weight" in name}
    assert shapes == {
        "features.0.weight": (64, 1, 3, 3),
        "features.3.weight": (128, 64, 3, 3),
        "features.6.weight": (256, 128, 3, 3),
        "features.8.weight": (256, 256, 3, 3),
        "features.11.weight": (512, 256, 3, 3),
        "features.13.weight": (512, 512, 3, 3),
        "embeddings.0.weight": (4096, 512 * 4 * 6),
        "embeddings.2.weight": (4096, 4096),
        "embeddings.4.weight": (128, 4096),
    }


def bags(net: EventNet, seed: int = 0) -> tuple[Seen, Heard]:
    there = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    audible = torch.tensor([[True] * 3, [True, False, False]])
    seen = Seen(random(2, 6, net.pooled_size, seed=seed).abs(), there)
    return seen, Heard(random(2, 3, 96, 64, seed=seed + 1), audible)


def test_the_network_adds_what_the_senses_say() -> None:
    torch.manual_seed(4)
    net = EventNet(["a", "b", "c"], **TINY).double().eval()
    seen, heard = bags(net)
    found = net(seen, heard)
    sight = net.sight(net.eye(seen.pooled), seen.there).scores
    vectors = torch.zeros(2, 3, 128, dtype=torch.float64)
    for clip in range(2):
        for number in range(3):
            if heard.there[clip, number]:
                vectors[clip, number] = net.ear(heard.windows[clip, number][None])[0]
    sound = net.sound(vectors, heard.there).scores
    assert (found.scores - sight - sound).abs().max() < 1e-6
    assert torch.allclose(sight.norm(dim=1), torch.ones(2).double())


def test_what_is_heard_when_does_not_matter_to_what_is_seen_when() -> None:
    torch.manual_seed(4)
    net = EventNet(["a", "b", "c"], **TINY).double().eval()
    seen, heard = bags(net)
    boxes, windows = torch.tensor([2, 0, 3, 1, 5, 4]), torch.tensor([2, 0, 1])
    moved = net(
        Seen(seen.pooled[:, boxes], seen.there[:, boxes]),
        Heard(heard.windows[:, windows], heard.there[:, windows]),
    )
    assert torch.allclose(moved.scores, net(seen, heard).scores, rtol=0, atol=1e-9)


def test_gradients_of_the_network_equal_finite_differences() -> None:
    torch.manual_seed(5)
    net = EventNet(["a", "b"], **TINY).double().eval()
    seen, heard = bags(net)
    tags = torch.tensor([[True, False], [False, True]])

    def loss() -> Tensor:
        return multi_label_loss(net(seen, heard).scores, tags, "soft margin")

    loss().backward()
    step = 1e-6
    for name in ("eye.0.weight", "sight.localisation.weight", "ear.features.0.weight"):
        weight = net.get_parameter(name)
        flat, gradient = weight.data.view(-1), weight.grad.view(-1)
        for index in (0, len(flat) // 2):
            before = float(flat[index])
            flat[index] = before + step
            above = loss().item()
            flat[index] = before - step
            below = loss().item()
            flat[index] = before
            assert float(gradient[index]) == pytest.approx((above - below) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("senses", ["sight", "sound"])
def test_a_network_of_one_sense_lacks_the_other(senses: str) -> None:
    torch.manual_seed(6)
    net = EventNet(["a", "b"], **TINY, senses=senses).double().eval()
    seen, heard = bags(net)
    found = net(seen, heard)
    assert (found.seen is None, found.heard is None) == (senses == "sound", senses == "sight")
    assert torch.allclose(found.scores.norm(dim=1), torch.ones(2).double())


@pytest.mark.parametrize("wrong", [{"senses": "smell"}, {"pooling": "mean"}, {"step": 0}])
def test_other_arguments_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no senses|at least 1"):
        EventNet(["a"], **TINY | wrong)  # type: ignore[arg-type]
