"""What an explanation says of a label, in short."""

from collections.abc import Sequence
from dataclasses import dataclass

from lookhear import maps
from lookhear.show import heat
from lookhear.show.lettering import plain
from lookhear.tubes.explained import Explanation
from lookhear.tubes.faithfulness import Faithfulness
from lookhear.tubes.timing import TubeInTime


@dataclass(frozen=True)
class Found:
    """A label in a clip.

    Attributes:
        index: of its logit.
        name: on one line.
        probability: the mean over the windows; NaN where the network gave one.
        peak_time: seconds, where its tube is 1.
        place: where in the picture it is then, in words; None if the tube is the same everywhere.
        faithfulness: of its tube, if that was measured.
    """

    index: int
    name: str
    probability: float
    peak_time: float
    place: str | None
    faithfulness: Faithfulness | None


def summarise(explained: Explanation, tubes: Sequence[TubeInTime]) -> tuple[Found, ...]:
    """Say of each label what was found."""
    measured = explained.faithfulness or (None,) * len(explained.labels)
    means = explained.probabilities.mean(axis=0).tolist()
    return tuple(
        Found(
            index=label.index,
            name=plain(label.name),
            probability=mean,
            peak_time=float(tube.times[tube.peak]),
            place=_place(tube),
            faithfulness=of,
        )
        for label, mean, tube, of in zip(explained.labels, means, tubes, measured, strict=True)
    )


def _place(tube: TubeInTime) -> str | None:
    strongest = maps.peaks(tube.moment(tube.peak), 1)
    seen = strongest and strongest[0].strength >= heat.FAINT
    return heat.place_name(strongest[0].x, strongest[0].y) if seen else None
