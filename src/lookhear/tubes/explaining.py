"""The main job of `lookhear explain`: where and when a network sees classes in a clip."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lookhear.cam import METHODS, find_layer, layer_named
from lookhear.cam.watched import undisturbed
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.tubes.explained import Explanation
from lookhear.tubes.faithfulness import Faithfulness, measure_faithfulness, passes
from lookhear.tubes.labels import ask
from lookhear.tubes.networks import Classifier, load_classifier
from lookhear.tubes.tube import Tube, blended
from lookhear.tubes.views import TUBE, Maps, MethodView, TubeView, View
from lookhear.tubes.windows import Selection, Windows

FRAMES_AT_ONCE = 32  # through the network
GREY = 128  # of 255
_METHODS = {name.lower(): name for name in (TUBE, *METHODS)}

Count = Callable[[int], object]
"""Is told how many more windows have gone through the network."""
Begin = Callable[[str, int | None], Count]
"""Begins a bar: takes what is done and how many windows that is, returns what counts them."""


def explain(
    path: str | Path,
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
    device: str = "cpu",
    begin: Begin = lambda *_: lambda _: None,
) -> Explanation:
    """Find where and when a network sees classes in a clip, in bounded memory.

    Args:
        path: a video, picture, animation, or folder of numbered frames.
        network: one of `lookhear.tubes.networks.NETWORKS`, ``module:factory``, the folder of
            a saved S or SA, or one that is loaded.
        weights: a file, or ``random``; None for the published ones.
        categories: a file of the classes' names, a line each.
        labels: each a name, a number, or ``top-K`` for the K most probable; in all,
            as many as fit a page.
        method: ``tube`` for Saliency Tubes, or one of `lookhear.cam.METHODS`.
        layer: dotted name; None to have it found.
        selection: ``dense`` for windows that overlap by half, ``even`` for one window of frames
            that are spread evenly over the clip.
        fps: frames a second in dense windows; None for what the network was trained with.
        faithfulness: whether deletion and insertion are measured, for each label in the window
            where it is most probable.
        device: where the network runs, unless it is loaded already.
        begin: is told what is done, and gives what is told how much of it is done.

    Raises:
        LookhearError: the clip, network, weights, layer or labels cannot be used, or the method
            does not fit the network; one line says why.
    """
    if method.lower() not in _METHODS:
        raise LookhearError(
            f"method {method!r}: unknown; use one of {', '.join(_METHODS.values())}"
        )
    if not isinstance(network, Classifier):
        network = load_classifier(network, weights, categories, device)
    asked = ask(
        [labels] if isinstance(labels, str) else labels, network.categories, network.classes
    )
    clip = open_clip(path)
    windows = Windows(
        clip,
        network.frames,
        network.size_for(clip),
        network.frame_rate if fps is None else fps,
        selection,
    )
    with undisturbed(network.net), _one_line_errors(network):
        first = next(_batches(network, windows))[1]
        layer = _layer(network, layer, first)
        with _view(network, _METHODS[method.lower()], layer, first) as view:
            job = _Job(network, windows, view)
            starts, probabilities = job.look(begin("looking", windows.expected))
            chosen = asked.labels(probabilities.mean(0))
            classes = [label.index for label in chosen]
            of_labels = probabilities[:, classes].numpy()
            tubes = job.tubes(starts, classes, begin("weighing", len(starts)))
            times = np.array(windows.times)
            ends = np.minimum(np.array(starts) + network.frames, len(times)) - 1
            spans = np.stack([times[starts], times[ends]], 1)
            count = begin("testing", passes(len(chosen))) if faithfulness else None
            measured = [
                job.faithfulness(starts[best], classes[place], spans[best], count)
                for place, best in enumerate(of_labels.argmax(0))
                if count
            ]
    return Explanation(
        path=clip.path,
        network=network.name,
        layer=layer,
        head=view.head,
        method=_METHODS[method.lower()],
        labels=chosen,
        times=times,
        spans=spans,
        probabilities=of_labels,
        tubes=tubes,
        faithfulness=tuple(measured),
        problems=tuple(clip.problems),
    )


@dataclass(frozen=True)
class _Job:
    """A network that looks at the windows of a clip, as often as it takes."""

    network: Classifier
    windows: Windows
    view: View

    def look(self, count: Count) -> tuple[list[int], Tensor]:
        """Let it see all windows; return their starts and the probabilities (W, K) in each."""
        starts: list[int] = []
        probabilities = []
        for some, inputs in _batches(self.network, self.windows):
            logits = self.view.look(inputs)
            starts += some
            probabilities.append(torch.softmax(logits.float(), 1).cpu())
            count(len(some))
        return starts, torch.cat(probabilities)

    def tubes(
        self, starts: Sequence[int], classes: Sequence[int], count: Count
    ) -> tuple[Tube, ...]:
        """Blend the maps of all windows: a tube for each class."""
        inputs = (inputs for _, inputs in _batches(self.network, self.windows))
        maps = blended(starts, self._maps(classes, inputs, count), self.windows)
        return tuple(Tube(of_class, self.windows.size) for of_class in maps)

    def _maps(
        self, classes: Sequence[int], inputs: Iterable[Tensor], count: Count
    ) -> Iterator[Maps]:
        for maps in self.view.maps(classes, inputs):
            count(len(maps))
            yield from maps

    def faithfulness(
        self, start: int, index: int, span: NDArray[np.float64], count: Count
    ) -> Faithfulness:
        """Measure it in the window that starts there."""
        window = next(window for window in self.windows if window.start == start)
        frames = torch.from_numpy(window.frames[None])
        inputs, grey = map(self.network.inputs, (frames, torch.full_like(frames, GREY)))
        (((coarse,),)) = self.view.maps_of(inputs, [index])
        return measure_faithfulness(
            self.network.net, inputs, grey, coarse, index, (float(span[0]), float(span[1])), count
        )


def _batches(network: Classifier, windows: Windows) -> Iterator[tuple[list[int], Tensor]]:
    """Windows as the network takes them, some at once, and their starts."""
    left = iter(windows)
    while some := [*islice(left, max(1, FRAMES_AT_ONCE // windows.length))]:
        frames = np.stack([window.frames for window in some])
        yield [window.start for window in some], network.inputs(torch.from_numpy(frames))


def _layer(network: Classifier, layer: str | None, inputs: Tensor) -> str:
    """The layer that was asked for, or that suits the network."""
    if layer is not None:
        layer_named(network.net, layer)
        return layer
    return find_layer(network.net, inputs)


def _view(network: Classifier, method: str, layer: str, inputs: Tensor) -> View:
    if method == TUBE:
        return TubeView(network.net, layer, inputs)
    return MethodView(network.net, layer, method)


@contextmanager
def _one_line_errors(network: Classifier) -> Iterator[None]:
    try:
        yield
    except (LookhearError, OSError):
        raise
    except Exception as error:  # whatever a stranger's network raises
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise LookhearError(
            f"network {network.name}: fails on {network.frames} frames of "
            f"{'x'.join(map(str, network.input_size))} ({reason})"
        ) from error
