"""Every model's metrics on every frame of a set, and their means. Holds no map."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from lookhear.evaluation.tally import mean_of_defined, without_nan

Metrics: TypeAlias = dict[str, float]
"""Metric name -> value; NaN where it is not defined."""


@dataclass(frozen=True)
class Subject:
    """A clip or a picture that models were scored on.

    Attributes:
        name: of the clip or the picture; no two of a set share it.
        group: the database it is of, such as DIEM.
        times: seconds of each frame that was scored; of a picture, 0 alone.
    """

    name: str
    group: str
    times: tuple[float, ...]


@dataclass(frozen=True)
class Scores:
    """Every model's metrics on every frame of a set.

    A picture is a subject of one frame.

    Attributes:
        kind: what the subjects are.
        subjects: S of them, at least one.
        values: model -> metric -> for each subject, in their order, a value of each frame, NaN
            where the metric is not defined. All models have the metrics of `METRIC_NAMES`.
        notes: what was found odd about the maps, a line each, each naming model and subject.
        people: those of the models that are no model, but people, scored by one another.
    """

    kind: Literal["clips", "pictures"]
    subjects: tuple[Subject, ...]
    values: Mapping[str, Mapping[str, tuple[tuple[float, ...], ...]]]
    notes: tuple[str, ...] = ()
    people: tuple[str, ...] = ()

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
            group: over subjects of this database only.
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
        """The databases, in the order in which they come."""
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
        }
