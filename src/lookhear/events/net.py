"""The network of unsynchronised audio-visual events: which tag, where in sight, when in sound.

Source: Parekh et al., "Weakly Supervised Representation Learning for Unsynchronized Audio-Visual
Events", CVPR workshops 2018. It learns from the tags of whole clips, by multiple instances: a clip
is a bag of proposals, boxes in its frames and windows of its sound, of which some show or sound
what the tag names. When that is seen and when it is heard need not coincide.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import roi_pool

from lookhear.events.ear import Ear
from lookhear.events.proposals import BOXES
from lookhear.nets.backbones import PictureNet, Pixels, at_size

Senses: TypeAlias = Literal["both", "sight", "sound"]
Pooling: TypeAlias = Literal["two-stream", "max", "log-sum-exp", "one-stream"]
"""How what is found of proposals becomes a clip's: the paper's way, and what it is compared with.

- *two-stream*: scores times weights, which a second stream gives and a softmax over proposals
  makes, summed.
- *max*: the highest score of any proposal.
- *log-sum-exp*: a smooth maximum, log(mean(exp(r a))) / r with r = 5 (Pinheiro and Collobert, CVPR
  2015).
- *one-stream*: the mean of the scores: proposals count alike, as no stream weighs them.
"""
SHARPNESS = 5.0  # r of log-sum-exp


class Evidence(NamedTuple):
    """What a modality says of clips.

    Attributes:
        scores: of each category, (B, C), of unit length, or 0 where there is no proposal.
        classes: how much each proposal looks or sounds like each category, (B, P, C).
        parts: what each proposal adds to the clip's score, before it is scaled, (B, P, C); of
            poolings that do not add, the same as `classes`.
    """

    scores: Tensor
    classes: Tensor
    parts: Tensor


class Heard(NamedTuple):
    """Sound of B clips: windows (B, W, 96, 64) of log-mel spectrograms, and which are there."""

    windows: Tensor
    there: Tensor


class Seen(NamedTuple):
    """Proposals of B clips: features (B, P, F), see `EventNet.pooled`, and which are there."""

    pooled: Tensor
    there: Tensor


class Found(NamedTuple):
    """What the network finds in B clips.

    Attributes:
        scores: of each category, (B, C): the sum of what the senses say, from -2 to 2.
        seen, heard: what each of them says; None if the network lacks it.
    """

    scores: Tensor
    seen: Evidence | None
    heard: Evidence | None


class Streams(nn.Module):
    """The streams of a modality: what proposals are, and which of them count.

    Args:
        channels: of a proposal's features.
        categories: how many.
        pooling: see `Pooling`.
    """

    def __init__(self, channels: int, categories: int, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling
        self.classification = nn.Linear(channels, categories)
        if pooling == "two-stream":
            self.localisation = nn.Linear(channels, categories)

    def forward(self, features: Tensor, there: Tensor) -> Evidence:
        """Weigh proposals (B, P, channels), of which some are there, (B, P) bool."""
        classes = self.classification(features)
        parts = classes
        if self.pooling == "two-stream":
            weights = softmax_over_proposals(self.localisation(features), there)
            parts = classes * weights
            total = parts.sum(1)
        elif self.pooling == "one-stream":
            parts = classes * softmax_over_proposals(torch.zeros_like(classes), there)
            total = parts.sum(1)
        elif self.pooling == "max":
            total = _of_some(classes.masked_fill(~there[..., None], -torch.inf).amax(1), there)
        else:
            total = log_sum_exp(classes, there)
        return Evidence(F.normalize(total, dim=1), classes, parts)


def softmax_over_proposals(logits: Tensor, there: Tensor) -> Tensor:
    """Weights (B, P, C) that sum to 1 over those of P proposals that are there; 0 where none is."""
    weights = torch.softmax(logits.masked_fill(~there[..., None], -torch.inf), dim=1)
    return torch.where(there.any(1)[:, None, None], weights, 0.0)


def log_sum_exp(scores: Tensor, there: Tensor) -> Tensor:
    """A smooth maximum (B, C) of scores (B, P, C) over the proposals that are there."""
    sharp = (SHARPNESS * scores).masked_fill(~there[..., None], -torch.inf)
    count = there.sum(1, keepdim=True).clamp(min=1)
    return _of_some((sharp.logsumexp(1) - count.log()) / SHARPNESS, there)


def _of_some(totals: Tensor, there: Tensor) -> Tensor:
    """Totals (B, C) of clips; 0 where no proposal is there."""
    return torch.where(there.any(1, keepdim=True), totals, 0.0)


class EventNet(PictureNet, tags=["video-classification"]):
    """Says which categories are seen and heard in a clip, in which boxes and at what times.

    Args:
        categories: their names, in the order of the scores.
        backbone, backbone_args, pixels: see :class:`~lookhear.nets.backbones.PictureNet`.
        strides: of the backbone's features, from each of which boxes are pooled.
        input_size: height and width, in pixels, to which frames are stretched.
        cells: each way, of what is pooled of a box (RoI pooling).
        hidden: width of the two fully connected layers above it.
        dropout: share of their outputs that is dropped in training.
        levelled: whether what is pooled is brought to one level (layer norm) before them, for
            a backbone whose features end in no activation.
        ear: arguments of :class:`~lookhear.events.ear.Ear`.
        senses: both, or one of them.
        pooling: see `Pooling`.
        step: rows, 10 ms each, from one window of sound to the next.
        boxes: proposed in a frame, at most.
        stretch: seconds of a clip that are judged together, as long as those it learnt from.

    Attributes:
        threshold: the score from which on a category counts as found; a buffer, chosen on held-out
            clips.
    """

    threshold: Tensor

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = "tf_efficientnet_lite0",
        *,
        backbone_args: dict[str, Any] | None = None,
        pixels: Pixels | None = None,
        strides: Sequence[int] = (16,),
        input_size: Sequence[int] = (256, 448),
        cells: int = 3,
        hidden: int = 256,
        dropout: float = 0.5,
        levelled: bool = False,
        ear: dict[str, Any] | None = None,
        senses: Senses = "both",
        pooling: Pooling = "two-stream",
        step: int = 48,
        boxes: int = BOXES,
        stretch: int = 10,
    ) -> None:
        rows, columns = input_size
        super().__init__(backbone, backbone_args, tuple(strides), (rows, columns), pixels)
        if senses not in get_args(Senses) or pooling not in get_args(Pooling):
            raise ValueError(f"no senses {senses!r}, or no pooling {pooling!r}")
        if min(step, boxes, stretch, cells, hidden) < 1:
            raise ValueError("step, boxes, stretch, cells and hidden must be at least 1")
        self.categories = tuple(categories)
        self.strides, self.cells = tuple(strides), cells
        self.step, self.boxes, self.stretch = step, boxes, stretch
        self.senses, self.pooling = senses, pooling
        self.pooled_size = sum(self.channels) * cells**2
        if senses != "sound":
            self.eye = nn.Sequential(
                *[nn.LayerNorm(self.pooled_size)] * levelled,
                nn.Linear(self.pooled_size, hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
            )
            self.sight = Streams(hidden, len(self.categories), pooling)
        if senses != "sight":
            self.ear = Ear(**(ear or {}))
            self.sound = Streams(Ear.channels, len(self.categories), pooling)
        self.register_buffer("threshold", torch.zeros(()))

    @property
    def sees(self) -> bool:
        """Whether it has an eye."""
        return self.senses != "sound"

    @property
    def hears(self) -> bool:
        """Whether it has an ear."""
        return self.senses != "sight"

    def pools_as(self, other: "EventNet") -> bool:
        """Say whether in every box it sees what another network does."""
        return self.cells == other.cells and self.strides == other.strides and self.sees_as(other)

    def pooled(self, frames: Tensor, boxes: Tensor) -> Tensor:
        """What the backbone sees in boxes, by RoI pooling (Girshick, "Fast R-CNN", ICCV 2015).

        Args:
            frames: (N, 3, H, W), RGB in [0, 1].
            boxes: (N, M, 4), left, top, right and bottom as shares of the sides.

        Returns:
            (N, M, `pooled_size`).
        """
        count, each = boxes.shape[:2]
        height, width = self.input_size
        levels = self.features(at_size(frames, self.input_size))
        corners = boxes.flatten(0, 1) * boxes.new_tensor([width, height, width, height])
        numbers = torch.arange(count, device=boxes.device).repeat_interleave(each)
        rois = torch.cat([numbers[:, None].to(corners), corners], 1)
        found = [
            roi_pool(level.contiguous(), rois.to(level), self.cells, 1 / stride)
            for level, stride in zip(levels, self.strides, strict=True)
        ]
        return torch.cat(found, 1).view(count, each, self.pooled_size)

    def forward(self, seen: Seen | None, heard: Heard | None) -> Found:
        """Judge clips by what is seen and heard; None for a sense that the network lacks."""
        sight = sound = None
        if self.sees and seen is not None:
            sight = self.sight(self.eye(seen.pooled), seen.there)
        if self.hears and heard is not None:
            sound = self.sound(self._heard(heard), heard.there)
        scores = sum(of.scores for of in (sight, sound) if of is not None)
        assert isinstance(scores, Tensor)
        return Found(scores, sight, sound)

    def _heard(self, heard: Heard) -> Tensor:
        """What the ear makes of windows, (B, W, 128); of those that are not there, zeros."""
        vectors = heard.windows.new_zeros(*heard.there.shape, Ear.channels)
        if heard.there.any():
            vectors[heard.there] = self.ear(heard.windows[heard.there]).to(vectors)
        return vectors
