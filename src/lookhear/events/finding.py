"""The main job of `lookhear events`: what is seen and heard in a clip, where and when.

A clip goes by second by second. Stretches of it, as long as the clips that the network learnt from,
are judged one by one, so that memory stays flat however long the clip is. A tag's score is that of
the stretch where it is highest.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lookhear.errors import LookhearError, one_line
from lookhear.events.net import EventNet, Evidence, Heard, Seen
from lookhear.events.seconds import (
    WINDOW_ROWS,
    WINDOW_SECONDS,
    Second,
    SecondsCut,
    seconds_of,
    window_starts,
)
from lookhear.localisation import stretches
from lookhear.media import Clip, open_clip
from lookhear.media.spectrogram import MEL_ROWS_A_SECOND
from lookhear.nets.saved import load_network
from lookhear.progress import Progress, unseen

ON = 0.25
"""The share of a tag's strongest evidence in a stretch from which on it counts as seen or heard.

Evidence is the class score of a proposal and not what it adds to the clip's, as the weights of the
second stream single few proposals out, and leave the others of the same thing without.
"""
WINDOW_EDGE = WINDOW_SECONDS / 4
"""Seconds at either end of a window that its neighbours speak for, in whose middle they are."""
STRETCHES_UNDER_WAY = 2

Modality = Literal["seen", "heard"]
Floats = NDArray[np.float32]


class Box(NamedTuple):
    """Where something is in a picture, as shares of its sides."""

    left: float
    top: float
    right: float
    bottom: float


class Span(NamedTuple):
    """A time in which a tag is seen, a second each, or heard.

    Attributes:
        tag: which.
        modality: seen or heard.
        start, end: seconds.
        score: how strong the evidence is, 1 being the strongest of the tag and the sense in its
            stretch of the clip.
        box: where it is seen; None where it is heard.
    """

    tag: str
    modality: Modality
    start: float
    end: float
    score: float
    box: Box | None = None


class Tag(NamedTuple):
    """A tag and its score: the sum of what sight and sound say, from -2 to 2."""

    name: str
    score: float


@dataclass(frozen=True)
class Events:
    """What is found in a clip.

    Attributes:
        tags: those found, the highest score first.
        spans: when they are seen and heard, in the order of time.
        scores: of every category of the network, found or not.
        threshold: the score from which on a tag is found.
        seconds: of the clip.
        problems: what of it could not be decoded, a line each.
    """

    tags: tuple[Tag, ...]
    spans: tuple[Span, ...]
    scores: dict[str, float]
    threshold: float
    seconds: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Stretch:
    """What the network says of a stretch of a clip.

    Attributes:
        first: its first second.
        scores: of each category, (C,).
        boxes: proposed in each second, (N, 5) each; see `proposals.propose`.
        seen: how much each box of each second speaks for each category, (N, C) each.
        starts: of the windows of sound, seconds on the clip's clock, (W,).
        heard: how much each window speaks for each category, (W, C).
        sight, sound: what either sense alone says of each category, (C,); zeros without it.
    """

    first: int
    scores: Floats
    boxes: tuple[Floats, ...]
    seen: tuple[Floats, ...]
    starts: Floats
    heard: Floats
    sight: Floats
    sound: Floats


def find_events(
    path: str | Path,
    model: str | Path | EventNet,
    *,
    forest: Path | None = None,
    device: str | None = None,
    progress: Progress = unseen,
) -> Events:
    """Find out which tags a clip has, where and when they are seen, and when they are heard.

    Args:
        path: a video, picture, or folder of numbered frames.
        model: what `lookhear train events` made: a run's folder or a saved network's, or the
            network itself.
        forest: OpenCV's model of structured edges, if it was prepared with one.
        device: where the network runs, unless it is loaded already; None for CUDA where there is
            one, else the CPU.
        progress: is told of the seconds of the clip that are done.

    Raises:
        LookhearError: the clip or the model cannot be used; one line says why.
    """
    net = model if isinstance(model, EventNet) else load_network(EventNet, model, device)
    clip = open_clip(path)
    return gathered(net, judged(clip, net, forest, progress), clip)


def gathered(net: EventNet, stretches: Iterable[Stretch], clip: Clip) -> Events:
    """Put together what is said of the stretches of a clip."""
    threshold, seconds = float(net.threshold), 0
    highest = np.full(len(net.categories), -np.inf, np.float32)
    spans: list[Span] = []
    for stretch in stretches:
        highest = np.maximum(highest, stretch.scores)
        seconds = stretch.first + len(stretch.boxes)
        for index in np.flatnonzero(stretch.scores >= threshold).tolist():
            spans += spans_of(stretch, index, net.categories[index])
    scores = dict(zip(net.categories, highest.tolist(), strict=True))
    found = [Tag(name, score) for name, score in scores.items() if score >= threshold]
    return Events(
        tuple(sorted(found, key=lambda tag: -tag.score)),
        tuple(sorted(spans, key=lambda span: (span.start, span.modality, span.tag))),
        scores,
        threshold,
        seconds,
        tuple(clip.problems),
    )


def judged(
    clip: Clip, net: EventNet, forest: Path | None = None, progress: Progress = unseen
) -> Iterator[Stretch]:
    """Judge an open clip, stretch after stretch.

    While the network judges one in a thread of its own, the clip is decoded on.
    """
    cut, seeing = SecondsCut(net.boxes, forest), net.folded()
    under_way: deque[Future[Stretch]] = deque()
    with ThreadPoolExecutor(1, "lookhear-events") as worker:
        try:
            for stretch in in_stretches(seconds_of(clip, cut), net.stretch):
                progress(len(stretch))
                under_way.append(worker.submit(judge, seeing, stretch))
                if len(under_way) > STRETCHES_UNDER_WAY:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except (RuntimeError, MemoryError) as error:
            raise LookhearError(f"{clip.path}: the network failed: {one_line(error)}") from error
        finally:
            worker.shutdown(cancel_futures=True)


def in_stretches(seconds: Iterable[Second], length: int) -> Iterator[tuple[Second, ...]]:
    """Cut seconds into stretches of a length; of what is left, up to half joins the last."""
    held: list[Second] = []
    for second in seconds:
        held.append(second)
        if len(held) > 1.5 * length:
            yield tuple(held[:length])
            del held[:length]
    yield tuple(held)


@torch.inference_mode()
def judge(net: EventNet, seconds: Sequence[Second], seen: Seen | None = None) -> Stretch:
    """Judge consecutive seconds of a clip; ``seen`` is what `seen_in` gives, if it is known."""
    device = net.threshold.device
    rows = np.concatenate([second.rows for second in seconds])
    starts = window_starts(len(rows), net.step)
    heard = None
    if net.sees and seen is None:
        seen = seen_in(net, seconds)
    if net.hears:
        cut = [rows[start : start + WINDOW_ROWS] for start in starts]
        windows = np.stack(cut) if cut else np.zeros((0, WINDOW_ROWS, rows.shape[1]), np.float32)
        there = torch.ones(1, len(starts), dtype=torch.bool, device=device)
        heard = Heard(torch.from_numpy(windows).to(device)[None], there)
    found = net(seen, heard)
    ends = np.cumsum([len(second.boxes) for second in seconds])
    of_boxes = _strength(found.seen, int(ends[-1]), net)
    first = seconds[0].number
    return Stretch(
        first,
        found.scores[0].cpu().numpy(),
        tuple(second.boxes for second in seconds),
        tuple(np.split(of_boxes, ends[:-1])),
        (first + np.array(starts) / MEL_ROWS_A_SECOND).astype(np.float32),
        _strength(found.heard, len(starts), net),
        _own_scores(found.seen, net),
        _own_scores(found.heard, net),
    )


@torch.inference_mode()
def seen_in(net: EventNet, seconds: Sequence[Second]) -> Seen:
    """What the network sees in the boxes of frames, all of one size, one after the other."""
    device = net.threshold.device
    frames = np.stack([second.picture for second in seconds])
    pictures = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 255
    boxes = np.zeros((len(seconds), net.boxes, 4), np.float32)
    there = np.zeros((len(seconds), net.boxes), bool)
    for number, second in enumerate(seconds):
        boxes[number, : len(second.boxes)] = second.boxes[:, :4]
        there[number, : len(second.boxes)] = True
    pooled = net.pooled(pictures, torch.from_numpy(boxes).to(device))
    found = pooled[torch.from_numpy(there).to(device)][None]
    return Seen(found, torch.ones(found.shape[:2], dtype=torch.bool, device=device))


def _strength(evidence: Evidence | None, count: int, net: EventNet) -> Floats:
    """How much each of a clip's proposals speaks for each category, (P, C)."""
    if evidence is None:
        return np.zeros((count, len(net.categories)), np.float32)
    found: Floats = evidence.classes[0].float().cpu().numpy()
    return found


def _own_scores(evidence: Evidence | None, net: EventNet) -> Floats:
    """What a sense alone says of each category, (C,)."""
    if evidence is None:
        return np.zeros(len(net.categories), np.float32)
    scores: Floats = evidence.scores[0].float().cpu().numpy()
    return scores


def spans_of(stretch: Stretch, index: int, tag: str) -> Iterator[Span]:
    """When a category is seen and heard in a stretch.

    A sense tells of it if what it says by itself speaks for the category.
    """
    if stretch.sight[index] > 0:
        shares = _shares(np.array([of[:, index].max() for of in stretch.seen]))
        for number in np.flatnonzero(shares >= ON).tolist():
            second = stretch.first + number
            box = Box(*stretch.boxes[number][stretch.seen[number][:, index].argmax(), :4].tolist())
            yield Span(tag, "seen", second, second + 1, float(shares[number]), box)
    if stretch.sound[index] > 0:
        shares = _shares(stretch.heard[:, index])
        for first, last in stretches(shares >= ON):
            start = float(stretch.starts[first]) + (WINDOW_EDGE if first else 0)
            end = float(stretch.starts[last - 1]) + WINDOW_SECONDS
            end -= WINDOW_EDGE if last < len(shares) else 0
            yield Span(tag, "heard", start, end, float(shares[first:last].max()))


def _shares(strengths: Floats) -> Floats:
    """Strengths as shares of the highest; zeros where none is above 0."""
    highest = max(float(strengths.max(initial=0)), 1e-12)
    return np.asarray(strengths / highest, np.float32)
