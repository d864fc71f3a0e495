"""Every model's metrics on every frame of a set, and their means. Holds no map."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

from lookhear.words import count, counted, named

Metrics: TypeAlias = dict[str, float]
"""Metric name -> value; NaN where it is not defined."""
Kind: TypeAlias = Literal["clips", "pictures"]


@dataclass(frozen=True)
class Subject:
    """A clip or a picture that models were scored on.

    Attributes:
        name: of the clip or the picture; no two of a set share it.
        group: the database it is of, such as DIEM, or the set of pictures.
        times: seconds of each frame that was scored; of a picture, 0 alone.
    """

    name: str
    group: str
    times: tuple[float, ...]


class Odd(NamedTuple):
    """Something odd about a model's maps.

    Attributes:
        model: whose.
        what: is odd.
        frames: subject -> which of its frames, counted from 0, at least one.
    """

    model: str
    what: str
    frames: Mapping[str, Sequence[int]]

    def in_words(self, kind: Kind) -> str:
        """One line, however many they are."""
        numbers = [index + 1 for frames in self.frames.values() for index in frames]
        if len(self.frames) > 1:
            where = counted(kind[:-1], self.frames)
            if kind == "clips":
                where = f"{count(len(numbers), 'frame')} of {where}"
        else:
            where = next(iter(self.frames))
            if kind == "clips":
                frames = "frame" if len(numbers) == 1 else "frames"
                where = f"{where}: {frames} {named(numbers)}"
        return f"{self.model}: {where}: {self.what}"


@dataclass(frozen=True)
class Scores:
    """Every model's metrics on every frame of a set.

    A picture is a subject of one frame.

    Attributes:
        kind: what the subjects are.
        subjects: S of them, at least one.
        values: model -> metric -> for each subject, in their order, a value of each frame, NaN
            where the metric is not defined. All models have the metrics of `METRIC_NAMES`.
        notes: what was found odd about the maps and the set, a line each.
        people: those of the models that are no model, but people, scored by one another.
        odd: what was found odd about the maps, of each frame that it was found of.
    """

    kind: Kind
    subjects: tuple[Subject, ...]
    values: Mapping[str, Mapping[str, tuple[tuple[float, ...], ...]]]
    notes: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    odd: tuple[Odd, ...] = ()

    @cached_property
    def of_subjects(self) -> dict[str, dict[str, tuple[float, ...]]]:
        """Model -> metric -> each subject's mean over the frames where the metric is defined."""
        return {
            model: {
                metric: tuple(mean_of_defined(of_frames) for of_frames in of_subjects)
                for metric, of_subjects in metrics.items()
            }
            for model, metrics in self.values.items()
        }

    def means(self, group: str | None = None) -> dict[str, Metrics]:
        """Model -> metric -> mean over subjects of the mean over frames.

        So a long clip counts as much as a short one.

        Args:
            group: over subjects of this database or set only.
        """
        chosen = [i for i, of in enumerate(self.subjects) if group in (None, of.group)]
        return {
            model: {
                metric: mean_of_defined(of_subjects[i] for i in chosen)
                for metric, of_subjects in metrics.items()
            }
            for model, metrics in self.of_subjects.items()
        }

    def groups(self) -> tuple[str, ...]:
        """The databases or sets, in the order in which they come."""
        return tuple(dict.fromkeys(subject.group for subject in self.subjects))

    def as_json(self) -> dict[str, Any]:
        """Means and values for `json.dump`; a metric that is not defined is null."""
        return {
            "kind": self.kind,
            "means": without_nan(self.means()),
            "subjects": [
                {"name": of.name, "group": of.group, "times": list(of.times)}
                for of in self.subjects
            ],
            "values": without_nan(self.values),
            "notes": list(self.notes),
            "people": list(self.people),
            "odd": [of._asdict() for of in self.odd],
        }


def mean_of_defined(values: Iterable[float]) -> float:
    """The mean of the values that are not NaN; NaN if there is none."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def without_nan(values: Any) -> Any:
    """Numbers in dicts and sequences, with None for NaN, which JSON has not."""
    if isinstance(values, Mapping):
        return {name: without_nan(value) for name, value in values.items()}
    if isinstance(values, Sequence):
        return [without_nan(value) for value in values]
    return None if math.isnan(values) else values
