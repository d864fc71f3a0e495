"""The main job: a clip goes in, attention maps come out, in bounded memory.

Frames are looked at a few times a second. Each becomes features once; three neighbours make a
moment, and the network says of the middle one where people look. While the network works on one
batch in a thread of its own, the clip is decoded on.
"""

import logging
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from lookhear.errors import LookhearError
from lookhear.media import Clip, Frame, SoundWindows, open_clip, shaped_like
from lookhear.media.spectrogram import log_spectrogram
from lookhear.media.ticks import Due
from lookhear.nets.saved import load_model
from lookhear.stanet.sta import STA, Seen

MAPS_PER_SECOND = 3.0  # people make about three fixations a second: a map for each
BATCH_SIZE = 4
BATCHES_UNDER_WAY = 2
COARSEST_STRIDE = 32

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
        maps: (T, H, W), float32, 0 to 1. H and W are the network's own grid, one value for each
            8 x 8 pixels that it saw; :func:`lookhear.maps.resize` takes them to picture size.
        times: (T,), float64, seconds on the clip's clock.
        problems: what of the clip could not be decoded, a line each.
    """

    maps: NDArray[np.float32]
    times: NDArray[np.float64]
    problems: tuple[str, ...]


def predict(
    path: str | Path,
    model: str | Path | STA = "small",
    *,
    fps: float = MAPS_PER_SECOND,
    every: int | None = None,
    device: str = "cpu",
    batch_size: int = BATCH_SIZE,
) -> Prediction:
    """Predict where people look in a clip, and hold all maps in memory.

    Args:
        path: a video, picture, animation, or folder of numbered frames.
        model: a loaded network, or what :func:`lookhear.load_model` takes.
        fps: maps a second, each of the first frame at or after its tick. The neighbours of a
            moment are the frames looked at just before and after, so they are this far apart.
        every: instead, a map of every so many frames.
        device: where the network runs, unless it is loaded already.
        batch_size: frames that go through the network together.

    Raises:
        LookhearError: the clip or the model cannot be used; one line says why.
    """
    clip = open_clip(path)
    glimpses = glance(clip, _loaded(model, device), fps, every, batch_size)
    maps, times = zip(*((glimpse.map, glimpse.time) for glimpse in glimpses), strict=True)
    return Prediction(np.stack(maps), np.array(times), tuple(clip.problems))


def stream(
    path: str | Path,
    model: str | Path | STA = "small",
    *,
    fps: float = MAPS_PER_SECOND,
    every: int | None = None,
    device: str = "cpu",
    batch_size: int = BATCH_SIZE,
) -> Iterator[Glimpse]:
    """Predict as :func:`predict` does, one map at a time, in memory that does not grow.

    What could not be decoded is logged.

    Raises:
        LookhearError: the clip or the model cannot be used; one line says why.
    """
    return glance(open_clip(path), _loaded(model, device), fps, every, batch_size)


def glance(
    clip: Clip, net: STA, fps: float, every: int | None, batch_size: int
) -> Iterator[Glimpse]:
    """Give the maps of an open clip, in the order of time."""
    with Attention(clip, net, fps=fps, every=every, batch_size=batch_size) as attention:
        for frame in clip.frames():
            yield from attention.push(frame)
        yield from attention.finish()
    for problem in clip.problems:
        log.warning("%s: %s", clip.path, problem)


class Attention:
    """Turns the frames of one clip into maps: push every frame, finish once.

    Maps come out late: a moment needs the frame after it, and frames go through the network in
    batches. At most ``BATCHES_UNDER_WAY`` batches are under way, so memory stays flat.
    """

    def __init__(
        self,
        clip: Clip,
        net: STA,
        *,
        fps: float = MAPS_PER_SECOND,
        every: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        if not 0 < fps < math.inf or (every is not None and every < 1) or batch_size < 1:
            raise LookhearError("fps must be above 0, every and batch_size at least 1")
        if net.training:
            raise LookhearError("the network is in training mode; call its eval() first")
        self._net = net
        self._size = input_size(net, clip.height, float(clip.width * clip.sample_aspect_ratio))
        self._sound = SoundWindows(clip.sound()) if net.sound_encoder and clip.has_sound else None
        self._every = every
        self._batch_size = batch_size
        self._due = Due(fps)
        self._batch: list[_Frame] = []
        self._under_way: deque[Future[list[Glimpse]]] = deque()
        self._window: tuple[list[_Look], list[Seen]] = [], []  # the last two looks
        # A network that wants every core waits at each of its layers for those that decode.
        self._threads = torch.get_num_threads()
        self._worker = ThreadPoolExecutor(
            1, "lookhear-network", torch.set_num_threads, (max(1, self._threads // 2),)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads)  # else the worker's number stays for new threads

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

    @torch.inference_mode()
    def _attend(self, batch: list["_Frame"], last: bool) -> list[Glimpse]:
        """See a batch; return the maps of all whose neighbours on both sides have been seen."""
        looks, window = self._window
        if batch:
            new_looks, new_seen = self._see(batch)
            if not looks:  # the first look stands in for the one before it
                looks, window = new_looks[:1], [new_seen.at(slice(1))]
            looks, window = looks + new_looks, [*window, new_seen]
        if not looks:
            return []
        if last:  # and the last for the one after it
            looks, window = looks + looks[-1:], [*window, window[-1].at(slice(-1, None))]
        seen = Seen.cat(window)
        self._window = looks[-2:], [seen.at(slice(-2, None))]
        if len(looks) < 3:
            return []
        maps = self._net.attend(
            seen.at(slice(None, -2)), seen.at(slice(1, -1)), seen.at(slice(2, None))
        )
        return [
            Glimpse(look.time, attention, look.picture)
            for look, attention in zip(looks[1:-1], maps.float().cpu().numpy(), strict=True)
        ]

    def _see(self, batch: list["_Frame"]) -> tuple[list["_Look"], Seen]:
        net, device = self._net, self._net.mean.device
        looks = [_Look(frame.time, frame.rgb(self._size)) for frame, _ in batch]
        pictures = torch.from_numpy(np.stack([look.picture for look in looks])).to(device)
        frames = pictures.permute(0, 3, 1, 2).float().div_(255)
        waves = [wave for _, wave in batch if wave is not None]
        if not waves or net.sound_encoder is None:
            return looks, net.see(frames)
        windows = net.sound_encoder.windows
        heard = np.stack([log_spectrogram(wave, *windows) for wave in waves])
        switch = torch.tensor([float(wave.any()) for wave in waves], device=device)
        return looks, net.see(frames, torch.from_numpy(heard).to(device), switch)


class _Frame(NamedTuple):
    """A frame to look at, and the second of sound around it, (16000,)."""

    frame: Frame
    wave: NDArray[np.float32] | None


class _Look(NamedTuple):
    """What is kept of a frame that was looked at: seconds, and (h, w, 3) uint8 RGB."""

    time: float
    picture: NDArray[np.uint8]


def input_size(net: STA, height: float, width: float) -> tuple[int, int]:
    """Choose the size, in pixels, at which a network looks at pictures of this shape."""
    if not net.keep_aspect:
        return net.input_size
    return shaped_like(height, width, net.input_size, COARSEST_STRIDE)


def _loaded(model: str | Path | STA, device: str) -> STA:
    return (model if isinstance(model, STA) else load_model(model, device)).folded()
