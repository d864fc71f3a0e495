"""A little network in what others wrap networks in."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from frame_nets import FRAMES, SIDE, PerFrame


def parallel() -> nn.Module:
    return nn.DataParallel(PerFrame())


def averaged() -> nn.Module:
    return AveragedModel(nn.DataParallel(PerFrame()))


def compiled() -> nn.Module:
    net: nn.Module = torch.compile(PerFrame(), backend="eager")
    return net


def compiled_in_place() -> nn.Module:
    net = PerFrame()
    net.compile(backend="eager")
    return net


def part() -> nn.Module:
    """One whose CNN alone is wrapped."""
    net = PerFrame()
    net.cnn = torch.compile(net.cnn, backend="eager")
    return net


def traced() -> nn.Module:
    net: nn.Module = torch.jit.trace(PerFrame().eval(), torch.zeros(1, 3, FRAMES, SIDE, SIDE))
    return net


def scripted() -> nn.Module:
    net: nn.Module = torch.jit.script(PerFrame().cnn)
    return net


def scripted_part() -> nn.Module:
    net = PerFrame()
    net.cnn = torch.jit.script(net.cnn)
    return net


def wordy() -> nn.Module:
    raise RuntimeError("word\n" * 1000)


class Ending(PerFrame):
    """Ends in something else than logits, or in one alone."""

    def __init__(self, ending: str, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(12, classes)
        self.ending = ending

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        scores = super().forward(clips)
        if self.ending == "softmax":
            return torch.softmax(4 * scores, 1).squeeze(0).view_as(scores)
        if self.ending == "crops":
            return torch.stack([torch.softmax(4 * scores, 1)] * 2).mean(0)
        return torch.sigmoid(4 * scores) if self.ending == "sigmoid" else scores


def softmax() -> nn.Module:
    return Ending("softmax", 4)


def crops() -> nn.Module:
    return Ending("crops", 4)


def sigmoid() -> nn.Module:
    return Ending("sigmoid", 1)


def sigmoids() -> nn.Module:
    return Ending("sigmoid", 4)


def logit() -> nn.Module:
    return Ending("nothing", 1)


def logits() -> nn.Module:
    return Ending("nothing", 4)


class Trained(nn.Module):
    """As Lightning has it: a network, beside a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.model = PerFrame()
        self.loss = nn.CrossEntropyLoss()

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.model(clips)
        return scores
