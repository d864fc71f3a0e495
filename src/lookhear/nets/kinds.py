"""What a saved network is, and what it may be able to do: watch clips, name what is in pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from lookhear.media.spectrogram import Stft
from lookhear.nets.saved import NETWORK, name_of
from lookhear.nets.watching import Eye, Watcher


class SavedNetwork(nn.Module, PyTorchModelHubMixin, library_name="lookhear", license="apache-2.0"):
    """A network that ``save_pretrained(folder)`` keeps as safetensors beside its arguments.

    ``config.json`` also says which network it is, by its name in
    :data:`~lookhear.nets.saved.NETWORKS`; :func:`~lookhear.nets.saved.load_network` and
    ``from_pretrained(folder_or_hub_name)`` read it.
    """

    def save_pretrained(
        self, save_directory: str | Path, *, config: Any = None, **options: Any
    ) -> str | None:
        """Save the network; see the hub's ``PyTorchModelHubMixin``."""
        arguments: Any = self._hub_mixin_config if config is None else config
        named = {NETWORK: name_of(type(self)), **(arguments or {})}
        return super().save_pretrained(save_directory, config=named, **options)

    def folded(self) -> Self:
        """Return a network for inference that says the same, but may be faster on a CPU."""
        return self


@dataclass(frozen=True)
class Halves:
    """A network that watches clips as two functions of tensors alone, of which graphs can be made.

    Attributes:
        see: from pictures (N, h, w, 3), uint8, then those of further eyes, float from 0 to 1, then,
            where it hears, spectrograms (N, frequencies, times) and how audible they are (N,), to
            the parts of what is seen, (N, ...) each.
        attend: from parts of the frames around B moments to one or more maps (B, h, w).
        parts: names of what ``see`` gives.
        looks: what ``attend`` takes, each ``PART@SHIFT``: which part, of the frame so many after.
        reach, windows: see :class:`~lookhear.nets.watching.Watcher`.
        eyes: how large pictures are seen.
        scale: the mean and the std by which the first eye scales pixels.
        stretched: of several maps, whether they are stretched before the highest counts; else None.
    """

    see: nn.Module
    attend: nn.Module
    parts: tuple[str, ...]
    looks: tuple[str, ...]
    reach: int
    windows: Stft | None
    eyes: tuple[Eye, ...]
    scale: tuple[Tensor, Tensor]
    stretched: bool | None = None


class WatchingNetwork(SavedNetwork):
    """A network that says where people look in a clip."""

    def watcher(self) -> Watcher:
        """Return what runs the network over a clip.

        Raises:
            LookhearError: the network is in training mode.
        """
        raise NotImplementedError

    def halves(self) -> Halves:
        """Return what is exported of it; see :func:`lookhear.nets.export.export`."""
        raise NotImplementedError


class NamingNetwork(SavedNetwork):
    """A network that names what is in a picture, and sees where.

    Attributes:
        categories: what it tells apart.
        input_size: height and width, in pixels, of the pictures it was trained on.
        looks_around: whether it needs the frames before and after each.
    """

    categories: tuple[str, ...]
    input_size: tuple[int, int]
    looks_around = False

    @property
    def windows(self) -> Stft | None:
        """Of the spectrogram that the network hears; None if it is deaf."""
        return None

    def as_classifier(
        self, sound: Tensor | None = None, neighbours: Tensor | None = None
    ) -> nn.Module:
        """Return a classifier of B frames, for :func:`~lookhear.cam.class_activation`.

        It gives logits (B, categories) of frames (B, 3, H, W), RGB in [0, 1].

        Args:
            sound: where it hears, spectrograms (B, frequencies, times) of the second around each
                frame; None for silence.
            neighbours: where it looks around, the frames before and after each,
                (B, 2, 3, H, W) in [0, 1].

        Raises:
            ValueError: the network cannot hear or see what is given, or lacks neighbours.
        """
        raise NotImplementedError
