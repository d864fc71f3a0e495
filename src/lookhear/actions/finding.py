"""The main job of `lookhear actions`: which action a clip shows, when, and where.

A network is shown as many frames at once as it has learnt from, or a few more. A clip much longer
than those it has learnt from goes by in windows, of which each begins in the middle of the one
before, and what they say is blended. Every frame goes through the backbone once; what is kept of it
for longer than a window are its mask, of some hundred cells, and its weight.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lookhear.actions.clips import STEP, duration_of, looks, spread
from lookhear.actions.net import WhereWhen
from lookhear.errors import LookhearError
from lookhear.localisation import stretches
from lookhear.maps import Maps
from lookhear.media import Clip, Picture, open_clip
from lookhear.nets.saved import load_network
from lookhear.progress import Bars, Progress, no_bars, unseen

BATCH_SIZE = 16  # frames through the backbone at once
STRETCHED = 1.5  # times the usual length up to which a clip is seen at once
WEIGHT_FROM = 1.0
"""Weight from which on a frame is of a segment: more than if all frames counted alike."""
WEIGHT_DIGITS = 5
"""To which weights are rounded, so that of even ones none is above 1 by an error of float32."""
LEAST_PROBABILITY = 0.1  # in any window, of a class that has segments
MASK_FROM = 0.5  # of the mask's highest, of what is in a box
FINER = 4  # times, each way, at which masks are cut into boxes

Floats = NDArray[np.float64]


class Segment(NamedTuple):
    """A stretch of a clip in which an action is.

    Attributes:
        label: which.
        score: how sure it is, 0 to 1: the highest probability of a window, times the weight in the
            segment as a share of that in the class's strongest.
        start, end: seconds.
    """

    label: str
    score: float
    start: float
    end: float


class Ranked(NamedTuple):
    """An action and its probability."""

    label: str
    probability: float


@dataclass(frozen=True, eq=False)
class Actions:
    """What was found in a clip, of T frames that were looked at in W windows.

    Attributes:
        path: of the clip.
        categories: what the network tells apart, K.
        probabilities: (K,), the mean over windows.
        duration: seconds.
        times: (T,), seconds.
        weights: (T,), how much each frame counted: its attention, times the share of it that its
            mask lets through; 1 if all had counted alike.
        attention: (T,), how frames are weighed, whatever their masks; 1 if all are alike. Where
            masks are closed in frames that show nothing, it need not tell these from others.
        of_class: (T, K), weights for each class: by windows that see it, relative to the one that
            is surest of it.
        masks: (T, h, w), where in each frame the network looked, 0 to 1.
        boxes: (T, 4), left, top, right, bottom of the strongest place of each mask, in pixels.
        spans: (W, 2), first and last frame of each window, seconds.
        of_windows: (W, K), probabilities in each.
        segments: when which action is, the surest first.
        size: height and width of the clip, in pixels.
        problems: what could not be decoded, or not be seen, a line each.
    """

    path: Path
    categories: tuple[str, ...]
    probabilities: Floats
    duration: float
    times: Floats
    weights: Floats
    attention: Floats
    of_class: Floats
    masks: Maps
    boxes: Floats
    spans: Floats
    of_windows: Floats
    segments: tuple[Segment, ...]
    size: tuple[int, int]
    problems: tuple[str, ...]

    def top(self, count: int = 5) -> tuple[Ranked, ...]:
        """The most probable actions, in order."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return tuple(Ranked(self.categories[k], float(self.probabilities[k])) for k in order)


def find_actions(
    clip: str | Path | Clip,
    model: str | Path | WhereWhen,
    *,
    threshold: float = WEIGHT_FROM,
    device: str | None = None,
    progress: Bars = no_bars,
) -> Actions:
    """Find which action a clip shows, when, and where.

    Args:
        clip: a path, or an open one.
        model: a saved network, or the run of ``lookhear train actions``, by its folder; or one that
            is loaded.
        threshold: weight from which on a frame is of a segment.
        device: where the network runs; CUDA where there is one, if left out.
        progress: shows how many frames were looked at.

    Raises:
        LookhearError: the model cannot be loaded, or the clip not be decoded.
    """
    if not isinstance(model, WhereWhen):
        model = load_network(WhereWhen, model, device)
    net = model.folded()
    clip = clip if isinstance(clip, Clip) else open_clip(clip)
    times, _ = windows_of(duration_of(clip), net)
    with torch.inference_mode(), progress("looking", len(times)) as done:
        pictures = looks(clip, times.tolist(), net.input_size, net.sight)
        return from_features(net, clip, features_of(net, pictures), threshold, done)


def from_features(
    net: WhereWhen,
    clip: Clip,
    batches: Iterable[Tensor],
    threshold: float = WEIGHT_FROM,
    done: Progress = unseen,
) -> Actions:
    """Find actions by the features of a clip's frames.

    Args:
        net: the network.
        clip: which they are of.
        batches: features (B, C, h, w) of the frames at the times of :func:`windows_of`, in order.
        threshold: weight from which on a frame is of a segment.
        done: is told the number of frames.
    """
    duration = duration_of(clip)
    times, starts = windows_of(duration, net)
    length = len(times) if len(starts) == 1 else net.frames
    seen = _Seen(len(starts), len(times), len(net.categories))
    waiting: Tensor | None = None
    first = 0  # of those that wait
    due = iter(starts)
    start = next(due, None)
    for features in batches:
        waiting = features if waiting is None else torch.cat([waiting, features])
        done(len(features))
        while start is not None and first + len(waiting) >= start + length:
            seen.add(start, net, waiting[start - first : start - first + length])
            start = next(due, None)
            if start is not None:
                waiting, first = waiting[start - first :], start
    blended, of_windows = seen.blended(), seen.probabilities
    lasts = np.array(starts) + length - 1
    return Actions(
        path=clip.path,
        categories=net.categories,
        probabilities=of_windows.mean(0),
        duration=duration,
        times=times,
        weights=blended.weights,
        attention=blended.attention,
        of_class=blended.of_class,
        masks=blended.masks,
        boxes=np.array([box_of(mask, (clip.height, clip.width)) for mask in blended.masks]),
        spans=np.stack([times[starts], times[lasts]], 1),
        of_windows=of_windows,
        segments=segments_of(
            net.categories, blended.of_class, of_windows.max(0), duration, threshold
        ),
        size=(clip.height, clip.width),
        problems=(*clip.problems, *_too_short(net, duration)),
    )


def _too_short(net: WhereWhen, duration: float) -> tuple[str, ...]:
    if net.sight == "motion" and duration <= STEP:
        return ("too short to show motion, and this network sees nothing else",)
    return ()


def windows_of(duration: float, net: WhereWhen) -> tuple[Floats, list[int]]:
    """Choose at which times a clip is looked at, and at which of them windows start.

    Args:
        duration: of the clip, seconds.
        net: says how many frames a window has, and over how long they usually are spread. One that
            sees motion in time is shown as many a second, however short the clip is.

    Returns:
        Seconds (T,), in the middles of even parts; and the number of each window's first. A single
        window has all of them.
    """
    frames = net.frames
    usual = round(duration * frames / net.seconds)
    if duration <= STRETCHED * net.seconds:
        return spread(duration, max(usual, 1) if net.paced else frames), [0]
    count = max(usual, frames)
    starts = [*range(0, count - frames, max(1, frames // 2)), count - frames]
    return spread(duration, count), starts


def features_of(net: WhereWhen, pictures: Iterator[Picture]) -> Iterator[Tensor]:
    """The backbone's features (B, C, h, w) of what is seen, batch by batch."""
    device = net.mean.device
    while batch := [*islice(pictures, BATCH_SIZE)]:
        given = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).to(device)
        yield net.features(given.float() / 255)[-1]


class _Blended(NamedTuple):
    """What windows say together; see :class:`Actions`."""

    masks: Maps
    attention: Floats
    weights: Floats
    of_class: Floats


class _Seen:
    """What windows say, added up over those that see a frame."""

    def __init__(self, windows: int, count: int, classes: int) -> None:
        # Kept window by window, small arrays would lie between large ones, and memory would grow.
        self.probabilities = np.zeros((windows, classes))
        self._added = 0
        self._windows = np.zeros(count)
        self._weights = np.zeros(count)
        self._of_class = np.zeros((count, classes))
        self._masks: Maps | None = None

    def add(self, start: int, net: WhereWhen, features: Tensor) -> None:
        attended = net.attend(features[None])
        probabilities = attended.logits[0].double().softmax(0).cpu().numpy()
        weights = len(features) * attended.weights[0].double().cpu().numpy()
        masks = attended.mask[0].float().cpu().numpy()
        if self._masks is None:
            self._masks = np.zeros((len(self._windows), *masks.shape[1:]), np.float32)
        at = slice(start, start + len(features))
        self.probabilities[self._added] = probabilities
        self._added += 1
        self._windows[at] += 1
        self._weights[at] += weights
        self._of_class[at] += weights[:, None] * probabilities
        self._masks[at] += masks

    def blended(self) -> _Blended:
        """Means over the windows that see a frame; the sums of masks are used up."""
        assert self._masks is not None
        masks = self._masks
        masks /= self._windows[:, None, None]
        attention = self._weights / self._windows
        let_through = masks.mean((1, 2)).astype(np.float64)
        let_through /= max(float((attention * let_through).mean()), 1e-12)
        surest = np.maximum(np.max(self.probabilities, axis=0), 1e-12)
        of_class = self._of_class / self._windows[:, None] / surest * let_through[:, None]
        return _Blended(
            masks,
            np.round(attention, WEIGHT_DIGITS),
            np.round(attention * let_through, WEIGHT_DIGITS),
            np.round(of_class, WEIGHT_DIGITS),
        )


def segments_of(
    categories: Sequence[str],
    of_class: Floats,
    surest: Floats,
    duration: float,
    threshold: float = WEIGHT_FROM,
) -> tuple[Segment, ...]:
    """Cut weights into segments: the stretches of frames whose weight is above a threshold.

    Args:
        categories: K names.
        of_class: (T, K), weights of frames in the middles of even parts of the clip.
        surest: (K,), the highest probability of each class in a window.
        duration: of the clip, seconds.
        threshold: in weights of frames that all count alike.

    Returns:
        The surest first; none of classes that no window finds probable.
    """
    step = duration / len(of_class)
    found = []
    for k in np.flatnonzero(surest >= min(LEAST_PROBABILITY, surest.max())).tolist():
        weights = of_class[:, k]
        parts = stretches(weights > threshold)
        sums = [float(weights[start:stop].sum()) for start, stop in parts]
        found += [
            Segment(
                categories[k],
                float(surest[k]) * of_part / max(sums),
                start * step,
                min(stop * step, duration),
            )
            for (start, stop), of_part in zip(parts, sums, strict=True)
        ]
    return tuple(sorted(found, key=lambda segment: -segment.score))


def box_of(mask: Maps, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box about the strongest place of a mask, in pixels of a picture.

    It is that of what hangs together with the highest place and is at least `MASK_FROM` of it.

    Args:
        mask: (h, w).
        size: height and width of the picture.

    Returns:
        Left, top, right, bottom; pixels are counted from their corners, so that a box of the whole
        picture is (0, 0, width, height).
    """
    rows, columns = FINER * mask.shape[0], FINER * mask.shape[1]
    fine = cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_CUBIC)
    top = np.unravel_index(int(np.argmax(fine)), fine.shape)
    _, parts = cv2.connectedComponents((fine >= MASK_FROM * fine.max()).astype(np.uint8))
    y, x = np.nonzero(parts == parts[top])
    across, down = size[1] / columns, size[0] / rows
    return (
        float(x.min() * across),
        float(y.min() * down),
        float((x.max() + 1) * across),
        float((y.max() + 1) * down),
    )


def check_threshold(threshold: float) -> None:
    """Refuse a threshold that is none.

    Raises:
        LookhearError: it is not above 0.
    """
    if not 0 < threshold < math.inf:
        raise LookhearError(f"--threshold {threshold}: must be above 0; 1 is an even share")
