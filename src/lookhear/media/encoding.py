"""Video that is encoded while more of it is made."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from lookhear.media.picture import Planes
from lookhear.media.write import VideoWriter

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
