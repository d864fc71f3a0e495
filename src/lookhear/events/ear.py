"""VGGish and its like: from a log-mel window of 960 ms to 128 numbers."""

from collections.abc import Sequence

from torch import Tensor, nn

from lookhear.nets.backbones import channels_last

CHANNELS = (64, 128, 256, 256, 512, 512)
POOLED_AFTER = (0, 1, 3, 5)  # which of the convolutions
GRID = 6 * 4  # cells, at a sixteenth of 96 x 64


class Ear(nn.Module):
    """A VGG of six convolutions and three fully connected layers.

    By default it is VGGish (Hershey et al., "CNN Architectures for Large-Scale Audio
    Classification", ICASSP 2017) as it was ported to PyTorch: state dicts of the port load.

    Args:
        channels: of the convolutions.
        hidden: width of the first two fully connected layers.
        norms: whether a batch norm follows each convolution, for an ear that begins from nothing.

    Attributes:
        channels: how many numbers it gives.
    """

    channels = 128

    def __init__(
        self, channels: Sequence[int] = CHANNELS, hidden: int = 4096, norms: bool = False
    ) -> None:
        super().__init__()
        if len(channels) != len(CHANNELS):
            raise ValueError(f"an ear has {len(CHANNELS)} convolutions, not {len(channels)}")
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(zip((1, *channels), channels, strict=False)):
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=not norms))
            layers += [nn.BatchNorm2d(outputs)] * norms
            layers.append(nn.ReLU())
            layers += [nn.MaxPool2d(2)] * (index in POOLED_AFTER)
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(channels[-1] * GRID, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, self.channels),
            nn.ReLU(),
        )
        channels_last(self)

    def forward(self, windows: Tensor) -> Tensor:
        """Hear log-mel windows (N, 96, 64), time by bands: (N, 128)."""
        maps = self.features(windows[:, None])  # N, C, 6, 4
        vectors: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return vectors
