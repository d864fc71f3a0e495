"""How a network's maps of classes are made, window by window: as a tube, or by a method of CAM."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookhear.cam import class_activation, find_layer, layer_named, prediction_layer
from lookhear.cam.watched import Watched
from lookhear.errors import LookhearError

TUBE = "tube"
Grids = NDArray[np.float32]
"""Maps of L classes in B windows, (B, L, t, h, w), on the layer's grid and in its own unit."""


class View(ABC):
    """Looks at windows, and tells where classes are seen in them; use it in a ``with`` statement.

    Its ``layer`` is the dotted name of the one whose activations are weighed, its ``head`` that of
    the prediction layer whose weights are taken, or None if the method takes others.
    """

    head: str | None = None

    def __init__(self, net: nn.Module, layer: str) -> None:
        layer_named(net, layer)
        self._net, self.layer = net, layer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    @abstractmethod
    def look(self, inputs: Tensor) -> Tensor:
        """Return the logits (B, K) of the next windows of the clip."""

    @abstractmethod
    def grids(self, inputs: Tensor, classes: Sequence[int]) -> Grids:
        """Return the maps of some windows."""


class TubeView(View):
    """Activations weighed by the prediction layer: no pass but the one that finds the classes.

    Which classes are wanted may depend on the last window, so activations wait on the disk.
    """

    def __init__(self, net: nn.Module, layer: str, inputs: Tensor) -> None:
        """Find the prediction layer by what the network makes of some windows.

        Raises:
            LookhearError: there is none that is linear and comes straight after the pooling.
        """
        super().__init__(net, layer)
        self.head = prediction_layer(net, inputs, layer)
        predicting = net.get_submodule(self.head)
        assert isinstance(predicting.weight, Tensor)
        self._weights = predicting.weight.detach().flatten(1).float().cpu().numpy()  # (K, C)
        self._watched = Watched(net, layer)
        self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 (closed on leaving)

    def __exit__(self, *_: Any) -> None:
        self._waiting.close()

    def look(self, inputs: Tensor) -> Tensor:
        """See `View`."""
        logits, features = self._see(inputs)
        try:
            np.save(self._waiting, features)
        except OSError as error:
            raise LookhearError(
                f"{tempfile.gettempdir()}: no room for the activations of the clip "
                f"({error.strerror}); set TMPDIR to a folder with more"
            ) from error
        return logits

    def grids(self, inputs: Tensor, classes: Sequence[int]) -> Grids:
        """See `View`."""
        return self._weighed(self._see(inputs)[1], classes)

    def grids_so_far(self, classes: Sequence[int]) -> Iterator[Grids]:
        """Give the maps of all windows of the clip that were looked at."""
        end = self._waiting.tell()
        self._waiting.seek(0)
        while self._waiting.tell() < end:
            yield self._weighed(np.load(self._waiting), classes)

    @torch.no_grad()
    def _see(self, inputs: Tensor) -> tuple[Tensor, NDArray[np.float32]]:
        logits = self._watched(inputs)
        self._watched.check("its features", self._watched.features)
        self._watched.check("its scores", logits)
        features = self._watched.features.float().cpu().numpy()
        return logits, features if inputs.ndim == 5 else features[:, :, None]

    def _weighed(self, features: NDArray[np.float32], classes: Sequence[int]) -> Grids:
        chosen = self._weights[[*classes]]
        grids: Grids = np.einsum("lc,bcthw->blthw", chosen, features, optimize=True)
        return grids


class MethodView(View):
    """Maps by one of `lookhear.cam.METHODS`, which takes passes of its own for each class."""

    def __init__(self, net: nn.Module, layer: str, method: str) -> None:
        super().__init__(net, layer)
        self._method = method

    @torch.no_grad()
    def look(self, inputs: Tensor) -> Tensor:
        """See `View`."""
        logits: Tensor = self._net(inputs)
        return logits

    def grids(self, inputs: Tensor, classes: Sequence[int]) -> Grids:
        """See `View`."""
        of_classes = [
            class_activation(self._net, inputs, of_class, self._method, layer=self.layer)
            for of_class in (torch.full((len(inputs),), index) for index in classes)
        ]
        grids = torch.stack(of_classes, 1).cpu().numpy()
        return grids if inputs.ndim == 5 else grids[:, :, None]


def view_of(
    net: nn.Module, method: str, layer: str | None, inputs: Tensor
) -> TubeView | MethodView:
    """Choose how a network's maps are made: by `TUBE`, or a method of `lookhear.cam.METHODS`.

    Without the dotted name of a layer it is one that suits what the network makes of ``inputs``.

    Raises:
        LookhearError: there is no such layer, or the method does not fit the network.
    """
    layer = find_layer(net, inputs) if layer is None else layer
    return TubeView(net, layer, inputs) if method == TUBE else MethodView(net, layer, method)
