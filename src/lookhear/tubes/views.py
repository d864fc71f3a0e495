"""How a network's maps of classes are made, window by window: as a tube, or by a method of CAM."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookhear.cam import class_activation, prediction_layer
from lookhear.cam.watched import Watched
from lookhear.errors import LookhearError

TUBE = "tube"
Maps = NDArray[np.float32]
"""Of L classes in B windows, (B, L, t, h, w), on the layer's grid and in its own unit."""


class View(Protocol):
    """Looks at batches of windows, and tells where classes were seen in them.

    Attributes:
        head: the prediction layer whose weights are taken; None if the method takes others.
    """

    head: str | None

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: Any) -> None: ...

    def look(self, inputs: Tensor) -> Tensor:
        """Return the logits (B, K) of the next windows."""

    def maps(self, classes: Sequence[int], batches: Iterable[Tensor]) -> Iterator[Maps]:
        """Give the maps of all batches that were looked at, which are given once more."""

    def maps_of(self, inputs: Tensor, classes: Sequence[int]) -> Maps:
        """Return the maps of some windows."""


class TubeView:
    """Activations weighed by the prediction layer: no pass but the one that finds the classes.

    Which classes are wanted may depend on the last window, so activations wait on the disk.
    """

    head: str | None

    def __init__(self, net: nn.Module, layer: str, inputs: Tensor) -> None:
        """Find the prediction layer by what the network makes of some windows.

        Raises:
            LookhearError: there is none that is linear and comes straight after the pooling.
        """
        self.head = prediction_layer(net, inputs, layer)
        predicting = net.get_submodule(self.head)
        assert isinstance(predicting.weight, Tensor)
        self._weights = predicting.weight.detach().flatten(1).float().cpu().numpy()  # (K, C)
        self._watched = Watched(net, layer)
        self._waiting = tempfile.TemporaryFile()  # noqa: SIM115 (it is this that is entered)

    def __enter__(self) -> Self:
        return self

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

    def maps(self, classes: Sequence[int], batches: Iterable[Tensor]) -> Iterator[Maps]:
        """See `View`."""
        del batches
        end = self._waiting.tell()
        self._waiting.seek(0)
        while self._waiting.tell() < end:
            yield self._weighed(np.load(self._waiting), classes)

    def maps_of(self, inputs: Tensor, classes: Sequence[int]) -> Maps:
        """See `View`."""
        return self._weighed(self._see(inputs)[1], classes)

    @torch.no_grad()
    def _see(self, inputs: Tensor) -> tuple[Tensor, NDArray[np.float32]]:
        logits = self._watched(inputs)
        self._watched.check("its features", self._watched.features)
        self._watched.check("its scores", logits)
        features = self._watched.features.float().cpu().numpy()
        return logits, features if inputs.ndim == 5 else features[:, :, None]

    def _weighed(self, features: NDArray[np.float32], classes: Sequence[int]) -> Maps:
        chosen = self._weights[[*classes]]
        maps: Maps = np.einsum("lc,bcthw->blthw", chosen, features, optimize=True)
        return maps


class MethodView:
    """Maps by one of `lookhear.cam.METHODS`, which takes passes of its own for each class."""

    head: str | None = None

    def __init__(self, net: nn.Module, layer: str, method: str) -> None:
        self._net = net
        self._layer = layer
        self._method = method

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    @torch.no_grad()
    def look(self, inputs: Tensor) -> Tensor:
        """See `View`."""
        logits: Tensor = self._net(inputs)
        return logits

    def maps(self, classes: Sequence[int], batches: Iterable[Tensor]) -> Iterator[Maps]:
        """See `View`."""
        for inputs in batches:
            yield self.maps_of(inputs, classes)

    def maps_of(self, inputs: Tensor, classes: Sequence[int]) -> Maps:
        """See `View`."""
        of_classes = [
            class_activation(
                self._net,
                inputs,
                torch.full((len(inputs),), index),
                self._method,
                layer=self._layer,
            )
            for index in classes
        ]
        maps = torch.stack(of_classes, 1).cpu().numpy()
        return maps if inputs.ndim == 5 else maps[:, :, None]
