"""The blocks that every network of the method is made of (STANet, CVPR 2021, section 3).

Letters in shape comments: B moments, C channels, H x W positions of a feature map.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TimeMixing = Literal["clean", "published", "normalised"]
SoundGating = Literal["report", "report-fine", "released", "matching"]

AT_RANDOM = 0.3  # share of torch's random start that a normalised time gate keeps


class SelfAttentionGate(nn.Module):
    """Weight each position by what the whole picture says about it.

    Attention is a softmax over the *first* position axis of ``query' key``; the attended values
    become one map in (0, 1) that multiplies the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 2, 1)
        self.key = nn.Conv2d(channels, channels // 2, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate ``x`` (B, C, H, W); the result has the same shape."""
        query, key, value = (p(x).flatten(2) for p in (self.query, self.key, self.value))
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=1)  # B, HW, HW
        attended = (value @ attention).view_as(x)
        return x * torch.sigmoid(self.gate(attended))


class ConvGRU(nn.Module):
    """A gated recurrent unit whose gates are 1x1 convolutions over [input, state]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reset = nn.Conv2d(2 * channels, channels, 1)
        self.update = nn.Conv2d(2 * channels, channels, 1)
        self.candidate = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Return the new state: ``state (1 - update) + candidate update``; all (B, C, H, W)."""
        both = torch.cat([x, state], 1)
        update = torch.sigmoid(self.update(both))
        reset = torch.sigmoid(self.reset(both))
        candidate = torch.tanh(self.candidate(torch.cat([x, state * reset], 1)))
        return torch.lerp(state, candidate, update)


class TimeGate(nn.Module):
    """A gate from three maps in time: Conv3d over time, then twice over space, then a sigmoid.

    Three linear layers in a row are what is published. Trained from nothing, they make a gate that
    knows no time: at first it hardly varies (0.50 to within 0.03, of which motion makes a quarter),
    so all that it learns is to be open or shut, and as nothing bounds the layers' product, the
    sigmoid saturates.

    Args:
        channels: of the maps.
        mixing: ``"clean"`` stacks the maps along a time axis of their own. ``"published"`` is for
            weights of the released code, which stacks B x 3 x C x H x W and *views* that memory
            as B x C x 3 x H x W, so that channels and times are mixed. ``"normalised"``, which is
            not published, is clean, begins as the target less the mean of its neighbours, and
            gives the sigmoid what has, over all channels and places of a moment, mean 0 and
            deviation 1 but for a learnt scale and shift of each channel.
        gates: how many channels the gate has: as many as the maps, or 1, for all of them together,
            as in STA+.

    Raises:
        ValueError: there is no such mixing.
    """

    def __init__(
        self, channels: int, mixing: TimeMixing = "clean", gates: int | None = None
    ) -> None:
        super().__init__()
        gates = gates or channels
        if mixing not in get_args(TimeMixing):
            raise ValueError(f"time_mixing is one of {get_args(TimeMixing)}, not {mixing!r}")
        self.mixing = mixing
        self.over_time = nn.Conv3d(channels, channels, (3, 1, 1))
        self.over_space = nn.Sequential(
            nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1)),
            nn.Conv3d(channels, gates, (1, 3, 3), padding=(0, 1, 1)),
        )
        self.norm: nn.Module = nn.Identity()
        if mixing == "normalised":
            self.norm = nn.GroupNorm(1, gates)
            with torch.no_grad():
                change = torch.tensor([-0.5, 1.0, -0.5])[:, None, None]
                self.over_time.weight.mul_(AT_RANDOM).add_(
                    torch.eye(channels)[:, :, None, None, None] * change
                )

    def forward(self, before: Tensor, target: Tensor, after: Tensor) -> Tensor:
        """Return the gate of ``target``, in (0, 1), (B, gates, H, W); maps are (B, C, H, W)."""
        stack = torch.stack([before, target, after], 1)  # B, 3, C, H, W
        if self.mixing == "published":
            batch, times, channels, height, width = stack.shape
            stack = stack.view(batch, channels, times, height, width)
        else:
            stack = stack.transpose(1, 2)
        return torch.sigmoid(self.norm(self.over_space(self.over_time(stack)).squeeze(2)))


class SoundGate(nn.Module):
    """One spatial gate from a sound and a picture (the released SA+, STA and STA+).

    Sound and pooled picture each become 128 numbers; the softmax of their outer product mixes 128
    maps of the picture, from which two 1x1 convolutions make the gate.
    """

    MIXED = 128

    def __init__(self, picture_channels: int, sound_channels: int, width: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(picture_channels, self.MIXED, 1)
        self.sound = nn.Linear(sound_channels, self.MIXED)
        self.picture = nn.Linear(picture_channels, self.MIXED)
        self.gate = nn.Sequential(
            nn.Conv2d(self.MIXED, width, 1), nn.ReLU(), nn.Conv2d(width, 1, 1)
        )

    def forward(self, picture: Tensor, sound: Tensor) -> Tensor:
        """Return the gate (B, 1, H, W), in (0, 1), of features (B, C, H, W) and sounds (B, S)."""
        heard = self.sound(sound)  # B, 128
        seen = self.picture(picture.mean((2, 3)))  # B, 128
        mixture = torch.softmax(heard[:, :, None] * seen[:, None, :], dim=-1)  # B, 128, 128
        mixed = torch.einsum("bij,bjhw->bihw", mixture, self.maps(picture))
        return torch.sigmoid(self.gate(mixed))


class MatchingGate(nn.Module):
    """One spatial gate, open where the picture shows what may make the sound.

    The published gates can hardly single out one of several things: one does not see where
    things are, and all that the other's sound can do is to make the mixture of its maps, which the
    whole picture chooses, more or less even. Here the sound itself mixes the maps: the odds of each
    kind of thing, by how probably it is that kind that sounds. Odds, as their logarithms would let
    a kind that is not seen veto one that is.

    Kinds of things are as many as maps; where they are categories, maps and sounds can begin with
    what a classifier knows of them.
    """

    SCALE = 0.25  # at first; of maps as classifiers make them

    def __init__(self, picture_channels: int, sound_channels: int, kinds: int) -> None:
        super().__init__()
        self.picture = nn.Conv2d(picture_channels, kinds, 1)
        self.sound = nn.Linear(sound_channels, kinds)
        self.scale = nn.Parameter(torch.tensor(self.SCALE))
        self.bias = nn.Parameter(torch.zeros(()))

    def match(self, picture: Tensor, sound: Tensor) -> Tensor:
        """Return the logits (B, H, W) of the gate; see `forward`."""
        log_odds, highest = self._log_odds(picture)
        mixed = torch.einsum("bk,bkhw->bhw", self._shares(sound), torch.exp(log_odds))
        return _log(mixed) + highest + self.bias

    def match_all(self, pictures: Tensor, sounds: Tensor) -> Tensor:
        """Match each of N pictures with each of M sounds; return logits (N, M, H, W)."""
        log_odds, highest = self._log_odds(pictures)
        mixed = torch.einsum("mk,nkhw->nmhw", self._shares(sounds), torch.exp(log_odds))
        return _log(mixed) + highest[:, None] + self.bias

    def forward(self, picture: Tensor, sound: Tensor) -> Tensor:
        """Return the gate (B, 1, H, W), in (0, 1), of features (B, C, H, W) and sounds (B, S)."""
        return torch.sigmoid(self.match(picture, sound))[:, None]

    def _log_odds(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Of each kind, (N, kinds, H, W), less those of the likeliest, and these, (N, H, W)."""
        log_odds = self.picture(pictures) * self.scale
        highest = log_odds.amax(1)
        return log_odds - highest[:, None], highest

    def _shares(self, sounds: Tensor) -> Tensor:
        """How probably each kind makes sounds (N, S), (N, kinds)."""
        return torch.softmax(self.sound(sounds), dim=1)


def _log(shares: Tensor) -> Tensor:
    return shares.clamp(min=1e-20).log()


class UpsampledSoundGate(nn.Module):
    """One spatial gate from a sound alone (SA of the reimplementation report).

    Transposed convolutions grow the sound to the grid of the picture at stride 32; for a picture of
    another grid the gate is resized.

    Args:
        sound_channels: length of a sound vector.
        width: channels of the layers that grow.
        gate_width: of the gate's last but one layer.
        is_fine: whether it grows to 12 x 12 positions, as in the report's fine stage, of pictures
            of 356 x 356; else to 8 x 8, as in its coarse one, of 256 x 256.
    """

    COARSE = ((3, 1), (3, 1), (4, 1))
    """Kernel and stride of each layer, without padding: 1, 3, 5, 8 positions a side."""

    FINE = ((4, 2), (4, 2), (3, 1))
    """Likewise 1, 4, 10, 12."""

    def __init__(
        self, sound_channels: int, width: int, gate_width: int, is_fine: bool = False
    ) -> None:
        super().__init__()
        self.sound = nn.Linear(sound_channels, width)
        layers: list[nn.Module] = []
        side = 1
        for kernel, stride in self.FINE if is_fine else self.COARSE:
            layers += [_grow(width, side, kernel, stride), nn.ReLU()]
            side = (side - 1) * stride + kernel
        self.upsample = nn.Sequential(*layers[:-1])
        self.gate = nn.Sequential(nn.Conv2d(width, gate_width, 1), nn.Conv2d(gate_width, 1, 1))

    def forward(self, picture: Tensor, sound: Tensor) -> Tensor:
        """Return the gate (B, 1, H, W), in (0, 1), of features, whose grid counts, and sounds."""
        heard = self.upsample(self.sound(sound)[:, :, None, None])
        return upsampled(torch.sigmoid(self.gate(heard)), picture)


def _grow(width: int, side: int, kernel: int, stride: int) -> nn.ConvTranspose2d:
    """Grow a square grid from a side, keeping the strength of the signal."""
    layer = nn.ConvTranspose2d(width, width, kernel, stride)
    # Torch's start takes an output to sum all of the kernel; on a grid this small it sums less.
    grown = (side - 1) * stride + kernel
    summed = width * (side * kernel / grown) ** 2
    nn.init.normal_(layer.weight, std=(2 / summed) ** 0.5)
    return layer


def upsampled(x: Tensor, like: Tensor) -> Tensor:
    """Resize maps (N, C, h, w) bilinearly to the height and width (..., H, W) of others."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def gated(x: Tensor, gate: Tensor, switch: Tensor | None) -> Tensor:
    """Add to maps (N, C, H, W) what a sound gate (N, 1, H, W), in (0, 1), lets through of them.

    A switch (N,) says how far the gate is open, from 0 (closed, as for a silent frame) to 1; None
    leaves it open.
    """
    return x + x * (gate if switch is None else gate * switch[:, None, None, None])


def sound_gate_named(
    name: SoundGating,
    picture_channels: int,
    sound_channels: int,
    *,
    width: int,
    gate_width: int,
    kinds: int,
) -> nn.Module:
    """Build a sound gate.

    Args:
        name: ``"report"``, grown from the sound alone, and ``"report-fine"``, to another grid
            (:class:`UpsampledSoundGate`); ``"released"``, of the released SA+, STA and STA+
            (:class:`SoundGate`); ``"matching"``, which is not published (:class:`MatchingGate`).
        picture_channels: of the picture's features.
        sound_channels: length of a sound vector.
        width: channels of the layers that grow the report's gate.
        gate_width: channels of the published gates' last but one layer.
        kinds: of things that the matching gate knows.

    Raises:
        ValueError: there is no such gate.
    """
    if name in ("report", "report-fine"):
        return UpsampledSoundGate(sound_channels, width, gate_width, name == "report-fine")
    if name == "released":
        return SoundGate(picture_channels, sound_channels, gate_width)
    if name == "matching":
        return MatchingGate(picture_channels, sound_channels, kinds)
    raise ValueError(f"sound_gate is one of {get_args(SoundGating)}, not {name!r}")
