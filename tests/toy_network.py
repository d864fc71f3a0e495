"""A network that tests register: where pictures are bright, in the mean of five looks."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from lookhear.maps import Maps
from lookhear.nets.kinds import WatchingNetwork


class Brightness(WatchingNetwork):
    def __init__(self, side: int = 8) -> None:
        super().__init__()
        self.side = side
        self.weight = torch.nn.Parameter(torch.ones(1))

    def watcher(self) -> "BrightnessWatcher":
        return BrightnessWatcher(self.side, self.weight.item())


class BrightnessWatcher:
    reach = 2
    windows = None

    def __init__(self, side: int, weight: float) -> None:
        self.side = side
        self.weight = weight

    def size_for(self, height: float, width: float) -> tuple[int, int]:  # noqa: ARG002
        return self.side, self.side

    def see(self, pictures: Maps, *sounds: Any) -> Sequence[Maps]:
        assert sounds == (None, None)
        return [*(self.weight * pictures.astype(np.float32).mean(-1) / 255)]

    def attend(self, moments: Sequence[tuple[Maps, ...]]) -> Maps:
        return np.asarray(moments).mean(1)

    def half_the_cores(self) -> AbstractContextManager[None]:
        return nullcontext()
