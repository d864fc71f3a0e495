"""How well people predict one another: what a model could reach at best."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lookhear.data.readers.fixated import density_of
from lookhear.evaluation.protocol import Annotation
from lookhear.evaluation.stimuli import Viewed
from lookhear.evaluation.tally import mean_of_defined
from lookhear.metrics import METRIC_NAMES

LEAST_PEOPLE = 2


def inter_observer(
    subject: Viewed, indices: Sequence[int], annotation: Annotation
) -> dict[str, Tensor]:
    """Score each person by all others, whose density stands for a model's map, and average.

    All metrics compare with that one person, so CC, SIM and KL, whose density is one person's, say
    little about a model's. Where gaze is kept as maps of all people, as in STAViS's layout, each
    fixation on a frame is taken for a person.

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
            scored = Annotation(
                fixations=torch.from_numpy(one)[None],
                density=torch.from_numpy(density_of(one))[None],
                other_fixations=others[None],
            ).score(torch.from_numpy(density_of(rest))[None])
            for metric, value in scored.items():
                of_frame[metric].append(float(value))
        for metric, of_people in of_frame.items():
            values[metric].append(mean_of_defined(of_people))
    return {
        metric: torch.tensor(of_frames, dtype=torch.float64) for metric, of_frames in values.items()
    }
