"""Tiny classifiers whose classes are colours, so that what they look at is known."""

import torch
from torch import Tensor, nn

CATEGORIES = ("red", "green", "blue")


class ColourNet(nn.Module):
    """Names the colour that a clip, or a picture, is full of where it is not grey.

    Its features, (B, 3, t, h, w), are the mean colours of blocks less their grey, if positive.
    """

    categories = CATEGORIES
    input_size = (24, 32)
    frame_rate = 10.0

    def __init__(self, axes: int = 3) -> None:
        super().__init__()
        self.frames = 6 if axes == 3 else 1
        convolution = nn.Conv3d if axes == 3 else nn.Conv2d
        block = (2, 4, 4) if axes == 3 else (4, 4)
        self.features = nn.Sequential(convolution(3, 3, block, stride=block, bias=False), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool3d(1) if axes == 3 else nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            mixing = 1.5 * torch.eye(3) - 0.5
            area = torch.tensor(block).prod()
            self.features[0].weight.copy_(
                (mixing / area).view(3, 3, *[1] * axes).expand(3, 3, *block)
            )
            self.head.weight.copy_(200 * torch.eye(3))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.pool(self.features(inputs)).flatten(1))


def clips() -> nn.Module:
    return ColourNet(3)


def pictures() -> nn.Module:
    return ColourNet(2)


class Deep(ColourNet):
    """The same with a hidden layer after the pooling, so that nothing linear follows it."""

    def __init__(self) -> None:
        super().__init__(3)
        self.head = nn.Sequential(self.head, nn.Sigmoid(), nn.Linear(3, 3))


def deep() -> nn.Module:
    torch.manual_seed(0)
    return Deep()


class Failing(ColourNet):
    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.std() > 0.01:
            raise ValueError("this network\nfails on what is not grey")
        return super().forward(inputs)


def failing() -> nn.Module:
    return Failing(3)


class Breaking(ColourNet):
    """Gives features of NaN where there is green."""

    def __init__(self) -> None:
        super().__init__(3)
        self.features.append(BrokenByGreen())


class BrokenByGreen(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features / (features[:, 1:2].amax() < 0.1)


def breaking() -> nn.Module:
    return Breaking()
