"""The same work on many things: in this process, in several, on a Ray cluster; or ahead of time."""

import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import cv2

from lookhear.errors import LookhearError, one_line

Task = TypeVar("Task")
Result = TypeVar("Result")

LOCAL = "local"  # for a cluster's address: one that Ray starts on this machine
ANY = "auto"  # for a cluster's address: the one that runs on this machine
KNOCK_SECONDS = 5.0
QUIETLY: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ahead(things: Iterator[Result], count: int) -> Generator[Result, None, None]:
    """Give the same things, made in a thread of its own, at most two times ``count`` early."""
    with ThreadPoolExecutor(1, "lookhear-ahead") as maker:

        def begin() -> Future[list[Result]]:
            return maker.submit(lambda: [*islice(things, count)])

        under_way = begin()
        while made := under_way.result():
            under_way = begin()
            yield from made


def in_parallel(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    ray_address: str | None = None,
) -> Iterator[Result]:
    """Do the tasks and give each one's result when it is ready, in any order.

    Args:
        work: a function of a module; it, the tasks and the results are pickled where processes
            are involved. What it raises is raised here, and the tasks that are left are dropped.
        tasks: what to do it on.
        workers: how many tasks are done at the same time, each by a process of its own; 1 does
            them in this one, unless there is a cluster.
        ray_address: of a Ray cluster to do them on, or `LOCAL` for one started here; its machines
            must see the same files under the same names.

    Raises:
        LookhearError: A worker died, there is no Ray, or no cluster at its address.
    """
    if not tasks:
        return
    if ray_address is not None:
        yield from _on_ray(work, tasks, workers, ray_address)
    elif workers == 1 or len(tasks) <= 1:
        yield from map(work, tasks)
    else:
        yield from _in_processes(work, tasks, workers)


def _in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    # Not forked: FFmpeg and OpenCV have threads, whose locks a fork would copy.
    context = multiprocessing.get_context("spawn")
    others = {*multiprocessing.active_children()}
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker)
    try:
        for done in as_completed([pool.submit(work, task) for task in tasks]):
            yield done.result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise LookhearError("a worker process died, maybe for lack of memory; run again") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in {*multiprocessing.active_children()} - others:
            worker.terminate()  # what it is at is not wanted any more


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """Leave when the parent was killed, which would else go unnoticed, with work half done."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _on_ray(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, address: str
) -> Iterator[Result]:
    with _cluster(address, workers) as ray:
        remote = ray.remote(_on_one_core)
        left = iter(tasks)
        running = [remote.remote(work, task) for task in islice(left, workers)]
        while running:
            done, running = ray.wait(running)
            running += [remote.remote(work, task) for task in islice(left, len(done))]
            yield from ray.get(done)


def _on_one_core(work: Callable[[Task], Result], task: Task) -> Result:
    cv2.setNumThreads(1)
    return work(task)


@contextmanager
def _cluster(address: str, workers: int) -> Iterator[Any]:
    """Give the module `ray`, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unasked
    try:
        import ray
    except ModuleNotFoundError as error:
        raise LookhearError("--ray needs Ray: pip install 'lookhear[ray]'") from error
    try:
        if address == LOCAL:
            ray.init(LOCAL, num_cpus=workers, include_dashboard=False, **QUIETLY)
        else:
            _knock(address)
            ray.init(address, **QUIETLY)
    except (OSError, RuntimeError, ValueError) as error:
        raise LookhearError(
            f"--ray {address}: no Ray cluster that takes us ({one_line(error)})"
        ) from error
    try:
        yield ray
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise LookhearError(
            f"--ray {address}: the cluster failed ({one_line(error)}); run again"
        ) from error
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See whether anything answers at a cluster's address, for which Ray itself waits minutes."""
    if address != ANY:
        place = urlsplit(f"//{address.removeprefix('ray://')}")
        if not (place.hostname and place.port):
            raise ValueError("give HOST:PORT, auto or local")
        socket.create_connection((place.hostname, place.port), KNOCK_SECONDS).close()
