"""Sound encoders: one second of sound, as a log-spectrogram, to one vector."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from lookhear.media.spectrogram import REPORT, VGGSOUND, Stft
from lookhear.nets.backbones import channels_last
from lookhear.nets.kinds import SavedNetwork


class NetVLAD(nn.Module):
    """Pool positions by their residuals to learnt centroids (Arandjelovic et al., CVPR 2016).

    Args:
        channels: of the features.
        clusters: centroids; the pooled vector has ``clusters * channels`` numbers.
    """

    def __init__(self, channels: int = 512, clusters: int = 16) -> None:
        super().__init__()
        self.centroids = nn.Parameter(torch.rand(clusters, channels))
        self.conv = nn.Conv2d(channels, clusters, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Pool (N, C, H, W) to (N, clusters * C), of unit length."""
        x = F.normalize(features, dim=1).flatten(2)  # N, C, P
        shares = torch.softmax(self.conv(x[..., None]).squeeze(-1), dim=1)  # N, K, P
        residuals = shares @ x.transpose(1, 2) - shares.sum(2, keepdim=True) * self.centroids
        return F.normalize(F.normalize(residuals, dim=2).flatten(1), dim=1)


class SoundEncoder(nn.Module):
    """A network from log-spectrograms (N, frequencies, times) to vectors (N, channels).

    Attributes:
        channels: length of the vector.
        windows: of the spectrogram that it was made for.
    """

    channels: int
    windows: Stft


class VGGSoundEncoder(SoundEncoder):
    """VGGSound's network: a ResNet-18 with one input channel, pooled by NetVLAD."""

    channels = 16 * 512  # clusters of ResNet-18's channels
    windows = VGGSOUND

    def __init__(self) -> None:
        super().__init__()
        resnet = resnet18(weights=None)
        resnet.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        self.resnet = nn.Sequential(*list(resnet.children())[:8])
        self.pool = NetVLAD()

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Encode log-spectrograms (N, frequencies, times) as (N, 8192)."""
        vector: Tensor = self.pool(self.resnet(spectrogram[:, None]))
        return vector


class ReportSoundEncoder(VGGSoundEncoder):
    """VGGSound's network on spectrograms of the reimplementation report, 81 x 199 a second.

    Its weights are of the same shapes, and VGGSound's are where the report begins.
    """

    windows = REPORT


class LightSoundEncoder(SoundEncoder):
    """A quarter of a million weights, to be trained from nothing.

    Strided convolutions, then one that spans all frequencies, so that pitch stays where it is;
    mean and maximum over time.
    """

    channels = 2 * 128  # mean and maximum
    windows = VGGSOUND

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(  # from 257 frequencies and 98 times
            *_strided(1, 16, (7, 5), (4, 2)),  # 65 x 49
            *_strided(16, 32, (3, 3), (2, 2)),  # 33 x 25
            *_strided(32, 64, (3, 3), (2, 2)),  # 17 x 13
            *_strided(64, 128, (3, 3), (2, 2)),  # 9 x 7
            nn.Conv2d(128, 128, (9, 1), bias=False),  # 1 x 7
            nn.BatchNorm2d(128),
            nn.ReLU(),
        )
        channels_last(self)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Encode log-spectrograms (N, 257, times) as (N, 256)."""
        x = self.layers(spectrogram[:, None]).squeeze(2)  # N, 128, times / 16
        return torch.cat([x.mean(2), x.amax(2)], 1)


def _strided(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int]
) -> tuple[nn.Module, ...]:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return (
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


SOUND_ENCODERS: dict[str, type[SoundEncoder]] = {
    "vggsound": VGGSoundEncoder,
    "vggsound-report": ReportSoundEncoder,
    "light": LightSoundEncoder,
}


def sound_encoder_named(name: str) -> SoundEncoder:
    """Build an untrained sound encoder.

    Raises:
        ValueError: ``name`` is not in :data:`SOUND_ENCODERS`.
    """
    if name not in SOUND_ENCODERS:
        raise ValueError(f"sound_encoder {name!r} is none of {[*SOUND_ENCODERS]}")
    return SOUND_ENCODERS[name]()


class SoundClassifier(SavedNetwork, tags=["audio-classification"]):
    """Names what makes a sound: how an encoder learns to hear before it meets pictures.

    Args:
        categories: their names, in the order of the logits.
        sound_encoder: a name in :data:`SOUND_ENCODERS`.

    Raises:
        ValueError: there is no such encoder.
    """

    def __init__(self, categories: Sequence[str], sound_encoder: str = "vggsound") -> None:
        super().__init__()
        self.categories = tuple(categories)
        self.sound_encoder = sound_encoder_named(sound_encoder)
        self.classifier = nn.Linear(self.sound_encoder.channels, len(self.categories))

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return the logits (N, categories) of log-spectrograms (N, frequencies, times)."""
        logits: Tensor = self.classifier(self.sound_encoder(spectrograms))
        return logits
