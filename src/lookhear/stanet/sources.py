"""S, SA and ST: classifiers of moments whose class maps SCAM is made of (STANet, section 3.2).

Each learns from tags alone. It makes a map per category from the backbone's features (map 1),
refines the maps by its gates (map 2), and scores a category by the average of its map. S looks at
one frame, SA also hears the second around it, ST looks at the frames before and after as well.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from lookhear.cam.layers import TellingClassifier
from lookhear.cam.watched import undisturbed
from lookhear.media.spectrogram import Stft
from lookhear.nets.backbones import PictureNet, Pixels
from lookhear.nets.kinds import NamingNetwork
from lookhear.nets.sound import sound_encoder_named
from lookhear.stanet.blocks import (
    ConvGRU,
    SelfAttentionGate,
    SoundGating,
    TimeGate,
    TimeMixing,
    gated,
    sound_gate_named,
)

SOUND_GATE_WIDTH = 28  # the paper's number of categories; so few as two would let the gate die


class ClassMaps(NamedTuple):
    """Where a network sees each category.

    Attributes:
        plain: map 1, straight from the features, (..., categories, h, w).
        fused: map 2, after the gates, same shape.
        votes: what is said of each category, but not where it is, (..., categories); None for
            nothing.
    """

    plain: Tensor
    fused: Tensor
    votes: Tensor | None = None

    def scores(self) -> tuple[Tensor, Tensor]:
        """Return the logits (..., categories), the averages of the plain map and the fused.

        Votes are added to the fused one's.
        """
        by_plain, by_fused = self.plain.mean((-2, -1)), self.fused.mean((-2, -1))
        return by_plain, by_fused if self.votes is None else by_fused + self.votes


class SHead(nn.Module):
    """All of S after the backbone, of features that are 1,024 channels in the paper."""

    def __init__(self, channels: int, categories: int) -> None:
        super().__init__()
        self.classifier = nn.Conv2d(channels, categories, 1)
        self.self_attention = SelfAttentionGate(categories)
        self.fuse = nn.Conv2d(2 * categories, categories, 1)
        self.gru = ConvGRU(categories)

    def forward(self, features: Tensor) -> ClassMaps:
        """Return the class maps of features (N, C, h, w)."""
        plain = self.classifier(features)
        fused = self.fuse(torch.cat([plain, self.self_attention(plain)], 1))
        return ClassMaps(plain, self.gru(fused, plain))


class SAHead(nn.Module):
    """All of SA after the backbone and the sound encoder.

    Args:
        channels: of the backbone's features (2,048 in the paper).
        categories: how many.
        width: channels of the hidden convolutions.
        sound_channels: length of a sound vector.
        sound_gate: see :func:`~lookhear.stanet.blocks.sound_gate_named`. The report's do not know
            where in the picture the sounding thing is; the released SA names the layers of its own
            but does not define them.
        hidden: how many hidden convolutions.
        sound_votes: whether the sound also votes for categories, wherever they are. Not published;
            the gate alone can only choose among what is seen, and learns from a few hundred clips
            hardly at all what sounds like what.
    """

    def __init__(
        self,
        channels: int,
        categories: int,
        width: int,
        sound_channels: int,
        sound_gate: SoundGating = "report",
        hidden: int = 3,
        sound_votes: bool = False,
    ) -> None:
        super().__init__()
        self.classifier = deep_classifier(channels, width, hidden, categories)
        self.self_attention = SelfAttentionGate(categories)
        widths = {"width": width, "gate_width": SOUND_GATE_WIDTH, "kinds": categories}
        self.sound_gate = sound_gate_named(sound_gate, channels, sound_channels, **widths)
        self.fuse = nn.Conv2d(2 * categories, categories, 1)
        self.gru = ConvGRU(categories)
        self.votes = nn.Linear(sound_channels, categories) if sound_votes else None

    def forward(
        self, features: Tensor, sound: Tensor | None = None, switch: Tensor | None = None
    ) -> ClassMaps:
        """Return the class maps of N frames.

        Args:
            features: (N, C, h, w).
            sound: vectors (N, S). None closes the sound gate of every frame.
            switch: (N,), how far it is open; see :func:`~lookhear.stanet.blocks.gated`.
        """
        plain = heard = self.classifier(features)
        votes = None
        if sound is not None:
            heard = gated(plain, self.sound_gate(features, sound), switch)
            votes = votes_of(sound, self.votes, switch)
        spatial = plain + self.self_attention(plain)
        fused = self.fuse(torch.relu(torch.cat([spatial, heard], 1)))
        return ClassMaps(plain, self.gru(fused, plain), votes)


def votes_of(sound: Tensor, votes: nn.Linear | None, switch: Tensor | None) -> Tensor | None:
    """Return what sounds (N, S), as far as their switch (N,) is open, say: (N, categories)."""
    if votes is None:
        return None
    said: Tensor = votes(sound)
    return said if switch is None else said * switch[:, None]


class SeenMaps(NamedTuple):
    """What ST keeps of N frames: map 1, (N, categories, h, w), and it after self-attention."""

    plain: Tensor
    spatial: Tensor

    def at(self, index: Tensor | slice) -> Self:
        """Return the chosen frames."""
        return type(self)(*(part[index] for part in self))


class STHead(nn.Module):
    """All of ST after the backbone; for its arguments see :class:`SAHead` and `TimeGate`."""

    def __init__(
        self,
        channels: int,
        categories: int,
        width: int,
        time_mixing: TimeMixing = "clean",
        hidden: int = 3,
    ) -> None:
        super().__init__()
        self.classifier = deep_classifier(channels, width, hidden, categories)
        self.self_attention = SelfAttentionGate(categories)
        self.time_gate = TimeGate(categories, time_mixing)
        self.fuse = nn.Conv2d(2 * categories, categories, 3, padding=1)
        self.gru = ConvGRU(categories)

    def see(self, features: Tensor) -> SeenMaps:
        """Do once per frame all that needs no other frame, from features (N, C, h, w)."""
        plain = self.classifier(features)
        return SeenMaps(plain, torch.relu(plain + self.self_attention(plain)))

    def attend(self, before: SeenMaps, target: SeenMaps, after: SeenMaps) -> ClassMaps:
        """Join three frames; return the class maps of the target."""
        plain = target.plain
        gate = self.time_gate(before.plain, plain, after.plain)
        fused = self.fuse(torch.cat([target.spatial, torch.relu(plain + plain * gate)], 1))
        return ClassMaps(plain, self.gru(fused, plain))


class SourceNet(PictureNet, NamingNetwork, tags=["saliency", "class-activation-maps"]):
    """What S, SA and ST share: a backbone's features at one stride, and named categories.

    Args:
        categories: names of the categories, in the order of the maps.
        backbone, backbone_args, input_size, pixels: see
            :class:`~lookhear.nets.backbones.PictureNet`.
        stride: of the features.

    Raises:
        ValueError: an argument is out of its range, or there is no such backbone or encoder.
    """

    head: nn.Module  # with a `classifier`, which makes map 1 of the features

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str,
        backbone_args: dict[str, Any] | None,
        stride: int,
        input_size: tuple[int, int],
        pixels: Pixels | None = None,
    ) -> None:
        if isinstance(categories, str) or len(categories) < 2:
            raise ValueError(f"categories must be two names or more, not {categories!r}")
        if len(set(categories)) < len(categories):
            raise ValueError(f"categories must have different names, not {categories!r}")
        super().__init__(backbone, backbone_args, (stride,), input_size, pixels)
        self.categories = tuple(categories)

    def context(self, sound: Tensor | None, neighbours: Tensor | None) -> tuple[Tensor, ...]:
        """Look once, for `maps`, at what is around frames; see `as_classifier`."""
        del sound, neighbours
        return ()

    def maps(self, features: Tensor, *context: Tensor) -> ClassMaps:
        """Return the class maps of features (N, C, h, w) of frames, and of their `context`."""
        maps: ClassMaps = self.head(features, *context)
        return maps

    @torch.no_grad()
    def as_classifier(
        self, sound: Tensor | None = None, neighbours: Tensor | None = None
    ) -> "SourceClassifier":
        """See :meth:`~lookhear.nets.kinds.NamingNetwork.as_classifier`.

        Its logits are the scores by map 2. Its layer is the backbone's features, and its CAM, which
        needs a linear head, is map 1 without its bias. The network is left as it is.
        """
        deaf = self.windows is None
        if (neighbours is not None) != self.looks_around or (sound is not None and deaf):
            name = type(self).__name__
            raise ValueError(f"{name} takes neighbours if it looks around, sound if it hears")
        with undisturbed(self), torch.inference_mode(mode=False):
            net = self.eval().folded()
            return SourceClassifier(net, net.context(sound, neighbours))


class SourceClassifier(TellingClassifier):
    """A source, of which only the frame in question is still open.

    Its context is what it knows of sounds or neighbours, each (B, ...); or (1, ...), for variants
    of one frame.
    """

    layer = "places"

    def __init__(self, net: SourceNet, context: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.net = net
        self.places = nn.Identity()
        self.context = context

    @property
    def head(self) -> str | None:
        """See :class:`~lookhear.cam.layers.TellingClassifier`."""
        classifier = self.net.head.classifier
        if not isinstance(classifier, nn.Sequential):
            return "net.head.classifier"
        return "net.head.classifier.0" if len(classifier) == 1 else None

    def of(self, items: slice) -> Self:
        """See :class:`~lookhear.cam.layers.TellingClassifier`."""
        return type(self)(self.net, tuple(part[items] for part in self.context))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits (N, categories), by map 2, of frames (N, 3, H, W) in [0, 1]."""
        (features,) = self.net.features(frames)
        context = (_as_many(part, len(frames)) for part in self.context)
        return self.net.maps(self.places(features), *context).scores()[1]


def _as_many(context: Tensor, count: int) -> Tensor:
    if len(context) not in (1, count):
        raise ValueError(f"{count} frames, but the sound or neighbours of {len(context)}")
    return context.expand(count, *context.shape[1:])


class S(SourceNet):
    """S: class maps of one frame, at stride 16.

    Args: see :class:`SourceNet`. The paper's ``input_size`` is 256 a side in its coarse stage, 356
        in its fine one.
    """

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = "resnext101_32x8d",
        backbone_args: dict[str, Any] | None = None,
        input_size: tuple[int, int] = (256, 256),
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(categories, backbone, backbone_args, 16, input_size, pixels)
        self.head = SHead(self.channels[0], len(self.categories))

    def forward(self, frames: Tensor) -> ClassMaps:
        """Return the class maps (N, categories, H/16, W/16) of frames (N, 3, H, W) in [0, 1]."""
        return self.maps(*self.features(frames))


class SA(SourceNet):
    """SA: class maps of one frame and the second of sound around it.

    Map 1 is of the frame alone; the sound gate has its say in map 2. The report's SA has
    ``sound_encoder="vggsound-report"`` and, in its coarse stage, ``sound_gate="report"`` and an
    ``input_size`` of 256 a side; in its fine one ``"report-fine"`` and 356.

    Args:
        categories, backbone, backbone_args, input_size, pixels: see :class:`SourceNet`.
        sound_encoder: a name in :data:`~lookhear.nets.sound.SOUND_ENCODERS`.
        sound_gate, sound_votes: see :class:`SAHead`.
        width: channels of the hidden convolutions.
        stride: of the features; 32 in the paper, less for small pictures.
        hidden: how many hidden convolutions; 3 in the paper, fewer for few clips.
    """

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = "resnext101_32x8d",
        backbone_args: dict[str, Any] | None = None,
        sound_encoder: str = "vggsound",
        sound_gate: SoundGating = "report",
        width: int = 2048,
        input_size: tuple[int, int] = (256, 256),
        stride: int = 32,
        hidden: int = 3,
        sound_votes: bool = False,
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(categories, backbone, backbone_args, stride, input_size, pixels)
        self.sound_encoder = sound_encoder_named(sound_encoder)
        size = self.channels[0], len(self.categories), width, self.sound_encoder.channels
        self.head = SAHead(*size, sound_gate, hidden, sound_votes)

    @property
    def windows(self) -> Stft:
        """Of the spectrogram that it hears."""
        return self.sound_encoder.windows

    def context(self, sound: Tensor | None, neighbours: Tensor | None) -> tuple[Tensor, ...]:
        """Hear the sounds; see :class:`SourceNet`."""
        del neighbours
        return () if sound is None else (self.sound_encoder(sound.clone()),)

    def forward(
        self, frames: Tensor, spectrograms: Tensor | None = None, switch: Tensor | None = None
    ) -> ClassMaps:
        """Return the class maps (N, categories, H/32, W/32) of frames and sounds.

        Args: see :meth:`lookhear.stanet.sta.STA.see`.
        """
        sound = None if spectrograms is None else self.sound_encoder(spectrograms)
        maps: ClassMaps = self.head(*self.features(frames), sound, switch)
        return maps


class AroundNet(SourceNet):
    """What the sources share that look at more than a frame: ST, and S+, SA+ and ST+."""

    looks_around = True

    def see(self, frames: Tensor) -> tuple[Tensor | None, ...]:
        """Do once per frame all that needs no other frame; frames (N, 3, H, W) in [0, 1]."""
        raise NotImplementedError

    def context(self, sound: Tensor | None, neighbours: Tensor | None) -> tuple[Tensor, ...]:
        """Look at the neighbours; see :class:`SourceNet`."""
        del sound
        assert neighbours is not None
        seen = (self.see(frames.clone()) for frames in neighbours.unbind(1))
        return tuple(part for of_one in seen for part in of_one if part is not None)


class ST(AroundNet):
    """ST: class maps of a frame that know the frames before and after it.

    Args:
        categories, backbone, backbone_args, input_size, pixels: see :class:`SourceNet`.
        width, stride, hidden: see :class:`SA`.
        time_mixing: see :class:`~lookhear.stanet.blocks.TimeGate`.
    """

    head: STHead

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = "resnext101_32x8d",
        backbone_args: dict[str, Any] | None = None,
        width: int = 2048,
        time_mixing: TimeMixing = "clean",
        input_size: tuple[int, int] = (256, 256),
        stride: int = 32,
        hidden: int = 3,
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(categories, backbone, backbone_args, stride, input_size, pixels)
        self.head = STHead(self.channels[0], len(self.categories), width, time_mixing, hidden)

    def maps(self, features: Tensor, *context: Tensor) -> ClassMaps:
        """See :class:`SourceNet`."""
        before, after = SeenMaps(*context[:2]), SeenMaps(*context[2:])
        return self.attend(before, self.head.see(features), after)

    def see(self, frames: Tensor) -> SeenMaps:
        """Do once per frame all that needs no other frame; frames (N, 3, H, W) in [0, 1]."""
        (features,) = self.features(frames)
        return self.head.see(features)

    def attend(self, before: SeenMaps, target: SeenMaps, after: SeenMaps) -> ClassMaps:
        """Return the class maps (B, categories, H/32, W/32) of the targets."""
        return self.head.attend(before, target, after)

    def forward(self, frames: Tensor) -> ClassMaps:
        """Return the class maps (B, 3, categories, H/32, W/32) of all frames of B moments.

        In training each of the three takes its turn as the target, in the middle of the other two.

        Args:
            frames: before, target and after, (B, 3, 3, H, W), RGB in [0, 1].
        """
        seen = self.see(frames.flatten(0, 1))
        before, target, after = (seen.at(slice(i, None, 3)) for i in range(3))
        turns = (target, before, after), (before, target, after), (before, after, target)
        plain, fused, _ = zip(*(self.attend(*turn) for turn in turns), strict=True)
        return ClassMaps(torch.stack(plain, 1), torch.stack(fused, 1))


def deep_classifier(channels: int, width: int, hidden: int, categories: int) -> nn.Sequential:
    """Hidden 3x3 convolutions, then one map per category."""
    if not 1 <= width <= 4096:
        raise ValueError(f"width must be from 1 to 4096, not {width}")
    if not 0 <= hidden <= 8:
        raise ValueError(f"hidden must be from 0 to 8, not {hidden}")
    layers: list[nn.Module] = []
    for _ in range(hidden):
        conv = nn.Conv2d(channels, width, 3, padding=1)
        # What three layers keep of a signal: all of it, and not a tenth, as by torch's default.
        # At the paper's width this is the published normal distribution of deviation 0.01.
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, categories, 1))
