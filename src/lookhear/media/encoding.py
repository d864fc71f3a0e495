"""Video that is encoded while more of it is made."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from lookhear.media.picture import Planes
from lookhear.media.write import VideoWriter

MOST_ENCODING = 4  # frames on their way to the encoder


@contextmanager
def encoding(writer: VideoWriter) -> Iterator[Callable[[Planes, float, float], None]]:
    """Open a video that is encoded in a thread of its own, as that takes the most time.

    It gives what takes a frame, as `VideoWriter.write_yuv420` does, and waits while several are
    under way.
    """
    waiting: deque[Future[None]] = deque()
    with writer, ThreadPoolExecutor(1, "lookhear-encoder") as encoder:

        def write(planes: Planes, time: float, duration: float) -> None:
            waiting.append(encoder.submit(writer.write_yuv420, planes, time, duration))
            if len(waiting) > MOST_ENCODING:
                waiting.popleft().result()

        try:
            yield write
            for frame in waiting:
                frame.result()
        finally:
            encoder.shutdown(cancel_futures=True)
