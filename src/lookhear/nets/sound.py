"""Sound encoders: one second of sound, as a log-spectrogram, to one vector."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from lookhear.data.spectrogram import VGGSOUND


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


class VGGSoundEncoder(nn.Module):
    """VGGSound's network: a ResNet-18 with one input channel, pooled by NetVLAD.

    Attributes:
        channels: length of the vector, 16 clusters of 512 = 8,192.
        windows: of the spectrogram that it was made for.
    """

    channels = 8192
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


SOUND_ENCODERS: dict[str, type[VGGSoundEncoder]] = {"vggsound": VGGSoundEncoder}
