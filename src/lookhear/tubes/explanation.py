"""The main job of `lookhear explain`: where and when a network sees classes in a clip."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lookhear.cam import METHODS
from lookhear.cam.watched import undisturbed
from lookhear.errors import LookhearError, one_line
from lookhear.media import Clip, open_clip
from lookhear.progress import Bars, Progress, no_bars
from lookhear.show import heat
from lookhear.show.lettering import plain
from lookhear.tubes.faithfulness import Faithfulness, measure_faithfulness, passes
from lookhear.tubes.labels import Label, ask
from lookhear.tubes.networks import Classifier, load_classifier
from lookhear.tubes.tube import Tube, TubeInTime, blended
from lookhear.tubes.views import TUBE, Grids, MethodView, TubeView, View, view_of
from lookhear.tubes.windows import ClipWindows, Selection, Window
from lookhear.words import place_name, time_label

FRAMES_AT_ONCE = 32  # through the network
GREY = 128  # of 255
_METHODS = {name.lower(): name for name in (TUBE, *METHODS)}


@dataclass(frozen=True)
class Explanation:
    """Where and when a network sees classes in a clip.

    Attributes:
        path: of the clip.
        network: by the name that was asked for.
        layer: whose activations were weighed.
        head: the prediction layer, whose weights were taken; None for a method that takes others.
        method: ``tube``, or one of `lookhear.cam.METHODS`.
        labels: the L classes.
        times: (N,) float64, seconds, of the frames that the network saw.
        spans: (W, 2) float64, seconds, of the first and last frame of each window.
        probabilities: (W, L) float32, of the labels in each window.
        tubes: one for each label, of N frames.
        faithfulness: of each label's tube; empty if it was not measured.
        problems: what could not be decoded, a line each.
        fed: with what the network was fed, in words.
    """

    path: Path
    network: str
    layer: str
    head: str | None
    method: str
    labels: tuple[Label, ...]
    times: NDArray[np.float64]
    spans: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    tubes: tuple[Tube, ...]
    faithfulness: tuple[Faithfulness, ...]
    problems: tuple[str, ...]
    fed: str


def explain(
    path: str | Path | Clip,
    network: str | Classifier = "r3d_18",
    *,
    weights: str | Path | None = None,
    categories: str | Path | None = None,
    labels: str | Sequence[str] = "top-1",
    method: str = TUBE,
    layer: str | None = None,
    selection: Selection = "dense",
    fps: float | None = None,
    faithfulness: bool = True,
    device: str | None = None,
    resize: int | None = None,
    crop: int | None = None,
    mean: str | Sequence[float] | None = None,
    std: str | Sequence[float] | None = None,
    outputs: str | None = None,
    progress: Bars = no_bars,
) -> Explanation:
    """Find where and when a network sees classes in a clip, in bounded memory.

    Args:
        path: a video, picture, animation, or folder of numbered frames; or a clip that is open.
        network: one of `lookhear.tubes.networks.NETWORKS`, ``module:factory``, the folder of
            a saved S or SA, or one that is loaded.
        weights: a file, or ``random``; None for the published ones.
        categories: a file of the classes' names, a line each.
        labels: each a name, a number, or ``top-K`` for the K most probable; in all,
            as many as fit a page.
        method: ``tube`` for Saliency Tubes, or one of `lookhear.cam.METHODS`.
        layer: dotted name; None to have it found.
        selection: ``dense`` for windows that overlap by half, ``even`` for one window of frames
            that are spread evenly over the clip, ``script`` for those that the published script
            of Saliency Tubes takes, each the one before its even place.
        fps: frames a second in dense windows; None for what the network was trained with.
        faithfulness: whether deletion and insertion are measured, for each label in the window
            where it is most probable.
        device: where the network runs, unless it is loaded already; None for CUDA where there is
            one, else the CPU.
        resize: how the network is fed; these five as `lookhear.tubes.networks.load_classifier`
            takes them, which loaded this one if it is loaded.
        crop: likewise.
        mean: likewise.
        std: likewise.
        outputs: what the network gives, likewise.
        progress: shows what is done, window by window.

    Raises:
        LookhearError: the clip, network, weights, layer or labels cannot be used, or the method
            does not fit the network; one line says why.
    """
    if method.lower() not in _METHODS:
        raise LookhearError(
            f"method {method!r}: unknown; use one of {', '.join(_METHODS.values())}"
        )
    method = _METHODS[method.lower()]
    if fps is not None and selection in ("even", "script"):
        raise LookhearError(
            f"--fps {fps:g}: is of dense frames; leave it or --frames {selection} out"
        )
    if not isinstance(network, Classifier):
        network = load_classifier(
            network,
            weights,
            categories,
            device,
            resize=resize,
            crop=crop,
            mean=mean,
            std=std,
            outputs=outputs,
        )
    elif any(of is not None for of in (resize, crop, mean, std, outputs)):
        raise LookhearError(
            f"network {network.name}: is loaded; give resize, crop, mean, std and outputs to "
            "load_classifier"
        )
    asked = ask(
        [labels] if isinstance(labels, str) else labels, network.categories, network.classes
    )
    clip = path if isinstance(path, Clip) else open_clip(path)
    rate = network.frame_rate if fps is None else fps
    framing = network.framing_of(clip)
    windows = ClipWindows(clip, network.frames, framing, rate, selection)
    with undisturbed(network.net), _one_line_errors(network):
        batches = _batches(network, windows)
        first = next(batches)
        with view_of(network.net, method, layer, first.inputs) as view:
            kept = _Kept(view, [label.index for label in asked.named], faithfulness)
            starts: list[int] = []
            seen: list[Tensor] = []
            with progress("looking", windows.expected) as count:
                for batch in chain([first], batches):
                    starts += [window.start for window in batch.windows]
                    seen.append(network.probabilities(view.look(batch.inputs)).cpu())
                    kept.add(batch, seen[-1])
                    count(len(batch.windows))
            probabilities = torch.cat(seen)
            chosen = asked.labels(probabilities.mean(0))
            classes = [label.index for label in chosen]
            if not asked.named and (faithfulness or method != TUBE):
                kept = _Kept(view, classes, faithfulness)
                with progress("looking again", len(starts)) as count:
                    for batch, of_batch in zip(_batches(network, windows), seen, strict=True):
                        kept.add(batch, of_batch)
                        count(len(batch.windows))
            grids = view.grids_so_far(classes) if isinstance(view, TubeView) else kept.grids
            with progress("weighing", len(starts)) as count:
                maps = blended(starts, _one_by_one(grids, count), windows)
            times = np.array(windows.times)
            ends = np.minimum(np.array(starts) + network.frames, len(times)) - 1
            spans = np.stack([times[starts], times[ends]], 1)
            measured = []
            if faithfulness:
                with progress("testing", passes(len(chosen))) as count:
                    for index in classes:
                        _, window = kept.best[index]
                        span = spans[starts.index(window.start)]
                        measured.append(_faithfulness(network, view, window, index, span, count))
    return Explanation(
        path=clip.path,
        network=network.name,
        layer=view.layer,
        head=view.head,
        method=method,
        labels=chosen,
        times=times,
        spans=spans,
        probabilities=probabilities[:, classes].numpy(),
        tubes=tuple(Tube(of_class, framing) for of_class in maps),
        faithfulness=tuple(measured),
        problems=tuple(clip.problems),
        fed=network.in_words(framing),
    )


class _Batch(NamedTuple):
    """Windows that go through the network at once, and as it takes them."""

    windows: list[Window]
    inputs: Tensor


def _batches(network: Classifier, windows: ClipWindows) -> Iterator[_Batch]:
    left = iter(windows)
    while some := [*islice(left, max(1, FRAMES_AT_ONCE // windows.length))]:
        frames = np.stack([window.frames for window in some])
        yield _Batch(some, network.inputs(torch.from_numpy(frames)))


class _Kept:
    """What is kept of the windows that go by, for some classes.

    Attributes:
        grids: of each batch, by a method of CAM; a tube's wait in its view.
        best: of each class its highest probability so far, and the window that has it.
    """

    def __init__(self, view: View, classes: Sequence[int], keeps_best: bool) -> None:
        self._view, self._classes, self._keeps_best = view, classes, keeps_best
        self.grids: list[Grids] = []
        self.best: dict[int, tuple[float, Window]] = {}

    def add(self, batch: _Batch, probabilities: Tensor) -> None:
        """Take the next windows and the probabilities (B, K) in each."""
        if self._classes and isinstance(self._view, MethodView):
            self.grids.append(self._view.grids(batch.inputs, self._classes))
        for index in self._classes if self._keeps_best else ():
            for window, probability in zip(
                batch.windows, probabilities[:, index].tolist(), strict=True
            ):
                highest = self.best[index][0] if index in self.best else -math.inf
                if np.argmax([highest, probability]):  # to which NaN is the highest
                    self.best[index] = probability, window


def _one_by_one(grids: Iterable[Grids], count: Progress) -> Iterator[Grids]:
    for of_batch in grids:
        count(len(of_batch))
        yield from of_batch


def _faithfulness(
    network: Classifier,
    view: View,
    window: Window,
    index: int,
    span: NDArray[np.float64],
    count: Progress,
) -> Faithfulness:
    frames = torch.from_numpy(window.frames[None])
    inputs, grey = map(network.inputs, (frames, torch.full_like(frames, GREY)))
    (((grid,),)) = view.grids(inputs, [index])
    return measure_faithfulness(
        lambda of: network.probabilities(network.net(of)),
        inputs,
        grey,
        grid,
        index,
        (float(span[0]), float(span[1])),
        count,
    )


@contextmanager
def _one_line_errors(network: Classifier) -> Iterator[None]:
    try:
        yield
    except (LookhearError, OSError):
        raise
    except Exception as error:  # whatever a stranger's network raises
        raise LookhearError(
            f"network {network.name}: fails on {network.frames} frames of "
            f"{'x'.join(map(str, network.input_size))} ({one_line(error)})"
        ) from error


@dataclass(frozen=True)
class Found:
    """What was found of a label."""

    index: int  # of its logit
    name: str  # on one line
    probability: float  # the mean over the windows; NaN where the network gave one
    peak_time: float  # seconds, where its tube is 1
    # Where in the picture it is then, in words; None if the tube is the same everywhere.
    place: str | None
    faithfulness: Faithfulness | None  # of its tube, if that was measured


def found_in(explained: Explanation) -> tuple[Found, ...]:
    """Say of each label what was found."""
    measured = explained.faithfulness or (None,) * len(explained.labels)
    means = explained.probabilities.mean(axis=0).tolist()
    found = []
    for label, mean, tube, of in zip(
        explained.labels, means, explained.tubes, measured, strict=True
    ):
        moments = TubeInTime(tube, explained.times)
        strongest = heat.strongest(moments.moment(moments.peak))
        place = place_name(strongest.x, strongest.y) if strongest else None
        time = float(moments.times[moments.peak])
        found.append(Found(label.index, plain(label.name), mean, time, place, of))
    return tuple(found)


def summary(explained: Explanation) -> Iterator[str]:
    """Say in two lines what was looked at and how, and in one for each label what was found."""
    head = f", prediction layer {explained.head}" if explained.head else ""
    yield f"{explained.network}: {explained.method} of layer {explained.layer}{head}"
    yield f"fed with {explained.fed}"
    for found in found_in(explained):
        line = (
            f"{found.name}: probability {found.probability:.3f}, "
            f"strongest at {time_label(found.peak_time)}"
        )
        if of := found.faithfulness:
            gone, came, random_gone, random_came = map(
                of.area, (of.deletion, of.insertion, of.random_deletion, of.random_insertion)
            )
            line += (
                f"; deletion {gone:.3f} (moved elsewhere {random_gone:.3f}), "
                f"insertion {came:.3f} (moved elsewhere {random_came:.3f})"
            )
        yield line
