"""S+, SA+ and ST+: classifiers of moments that know other moments (STANet+, arXiv 2112.13697).

Each makes a map per category of a target and of two others as S, SA and ST do, at stride 8; three
rounds of messages among them (`GraphPropagation`) make map 2. The others are chosen by granularity:
*short*, the target's neighbours in time (of ST+, which sees three frames a node, those three frames
away); *long*, other moments of the clip; *cross*, moments of other clips of its category. So all
three are of one category, and all three learn it.

Throughout, the target is node 0. A published ST+ is given short nodes in the order of time, and
its node 0 is then the moment three frames before.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from lookhear.media.spectrogram import Stft
from lookhear.nets.backbones import DILATED_VGG, Pixels
from lookhear.nets.sound import sound_encoder_named
from lookhear.stanet.blocks import (
    SelfAttentionGate,
    SoundGating,
    TimeGate,
    TimeMixing,
    gated,
    sound_gate_named,
)
from lookhear.stanet.propagation import NODES, Attending, GraphPropagation
from lookhear.stanet.sources import (
    SOUND_GATE_WIDTH,
    AroundNet,
    ClassMaps,
    SeenMaps,
    deep_classifier,
    votes_of,
)

MIDDLE = 1  # of the three frames of a node of ST+


class Nodes(NamedTuple):
    """N nodes before they hear of others.

    Attributes:
        plain: map 1, (N, categories, h, w); of ST+, of each frame, (N, 3, categories, h, w).
        maps: after the gates, (N, categories, h, w).
        votes: what their sounds say of each category, (N, categories); None for nothing.
    """

    plain: Tensor
    maps: Tensor
    votes: Tensor | None = None

    def at(self, index: Tensor | slice) -> Self:
        """Return the chosen nodes."""
        votes = None if self.votes is None else self.votes[index]
        return type(self)(self.plain[index], self.maps[index], votes)


class PlusHead(nn.Module):
    """What the heads of S+, SA+ and ST+ share.

    As published, one gate serves the self-attention and the messages.

    Args:
        channels: of the backbone's features (512 in the paper).
        categories: how many.
        width: channels of the hidden convolutions (512 in the paper).
        hidden: how many hidden convolutions.
        has_state, attending: see :class:`~lookhear.stanet.propagation.GraphPropagation`.
    """

    def __init__(
        self,
        channels: int,
        categories: int,
        width: int,
        hidden: int = 3,
        attending: Attending = "published",
        has_state: bool = True,
    ) -> None:
        super().__init__()
        self.classifier = deep_classifier(channels, width, hidden, categories)
        self.self_attention = SelfAttentionGate(categories)
        self.propagation = GraphPropagation(categories, has_state, attending)

    def look(self, features: Tensor) -> SeenMaps:
        """Do all that a frame needs of itself alone, from its features (N, C, h, w)."""
        plain = self.classifier(features)
        return SeenMaps(plain, torch.relu(plain + self.self_attention(plain)))

    def propagate(self, target: Nodes, *others: Nodes) -> ClassMaps:
        """Return the class maps of all three nodes, the target's first; see `PlusNet`."""
        graph = (target, *others)
        plain = torch.stack([node.plain for node in graph], 1)
        maps = torch.stack([node.maps for node in graph], 1)
        fused = self.propagation(maps, self.self_attention.gate)
        votes = [node.votes for node in graph if node.votes is not None]
        of_all = torch.stack(votes, 1).sum(1, keepdim=True) if votes else None
        return ClassMaps(plain.flatten(1, -4), fused, of_all)


class SPlusHead(PlusHead):
    """All of S+ after the backbone."""

    def see(self, features: Tensor) -> Nodes:
        """Return the nodes of N frames, from features (N, C, h, w)."""
        return Nodes(*self.look(features))


class SAPlusHead(PlusHead):
    """All of SA+ after the backbone and the sound encoder.

    Args:
        channels, categories, width, hidden, attending: see :class:`PlusHead`.
        sound_channels: length of a sound vector.
        sound_gate: see :func:`~lookhear.stanet.blocks.sound_gate_named`.
        published, sound_votes: see :class:`SAPlus`.
    """

    def __init__(
        self,
        channels: int,
        categories: int,
        width: int,
        sound_channels: int,
        sound_gate: SoundGating = "released",
        hidden: int = 3,
        attending: Attending = "published",
        published: bool = False,
        sound_votes: bool = False,
    ) -> None:
        super().__init__(channels, categories, width, hidden, attending)
        self.published = published
        widths = {"width": width, "gate_width": SOUND_GATE_WIDTH, "kinds": categories}
        self.sound_gate = sound_gate_named(sound_gate, channels, sound_channels, **widths)
        self.fuse = nn.Conv2d(2 * categories, categories, 3, padding=1)
        self.votes = nn.Linear(sound_channels, categories) if sound_votes else None

    def see(
        self, features: Tensor, sound: Tensor | None = None, switch: Tensor | None = None
    ) -> Nodes:
        """Return the nodes of N frames; see :meth:`lookhear.stanet.sources.SAHead.forward`."""
        plain, spatial = self.look(features)
        heard, votes = plain, None
        if sound is not None:
            heard = gated(plain, self.sound_gate(features, sound), switch)
            votes = votes_of(sound, self.votes, switch)
        maps = self.fuse(torch.cat([spatial, torch.relu(heard)], 1))
        return Nodes(maps if self.published else plain, maps, votes)


class STPlusHead(PlusHead):
    """All of ST+ after the backbone.

    Args:
        channels, categories, width, hidden, attending: see :class:`PlusHead`.
        time_mixing: see :class:`~lookhear.stanet.blocks.TimeGate`.
        published: see :class:`STPlus`.
    """

    def __init__(
        self,
        channels: int,
        categories: int,
        width: int,
        time_mixing: TimeMixing = "clean",
        hidden: int = 3,
        attending: Attending = "published",
        published: bool = False,
    ) -> None:
        super().__init__(channels, categories, width, hidden, attending, has_state=not published)
        self.time_gate = TimeGate(categories, time_mixing)
        self.fuse = nn.Conv2d(2 * categories, categories, 3, padding=1)

    def join(self, before: Tensor, target: SeenMaps, after: Tensor) -> Nodes:
        """Join three frames to a node; of those around it is map 1 that counts."""
        plain = target.plain
        gate = self.time_gate(before, plain, after)
        maps = self.fuse(torch.cat([target.spatial, torch.relu(plain + plain * gate)], 1))
        return Nodes(torch.stack([before, plain, after], 1), maps)


class PlusNet(AroundNet, tags=["saliency", "class-activation-maps"]):
    """What S+, SA+ and ST+ share.

    Their class maps are of all nodes of B graphs: ``fused`` is (B, 3, categories, h, w), and so is
    ``plain``; but of ST+ it is of each node's three frames, (B, 9, categories, h, w). Votes are of
    the graph as a whole, (B, 1, categories), as its nodes are of one category.
    """

    head: PlusHead
    published: bool

    def attend(self, target: Nodes, one: Nodes, other: Nodes) -> ClassMaps:
        """Return the class maps of all three nodes of B graphs; each has B nodes."""
        return self.head.propagate(target, one, other)

    def attend_graphs(self, nodes: Nodes) -> ClassMaps:
        """Return the class maps of all nodes of B graphs, whose B x 3 nodes are in a row."""
        return self.attend(*(nodes.at(slice(i, None, NODES)) for i in range(NODES)))

    def target_maps(self, maps: ClassMaps) -> ClassMaps:
        """Return, of all nodes', the class maps (B, categories, h, w) that SCAM+ is made of."""
        return self._of_target(maps)

    def _of_target(self, maps: ClassMaps, frame: int = 0) -> ClassMaps:
        """Return the target's class maps, the plain one of a frame of its node."""
        votes = None if maps.votes is None else maps.votes[:, 0]
        return ClassMaps(maps.plain[:, frame], maps.fused[:, 0], votes)


class SPlus(PlusNet):
    """S+: class maps of a frame that know two other frames.

    Args:
        categories, backbone, backbone_args, input_size, pixels: see `SourceNet`; the paper's
            ``input_size`` is 256 a side.
        width, hidden: see :class:`PlusHead`.
        stride: of the features.
        attending: see :class:`~lookhear.stanet.propagation.GraphPropagation`.
        published: whether SCAM+ is given no map 1, but nought, as in the released code; scores of
            map 1 are as ever. The clean one gives map 1.
    """

    head: SPlusHead

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = DILATED_VGG,
        backbone_args: dict[str, Any] | None = None,
        width: int = 512,
        input_size: tuple[int, int] = (256, 256),
        stride: int = 8,
        hidden: int = 3,
        attending: Attending = "published",
        published: bool = False,
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(categories, backbone, backbone_args, stride, input_size, pixels)
        self.published = published
        self.head = SPlusHead(self.channels[0], len(self.categories), width, hidden, attending)

    def maps(self, features: Tensor, *context: Tensor) -> ClassMaps:
        """See `SourceNet`; the neighbours are the other nodes."""
        one, other = Nodes(*context[:2]), Nodes(*context[2:])
        return self.target_maps(self.attend(self.head.see(features), one, other))

    def target_maps(self, maps: ClassMaps) -> ClassMaps:
        """See :class:`PlusNet`."""
        plain, fused, _ = super().target_maps(maps)
        return ClassMaps(torch.zeros_like(plain) if self.published else plain, fused)

    def see(self, frames: Tensor) -> Nodes:
        """Do once per frame all that needs no other frame; frames (N, 3, H, W) in [0, 1]."""
        (features,) = self.features(frames)
        return self.head.see(features)

    def forward(self, frames: Tensor) -> ClassMaps:
        """Return the class maps of all three nodes of B graphs that share no frame.

        Args:
            frames: the target and two others, (B, 3, 3, H, W), RGB in [0, 1].
        """
        seen = self.see(frames.flatten(0, 1))
        return self.attend_graphs(seen)


class SAPlus(PlusNet):
    """SA+: class maps of a frame and its sound that know two other frames and theirs.

    Args:
        categories, backbone, backbone_args, input_size, pixels, width, stride, hidden, attending:
            see :class:`SPlus`.
        sound_encoder: a name in :data:`~lookhear.nets.sound.SOUND_ENCODERS`.
        sound_gate: see :func:`~lookhear.stanet.blocks.sound_gate_named`.
        published: whether map 1 is what both gates make of it, before the messages, as in the
            released code; the clean one is straight from the features, as everywhere else.
        sound_votes: whether the sounds of all three nodes also vote for categories, wherever they
            are; see :class:`~lookhear.stanet.sources.SAHead`.
    """

    head: SAPlusHead

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = DILATED_VGG,
        backbone_args: dict[str, Any] | None = None,
        sound_encoder: str = "vggsound",
        sound_gate: SoundGating = "released",
        width: int = 512,
        input_size: tuple[int, int] = (256, 256),
        stride: int = 8,
        hidden: int = 3,
        attending: Attending = "published",
        published: bool = False,
        sound_votes: bool = False,
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(categories, backbone, backbone_args, stride, input_size, pixels)
        self.published = published
        self.sound_encoder = sound_encoder_named(sound_encoder)
        size = self.channels[0], len(self.categories), width, self.sound_encoder.channels
        self.head = SAPlusHead(*size, sound_gate, hidden, attending, published, sound_votes)

    @property
    def windows(self) -> Stft:
        """Of the spectrogram that it hears."""
        return self.sound_encoder.windows

    def context(self, sound: Tensor | None, neighbours: Tensor | None) -> tuple[Tensor, ...]:
        """Look at the neighbours, with the sound of the frame; see `SourceNet`."""
        assert neighbours is not None
        own = () if sound is None else (self.sound_encoder(sound.clone()),)
        seen = (self.features(frames.clone()) for frames in neighbours.unbind(1))
        one, other = (self.head.see(*features, *own) for features in seen)
        return one.plain, one.maps, other.plain, other.maps, *own

    def maps(self, features: Tensor, *context: Tensor) -> ClassMaps:
        """See `SourceNet`; the neighbours are the other nodes."""
        one, other, own = Nodes(*context[:2]), Nodes(*context[2:4]), context[4:]
        return self.target_maps(self.attend(self.head.see(features, *own), one, other))

    def see(
        self, frames: Tensor, spectrograms: Tensor | None = None, switch: Tensor | None = None
    ) -> Nodes:
        """Do once per frame all that needs no other; see :meth:`lookhear.stanet.sta.STA.see`."""
        sound = None if spectrograms is None else self.sound_encoder(spectrograms)
        (features,) = self.features(frames)
        return self.head.see(features, sound, switch)

    def forward(
        self, frames: Tensor, spectrograms: Tensor | None = None, switch: Tensor | None = None
    ) -> ClassMaps:
        """Return the class maps of all three nodes of B graphs that share no frame.

        Args:
            frames: the target and two others, (B, 3, 3, H, W), RGB in [0, 1].
            spectrograms: of the second around each, (B, 3, frequencies, times). None closes the
                sound gate, as for silent clips.
            switch: (B, 3), how far the sound gate of each frame is open; see
                :func:`~lookhear.stanet.blocks.gated`.
        """
        heard, opened = (None if x is None else x.flatten(0, 1) for x in (spectrograms, switch))
        seen = self.see(frames.flatten(0, 1), heard, opened)
        return self.attend_graphs(seen)


class STPlus(PlusNet):
    """ST+: class maps of a moment of three frames that know two other moments.

    Args:
        categories, backbone, backbone_args, input_size, pixels, width, stride, hidden, attending:
            see :class:`SPlus`.
        time_mixing: see :class:`~lookhear.stanet.blocks.TimeGate`.
        published: whether messages replace a node's own maps, as in the released code; see
            :class:`~lookhear.stanet.propagation.GraphPropagation`.
    """

    head: STPlusHead

    def __init__(
        self,
        categories: Sequence[str],
        backbone: str = DILATED_VGG,
        backbone_args: dict[str, Any] | None = None,
        width: int = 512,
        time_mixing: TimeMixing = "clean",
        input_size: tuple[int, int] = (256, 256),
        stride: int = 8,
        hidden: int = 3,
        attending: Attending = "published",
        published: bool = False,
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(categories, backbone, backbone_args, stride, input_size, pixels)
        self.published = published
        size = self.channels[0], len(self.categories), width
        self.head = STPlusHead(*size, time_mixing, hidden, attending, published)

    def maps(self, features: Tensor, *context: Tensor) -> ClassMaps:
        """See `SourceNet`; for want of other moments, the moment stands in for them."""
        before, _, after, _ = context
        node = self.head.join(before, self.head.look(features), after)
        return self.target_maps(self.attend(node, node, node))

    def target_maps(self, maps: ClassMaps) -> ClassMaps:
        """See :class:`PlusNet`."""
        return self._of_target(maps, MIDDLE)

    def see(self, frames: Tensor) -> SeenMaps:
        """Do once per frame all that needs no other frame; frames (N, 3, H, W) in [0, 1]."""
        (features,) = self.features(frames)
        return self.head.look(features)

    def forward(self, frames: Tensor) -> ClassMaps:
        """Return the class maps of all three nodes of B graphs that share no frame.

        Args:
            frames: before, in and after the target, and likewise two other moments,
                (B, 3, 3, 3, H, W), RGB in [0, 1].
        """
        before, middle, after = frames.flatten(0, 1).unbind(1)
        around = self.head.classifier(*self.features(torch.cat([before, after])))
        target = self.see(middle)
        count = len(middle)
        return self.attend_graphs(self.head.join(around[:count], target, around[count:]))
