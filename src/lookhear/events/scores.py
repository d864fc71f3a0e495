"""Scores of events, by the definitions of DCASE 2017 task 4.

*Tags* of clips: true and false positives and negatives, counted over all clips. *micro* pools the
counts of all categories, *macro* is the mean over categories that occur or were named.

*Segments* of a second: a category is on in a segment if an event of it overlaps the segment. Error
rate and F1 are those of Mesaros et al., "Metrics for Polyphonic Sound Event Detection", Applied
Sciences 6 (2016), section 3.2.1, as `sed_eval` computes them: in each segment, substitutions are
what was missed and what was wrongly named instead, insertions and deletions are what is left.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEGMENT = 1.0  # seconds

Flags = NDArray[np.bool_]


class Counts(NamedTuple):
    """True positives, and how many were named and how many there are."""

    right: float
    named: float
    there: float

    @property
    def precision(self) -> float:
        """The share of what was named that is right; NaN where nothing was named."""
        return self.right / self.named if self.named else math.nan

    @property
    def recall(self) -> float:
        """The share of what is there that was named; NaN where nothing is there."""
        return self.right / self.there if self.there else math.nan

    @property
    def f1(self) -> float:
        """Their harmonic mean; NaN where there is neither."""
        both = self.named + self.there
        return 2 * self.right / both if both else math.nan


@dataclass(frozen=True)
class TagScores:
    """How well clips are tagged: counts of each category, and over all."""

    classes: tuple[Counts, ...]

    @property
    def micro(self) -> Counts:
        """All counts together."""
        return Counts(*(sum(of) for of in zip(*self.classes, strict=True)))

    @property
    def macro_f1(self) -> float:
        """The mean over categories that occur or were named; NaN where none does."""
        known = [of.f1 for of in self.classes if not math.isnan(of.f1)]
        return sum(known) / len(known) if known else math.nan


def tag_scores(named: Flags, there: Flags) -> TagScores:
    """Compare the tags of clips, (N, C) each."""
    right = (named & there).sum(0)
    counts = zip(right.tolist(), named.sum(0).tolist(), there.sum(0).tolist(), strict=True)
    return TagScores(tuple(Counts(*of) for of in counts))


def best_threshold(scores: NDArray[np.floating], there: Flags) -> float:
    """The score from which on a tag must count for the highest micro F1; halfway between scores.

    Args:
        scores: (N, C) of clips and categories.
        there: (N, C), which are true.
    """
    order = np.argsort(-scores, axis=None, kind="stable")
    ranked, right = scores.ravel()[order].astype(float), np.cumsum(there.ravel()[order])
    f1 = 2 * right / (np.arange(1, len(right) + 1) + there.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # equal scores are named together
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1
    return float((ranked[best] + below) / 2)


class Event(NamedTuple):
    """Something in a clip, from when to when in seconds."""

    category: str
    start: float
    end: float


@dataclass(frozen=True)
class SegmentScores:
    """How well events are found, segment by segment, over all clips.

    Attributes:
        counts: over all categories and segments.
        substitutions, insertions, deletions: summed over segments.
    """

    counts: Counts
    substitutions: float
    insertions: float
    deletions: float

    @property
    def error_rate(self) -> float:
        """Substitutions, insertions and deletions over what is there; NaN where nothing is."""
        errors = self.substitutions + self.insertions + self.deletions
        return errors / self.counts.there if self.counts.there else math.nan


def roll(events: Iterable[Event], categories: Sequence[str], seconds: float) -> Flags:
    """Which categories are on in which segment of a clip: (segments, C).

    Events of other categories, or past the clip's end, count for nothing.
    """
    segments = max(math.ceil(seconds / SEGMENT - 1e-9), 1)
    is_on = np.zeros((segments, len(categories)), bool)
    column = {category: index for index, category in enumerate(categories)}
    for event in events:
        if event.category in column and event.end > event.start:
            first = math.floor(event.start / SEGMENT + 1e-9)
            last = math.ceil(event.end / SEGMENT - 1e-9)
            is_on[max(first, 0) : last, column[event.category]] = True
    return is_on


def segment_scores(pairs: Iterable[tuple[Flags, Flags]]) -> SegmentScores:
    """Compare what is found in clips with what is there: pairs of rolls (segments, C)."""
    right = named = there = substitutions = insertions = deletions = 0.0
    for found, true in pairs:
        wrong, missed = (found & ~true).sum(1), (~found & true).sum(1)
        both = np.minimum(wrong, missed)
        right, named, there = (
            total + float(of.sum())
            for total, of in ((right, found & true), (named, found), (there, true))
        )
        substitutions += float(both.sum())
        insertions += float((wrong - both).sum())
        deletions += float((missed - both).sum())
    return SegmentScores(Counts(right, named, there), substitutions, insertions, deletions)
