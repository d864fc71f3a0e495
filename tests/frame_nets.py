"""Little networks that look at each frame of a clip by itself, with the same weights."""

import torch
from torch import Tensor, nn

CLASSES = 4
FRAMES, SIDE = 6, 32


class PerFrame(nn.Module):
    """A CNN for each frame, then an LSTM; the frames of a clip come one after the other."""

    frames, frame_rate, input_size = FRAMES, 8.0, (SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Conv2d(6, 8, 3, 2, 1),
            nn.ReLU(inplace=True),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.lstm = nn.LSTM(8, 12, batch_first=True)
        self.head = nn.Linear(12, CLASSES)

    def seen(self, clips: Tensor) -> Tensor:
        """What is seen of each frame, (B, T, 8)."""
        batch, _, frames, _, _ = clips.shape
        folded = clips.transpose(1, 2).flatten(0, 1)
        return self.pool(self.cnn(folded)).flatten(1).view(batch, frames, -1)

    def forward(self, clips: Tensor) -> Tensor:
        scores: Tensor = self.head(self.lstm(self.seen(clips))[0][:, -1])
        return scores


class TimesFirst(PerFrame):
    """The first frames of all clips come first."""

    def seen(self, clips: Tensor) -> Tensor:
        batch, _, frames, _, _ = clips.shape
        folded = clips.permute(2, 0, 1, 3, 4).flatten(0, 1)
        return self.pool(self.cnn(folded)).flatten(1).view(frames, batch, -1).transpose(0, 1)


class OneByOne(PerFrame):
    """The frames go through the CNN in a loop."""

    def seen(self, clips: Tensor) -> Tensor:
        return torch.stack([self.pool(self.cnn(f)).flatten(1) for f in clips.unbind(2)], 1)


class Consensus(PerFrame):
    """Scores are the mean of those of the frames, as in TSN."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, CLASSES)

    def forward(self, clips: Tensor) -> Tensor:
        return self.head(self.seen(clips)).mean(1)
