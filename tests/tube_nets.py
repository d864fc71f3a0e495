"""Made-up networks that give more than logits, as what the published script explains does."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from colour_nets import ColourNet

CLASSES = 5


class Tupled(nn.Module):
    """Gives logits and, beside them, the features (B, 6, 8, 7, 7) of 16 frames of 224 x 224.

    It takes no other frames, and says nothing of how it wants to be fed.
    """

    seen: ClassVar[list[Tensor]] = []  # all inputs, of all of its kind

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        block = 2, 32, 32
        self.tail = nn.Sequential(nn.Conv3d(3, 6, block, stride=block), nn.ReLU())
        self.globalpool = nn.AvgPool3d((8, 7, 7))
        self.classifier = nn.Linear(6, CLASSES)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(clips.clone())
        features = self.tail(clips)
        return self.classifier(self.globalpool(features).flatten(1)), features


def features_first() -> nn.Module:
    """One whose first output is not the logits."""

    class Reversed(Tupled):
        def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
            logits, features = super().forward(clips)
            return features, logits

    return Reversed()


class Listed(ColourNet):
    """Names colours, and gives what it saw beside it, in a list."""

    def forward(self, inputs: Tensor) -> list[Tensor]:  # type: ignore[override]
        return [super().forward(inputs), inputs]
