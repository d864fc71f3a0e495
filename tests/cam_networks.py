"""Little classifiers of pictures and clips, with random weights, for the tests of CAM."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
POOLINGS = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
CLASSES = 5
SIZES = {2: (12, 16), 3: (6, 12, 16)}
LAST_MAPS = "features.4"


class Convolutional(nn.Module):
    """Two convolutions with batch norm, average pooling, and a linear head.

    Args:
        axes: 2 for pictures, 3 for clips.
        ends_in_place: the network rectifies its last maps in place, after the last layer.
    """

    def __init__(self, axes: int, *, ends_in_place: bool = False) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[axes]
        norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[axes]
        self.features = nn.Sequential(
            convolution(3, 6, 3, padding=1),
            norm(6),
            nn.ReLU(inplace=True),
            convolution(6, 8, 3, stride=2, padding=1),
            nn.Identity() if ends_in_place else nn.ReLU(),
        )
        self.ends_in_place = ends_in_place
        self.pool = POOLINGS[axes](1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.features(inputs)
        if self.ends_in_place:
            maps = maps.relu_()
        logits: Tensor = self.head(self.pool(maps).flatten(1))
        return logits


class Curved(Convolutional):
    """Has a hidden layer before the pooling, so that each place has gradients of its own."""

    def __init__(self, axes: int) -> None:
        super().__init__(axes)
        self.mix = CONVOLUTIONS[axes](8, 8, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = torch.tanh(self.mix(self.features(inputs)))
        logits: Tensor = self.head(self.pool(maps**2).flatten(1))
        return logits


class Tokens(nn.Module):
    """A transformer that reads a class token, as ViT."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.patches = CONVOLUTIONS[axes](3, 8, 4, stride=(2, 4, 4)[-axes:], padding=1)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(3))
        )
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.patches(inputs).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(inputs), -1, -1), tokens], 1)
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits


def made(kind: type[nn.Module], axes: int, **arguments: bool) -> nn.Module:
    """A network for inference, whose norms and head are not trivial."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = kind(axes, **arguments)
        for parameter in net.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
    return net.eval()


def pictures(axes: int, count: int = 3) -> Tensor:
    """Pictures or clips of noise, (count, 3, *SIZES[axes])."""
    return torch.randn(count, 3, *SIZES[axes], generator=torch.Generator().manual_seed(1))


def everything(net: nn.Module) -> dict[str, Any]:
    """All that a caller could find changed."""
    return {
        "state": copy.deepcopy(net.state_dict()),
        "tensors": [id(t) for t in (*net.parameters(), *net.buffers())],
        "learning": [parameter.requires_grad for parameter in net.parameters()],
        "gradients": [copy.deepcopy(parameter.grad) for parameter in net.parameters()],
        "modes": [module.training for module in net.modules()],
        "hooks": [list(module._forward_hooks.values()) for module in net.modules()],
        "attributes": [sorted(vars(module)) for module in net.modules()],
    }


def assert_unchanged(net: nn.Module, before: dict[str, Any]) -> None:
    after = everything(net)
    for key in ("tensors", "learning", "modes", "hooks", "attributes"):
        assert after[key] == before[key], key
    torch.testing.assert_close(after["state"], before["state"], rtol=0, atol=0)
    torch.testing.assert_close(after["gradients"], before["gradients"], rtol=0, atol=0)
