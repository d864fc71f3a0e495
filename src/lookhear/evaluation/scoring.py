"""Score models on clips or pictures, frame by frame; no more maps than a batch are ever held.

Clips are scored by STAViS's protocol (`lookhear.evaluation.protocol`). Pictures are scored without
smoothing; their density is that of the fixations of all observers, blurred by a degree of visual
angle (`DENSITY_SIGMA_PER_WIDTH`), and the other fixations of s-AUC are those of all other pictures,
at the same place relative to the picture's sides. No centre bias is added to a prediction.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from lookhear.data.readers.fixated import density_of
from lookhear.errors import LookhearError
from lookhear.evaluation.gaps import IN_WORDS, NO_MAP, Missing, left_out
from lookhear.evaluation.models import Model
from lookhear.evaluation.protocol import SIM_OF_NOBODY, SMOOTHING_SIGMA, Annotation, protocol
from lookhear.evaluation.score_cache import Done, ScoreCache
from lookhear.evaluation.scores import Kind, Odd, Scores, Subject, mean_of_defined
from lookhear.evaluation.stimuli import Stimulus, StimulusSet
from lookhear.maps import Maps
from lookhear.metrics import METRIC_NAMES, Array
from lookhear.parallel import cores
from lookhear.progress import Progress, unseen
from lookhear.words import count

BROKEN = "NaN or infinity in it, scored as chance"
FLAT = "the same value everywhere, which scores chance"
UNWATCHED_FRAME = f"SIM is {SIM_OF_NOBODY:g}, as STAViS has it; the other metrics leave them out"
UNWATCHED_PICTURE = "all metrics leave them out"
BATCH_PIXELS = 2**21  # of the annotation that are scored at once
LEAST_PEOPLE = 2  # who can predict one another


@dataclass(frozen=True)
class Choices:
    """How scores are taken.

    Attributes:
        sigma: Of the Gaussian that smooths a prediction, see `lookhear.evaluation.protocol`.
        every: Of how many frames of a clip the middle one is scored.
        missing: What becomes of frames without a map, see `lookhear.evaluation.gaps`.
    """

    sigma: float
    every: int = 1
    missing: Missing | None = None

    @classmethod
    def of(
        cls,
        stimuli: StimulusSet,
        sigma: float | None = None,
        every: int = 1,
        missing: Missing | None = None,
    ) -> "Choices":
        """Those of the protocol for a set, but for what is given."""
        usual = SMOOTHING_SIGMA if stimuli.kind == "clips" else 0.0
        return cls(usual if sigma is None else sigma, every, missing)

    def frames(self, subject: Stimulus) -> list[int]:
        """Which frames of a clip or picture are scored."""
        if subject.frame_rate is None:
            return [0]
        first = min(self.every // 2, subject.frame_count - 1)
        return [*range(first, subject.frame_count, self.every)]

    def in_words(self, stimuli: StimulusSet) -> dict[str, str]:
        """Each choice, for a reader of the scores on a set."""
        smoothed = f"by a Gaussian of sigma {self.sigma:g}, then resized to the annotation"
        words = {"Maps": f"smoothed {smoothed}" if self.sigma else "resized to the annotation"}
        if stimuli.kind == "clips":
            step = "each" if self.every == 1 else f"the middle one of every {self.every}"
            words["Frames"] = f"{step}; mean over the frames of a clip, then over clips"
            words["Frames nobody looked at"] = UNWATCHED_FRAME
            words["Frames without a map"] = IN_WORDS[self.missing]
            words["s-AUC"] = "against the clip's fixations on other frames; thresholds 0.1 apart"
        else:
            several = len({of.group for of in stimuli.subjects}) > 1
            others = "all other pictures of the same set" if several else "all other pictures"
            words["s-AUC"] = f"against the fixations on {others}; thresholds 0.1 apart"
        return words


def score_models(
    stimuli: StimulusSet,
    models: Mapping[str, Model | None],
    choices: Choices,
    progress: Progress = unseen,
    cache: ScoreCache | None = None,
) -> Scores:
    """Score models on a set.

    Args:
        stimuli: The set.
        models: Name -> what gives its maps; None for people, who are scored by one another.
        choices: How.
        progress: Is told the number of frames that are done.
        cache: What is done already, and gets what will be; None keeps nothing.

    Raises:
        LookhearError: Something cannot be read, or a model has no map of a clip or picture, or of
            any of its frames that are scored.
    """
    known = cache.read() if cache else {}
    skipped = left_out(models, stimuli, choices.missing)
    scored = []
    with ThreadPoolExecutor(cores()) as pool:  # a picture's metrics are one thread's work
        for subject in stimuli.subjects:
            indices = choices.frames(subject)
            if subject.name in known:
                done = known[subject.name]
                progress(len(indices))
            else:
                sigma = choices.sigma
                done = score_frames(subject, indices, models, sigma, pool, progress, skipped)
                if cache:
                    cache.add(subject.name, done)
            times = tuple(subject.time(index) for index in indices)
            scored.append((Subject(subject.name, subject.group, times), done))
    people = tuple(name for name, model in models.items() if model is None)
    return gathered(stimuli.kind, scored, stimuli.faults, people)


def score_frames(
    subject: Stimulus,
    indices: Sequence[int],
    models: Mapping[str, Model | None],
    sigma: float,
    pool: Executor,
    progress: Progress = unseen,
    skipped: Mapping[str, str] | None = None,
) -> Done:
    """Score each model on frames of a clip or picture; see `score_models`.

    Args:
        subject: The clip or picture.
        indices: Which frames of it, in the order of time; at least one.
        models: See `score_models`.
        sigma: See `Choices`.
        pool: Takes the metrics.
        progress: Is told the number of frames that are done.
        skipped: See `lookhear.evaluation.gaps.left_out`; the others score chance without a map.

    Raises:
        LookhearError: See `score_models`.
    """
    skipped = skipped or {}
    values: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in models}
    odd: dict[tuple[str, str], list[int]] = defaultdict(list)
    unwatched = 0

    def note(name: str, what: str, index: int) -> None:
        odd[name, what].append(index)

    streams = {
        name: model.maps(subject, indices, partial(note, name))
        for name, model in models.items()
        if model is not None
    }
    start, step = 0, 1  # the first frame tells how large they are, and so how many to take at once
    while start < len(indices):
        some = indices[start : start + step]
        annotation = subject.annotate(some)
        scored, absent = {}, {}
        for name in models:
            if name not in streams:
                scored[name] = pool.submit(inter_observer, subject, some, annotation)
                continue
            maps = [*islice(streams[name], len(some))]
            for index, what in zip(some, map(_fault, maps), strict=True):
                if what:
                    note(name, skipped.get(name, what) if what == NO_MAP else what, index)
            if name in skipped:
                absent[name] = np.array([of is None for of in maps])
            scored[name] = pool.submit(_score, maps, annotation, sigma)
        for name, metrics in scored.items():
            found = metrics.result()
            if subject.frame_rate is not None:
                found["SIM"][~annotation.density.any((1, 2))] = SIM_OF_NOBODY
            for metric, of_frames in found.items():
                if name in absent:
                    of_frames[absent[name]] = math.nan
                values[name][metric] += of_frames.tolist()
        unwatched += int((~annotation.fixations.any((1, 2))).sum())
        progress(len(some))
        height, width = annotation.fixations.shape[1:]
        start, step = start + step, max(BATCH_PIXELS // (height * width), 1)
    for name, what in skipped.items():
        if len(odd.get((name, what), ())) == len(indices):
            raise LookhearError(
                f"{name}: has maps of {subject.name}, but of no frame that is scored; choose "
                "another --every, or --missing chance"
            )
    return Done(values, [(name, what, frames) for (name, what), frames in odd.items()], unwatched)


def _fault(given: Maps | None) -> str | None:
    """What is wrong with a map."""
    if given is None:
        return NO_MAP
    if not np.isfinite(given).all():
        return BROKEN
    return FLAT if given.min() == given.max() else None


def _score(maps: Sequence[Maps | None], annotation: Annotation, sigma: float) -> dict[str, Array]:
    """Score maps of any size; what is no map is flat."""
    height, width = annotation.fixations.shape[1:]
    chance = np.zeros((1, height, width))
    ready = [
        chance
        if of is None or not np.isfinite(of).all()
        else protocol(of[np.newaxis], height, width, sigma)
        for of in maps
    ]
    return annotation.score(np.concatenate(ready))


def inter_observer(
    subject: Stimulus, indices: Sequence[int], annotation: Annotation
) -> dict[str, Array]:
    """Score each person by all others, whose density stands for a model's map, and average.

    It tells what a model could reach at best. All metrics compare with that one person, so CC, SIM
    and KL, whose density is one person's, say little about a model's. Where gaze is kept as maps of
    all people, as in STAViS's layout, each fixation on a frame is taken for a person.

    Args:
        subject: A clip or a picture.
        indices: B frames of it.
        annotation: Of those frames; gives the other fixations of s-AUC.

    Returns:
        Metric name -> (B,) float64; NaN where fewer than two people looked.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for index, others in zip(indices, annotation.other_fixations, strict=True):
        people = subject.people(index)
        of_frame: dict[str, list[float]] = {metric: [] for metric in METRIC_NAMES}
        everyone = np.sum(people, axis=0, dtype=np.int64) if people else 0
        for one in people if len(people) >= LEAST_PEOPLE else ():
            rest = np.minimum(everyone - one, 255).astype(np.uint8)
            alone = Annotation(one[np.newaxis], density_of(one)[np.newaxis], others[np.newaxis])
            for metric, value in alone.score(density_of(rest)[np.newaxis]).items():
                of_frame[metric].append(float(value[0]))
        for metric, of_people in of_frame.items():
            values[metric].append(mean_of_defined(of_people))
    return {metric: np.array(of_frames) for metric, of_frames in values.items()}


def gathered(
    kind: Kind,
    scored: Sequence[tuple[Subject, Done]],
    faults: Iterable[str] = (),
    people: tuple[str, ...] = (),
) -> Scores:
    """The scores of a set, given those of each clip or picture, of which there is one at least."""
    odd: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(dict)
    for subject, done in scored:
        for name, what, frames in done.odd:
            odd[name, what][subject.name] = frames
    values = {
        name: {
            metric: tuple(tuple(done.values[name][metric]) for _, done in scored)
            for metric in metrics
        }
        for name, metrics in scored[0][1].values.items()
    }
    oddities = tuple(Odd(name, what, frames) for (name, what), frames in odd.items())
    notes = (*faults, *_unwatched(kind, scored), *(of.in_words(kind) for of in oddities))
    subjects = tuple(subject for subject, _ in scored)
    return Scores(kind, subjects, values, notes, people, oddities)


def _unwatched(kind: Kind, scored: Sequence[tuple[Subject, Done]]) -> Iterator[str]:
    """What is said of frames or pictures that nobody looked at, if there are any."""
    unwatched = sum(done.unwatched for _, done in scored)
    total = sum(len(subject.times) for subject, _ in scored)
    if not unwatched:
        return
    if kind == "clips":
        yield f"Nobody looked at {unwatched:,} of {count(total, 'frame')}: {UNWATCHED_FRAME}"
    else:
        yield f"Nobody looked at {unwatched:,} of {count(total, 'picture')}: {UNWATCHED_PICTURE}"
