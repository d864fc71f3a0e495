"""Metrics gathered into a table: a row for each model or kind of map, a column for each metric."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from torch import Tensor

from lookhear.metrics import METRIC_NAMES


class Tally:
    """The metrics of each row on frames of clips, averaged over frames, then over clips.

    So a long clip counts as much as a short one. NaN, where a metric is not defined, as nobody
    looked, is left out. Rows and clips keep the order in which they came. Holds no map.
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )

    def add(self, row: str, clip: str, values: Mapping[str, Tensor]) -> None:
        """Take in the metrics of some frames.

        Args:
            row: What made the maps.
            clip: Which clip the frames are of; more of them may follow.
            values: Metric name -> `(B,)`, one of each frame; the same metrics each time.
        """
        for metric, of_frames in values.items():
            self._values[row][clip][metric].extend(of_frames.tolist())

    def clip_means(self) -> dict[str, dict[str, dict[str, float]]]:
        """Row -> clip -> metric -> mean over the frames where it is defined, NaN if in none."""
        return {
            row: {
                clip: {metric: mean_of_defined(values) for metric, values in metrics.items()}
                for clip, metrics in clips.items()
            }
            for row, clips in self._values.items()
        }

    def means(self) -> dict[str, dict[str, float]]:
        """Row -> metric -> mean over the clips of the mean over the frames of each."""
        return {
            row: {
                metric: mean_of_defined(of_clip[metric] for of_clip in clips.values())
                for metric in next(iter(clips.values()))
            }
            for row, clips in self.clip_means().items()
        }

    def as_json(self) -> dict[str, Any]:
        """Means and clip means for `json.dump`; a metric that is not defined is null."""
        return {"means": without_nan(self.means()), "clips": without_nan(self.clip_means())}


def without_nan(values: Any) -> Any:
    """Numbers in dicts and sequences, with None for NaN, which JSON has not."""
    if isinstance(values, Mapping):
        return {name: without_nan(value) for name, value in values.items()}
    if isinstance(values, Sequence):
        return [without_nan(value) for value in values]
    return None if math.isnan(values) else values


def mean_of_defined(values: Iterable[float]) -> float:
    """The mean of the values that are not NaN; NaN if there is none."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def means_table(title: str, means: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Show means in the terminal: a row for each model, a column for each metric.

    Args:
        title: What stands above.
        means: Row -> metric -> value, of every metric of `METRIC_NAMES`; at least one row.

    Returns:
        The table; its last column is each row's NSS over the first row's.
    """
    first = next(iter(means.values()))["NSS"] or math.nan
    shown = Table(title=title)
    shown.add_column("model", overflow="fold")
    for heading in (*METRIC_NAMES, "NSS / first"):
        shown.add_column(heading, justify="right")
    for row, metrics in means.items():
        values = [math.nan if (value := metrics[name]) is None else value for name in METRIC_NAMES]
        ratio = values[METRIC_NAMES.index("NSS")] / first
        shown.add_row(row, *(f"{value:.3f}" for value in values), f"{ratio:.2f}")
    return shown
