"""STA+: the network that predicts fixations from three moments (STANet+, arXiv 2112.13697).

A moment is three frames and the sound around the middle one; the target's has two others beside
it, which tell it more. Everything that belongs to one frame is computed by :meth:`STAPlus.see`,
once; :meth:`STAPlus.join` makes a moment's node of three frames, and :meth:`STAPlus.attend` a
target's attention of three nodes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookhear.maps import Maps
from lookhear.nets.backbones import DILATED_VGG, Pixels
from lookhear.nets.kinds import Halves
from lookhear.stanet.blocks import (
    SelfAttentionGate,
    SoundGating,
    TimeGate,
    TimeMixing,
    gated,
    sound_gate_named,
    upsampled,
)
from lookhear.stanet.propagation import NODES, Attending, GraphPropagation
from lookhear.stanet.sources import deep_classifier
from lookhear.stanet.sta import FixationNet, FrameWatcher

WIDTH = 28  # the paper's number of categories, though STA+ tells none apart
APART = 3
"""Frames from a moment to the next of its graph over a clip: just before and after it."""


class SeenPlus(NamedTuple):
    """What STA+ keeps of N frames, (N, width, H/8, W/8) each.

    Attributes:
        plain: straight from the features.
        spatial: after the self-attention gate.
        heard: after the sound gate.
        fine: straight from finer features, for a finer map; (N, width, h, w), or of width 0.
    """

    plain: Tensor
    spatial: Tensor
    heard: Tensor
    fine: Tensor

    def at(self, index: Tensor | slice) -> Self:
        """Return the chosen frames."""
        return type(self)(*(part[index] for part in self))

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Join along the frames."""
        return cls(*(torch.cat(group) for group in zip(*parts, strict=True)))


class Branch(NamedTuple):
    """N moments before they hear of others, (N, width, H/8, W/8) each.

    Attributes:
        plain: of the middle frame, straight from the features.
        maps: after the gates.
        fine: see :class:`SeenPlus`.
    """

    plain: Tensor
    maps: Tensor
    fine: Tensor

    def at(self, index: Tensor | slice) -> Self:
        """Return the chosen moments."""
        return type(self)(*(part[index] for part in self))


class STAPlusHead(nn.Module):
    """All of STA+ after the backbone and the sound encoder.

    As published, the time gate is one map for all channels.

    Args:
        channels: of the backbone's features (512 in the paper).
        width: channels inside the head (28 in the paper).
        sound_channels: length of a sound vector; None for a network without hearing.
        hidden_width: channels of the hidden convolutions (512 in the paper).
        fine_channels: of finer features, by which maps are refined; None for none, as published.
        time_mixing, sound_gate, sound_kinds, hidden, attending: see :class:`STAPlus`.
    """

    def __init__(
        self,
        channels: int,
        width: int = WIDTH,
        sound_channels: int | None = None,
        time_mixing: TimeMixing = "clean",
        sound_gate: SoundGating = "released",
        sound_kinds: int = 128,
        hidden_width: int = 512,
        hidden: int = 3,
        attending: Attending = "published",
        fine_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.reduce = deep_classifier(channels, hidden_width, hidden, width)
        self.self_attention = SelfAttentionGate(width)
        self.time_gate = TimeGate(width, time_mixing, gates=1)
        self.sound_gate: nn.Module | None = None
        if sound_channels is not None:
            widths = {"width": width, "gate_width": width, "kinds": sound_kinds}
            self.sound_gate = sound_gate_named(sound_gate, channels, sound_channels, **widths)
        self.fuse = nn.Conv2d(3 * width, width, 3, padding=1)
        self.propagation = GraphPropagation(width, attending=attending)
        self.message_gate = nn.Conv2d(width, 1, 1, bias=False)
        self.read_out = nn.Sequential(
            nn.Conv2d(2 * width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.reduce_fine = self.refine = None
        if fine_channels is not None:
            self.reduce_fine = nn.Conv2d(fine_channels, width, 1)
            self.refine = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 1, 1)

    def see(
        self,
        features: tuple[Tensor, ...],
        sound: Tensor | None = None,
        switch: Tensor | None = None,
    ) -> SeenPlus:
        """Do once per frame all that needs no other frame.

        Args:
            features: (N, C, h, w), after finer ones if there are any.
            sound: vectors (N, S). None closes the sound gate of every frame.
            switch: (N,), how far it is open; see :func:`~lookhear.stanet.blocks.gated`.
        """
        *finer, deep = features
        plain = heard = self.reduce(deep)
        if sound is not None and self.sound_gate is not None:
            heard = gated(plain, self.sound_gate(deep, sound), switch)
        spatial = torch.relu(plain + self.self_attention(plain))
        fine = plain[:, :0] if self.reduce_fine is None else self.reduce_fine(*finer)
        return SeenPlus(plain, spatial, torch.relu(heard), fine)

    def join(self, before: Tensor, target: SeenPlus, after: Tensor) -> Branch:
        """Join three frames to a node; of those around it is ``plain`` that counts."""
        plain = target.plain
        gate = self.time_gate(before, plain, after)
        timed = torch.relu(plain + plain * gate)
        maps = self.fuse(torch.cat([target.spatial, timed, target.heard], 1))
        return Branch(plain, maps, target.fine)

    def attend(self, *nodes: Branch, wanted: int = NODES) -> Tensor:
        """Return the logits (B, wanted, H/8, W/8) of the first nodes' middle frames.

        What a node says after the messages is read out beside what its frame was. They are of the
        size of the finer features, if there are any.

        Args:
            *nodes: three, of B graphs.
            wanted: of how many, 1 to 3.
        """
        plain, maps, fine = (torch.stack(parts, 1) for parts in zip(*nodes, strict=True))
        told = self.propagation(maps, self.message_gate, wanted)
        read = self.read_out(torch.cat([told, plain[:, :wanted]], 2).flatten(0, 1))
        if self.refine is not None:
            fine = fine[:, :wanted].flatten(0, 1)
            read = upsampled(read, fine)
            read = torch.relu(self.refine(torch.cat([read, fine], 1)) + read)
        logits: Tensor = self.out(read)
        return logits.view(*told.shape[:2], *logits.shape[-2:])


class STAPlus(FixationNet, tags=["saliency", "visual-attention"]):
    """STA+ with its backbone and, unless it is deaf, its sound encoder.

    Of its nodes, the target is the first: published training lists the nodes of a clip middle,
    first, last. Over a clip, the others are those some frames before and after.

    Args:
        backbone, backbone_args, input_size, pixels: see
            :class:`~lookhear.nets.backbones.PictureNet`; the paper's ``input_size`` is 256 a side.
        sound_encoder: a name in :data:`~lookhear.nets.sound.SOUND_ENCODERS`; None for a network
            without hearing, whose sound gate is always closed.
        width: channels inside the head, 1 to 1024.
        hidden_width, hidden: channels of the hidden convolutions, and how many there are; 512 and
            3 in the paper, fewer for few clips.
        time_mixing: see :class:`~lookhear.stanet.blocks.TimeGate`. Published weights need
            ``"published"``, and nothing else.
        attending: see :class:`~lookhear.stanet.propagation.GraphPropagation`.
        keep_aspect: see :class:`~lookhear.stanet.sta.STA`.
        stride: of the features; 8 in the paper.
        fine_stride: of finer features, by which maps are refined, for small things; None for none,
            as published.
        sound_gate: see :func:`~lookhear.stanet.blocks.sound_gate_named`.
        sound_kinds: of things that the matching gate knows, 1 to 4096.
        switch: arguments of the :class:`~lookhear.stanet.switch.AudioSwitch` that closes the sound
            gate, other than in training, where a sound does not belong to the picture, which it
            sees at its own ``input_size`` (356 in the paper); None for a network without.
        apart: frames from a moment to the next of its graph, where it watches a clip, 3 to 100:
            `APART` for one that learnt from ``short`` partners, more for one that knows other
            moments of the clip.

    Raises:
        ValueError: an argument is out of its range, or there is no such backbone or encoder.
    """

    def __init__(
        self,
        backbone: str = DILATED_VGG,
        backbone_args: dict[str, Any] | None = None,
        sound_encoder: str | None = "vggsound",
        width: int = WIDTH,
        hidden_width: int = 512,
        hidden: int = 3,
        attending: Attending = "published",
        time_mixing: TimeMixing = "clean",
        input_size: tuple[int, int] = (256, 256),
        keep_aspect: bool = False,
        stride: int = 8,
        sound_gate: SoundGating = "released",
        sound_kinds: int = 128,
        switch: dict[str, Any] | None = None,
        apart: int = APART,
        fine_stride: int | None = None,
        pixels: Pixels | None = None,
    ) -> None:
        if not 3 <= apart <= 100:
            raise ValueError(f"apart must be from 3 to 100, not {apart}")
        if not 2 <= width <= 1024:
            raise ValueError(f"width must be from 2 to 1024, not {width}")
        if not 1 <= sound_kinds <= 4096:
            raise ValueError(f"sound_kinds must be from 1 to 4096, not {sound_kinds}")
        strides = (stride,) if fine_stride is None else (fine_stride, stride)
        super().__init__(
            backbone, backbone_args, strides, input_size, keep_aspect, sound_encoder, pixels
        )
        self.apart = apart
        *finer, channels = self.channels
        self.head = STAPlusHead(
            channels,
            width,
            self.sound_channels,
            time_mixing,
            sound_gate,
            sound_kinds,
            hidden_width,
            hidden,
            attending,
            *finer,
        )
        self.take_switch(switch)

    def shown_to_switch(self, frames: Tensor) -> Tensor:
        """Enlarge frames to what the switch was trained on; see `FixationNet`."""
        assert self.switch is not None
        return F.interpolate(frames, self.switch.input_size, mode="bilinear")

    def see(
        self, frames: Tensor, spectrograms: Tensor | None = None, switch: Tensor | None = None
    ) -> SeenPlus:
        """Do once per frame all that needs no other; see :meth:`lookhear.stanet.sta.STA.see`."""
        return self.head.see(self.features(frames), *self.hear(frames, spectrograms, switch))

    def join(self, before: SeenPlus, target: SeenPlus, after: SeenPlus) -> Branch:
        """Join three frames to a node, once for all graphs that it is part of."""
        return self.head.join(before.plain, target, after.plain)

    def attend(self, target: Branch, one: Branch, other: Branch) -> Tensor:
        """Return the target's attention (B, H/8, W/8) at the paper's stride, in (0, 1)."""
        return torch.sigmoid(self.head.attend(target, one, other, wanted=1)[:, 0])

    def forward(self, frames: Tensor, spectrograms: Tensor | None = None) -> Tensor:
        """Return the targets' attention (B, H, W), in (0, 1), of B graphs that share no frame.

        Args:
            frames: before, in and after the target, and likewise two other moments,
                (B, 3, 3, 3, H, W), RGB in [0, 1].
            spectrograms: of the second around the middle frame of each moment,
                (B, 3, frequencies, times), or None.
        """
        seen = self.nodes(frames, spectrograms)
        nodes = (seen.at(slice(i, None, NODES)) for i in range(NODES))
        logits = self.head.attend(*nodes, wanted=1)
        return torch.sigmoid(upsampled(logits, frames)).squeeze(1)

    def nodes(
        self, frames: Tensor, spectrograms: Tensor | None = None, switch: Tensor | None = None
    ) -> Branch:
        """Return the nodes (B x 3, ...) of B graphs that share no frame; see `forward`.

        ``switch`` is of each node, (B, 3); see :meth:`see`.
        """
        before, middle, after = frames.flatten(0, 1).unbind(1)
        heard, opened = (None if x is None else x.flatten(0, 1) for x in (spectrograms, switch))
        around = self.head.reduce(self.features(torch.cat([before, after]))[-1])
        return self.head.join(
            around[: len(middle)], self.see(middle, heard, opened), around[len(middle) :]
        )

    def watcher(self) -> "STAPlusWatcher":
        """See :class:`~lookhear.nets.kinds.WatchingNetwork`."""
        return STAPlusWatcher(self)

    def halves(self) -> Halves:
        """See :class:`~lookhear.nets.kinds.WatchingNetwork`."""
        from lookhear.stanet.halves import sta_plus_halves

        return sta_plus_halves(self)


class STAPlusWatcher(FrameWatcher[STAPlus]):
    """STA+ as a :class:`~lookhear.nets.watching.Watcher`.

    The three frames in the middle are the target's node, the first three and the last three the
    others.
    """

    def __init__(self, net: STAPlus) -> None:
        super().__init__(net)
        self.reach = net.apart + 1

    def _seen(
        self, frames: Tensor, spectrograms: Tensor | None, audible: Tensor | None
    ) -> SeenPlus:
        return self._net.see(frames, spectrograms, audible)

    @torch.inference_mode()
    def attend(self, moments: Sequence[tuple[SeenPlus, ...]]) -> Maps:
        """See :meth:`~lookhear.nets.watching.Watcher.attend`."""
        looks = [*zip(*moments, strict=True)]
        first, middle, last = (
            self._net.join(*map(SeenPlus.cat, looks[start : start + 3]))
            for start in range(0, len(looks), self._net.apart)
        )
        attention: Maps = self._net.attend(middle, first, last).float().cpu().numpy()
        return attention
