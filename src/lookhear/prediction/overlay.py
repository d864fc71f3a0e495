"""The clip with attention laid over it: every frame gets the map of its own time."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from lookhear.maps import Maps, between
from lookhear.media import Clip, Frame, Planes, VideoWriter
from lookhear.prediction.stream import Glimpse
from lookhear.show import heat

MOST_ENCODING = 4  # frames on their way to the encoder


class Encoding:
    """A video that is encoded in a thread of its own; use it in a ``with`` statement.

    Encoding takes the most time; decoding and blending go on meanwhile.
    """

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self._encoder = ThreadPoolExecutor(1, "lookhear-encoder")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind is None:
                self._await(left=0)
            self._encoder.shutdown(cancel_futures=True)
        except BaseException as failure:
            self._encoder.shutdown(cancel_futures=True)
            self._writer.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._writer.__exit__(kind, *error)

    def write(self, planes: Planes, time: float, duration: float) -> None:
        """Hand over a frame, see `VideoWriter.write_yuv420`; waits while several are under way."""
        self._waiting.append(
            self._encoder.submit(self._writer.write_yuv420, planes, time, duration)
        )
        self._await(left=MOST_ENCODING)

    def _await(self, left: int) -> None:
        while len(self._waiting) > left:
            self._waiting.popleft().result()


class OverlayFile:
    """What becomes of a clip's frames and maps as a picture; this one makes nothing."""

    name: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        return None

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame."""

    def add_map(self, glimpse: Glimpse) -> None:
        """Take the next map, of a frame that was added before."""


class OverlayPicture(OverlayFile):
    """A still picture under its one map, as PNG."""

    name = "overlay.png"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.name
        self._frame: Frame | None = None

    def add_frame(self, frame: Frame) -> None:
        """Take the picture."""
        self._frame = frame

    def add_map(self, glimpse: Glimpse) -> None:
        """Take its map, and write."""
        if self._frame:
            blended = heat.blend_rgb(self._frame.rgb(), heat.shown(glimpse.map))
            self._path.write_bytes(heat.encode_png(blended))


class OverlayVideo(OverlayFile):
    """Every frame of a clip under attention, with the clip's sound.

    Maps are fewer than frames: between two of them attention is interpolated, and a frame waits
    until the map after it is there.
    """

    name = "overlay.mp4"

    def __init__(self, folder: Path, clip: Clip) -> None:
        writer = VideoWriter(
            folder / self.name,
            clip.width,
            clip.height,
            frame_rate=clip.frame_rate,
            sample_aspect_ratio=clip.sample_aspect_ratio,
            matrix=clip.matrix,
            sound=clip,
        )
        self._video = Encoding(writer)
        self._blender = heat.Overlay(writer.height, writer.width, clip.matrix)
        self._matrix = clip.matrix
        self._waiting: deque[Frame] = deque()
        self._heats: deque[tuple[float, Maps]] = deque()

    def __enter__(self) -> Self:
        self._video.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind is None:
                self._write(until=float("inf"))
        except BaseException as failure:
            self._video.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._video.__exit__(kind, *error)

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame."""
        self._waiting.append(frame)

    def add_map(self, glimpse: Glimpse) -> None:
        """Take the next map; write the frames up to its time."""
        self._heats.append((glimpse.time, heat.shown(glimpse.map)))
        self._write(until=glimpse.time)

    def _write(self, until: float) -> None:
        while self._waiting and self._waiting[0].time <= until:
            frame = self._waiting.popleft()
            planes = self._blender.blend(*frame.yuv420(self._matrix), self._heat_at(frame.time))
            self._video.write(planes, frame.time, frame.duration)

    def _heat_at(self, time: float) -> Maps:
        while len(self._heats) > 1 and self._heats[1][0] <= time:
            self._heats.popleft()
        (start, before), (end, after) = self._heats[0], self._heats[min(1, len(self._heats) - 1)]
        return between(before, after, (time - start) / (end - start)) if end > start else before


def open_overlay(folder: Path, wanted: bool, clip: Clip) -> OverlayFile:
    """Choose the overlay that suits the clip."""
    if not wanted:
        return OverlayFile()
    return OverlayPicture(folder) if clip.is_still else OverlayVideo(folder, clip)


OVERLAY_NAMES = {OverlayPicture.name, OverlayVideo.name}
