"""Where and when to look: spatial mask and temporal attention (Meng et al., arXiv 1810.04511).

    frames -> backbone (-> motion blocks) -> X_i -> mask M_i = sigmoid(convolutions of X_i)
           -> X^_i = X_i M_i -> weights w_ti over the frames -> ConvLSTM over what is weighed
           -> action

Shapes: B clips of n frames, C channels of the backbone on a grid of h x w, H of the states.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookhear.actions import Sight, Temporal
from lookhear.nets.backbones import PictureNet, Pixels

MOST_FRAMES = 1024
MOST_BLOCKS = 32
TIME_KERNEL = 5  # frames
STRONGEST = 0.01  # share of a clip's places that are its strongest

State: TypeAlias = tuple[Tensor, Tensor]
"""What a ConvLSTM shows and what it keeps, (B, H, h, w) each."""


class Attended(NamedTuple):
    """What a network says of clips, and where and when it looked.

    Attributes:
        logits: (B, classes).
        mask: (B, n, h, w), where in each frame, from 0 to 1.
        glimpses: (B, T, n), the weights of the frames at each of T steps; each step's sum to 1.
        weights: (B, n), when: those of all steps together, which sum to 1.
        strongest: (B, classes), logits by the strongest places alone, wherever and whenever they
            are; None of a network without motion blocks.
    """

    logits: Tensor
    mask: Tensor
    glimpses: Tensor
    weights: Tensor
    strongest: Tensor | None = None


class WhereWhen(PictureNet):
    """Names the action of a clip, and says where and when it looked to know.

    Weights of the frames (``temporal``) are, phi being linear:

    - ``recurrent``: w_t = softmax_i(v tanh(phi(h_{t-1}) + phi(X^_i))) in n steps of a ConvLSTM,
      which is fed with the frames so weighed. What it knows steers where it looks next.
    - ``additive``: as published, w_t = softmax_i(phi(h_{t-1}) + phi(X^_i)). The first term is the
      same for all frames and cancels in the softmax: all steps have the same weights, whatever the
      state. (In the authors' code, weights also go through NumPy, so that nothing of the loss
      reaches what makes them; here it does.)
    - ``plain``: the authors' other network. A ConvLSTM goes over the frames in turn,
      w = softmax_i(phi(h_i)), and what is classified is the states so weighed.
    - ``even``: as plain, but all frames count alike: no temporal attention.

    Args:
        categories: the actions it tells apart.
        backbone, backbone_args, input_size, pixels: see
            :class:`~lookhear.nets.backbones.PictureNet`.
        stride: of the backbone's features.
        frames: n, how many of a clip it is trained on, 1 to `MOST_FRAMES`.
        seconds: over how long they were spread when it was trained, on average.
        sight: what it is shown of each; see :mod:`lookhear.actions.clips`.
        temporal: how frames are weighed.
        spatial: whether there is a mask; without, it is 1 everywhere.
        widths: channels between the convolutions of the mask, the last of which gives one; and of
            those that begin the states, whose last channels are H.
        normalised: whether what frames are scored by, and what is classified, goes through a batch
            norm; the published networks do not. Both are means over a grid on which little happens,
            and differ by little: without, a network that begins from nothing learns very slowly.
        blocks: how many motion blocks, convolutions in space and in time, features go through
            before anything is asked of them, at most `MOST_BLOCKS`; the published networks have
            none. What a frame shows, even beside its neighbours, tells little of how things move.
        pooled: side of the squares of places over which masked features are averaged before they
            are weighed: states are that much smaller, and means over a grid that is cut into whole
            squares stay the same.
        dropout: share of the backbone's channels that are left out of a clip in training.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = "resnet50",
        backbone_args: dict[str, Any] | None = None,
        input_size: tuple[int, int] = (224, 224),
        pixels: Pixels | None = None,
        *,
        stride: int = 32,
        frames: int = 50,
        seconds: float = 10.0,
        sight: Sight = "colour",
        temporal: Temporal = "recurrent",
        spatial: bool = True,
        widths: Sequence[int] = (1024, 512),
        normalised: bool = True,
        blocks: int = 0,
        pooled: int = 1,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(backbone, backbone_args, (stride,), input_size, pixels)
        if not 1 <= frames <= MOST_FRAMES or not 0 < seconds < 1e6:
            raise ValueError(f"{frames} frames spread over {seconds} s cannot be seen at once")
        if not 0 <= blocks <= MOST_BLOCKS or pooled < 1:
            raise ValueError(f"{blocks} motion blocks, pooled by {pooled}: cannot be")
        if sight not in ("colour", "motion"):
            raise ValueError(f"sight must be colour or motion, not {sight!r}")
        self.categories = tuple(map(str, categories))
        self.frames = int(frames)
        self.seconds = float(seconds)
        self.sight: Sight = sight
        self.blocks = int(blocks)
        self.head = Head(
            self.channels[-1],
            len(self.categories),
            tuple(widths),
            temporal=temporal,
            spatial=spatial,
            normalised=normalised,
            blocks=blocks,
            pooled=pooled,
            dropout=dropout,
        )

    @property
    def paced(self) -> bool:
        """Whether how many frames it is shown a second matters: if it has motion blocks."""
        return self.blocks > 0

    def forward(self, frames: Tensor) -> Attended:
        """Name the actions of clips (B, n, 3, H, W), pixels in [0, 1]; n may be any number."""
        features = self.features(frames.flatten(0, 1))[-1]
        return self.attend(features.reshape(*frames.shape[:2], *features.shape[1:]))

    def attend(self, features: Tensor) -> Attended:
        """Name the actions of clips by their frames' features (B, n, C, h, w)."""
        attended: Attended = self.head(features)
        return attended


class Head(nn.Module):
    """All that comes after the backbone, of features (B, n, C, h, w)."""

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: tuple[int, ...],
        *,
        temporal: Temporal,
        spatial: bool,
        normalised: bool,
        blocks: int,
        pooled: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths must name the channels between two convolutions at least")
        self.dropout = nn.Dropout3d(dropout)
        self.motion = nn.Sequential(*[MotionBlock(channels) for _ in range(blocks)])
        self.strongest = Strongest(channels, classes) if blocks else None
        self.pooled = pooled
        self.mask = SpatialMask(channels, widths) if spatial else None
        self.temporal = _temporal(temporal, channels, widths, normalised)
        self.norm = _norm(widths[-1], normalised)
        self.classify = nn.Linear(widths[-1], classes)

    def forward(self, features: Tensor) -> Attended:
        """See :class:`WhereWhen`."""
        # Whole channels of a clip are left out, so that they come before the frames.
        of_clips = self.motion(self.dropout(features.transpose(1, 2)))
        features = of_clips.transpose(1, 2)
        mask_shape = *features.shape[:2], *features.shape[3:]
        if self.mask is None:
            mask, seen = features.new_ones(mask_shape), features
        else:
            mask = self.mask(features.flatten(0, 1)).view(mask_shape)
            seen = features * mask[:, :, None]
        if self.pooled > 1:
            seen = F.avg_pool3d(seen, (1, self.pooled, self.pooled), ceil_mode=True)
        summary, glimpses = self.temporal(seen)
        strongest = None if self.strongest is None else self.strongest(of_clips)
        logits = self.classify(self.norm(summary))
        return Attended(logits, mask, glimpses, glimpses.mean(1), strongest)


def _temporal(
    kind: Temporal, channels: int, widths: tuple[int, ...], normalised: bool
) -> nn.Module:
    if kind in ("recurrent", "additive"):
        additive = kind == "additive"
        return RecurrentAttention(channels, widths, additive=additive, normalised=normalised)
    if kind in ("plain", "even"):
        return PlainAttention(channels, widths[-1], even=kind == "even", normalised=normalised)
    raise ValueError(f"temporal must be recurrent, additive, plain or even, not {kind!r}")


def _norm(channels: int, normalised: bool) -> nn.Module:
    return nn.BatchNorm1d(channels) if normalised else nn.Identity()


def _convolutions(channels: int, widths: Sequence[int]) -> list[nn.Module]:
    """3x3 convolutions without bias, each with a batch norm and a ReLU after it."""
    layers: list[nn.Module] = []
    for given, made in zip((channels, *widths), widths, strict=False):
        layers += [nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made)]
        layers.append(nn.ReLU())
    return layers


class MotionBlock(nn.Module):
    """A residual block of a convolution in space and one in time, of features (B, C, n, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_space = _keeping(channels, (1, 3, 3))
        self.in_time = _keeping(channels, (TIME_KERNEL, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Go on with features; none is below 0 after."""
        return F.relu(x + self.in_time(F.relu(self.in_space(x))))


def _keeping(channels: int, size: tuple[int, int, int]) -> nn.Sequential:
    """A convolution that keeps the shape, and a batch norm."""
    padding = size[0] // 2, size[1] // 2, size[2] // 2
    convolution = nn.Conv3d(channels, channels, size, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(channels))


class Strongest(nn.Module):
    """Names the action by the mean of each feature's strongest places (B, C, n, h, w).

    Nothing tells it where and when to look: from the first step on, the slope of its loss reaches
    the places that stand out, while attention is still about everything. Features count for
    classes, never against them.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, channels).uniform_(0, 2 / channels**0.5))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, classes)."""
        places = features.flatten(2)
        count = max(round(STRONGEST * places.shape[2]), 1)
        means = places.topk(count, 2).values.mean(2)
        return F.linear(means, self.weight.abs(), self.bias)


class SpatialMask(nn.Module):
    """Where to look: M_i = sigmoid(convolutions of X_i), section 3.1.

    The published one has three, 2,048 -> 1,024 -> 512 -> 1.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        last = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.layers = nn.Sequential(*_convolutions(channels, widths), last)

    def forward(self, features: Tensor) -> Tensor:
        """Return the masks (N, h, w) of features (N, C, h, w)."""
        return torch.sigmoid(self.layers(features))[:, 0]


class ConvLSTMCell(nn.Module):
    """A step of a convolutional LSTM (Shi et al., arXiv 1506.04214), without peepholes."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.channels = channels
        self.gates = nn.Conv2d(channels + hidden, 4 * hidden, 3, padding=1)

    def given(self, x: Tensor) -> Tensor:
        """Return the part of the gates that inputs (N, C, h, w) decide: (N, 4 H, h, w)."""
        return F.conv2d(x, self.gates.weight[:, : self.channels], self.gates.bias, padding=1)

    def forward(self, given: Tensor, state: State | None) -> State:
        """Go on from a state, None for one of nothing, with what `given` gave."""
        if state is None:
            gates, kept = given, torch.zeros((), device=given.device)
        else:
            shown, kept = state
            gates = given + F.conv2d(shown, self.gates.weight[:, self.channels :], padding=1)
        enter, stay, show, new = gates.chunk(4, 1)
        kept = stay.sigmoid() * kept + enter.sigmoid() * new.tanh()
        return show.sigmoid() * kept.tanh(), kept


class PlainAttention(nn.Module):
    """When to look, by states of a ConvLSTM that went over the frames."""

    def __init__(self, channels: int, hidden: int, *, even: bool, normalised: bool) -> None:
        super().__init__()
        self.cell = ConvLSTMCell(channels, hidden)
        self.norm = _norm(hidden, normalised and not even)
        self.score = None if even else nn.Linear(hidden, 1)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return a summary (B, H) of masked features (B, n, C, h, w), and glimpses (B, 1, n)."""
        given = self.cell.given(seen.flatten(0, 1)).reshape(*seen.shape[:2], -1, *seen.shape[3:])
        state: State | None = None
        means = []
        for of_frame in given.unbind(1):
            state = self.cell(of_frame, state)
            means.append(state[0].mean((2, 3)))
        states = torch.stack(means, 1)  # B, n, H
        if self.score is None:
            weights = states.new_full(states.shape[:2], 1 / states.shape[1])
        else:
            scored = self.norm(states.flatten(0, 1)).view_as(states)
            weights = self.score(scored)[..., 0].softmax(1)
        return (weights[..., None] * states).sum(1), weights[:, None]


class RecurrentAttention(nn.Module):
    """When to look, step by step, each fed with the frames as they are weighed (section 3.2)."""

    def __init__(
        self, channels: int, widths: Sequence[int], *, additive: bool, normalised: bool
    ) -> None:
        super().__init__()
        hidden = widths[-1]
        self.shown = nn.Sequential(*_convolutions(channels, widths))
        self.kept = nn.Sequential(*_convolutions(channels, widths))
        self.cell = ConvLSTMCell(channels, hidden)
        room = 1 if additive else hidden
        self.norm = _norm(channels, normalised)
        self.of_frame = nn.Linear(channels, room, bias=False)
        self.of_state = nn.Linear(hidden, room, bias=False)
        self.score = None if additive else nn.Linear(hidden, 1, bias=False)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return a summary (B, H) of masked features (B, n, C, h, w), and glimpses (B, n, n)."""
        whole = seen.mean(1)
        state: State = self.shown(whole), self.kept(whole)
        by_frame = self.of_frame(self.norm(seen.mean((3, 4)).flatten(0, 1)))
        by_frame = by_frame.view(*seen.shape[:2], -1)  # B, n, room
        given = self.cell.given(seen.flatten(0, 1)).reshape(*seen.shape[:2], -1, *seen.shape[3:])
        means, glimpses = [], []
        for _ in range(seen.shape[1]):
            scores = by_frame + self.of_state(state[0].mean((2, 3)))[:, None]
            scores = scores if self.score is None else self.score(scores.tanh())
            weights = scores[..., 0].softmax(1)
            # Convolutions are linear: those of the frames, weighed, are that of the weighed frames.
            state = self.cell(torch.einsum("bn,bnchw->bchw", weights, given), state)
            means.append(state[0].mean((2, 3)))
            glimpses.append(weights)
        return torch.stack(means).mean(0), torch.stack(glimpses, 1)
