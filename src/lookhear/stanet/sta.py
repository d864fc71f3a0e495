"""STA: the network that predicts fixations from a moment, without tags (STANet, section 3.4).

A moment is three frames and the sound around each. Everything that belongs to one frame
(backbone, self-attention gate, sound gate) is computed by :meth:`STA.see`, once, however many
moments the frame is part of; :meth:`STA.attend` then joins three frames to one moment.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookhear.errors import LookhearError
from lookhear.maps import Maps
from lookhear.media.spectrogram import Stft
from lookhear.nets.backbones import STRIDES, PictureNet, Pixels, alike
from lookhear.nets.devices import HalfTheThreads
from lookhear.nets.kinds import Halves, WatchingNetwork
from lookhear.nets.sound import sound_encoder_named
from lookhear.nets.watching import Eye, Look
from lookhear.stanet.blocks import (
    ConvGRU,
    SelfAttentionGate,
    SoundGating,
    TimeGate,
    TimeMixing,
    gated,
    sound_gate_named,
    upsampled,
)
from lookhear.stanet.switch import AudioSwitch

if TYPE_CHECKING:
    from lookhear.stanet.sta_plus import SeenPlus, STAPlus
    from lookhear.stanet.stanet_plus import SeenByAll, STANetPlus


class Seen(NamedTuple):
    """What STA keeps of N frames; every moment that a frame is part of shares it.

    Attributes:
        fine: (N, width, H/8, W/8), at the paper's strides.
        middle: (N, width, H/16, W/16).
        coarse: (N, width, H/32, W/32).
        spatial: ``coarse`` after the self-attention gate, same shape.
        heard: ``coarse`` after the sound gate, same shape.
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor
    spatial: Tensor
    heard: Tensor

    def at(self, index: Tensor | slice) -> Self:
        """Return the chosen frames."""
        return type(self)(*(part[index] for part in self))

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Join along the frames."""
        return cls(*(torch.cat(group) for group in zip(*parts, strict=True)))


class STAHead(nn.Module):
    """All of STA after the backbone and the sound encoder.

    Args:
        channels: of the backbone's features at the three strides.
        width: channels inside the head (32 in the paper).
        sound_channels: length of a sound vector; None for a network without hearing.
        time_mixing, sound_gate, sound_kinds: see :class:`STA`.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        width: int = 32,
        sound_channels: int | None = None,
        time_mixing: TimeMixing = "clean",
        sound_gate: SoundGating = "released",
        sound_kinds: int = 128,
    ) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.reduce_fine = nn.Conv2d(fine, width, 1)
        self.reduce_middle = nn.Conv2d(middle, width, 1)
        self.reduce_coarse = nn.Conv2d(coarse, width, 1)
        self.self_attention = SelfAttentionGate(width)
        self.time_gate = TimeGate(width, time_mixing)
        self.sound_gate: nn.Module | None = None
        if sound_channels is not None:
            widths = {"width": width, "gate_width": width, "kinds": sound_kinds}
            self.sound_gate = sound_gate_named(sound_gate, coarse, sound_channels, **widths)
        self.fuse = nn.Conv2d(3 * width, width, 3, padding=1)
        self.gru = ConvGRU(width)
        self.refine_middle = nn.Conv2d(2 * width, width, 3, padding=1)
        self.refine_fine = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out_middle = nn.Conv2d(width, 1, 1)
        self.out_fine = nn.Conv2d(width, 1, 1)

    def see(
        self,
        features: tuple[Tensor, ...],
        sound: Tensor | None = None,
        switch: Tensor | None = None,
    ) -> Seen:
        """Do once per frame all that needs no other frame.

        Args:
            features: at the three strides, each (N, C, h, w).
            sound: vectors (N, S). None closes the sound gate of every frame.
            switch: (N,), how far it is open; see :func:`~lookhear.stanet.blocks.gated`.
        """
        fine, middle, deep = features
        coarse = heard = self.reduce_coarse(deep)
        if sound is not None and self.sound_gate is not None:
            heard = gated(coarse, self.sound_gate(deep, sound), switch)
        return Seen(
            fine=self.reduce_fine(fine),
            middle=self.reduce_middle(middle),
            coarse=coarse,
            spatial=torch.relu(coarse + self.self_attention(coarse)),
            heard=torch.relu(heard),
        )

    def attend(self, before: Seen, target: Seen, after: Seen) -> tuple[Tensor, Tensor]:
        """Join three frames to the target's logits, two of (B, 1, H/8, W/8).

        The first are of the step with the middle features, the second of that with the fine ones.
        """
        gate = self.time_gate(before.coarse, target.coarse, after.coarse)
        timed = torch.relu(target.coarse + target.coarse * gate)
        fused = self.gru(
            self.fuse(torch.cat([target.spatial, timed, target.heard], 1)), target.coarse
        )

        x = upsampled(fused, target.middle)
        x = torch.relu(self.refine_middle(torch.cat([x, target.middle], 1)) + target.middle)
        middle = upsampled(x, target.fine)
        fine = torch.relu(self.refine_fine(torch.cat([middle, target.fine], 1)) + middle)
        return self.out_middle(middle), self.out_fine(fine)


class FixationNet(PictureNet, WatchingNetwork):
    """What STA and STA+ share: ears, unless they are deaf, and the size at which they see.

    Args: see :class:`STA`.
    """

    switch: AudioSwitch | None

    def __init__(
        self,
        backbone: str,
        backbone_args: dict[str, Any] | None,
        strides: tuple[int, ...],
        input_size: tuple[int, int],
        keep_aspect: bool,
        sound_encoder: str | None,
        pixels: Pixels | None,
    ) -> None:
        super().__init__(backbone, backbone_args, strides, input_size, pixels)
        self.keep_aspect = keep_aspect
        self.sound_encoder = sound_encoder_named(sound_encoder) if sound_encoder else None

    @property
    def windows(self) -> Stft | None:
        """Of the spectrogram that the network hears; None if it is deaf."""
        return self.sound_encoder.windows if self.sound_encoder else None

    @property
    def sound_channels(self) -> int | None:
        """Length of a sound vector; None for a network without hearing."""
        return self.sound_encoder.channels if self.sound_encoder else None

    def take_switch(self, switch: dict[str, Any] | None) -> None:
        """Build the switch; after the head, which has the earlier random numbers.

        Raises:
            ValueError: it does not hear what the network hears.
        """
        self.switch = AudioSwitch(**switch) if switch is not None else None
        if self.switch is not None and self.switch.sound_encoder.windows != self.windows:
            raise ValueError("switch must hear the spectrograms that the network hears")

    def shown_to_switch(self, frames: Tensor) -> Tensor:
        """Return frames (N, 3, H, W) as the switch sees them."""
        return frames

    def sees_as(self, other: PictureNet) -> bool:
        """See :class:`~lookhear.nets.backbones.PictureNet`."""
        is_shaped = isinstance(other, FixationNet) and self.keep_aspect == other.keep_aspect
        return is_shaped and super().sees_as(other)

    def hears_as(self, other: "FixationNet") -> bool:
        """Say whether every sound is the same to it as to another network."""
        ours, theirs = self.sound_encoder, other.sound_encoder
        return ours is not None and theirs is not None and alike(ours, theirs)

    def hear(
        self, frames: Tensor, spectrograms: Tensor | None, switch: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the sound vectors (N, S) and how far their gates are open (N,); see `STA.see`."""
        if spectrograms is None or self.sound_encoder is None:
            return None, switch
        sound = self.sound_encoder(spectrograms)
        if self.switch is not None and not self.training:
            switch = self.switch.kept_open(self.shown_to_switch(frames), spectrograms, switch)
        return sound, switch

    @property
    def eye(self) -> Eye:
        """How large the network sees pictures."""
        return Eye(self.input_size, self.keep_aspect)

    def size_for(self, height: float, width: float) -> tuple[int, int]:
        """Choose the height and width, in pixels, at which pictures of this shape are seen."""
        return self.eye.size_for(height, width)


class STA(FixationNet, tags=["saliency", "visual-attention"]):
    """STA with its backbone and, unless it is deaf, its sound encoder.

    Args:
        backbone, backbone_args, input_size, pixels: see
            :class:`~lookhear.nets.backbones.PictureNet`.
        sound_encoder: a name in :data:`~lookhear.nets.sound.SOUND_ENCODERS`; None for a network
            without hearing, whose sound gate is always closed.
        width: channels inside the head.
        time_mixing: see :class:`~lookhear.stanet.blocks.TimeGate`.
        keep_aspect: whether pictures keep their shape at the area of ``input_size`` (the small
            model) or are stretched to it (the paper).
        strides: of the backbone's features; the paper's, or smaller ones for small pictures.
        sound_gate: see :func:`~lookhear.stanet.blocks.sound_gate_named`.
        sound_kinds: of things that the matching gate knows, 1 to 4096.
        switch: arguments of the :class:`~lookhear.stanet.switch.AudioSwitch` that closes the sound
            gate, other than in training, where a sound does not belong to the picture; None for a
            network without.

    Raises:
        ValueError: an argument is out of its range, or there is no such backbone or encoder.
    """

    def __init__(
        self,
        backbone: str = "resnext101_32x8d",
        backbone_args: dict[str, Any] | None = None,
        sound_encoder: str | None = "vggsound",
        width: int = 32,
        time_mixing: TimeMixing = "clean",
        input_size: tuple[int, int] = (356, 356),
        keep_aspect: bool = False,
        strides: tuple[int, int, int] = STRIDES,
        sound_gate: SoundGating = "released",
        sound_kinds: int = 128,
        switch: dict[str, Any] | None = None,
        pixels: Pixels | None = None,
    ) -> None:
        if not 1 <= width <= 1024:
            raise ValueError(f"width must be from 1 to 1024, not {width}")
        if not 1 <= sound_kinds <= 4096:
            raise ValueError(f"sound_kinds must be from 1 to 4096, not {sound_kinds}")
        if len(strides) != 3:
            raise ValueError(f"strides must be three, not {strides}")
        super().__init__(
            backbone, backbone_args, tuple(strides), input_size, keep_aspect, sound_encoder, pixels
        )
        self.head = STAHead(
            self.channels, width, self.sound_channels, time_mixing, sound_gate, sound_kinds
        )
        self.take_switch(switch)

    def see(
        self, frames: Tensor, spectrograms: Tensor | None = None, switch: Tensor | None = None
    ) -> Seen:
        """Do once per frame all that needs no other frame.

        Args:
            frames: (N, 3, H, W), RGB in [0, 1].
            spectrograms: of the second around each frame, (N, frequencies, times). None closes
                the sound gate, as for a silent clip.
            switch: (N,), how far the sound gate of each frame is open; see
                :func:`~lookhear.stanet.blocks.gated`. The network's own may close it further.
        """
        return self.head.see(self.features(frames), *self.hear(frames, spectrograms, switch))

    def attend(self, before: Seen, target: Seen, after: Seen) -> Tensor:
        """Return the target's attention (B, H/8, W/8) at the paper's strides, in (0, 1)."""
        _, fine = self.head.attend(before, target, after)
        return torch.sigmoid(fine).squeeze(1)

    def forward(self, frames: Tensor, spectrograms: Tensor | None = None) -> Tensor:
        """Return the attention (B, H, W), in (0, 1), of B moments that share no frame.

        As published, logits are enlarged to the frames, and their sigmoid is taken there.

        Args:
            frames: before, target and after, (B, 3, 3, H, W), RGB in [0, 1].
            spectrograms: of the second around each frame, (B, 3, frequencies, times), or None.
        """
        heard = None if spectrograms is None else spectrograms.flatten(0, 1)
        seen = self.see(frames.flatten(0, 1), heard)
        _, fine = self.head.attend(*(seen.at(slice(i, None, 3)) for i in range(3)))
        return torch.sigmoid(upsampled(fine, frames)).squeeze(1)

    def watcher(self) -> "STAWatcher":
        """See :class:`~lookhear.nets.kinds.WatchingNetwork`."""
        return STAWatcher(self)

    def halves(self) -> Halves:
        """See :class:`~lookhear.nets.kinds.WatchingNetwork`."""
        from lookhear.stanet.halves import sta_halves

        return sta_halves(self)


Net = TypeVar("Net", bound="STA | STAPlus | STANetPlus")


class FrameWatcher(Generic[Net]):
    """What the watchers of STA, STA+ and STANet+ share: each frame is seen by itself."""

    half_the_cores = HalfTheThreads

    def __init__(self, net: Net) -> None:
        if net.training:
            raise LookhearError("the network is in training mode; call its eval() first")
        self._net = net
        self.windows: Stft | None = net.windows
        self.size_for = net.size_for

    @torch.inference_mode()
    def see(
        self,
        pictures: NDArray[np.uint8],
        spectrograms: NDArray[np.float32] | None = None,
        audible: NDArray[np.float32] | None = None,
    ) -> list[Look]:
        """See :meth:`~lookhear.nets.watching.Watcher.see`."""
        device = next(self._net.parameters()).device

        def moved(array: NDArray[Any] | None) -> Tensor | None:
            return None if array is None else torch.from_numpy(array).to(device)

        pixels = torch.from_numpy(pictures).to(device)
        frames = pixels.permute(0, 3, 1, 2).float().div_(255)
        seen = self._seen(frames, moved(spectrograms), moved(audible))
        return [seen.at(slice(index, index + 1)) for index in range(len(pictures))]

    def _seen(
        self, frames: Tensor, spectrograms: Tensor | None, audible: Tensor | None
    ) -> "Seen | SeenPlus | SeenByAll":
        raise NotImplementedError


class STAWatcher(FrameWatcher[STA]):
    """STA as a :class:`~lookhear.nets.watching.Watcher`: moments of three frames."""

    reach = 1

    def _seen(self, frames: Tensor, spectrograms: Tensor | None, audible: Tensor | None) -> Seen:
        return self._net.see(frames, spectrograms, audible)

    @torch.inference_mode()
    def attend(self, moments: Sequence[tuple[Seen, ...]]) -> Maps:
        """See :meth:`~lookhear.nets.watching.Watcher.attend`."""
        before, target, after = (Seen.cat(looks) for looks in zip(*moments, strict=True))
        attention: Maps = self._net.attend(before, target, after).float().cpu().numpy()
        return attention
