"""S, SA and ST as classifiers of pictures: frames in, the logits of their categories out."""

from typing import Self

import torch
from torch import Tensor, nn

from lookhear.cam.watched import undisturbed
from lookhear.stanet.sources import SA, ST, ClassMaps, S, SAHead, SeenMaps, SHead, STHead


class SourceClassifier(nn.Module):
    """A source, of which only the frame in question is still open; see :func:`as_classifier`.

    Sounds and neighbours were looked at once, when this was made.

    Attributes:
        LAYER: the backbone's features of the frame.
        head: name of the linear layer that makes map 1 of them; None if there are layers between.
    """

    LAYER = "places"

    def __init__(
        self,
        net: S | SA | ST,
        sounds: Tensor | None,
        neighbours: tuple[SeenMaps, SeenMaps] | None,
    ) -> None:
        super().__init__()
        self.net = net
        self.places = nn.Identity()
        self.sounds = sounds
        self.neighbours = neighbours

    @property
    def head(self) -> str | None:
        """Name of the linear layer straight after the features, if there is one."""
        classifier = self.net.head.classifier
        if isinstance(classifier, nn.Conv2d):
            return "net.head.classifier"
        return "net.head.classifier.0" if len(classifier) == 1 else None

    def of(self, items: slice) -> Self:
        """Return a classifier of some of the moments."""
        before_and_after = self.neighbours and (
            self.neighbours[0].at(items),
            self.neighbours[1].at(items),
        )
        sounds = None if self.sounds is None else self.sounds[items]
        return type(self)(self.net, sounds, before_and_after)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits (N, categories), by map 2, of frames (N, 3, H, W) in [0, 1].

        Where this is of one moment, the frames may be variants of its frame.
        """
        (features,) = self.net.features(frames)
        return self._maps(self.places(features)).scores()[1]

    def _maps(self, features: Tensor) -> ClassMaps:
        head, count = self.net.head, len(features)
        if isinstance(head, SHead):
            maps: ClassMaps = head(features)
        elif isinstance(head, SAHead):
            maps = head(features, None if self.sounds is None else _as_many(self.sounds, count))
        else:
            assert isinstance(head, STHead)
            assert self.neighbours is not None
            before, after = (
                SeenMaps(*(_as_many(part, count) for part in seen)) for seen in self.neighbours
            )
            maps = head.attend(before, head.see(features), after)
        return maps


@torch.no_grad()
def as_classifier(
    net: S | SA | ST, sound: Tensor | None = None, neighbours: Tensor | None = None
) -> SourceClassifier:
    """Make a source a classifier of B frames, for :func:`~lookhear.cam.class_activation`.

    Its logits are the scores by map 2. Its layer is the backbone's features, and its CAM, which
    needs a linear head, is map 1 without its bias. The network is left as it is.

    Args:
        net: the source.
        sound: for SA, spectrograms (B, frequencies, times) of the second around each frame; None
            closes its sound gate.
        neighbours: for ST, the frames before and after each, (B, 2, 3, H, W) in [0, 1].

    Raises:
        ValueError: the network cannot hear or see what is given, or ST lacks neighbours.
    """
    if (neighbours is None) == isinstance(net, ST) or (sound is not None and type(net) is not SA):
        raise ValueError(f"{type(net).__name__} takes neighbours if it is ST, sound if it is SA")
    with undisturbed(net), torch.inference_mode(mode=False):
        net = net.eval().folded()
        sounds, seen = None, None
        if isinstance(net, SA) and sound is not None:
            sounds = net.sound_encoder(sound.clone())
        if isinstance(net, ST) and neighbours is not None:
            seen = (net.see(neighbours[:, 0].clone()), net.see(neighbours[:, 1].clone()))
    return SourceClassifier(net, sounds, seen)


def _as_many(context: Tensor, count: int) -> Tensor:
    if len(context) not in (1, count):
        raise ValueError(f"{count} frames, but the sound or neighbours of {len(context)}")
    return context.expand(count, *context.shape[1:])
