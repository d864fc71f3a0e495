"""The main job: a clip goes in, attention maps come out, in bounded memory.

Frames are looked at a few times a second. Each becomes features once; neighbours make a moment, and
the network says of the middle one where people look. While the network works on one batch in a
thread of its own, the clip is decoded on.
"""

import logging
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.media import Clip, Frame, SoundWindows, open_clip
from lookhear.media.spectrogram import log_spectrogram
from lookhear.media.ticks import Due
from lookhear.nets import Engine
from lookhear.nets.saved import load_watcher
from lookhear.nets.watching import Watch, Watcher, moment

if TYPE_CHECKING:
    from lookhear.nets.kinds import WatchingNetwork

MAPS_PER_SECOND = 3.0  # people make about three fixations a second: a map for each
BATCH_SIZE = 4
BATCHES_UNDER_WAY = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Glimpse:
    """Where people look at one time.

    Attributes:
        time: seconds on the clip's clock.
        map: attention (H, W), float32, 0 to 1.
        picture: the frame as the network saw it, (h, w, 3) uint8 RGB.
    """

    time: float
    map: NDArray[np.float32]
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """Where people look throughout a clip.

    Attributes:
        maps: (T, H, W), float32, 0 to 1. H and W are the network's own grid, of STA one value for
            each 8 x 8 pixels that it saw; :func:`lookhear.maps.enlarge` takes them to picture size.
        times: (T,), float64, seconds on the clip's clock.
        problems: what of the clip could not be decoded, a line each.
    """

    maps: NDArray[np.float32]
    times: NDArray[np.float64]
    problems: tuple[str, ...]


def predict(
    path: str | Path,
    model: "str | Path | WatchingNetwork | Watcher" = "small",
    *,
    fps: float = MAPS_PER_SECOND,
    every: int | None = None,
    device: str | None = None,
    engine: Engine | None = None,
    batch_size: int = BATCH_SIZE,
) -> Prediction:
    """Predict where people look in a clip, and hold all maps in memory.

    Args:
        path: a video, picture, animation, or folder of numbered frames.
        model: what :func:`lookhear.load_model` takes or gives, a file of :func:`lookhear.export`,
            or any :class:`~lookhear.nets.watching.Watcher`.
        fps: maps a second, each of the first frame at or after its tick. The neighbours of a
            moment are the frames looked at just before and after, so they are this far apart.
        every: instead, a map of every so many frames.
        device: where the network runs, unless it is loaded already; None for CUDA where there is
            one, else the CPU.
        engine: by what; see :func:`~lookhear.nets.saved.load_watcher`.
        batch_size: frames that go through the network together.

    Raises:
        LookhearError: the clip or the model cannot be used; one line says why.
    """
    clip = open_clip(path)
    glimpses = glance(clip, load_watcher(model, device, engine), fps, every, batch_size)
    maps, times = zip(*((glimpse.map, glimpse.time) for glimpse in glimpses), strict=True)
    return Prediction(np.stack(maps), np.array(times), tuple(clip.problems))


def stream(
    path: str | Path,
    model: "str | Path | WatchingNetwork | Watcher" = "small",
    *,
    fps: float = MAPS_PER_SECOND,
    every: int | None = None,
    device: str | None = None,
    engine: Engine | None = None,
    batch_size: int = BATCH_SIZE,
) -> Iterator[Glimpse]:
    """Predict as :func:`predict` does, one map at a time, in memory that does not grow.

    What could not be decoded is logged.

    Raises:
        LookhearError: the clip or the model cannot be used; one line says why.
    """
    return glance(open_clip(path), load_watcher(model, device, engine), fps, every, batch_size)


def glance(
    clip: Clip, watcher: Watcher, fps: float, every: int | None, batch_size: int
) -> Iterator[Glimpse]:
    """Give the maps of an open clip, in the order of time."""
    with Attention(clip, watcher, fps=fps, every=every, batch_size=batch_size) as attention:
        for frame in clip.frames():
            yield from attention.push(frame)
        yield from attention.finish()
    for problem in clip.problems:
        log.warning("%s: %s", clip.path, problem)


class Attention:
    """Turns the frames of one clip into maps: push every frame, finish once.

    Maps come out late: a moment needs the frames after it, and frames go through the network in
    batches. At most ``BATCHES_UNDER_WAY`` batches are under way, so memory stays flat.
    """

    def __init__(
        self,
        clip: Clip,
        model: "WatchingNetwork | Watcher",
        *,
        fps: float = MAPS_PER_SECOND,
        every: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        if not 0 < fps < math.inf or (every is not None and every < 1) or batch_size < 1:
            raise LookhearError("fps must be above 0, every and batch_size at least 1")
        self._watcher = load_watcher(model)
        self._watch = Watch(self._watcher)
        width = float(clip.width * clip.sample_aspect_ratio)
        self._size = self._watcher.size_for(clip.height, width)
        hears = self._watcher.windows is not None and clip.has_sound
        self._sound = SoundWindows(clip.sound()) if hears else None
        self._every = every
        self._batch_size = batch_size
        self._due = Due(fps)
        self._batch: list[_Frame] = []
        self._under_way: deque[Future[list[Glimpse]]] = deque()
        self._seen = 0
        self._waiting: deque[_Look] = deque()  # the last of those seen
        self._half_the_cores = self._watcher.half_the_cores()
        self._worker = ThreadPoolExecutor(1, "lookhear-network")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)

    def push(self, frame: Frame) -> list[Glimpse]:
        """Take the next frame; return the maps that have become ready."""
        if self._is_due(frame):
            wave = self._sound.window(frame.time) if self._sound else None
            self._batch.append(_Frame(frame, wave))
            if len(self._batch) == self._batch_size:
                self._submit(last=False)
        return self._ready(BATCHES_UNDER_WAY)

    def finish(self) -> list[Glimpse]:
        """Return the maps that are left."""
        self._submit(last=True)
        return self._ready(0)

    def _is_due(self, frame: Frame) -> bool:
        if self._every is not None:
            return frame.index % self._every == 0
        return self._due.by(frame.time) > 0

    def _submit(self, *, last: bool) -> None:
        self._under_way.append(self._worker.submit(self._attend, self._batch, last))
        self._batch = []

    def _ready(self, may_wait: int) -> list[Glimpse]:
        glimpses: list[Glimpse] = []
        while self._under_way and (len(self._under_way) > may_wait or self._under_way[0].done()):
            try:
                glimpses += self._under_way.popleft().result()
            except (RuntimeError, MemoryError) as error:
                reason = str(error).partition("\n")[0]
                raise LookhearError(
                    f"the network failed ({reason}); try a smaller --batch-size"
                ) from error
        return glimpses

    def _attend(self, batch: list["_Frame"], last: bool) -> list[Glimpse]:
        """See a batch; return the maps of all whose neighbours on both sides have been seen."""
        with self._half_the_cores:
            if batch:
                self._see(batch)
            reach, first = self._watcher.reach, self._seen - len(self._waiting)
            targets = range(first, self._seen - (0 if last else reach))
            if not targets:
                return []
            maps = self._watch.attend(moment(index, self._seen, reach) for index in targets)
        self._watch.forget(before=targets.stop - reach)
        looks = [self._waiting.popleft() for _ in targets]
        return [
            Glimpse(look.time, attention, look.picture)
            for look, attention in zip(looks, maps, strict=True)
        ]

    def _see(self, batch: list["_Frame"]) -> None:
        looks = [_Look(frame.time, frame.rgb(self._size)) for frame, _ in batch]
        waves = [wave for _, wave in batch if wave is not None]
        heard = audible = None
        if waves and self._watcher.windows is not None:
            heard = np.stack([log_spectrogram(wave, *self._watcher.windows) for wave in waves])
            audible = np.array([wave.any() for wave in waves], np.float32)
        keys = range(self._seen, self._seen + len(looks))
        self._watch.see(keys, np.stack([look.picture for look in looks]), heard, audible)
        self._seen += len(looks)
        self._waiting += looks


class _Frame(NamedTuple):
    """A frame to look at, and the second of sound around it, (16000,)."""

    frame: Frame
    wave: NDArray[np.float32] | None


class _Look(NamedTuple):
    """What is kept of a frame that was looked at: seconds, and (h, w, 3) uint8 RGB."""

    time: float
    picture: NDArray[np.uint8]
