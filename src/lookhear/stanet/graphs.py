"""What S+, SA+ and ST+ make of prepared moments, each frame seen once.

The networks of a run ask for the same frames again and again: a moment is a target, the neighbour
of one, and a partner of several. Those that have the same backbone share what it sees of a frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from lookhear.data import Partners
from lookhear.data.loader import Moments, View
from lookhear.data.readers.tagged import Split
from lookhear.nets.saved import load_network
from lookhear.stanet import Loss, ScamRules
from lookhear.stanet.pseudo_fixations import Looks, as_probabilities
from lookhear.stanet.sources import ClassMaps
from lookhear.stanet.sources_plus import Nodes, PlusNet, SAPlus, SPlus, STPlus

BATCH_SIZE = 16
TRIPLET = (-1, 0, 1)

Rows: TypeAlias = dict[View, int]
"""Frames, and in which row of a tensor each is."""


@dataclass(frozen=True)
class PlusSources:
    """Trained S+, SA+ and ST+, ready for inference.

    Attributes:
        nets: the networks, by what they are called in a run, such as ``"S+/short"``.
        loss: by which they were trained.
        rules: by which their maps are to be fused.
    """

    nets: dict[str, PlusNet]
    loss: Loss
    rules: ScamRules = "clean"

    @classmethod
    def load(
        cls,
        folders: Mapping[str, Path],
        loss: Loss,
        device: str | None = None,
        rules: ScamRules = "clean",
    ) -> "PlusSources":
        """Load saved networks; see :func:`~lookhear.nets.saved.load_network`.

        Raises:
            LookhearError: one is not there, or is another network.
        """
        nets = {name: load_network(PlusNet, folder, device) for name, folder in folders.items()}
        return cls(nets, loss, rules)

    def graphs(self, prepared: Path, split: Split, *, of_one_clip: bool) -> "Graphs":
        """Open moments with the partners that each network knows.

        Args:
            prepared: what :func:`~lookhear.data.prepare.prepare` made.
            split: which part.
            of_one_clip: whether ``cross`` partners are of the moment's own clip, as they have to be
                where tags are not known.
        """
        return Graphs(self, prepared, split, of_one_clip)


class Graphs:
    """Looks at the moments of a split; see :meth:`PlusSources.graphs`."""

    def __init__(
        self, sources: PlusSources, prepared: Path, split: Split, of_one_clip: bool
    ) -> None:
        self._sources = sources
        self._data = {
            name: _moments_of(name, net, prepared, split, of_one_clip)
            for name, net in sources.nets.items()
        }
        nets = [*sources.nets.values()]
        self._eyes = {
            name: next(other for other in nets if other is net or other.sees_as(net))
            for name, net in sources.nets.items()
        }

    @torch.inference_mode()
    def look(self, indices: Sequence[int]) -> Looks:
        """Look at some moments; all that is seen of them is held at once."""
        views = {
            name: [data.views(index) for index in indices] for name, data in self._data.items()
        }
        seen = self._seen(views)
        maps = [
            self._maps(name, net, views[name], *seen[self._eyes[name]])
            for name, net in self._sources.nets.items()
        ]
        scores = torch.stack([of_net.scores()[1] for of_net in maps], 1).cpu()
        sources = self._sources
        return Looks(
            plain=tuple(of_net.plain.cpu().numpy() for of_net in maps),
            fused=tuple(of_net.fused.cpu().numpy() for of_net in maps),
            probabilities=as_probabilities(scores, sources.loss, sources.rules).numpy(),
        )

    def _seen(self, views: Mapping[str, list[list[View]]]) -> dict[PlusNet, tuple[Rows, Tensor]]:
        """The features of every frame that is needed, by each backbone."""
        needed: dict[PlusNet, set[View]] = {net: set() for net in self._eyes.values()}
        for name, graphs in views.items():
            net = self._sources.nets[name]
            nodes = (view for graph in graphs for view in graph)
            needed[self._eyes[name]] |= {frame for view in nodes for frame in _frames(net, view)}
        seen = {}
        for name, eye in self._eyes.items():
            if eye not in seen:
                rows = {view: row for row, view in enumerate(sorted(needed[eye]))}
                seen[eye] = rows, self._features(name, eye, [*rows])
        return seen

    def _features(self, name: str, net: PlusNet, frames: Sequence[View]) -> Tensor:
        """What a backbone sees of frames, (N, C, h, w)."""
        data, features = self._data[name], list[Tensor]()
        for start in range(0, len(frames), BATCH_SIZE):
            batch = [data.frame(view) for view in frames[start : start + BATCH_SIZE]]
            pictures = torch.from_numpy(np.stack(batch)).to(net.mean.device)
            features += net.features(pictures.float() / 255)
        return torch.cat(features)

    def _maps(
        self, name: str, net: PlusNet, graphs: list[list[View]], rows: Rows, features: Tensor
    ) -> ClassMaps:
        """A network's class maps of targets, of the features of all frames."""
        of_node = {view: row for row, view in enumerate(sorted({v for g in graphs for v in g}))}
        nodes = self._nodes(name, net, [*of_node], rows, features)
        chosen = torch.tensor([[of_node[view] for view in graph] for graph in graphs])
        maps = net.attend(*(nodes.at(column) for column in chosen.to(features.device).unbind(1)))
        return net.target_maps(maps)

    def _nodes(
        self, name: str, net: PlusNet, views: Sequence[View], rows: Rows, features: Tensor
    ) -> Nodes:
        def at(offset: int) -> Tensor:
            return features[[rows[View(view.moment, view.offset + offset)] for view in views]]

        if isinstance(net, STPlus):
            before, target, after = map(at, TRIPLET)
            around = (net.head.classifier(frames) for frames in (before, after))
            return net.head.join(next(around), net.head.look(target), next(around))
        if isinstance(net, SPlus):
            return net.head.see(at(0))
        assert isinstance(net, SAPlus)
        data = self._data[name]
        heard = torch.from_numpy(np.concatenate([data.heard(view) for view in views]))
        audible = torch.tensor([data.has_sound(view.moment) for view in views])
        sound = net.sound_encoder(heard.to(features.device))
        return net.head.see(at(0), sound, audible.to(features.device).float())


def partners_of(name: str) -> Partners:
    """The partners of a network by its name in a run, such as ``"S+/short"``."""
    _, _, partners = name.partition("/")
    return partners  # type: ignore[return-value]


def _moments_of(
    name: str, net: PlusNet, prepared: Path, split: Split, of_one_clip: bool
) -> Moments:
    partners = partners_of(name)
    return Moments(
        prepared,
        split,
        size=net.input_size,
        frames=3 if isinstance(net, STPlus) else 1,
        windows=net.windows,
        partners="long" if partners == "cross" and of_one_clip else partners,
        as_released=net.published,
    )


def _frames(net: PlusNet, view: View) -> list[View]:
    """The frames of a node."""
    offsets = TRIPLET if isinstance(net, STPlus) else (0,)
    return [View(view.moment, view.offset + offset) for offset in offsets]
