"""Score models on clips or pictures, frame by frame; no more maps than a batch are ever held.

Clips are scored by STAViS's protocol (`lookhear.evaluation.protocol`). Pictures are scored without
smoothing; their density is that of the fixations of all observers, blurred by a degree of visual
angle (`DENSITY_SIGMA_PER_WIDTH`), and the other fixations of s-AUC are those of all other pictures,
at the same place relative to the picture's sides. No centre bias is added to a prediction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from lookhear.evaluation.models import Model
from lookhear.evaluation.people import inter_observer
from lookhear.evaluation.protocol import SMOOTHING_SIGMA, Annotation, protocol
from lookhear.evaluation.score_cache import Done, Kept
from lookhear.evaluation.scores import Scores, Subject
from lookhear.evaluation.stimuli import Viewed, ViewedSet
from lookhear.maps import Maps
from lookhear.metrics import METRIC_NAMES
from lookhear.parallel import cores

NO_MAP = "no map, scored as chance"
BROKEN = "NaN or infinity in it, scored as chance"
FLAT = "the same value everywhere, which scores chance"
BATCH_PIXELS = 2**21  # of the annotation that are scored at once
NAMED_FRAMES = 5  # of a note, before the rest are counted


@dataclass(frozen=True)
class Choices:
    """How scores are taken.

    Attributes:
        sigma: Of the Gaussian that smooths a prediction, see `lookhear.evaluation.protocol`.
        every: Of how many frames of a clip the middle one is scored.
    """

    sigma: float
    every: int = 1

    @classmethod
    def of(cls, viewed: ViewedSet, sigma: float | None = None, every: int = 1) -> "Choices":
        """Those of the protocol for a set, but for what is given."""
        usual = SMOOTHING_SIGMA if viewed.kind == "clips" else 0.0
        return cls(usual if sigma is None else sigma, every)

    def frames(self, subject: Viewed) -> list[int]:
        """Which frames of a clip or picture are scored."""
        if subject.frame_rate is None:
            return [0]
        first = min(self.every // 2, subject.frame_count - 1)
        return [*range(first, subject.frame_count, self.every)]

    def in_words(self, kind: str) -> dict[str, str]:
        """Each choice, for a reader."""
        smoothed = f"by a Gaussian of sigma {self.sigma:g}, then resized to the annotation"
        words = {"Maps": f"smoothed {smoothed}" if self.sigma else "resized to the annotation"}
        if kind == "clips":
            step = "each" if self.every == 1 else f"the middle one of every {self.every}"
            words["Frames"] = f"{step}; mean over the frames of a clip, then over clips"
            words["s-AUC"] = "against the clip's fixations on other frames; thresholds 0.1 apart"
        else:
            words["s-AUC"] = "against the fixations on all other pictures; thresholds 0.1 apart"
        return words


def score_models(
    viewed: ViewedSet,
    models: Mapping[str, Model | None],
    choices: Choices,
    advance: Callable[[int], None] = lambda _: None,
    kept: Kept | None = None,
) -> Scores:
    """Score models on a set.

    Args:
        viewed: The set.
        models: Name -> what gives its maps; None for people, who are scored by one another.
        choices: How.
        advance: Called with the number of frames that are done.
        kept: What is done already, and gets what will be; None keeps nothing.

    Raises:
        LookhearError: Something cannot be read, or a model has no map of a clip or picture.
    """
    done = kept.read() if kept else {}
    values: dict[str, dict[str, list[tuple[float, ...]]]] = {
        name: {metric: [] for metric in METRIC_NAMES} for name in models
    }
    subjects: list[Subject] = []
    notes = [*viewed.faults]
    with ThreadPoolExecutor(cores()) as pool:  # a picture's metrics are one thread's work
        for subject in viewed.subjects:
            indices = choices.frames(subject)
            if subject.name in done:
                scored = done[subject.name]
                advance(len(indices))
            else:
                scored = _score_subject(subject, indices, models, choices, pool, advance)
                if kept:
                    kept.add(subject.name, scored)
            for name, metrics in scored.values.items():
                for metric, of_frames in metrics.items():
                    values[name][metric].append(tuple(of_frames))
            times = tuple(subject.time(index) for index in indices)
            subjects.append(Subject(subject.name, subject.group, times))
            notes += scored.notes
    return Scores(
        viewed.kind,
        tuple(subjects),
        {
            name: {metric: tuple(of_subjects) for metric, of_subjects in metrics.items()}
            for name, metrics in values.items()
        },
        tuple(notes),
        tuple(name for name, model in models.items() if model is None),
    )


_Odd = dict[tuple[str, str], list[int]]  # model, what -> frames


def _score_subject(
    subject: Viewed,
    indices: Sequence[int],
    models: Mapping[str, Model | None],
    choices: Choices,
    pool: ThreadPoolExecutor,
    advance: Callable[[int], None],
) -> Done:
    """Score each model on frames of a subject."""
    values: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in models}
    odd: _Odd = defaultdict(list)

    def noted(name: str, what: str, index: int) -> None:
        odd[name, what].append(index)

    streams = {
        name: model.maps(subject, indices, partial(noted, name))
        for name, model in models.items()
        if model is not None
    }
    start, step = 0, 1  # the first frame tells how large they are, and so how many to take at once
    while start < len(indices):
        some = indices[start : start + step]
        annotation = subject.annotate(some)
        height, width = annotation.fixations.shape[1:]
        ready: dict[str, Tensor | None] = dict.fromkeys(models)
        for name, stream in streams.items():
            given = zip(some, islice(stream, len(some)), strict=True)
            prepared = [
                _prepared(maps, (height, width), choices.sigma, partial(noted, name), index)
                for index, maps in given
            ]
            ready[name] = torch.cat(prepared)
        scored = pool.map(partial(_metrics, subject, some, annotation), ready.values())
        for name, metrics in zip(ready, scored, strict=True):
            for metric, of_frames in metrics.items():
                values[name][metric] += of_frames.tolist()
        advance(len(some))
        start, step = start + step, max(BATCH_PIXELS // (height * width), 1)
    return Done(values, [*_in_words(subject, odd)])


def _metrics(
    subject: Viewed, indices: Sequence[int], annotation: Annotation, maps: Tensor | None
) -> dict[str, Tensor]:
    if maps is None:
        return inter_observer(subject, indices, annotation)
    return annotation.score(maps)


def _prepared(
    given: Maps | None,
    size: tuple[int, int],
    sigma: float,
    note: Callable[[str, int], None],
    index: int,
) -> Tensor:
    """A map as it is scored, (1, *size); what is wrong with it is noted."""
    if given is None:
        note(NO_MAP, index)
    elif not np.isfinite(given).all():
        note(BROKEN, index)
    else:
        if given.min() == given.max():
            note(FLAT, index)
        return protocol(given[np.newaxis], *size, sigma)
    return torch.zeros(1, *size, dtype=torch.float64)


def _in_words(subject: Viewed, odd: _Odd) -> Iterator[str]:
    """A line for each kind of oddity of a model's maps of a subject."""
    for (name, what), indices in odd.items():
        if subject.frame_rate is None:
            yield f"{name}: {subject.name}: {what}"
            continue
        named = ", ".join(str(index + 1) for index in indices[:NAMED_FRAMES])
        more = f" and {len(indices) - NAMED_FRAMES} more" if len(indices) > NAMED_FRAMES else ""
        frames = "frame" if len(indices) == 1 else "frames"
        yield f"{name}: {subject.name}: {frames} {named}{more}: {what}"
