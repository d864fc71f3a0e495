"""AudioSwitch: whether a sound belongs to a picture (STANet, section 3.3).

Where it does not, as under music or off-screen speech, the sound gates of SA and STA are closed.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from lookhear.nets.backbones import PictureNet, Pixels
from lookhear.nets.sound import sound_encoder_named
from lookhear.stanet.blocks import MatchingGate

Activation = Literal["softmax", "sigmoid"]

WIDTH, MOST_WIDTH = 128, 1024


class AudioSwitchHead(nn.Module):
    """All of AudioSwitch after the backbone and the sound encoder.

    The published code puts a bilinear layer to ``width`` and a linear one to 2 in a row; without
    anything between them they are one bilinear layer to 2, as here. Features have 2,048 channels
    there.
    """

    def __init__(self, channels: int, sound_channels: int, width: int = WIDTH) -> None:
        super().__init__()
        self.sound = nn.Linear(sound_channels, width)
        self.picture = nn.Linear(channels, width)
        self.match = nn.Bilinear(width, width, 2)

    def forward(self, features: Tensor, sound: Tensor) -> Tensor:
        """Return the logits (N, 2) of features (N, C, h, w) and sound vectors (N, S)."""
        seen, heard = self.picture(features.mean((2, 3))), self.sound(sound)
        # As the layer itself does, in operations that can be exported.
        return torch.einsum("ni,kij,nj->nk", heard, self.match.weight, seen) + self.match.bias

    def pairs(self, features: Tensor, sounds: Tensor) -> Tensor:
        """Return the logits (N, M, 2) of each of N pictures with each of M sounds."""
        seen, heard = self.picture(features.mean((2, 3))), self.sound(sounds)
        return torch.einsum("mi,kij,nj->nmk", heard, self.match.weight, seen) + self.match.bias


class MatchingSwitchHead(nn.Module):
    """A head that asks whether any place of the picture may make the sound. Not published.

    Pooled features, as the published head has them, say too little of small things among others.
    For its kinds of things see :class:`~lookhear.stanet.blocks.MatchingGate`.
    """

    def __init__(self, channels: int, sound_channels: int, kinds: int) -> None:
        super().__init__()
        self.gate = MatchingGate(channels, sound_channels, kinds)

    def forward(self, features: Tensor, sound: Tensor) -> Tensor:
        """Return the logits (N, 2) of features (N, C, h, w) and sound vectors (N, S)."""
        return self._logits(self.gate.match(features, sound))

    def pairs(self, features: Tensor, sounds: Tensor) -> Tensor:
        """Return the logits (N, M, 2) of each of N pictures with each of M sounds."""
        return self._logits(self.gate.match_all(features, sounds))

    @staticmethod
    def _logits(matched: Tensor) -> Tensor:
        best = matched.amax((-2, -1))
        return torch.stack([torch.zeros_like(best), best], -1)


class AudioSwitch(PictureNet, tags=["audio-visual", "correspondence"]):
    """AudioSwitch with its backbone and its sound encoder.

    Args:
        backbone, backbone_args, input_size, pixels: see
            :class:`~lookhear.nets.backbones.PictureNet`.
        sound_encoder: a name in :data:`~lookhear.nets.sound.SOUND_ENCODERS`.
        stride: of the features; 32 in the paper, less for small pictures.
        kinds: of things, for a head that looks for them (:class:`MatchingSwitchHead`), 1 to 4096;
            None for the published one (:class:`AudioSwitchHead`).
        width: of the published head, 1 to 1024.
        activation: makes a probability of the logits. ``"softmax"`` weighs the second against the
            first, as the loss by which it learns does. ``"sigmoid"`` is for weights of the released
            code, whose STA asks whether the second is above 0, whatever the first is.

    Raises:
        ValueError: an argument is out of its range, or there is no such backbone or encoder.
    """

    def __init__(
        self,
        backbone: str = "resnext101_32x8d",
        backbone_args: dict[str, Any] | None = None,
        sound_encoder: str = "vggsound",
        input_size: tuple[int, int] = (256, 256),
        stride: int = 32,
        kinds: int | None = None,
        width: int = WIDTH,
        activation: Activation = "softmax",
        pixels: Pixels | None = None,
    ) -> None:
        if kinds is not None and not 1 <= kinds <= 4096:
            raise ValueError(f"kinds must be from 1 to 4096, not {kinds}")
        if not 1 <= width <= MOST_WIDTH:
            raise ValueError(f"width must be from 1 to {MOST_WIDTH}, not {width}")
        if activation not in get_args(Activation):
            raise ValueError(f"activation is one of {get_args(Activation)}, not {activation!r}")
        super().__init__(backbone, backbone_args, (stride,), input_size, pixels)
        self.sound_encoder = sound_encoder_named(sound_encoder)
        size = self.channels[0], self.sound_encoder.channels
        self.head: AudioSwitchHead | MatchingSwitchHead = (
            AudioSwitchHead(*size, width) if kinds is None else MatchingSwitchHead(*size, kinds)
        )
        self.activation = activation

    def forward(self, frames: Tensor, spectrograms: Tensor) -> Tensor:
        """Return logits (N, 2): the sound is another's, the sound belongs to the picture.

        Args:
            frames: (N, 3, H, W), RGB in [0, 1].
            spectrograms: of the second around each frame, (N, frequencies, times).
        """
        (features,) = self.features(frames)
        logits: Tensor = self.head(features, self.sound_encoder(spectrograms))
        return logits

    def belongs(self, frames: Tensor, spectrograms: Tensor) -> Tensor:
        """Return the probability (N,) that each sound belongs to its picture; see `forward`."""
        return self.probability(self(frames, spectrograms))

    def kept_open(
        self, frames: Tensor, spectrograms: Tensor, switch: Tensor | None = None
    ) -> Tensor:
        """Return how far sound gates are open (N,), as far as sounds belong; see `forward`.

        ``switch`` (N,) says how far they are open before; None is all the way.
        """
        opened = (self.belongs(frames, spectrograms) > 0.5).to(frames.dtype)
        return opened if switch is None else switch * opened

    def probability(self, logits: Tensor) -> Tensor:
        """Return by logits (..., 2) the probability (...) that sounds belong.

        One above 0.5 is the decision that it does.
        """
        if self.activation == "sigmoid":
            return torch.sigmoid(logits[..., 1])
        return torch.softmax(logits, dim=-1)[..., 1]
