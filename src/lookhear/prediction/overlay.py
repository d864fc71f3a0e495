"""The clip with attention laid over it: every frame gets the map of its own time."""

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookhear.maps import Maps, between
from lookhear.media import Clip, Frame
from lookhear.prediction.stream import Glimpse
from lookhear.show import heat
from lookhear.show.films import Film, film_names, open_films

LOOKS = {"overlay": heat.HEAT_LOOK}
VIDEO = "overlay.mp4"
OVERLAY_NAMES = {VIDEO, "overlay.png"}


class Overlay:
    """Gives each frame of a clip the map of its time.

    Maps are fewer than frames: between two of them attention is interpolated, and a frame waits
    until the map after it is there.

    Attributes:
        name: of the file that is made; None if there is none.
    """

    def __init__(self, film: Film | None = None, name: str | None = None) -> None:
        self.name = name
        self._film = film
        self._waiting: deque[Frame] = deque()
        self._heats: deque[tuple[float, Maps]] = deque()

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame."""
        if self._film:
            self._waiting.append(frame)

    def add_map(self, glimpse: Glimpse) -> None:
        """Take the next map, of a frame that was added before; write the frames up to its time."""
        if self._film:
            self._heats.append((glimpse.time, heat.shown(glimpse.map)))
            self.write(until=glimpse.time)

    def write(self, until: float) -> None:
        """Write the frames that wait, up to a time in seconds."""
        while self._film and self._waiting and self._waiting[0].time <= until:
            frame = self._waiting.popleft()
            self._film(frame, [self._heat_at(frame.time)])

    def _heat_at(self, time: float) -> Maps:
        while len(self._heats) > 1 and self._heats[1][0] <= time:
            self._heats.popleft()
        (start, before), (end, after) = self._heats[0], self._heats[min(1, len(self._heats) - 1)]
        return between(before, after, (time - start) / (end - start)) if end > start else before


@contextmanager
def open_overlay(folder: Path, wanted: bool, clip: Clip) -> Iterator[Overlay]:
    """Start the overlay of a clip, a video or a picture; or one of nothing, if none is wanted."""
    if not wanted:
        yield Overlay()
        return
    ((name,),) = film_names(clip, ["video"], LOOKS)
    with open_films(folder, clip, ["video"], looks=LOOKS) as film:
        overlay = Overlay(film, name)
        yield overlay
        overlay.write(until=math.inf)
