"""How a network watches a clip: it sees each frame once, and then attends to moments of them.

Arrays in, arrays out, so that a network may run in another engine than PyTorch.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lookhear.maps import Maps
from lookhear.media import shaped_like
from lookhear.media.spectrogram import Stft

LEAST_INPUT, MOST_INPUT = 32, 4096  # pixels a side
SIDE_STEP = 32  # pixels; the sides of pictures that keep their shape are multiples of it

Look: TypeAlias = Any
"""What a watcher keeps of a frame that it has seen: its own affair."""

Moment: TypeAlias = tuple[int, ...]
"""Keys of the frames that a map is made of, in the order of time; the map is the middle one's."""


@runtime_checkable
class Watcher(Protocol):
    """Runs a network over a clip.

    Attributes:
        reach: how many frames before and as many after its own a map is made of.
        windows: of the spectrogram that the network hears; None if it is deaf.
    """

    @property
    def reach(self) -> int: ...  # noqa: D102

    @property
    def windows(self) -> Stft | None: ...  # noqa: D102

    def size_for(self, height: float, width: float) -> tuple[int, int]:
        """Choose the height and width, in pixels, at which pictures of this shape are seen."""
        ...

    def see(
        self,
        pictures: NDArray[np.uint8],
        spectrograms: NDArray[np.float32] | None = None,
        audible: NDArray[np.float32] | None = None,
    ) -> Sequence[Look]:
        """Do once per frame all that needs no other frame.

        Args:
            pictures: (N, h, w, 3), RGB, of a size that ``size_for`` gave.
            spectrograms: of the second around each frame, (N, frequencies, times); None for
                silence.
            audible: (N,), 1 where there is anything to hear, else 0; None if there is everywhere.

        Returns:
            A look for each frame.
        """
        ...

    def attend(self, moments: Sequence[tuple[Look, ...]]) -> Maps:
        """Say where people look.

        Args:
            moments: the looks of 2 x reach + 1 frames each, in the order of time.

        Returns:
            Attention to the middle frame of each, (B, h, w), from 0 to 1, on a grid of the
            watcher's own; :func:`lookhear.maps.enlarge` takes it to the size of a picture.
        """
        ...

    def half_the_cores(self) -> AbstractContextManager[None]:
        """Make what leaves, within, half of the cores to others; to be entered time and again."""
        ...


@dataclass(frozen=True)
class Eye:
    """How large a network sees pictures.

    Attributes:
        input_size: height and width, in pixels, of the pictures it was trained on.
        keep_aspect: whether pictures keep their shape at that area, or are stretched to that size.
    """

    input_size: tuple[int, int]
    keep_aspect: bool

    @classmethod
    def checked(cls, input_size: Sequence[int], keep_aspect: bool) -> "Eye":
        """Take what a stranger's file says.

        Raises:
            ValueError: no network sees so.
        """
        rows, columns = input_size
        if not (LEAST_INPUT <= rows <= MOST_INPUT and LEAST_INPUT <= columns <= MOST_INPUT):
            raise ValueError(
                f"input_size must be two sides from {LEAST_INPUT} to {MOST_INPUT}, not {input_size}"
            )
        return cls((int(rows), int(columns)), bool(keep_aspect))

    def size_for(self, height: float, width: float) -> tuple[int, int]:
        """See :meth:`Watcher.size_for`."""
        if not self.keep_aspect:
            return self.input_size
        return shaped_like(height, width, self.input_size, SIDE_STEP)


class Watch:
    """A watcher over one clip, and the looks that it still needs. Frames go by a number each."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._looks: dict[int, Look] = {}

    def unseen(self, keys: Iterable[int]) -> list[int]:
        """Return those of some frames that have not been seen, or are forgotten, in order."""
        return sorted({*keys} - self._looks.keys())

    def see(
        self,
        keys: Sequence[int],
        pictures: NDArray[np.uint8],
        spectrograms: NDArray[np.float32] | None = None,
        audible: NDArray[np.float32] | None = None,
    ) -> None:
        """See frames; see :meth:`Watcher.see`."""
        looks = self._watcher.see(pictures, spectrograms, audible)
        self._looks.update(zip(keys, looks, strict=True))

    def attend(self, moments: Iterable[Moment]) -> Maps:
        """Return the maps (B, h, w) of moments of which all frames have been seen."""
        return self._watcher.attend([tuple(self._looks[key] for key in keys) for keys in moments])

    def forget(self, before: int) -> None:
        """Drop the looks at frames of a lower number."""
        self._looks = {key: look for key, look in self._looks.items() if key >= before}


def moment(index: int, count: int, reach: int, step: int = 1) -> Moment:
    """Choose the frames around one; the first and the last stand in for those beyond.

    Args:
        index: of the frame.
        count: of all frames.
        reach: how many before and after.
        step: how many frames lie from one to the next.
    """
    steps = range(-reach * step, reach * step + 1, step)
    return tuple(min(max(index + shift, 0), count - 1) for shift in steps)
