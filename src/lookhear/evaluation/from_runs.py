"""The maps that a run of STANet made of its test, as models: S, SA, ST, SCAM, pseudo-fixations."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lookhear.data.derived import FIXATIONS
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import SPLITS
from lookhear.data.shards import read_complete
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import FAR, FAR_SECONDS
from lookhear.evaluation.models import Note
from lookhear.evaluation.stimuli import Viewed
from lookhear.maps import Maps
from lookhear.stanet.pseudo_fixations import FUSED, SINGLE
from lookhear.stanet.run import TEST_COARSE, TEST_FINE, TEST_FINE_TAGGED, TEST_MOMENTS

# Row -> folder in the run, array, and which of a moment's several maps.
ROWS: dict[str, tuple[str, str, int | None]] = {
    "S": (TEST_COARSE, SINGLE, 0),
    "SA": (TEST_COARSE, SINGLE, 1),
    "ST": (TEST_COARSE, SINGLE, 2),
    "SCAM-coarse": (TEST_COARSE, FUSED, None),
    "SCAM": (TEST_FINE, FUSED, None),
    "pseudo-fixations": (TEST_FINE_TAGGED, FIXATIONS, None),
}


class OfRun:
    """A row's maps of moments; a frame has the map of the moment that is nearest in time.

    Only the pseudo-fixations know the tags.

    Args:
        run: The run folder, of a run with a test.
        row: One of `ROWS`.

    Raises:
        LookhearError: The run has no such maps.
    """

    def __init__(self, run: Path, row: str) -> None:
        folder, self._array, self._which = ROWS[row]
        self._run = run
        self._folder = run / folder
        prepared = run / TEST_MOMENTS
        if not self._folder.is_dir():
            raise LookhearError(
                f"{run}: has no maps of a test; train it with --test on these clips"
            )
        counts = read_complete(prepared).moments
        self._moments: dict[str, tuple[Moments, list[int]]] = {}
        for split in SPLITS:
            if counts[split]:
                data = Moments(prepared, split)
                for path, indices in data.clip_moments().items():
                    self._moments[Path(path).stem] = data, indices

    def maps(self, subject: Viewed, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """Give maps; see `lookhear.evaluation.models.Model`.

        Raises:
            LookhearError: The clip was not in the run's test, or maps are missing or damaged.
        """
        own = str(subject.paths[-1])
        if own not in self._moments:
            raise LookhearError(
                f"{self._run}: has no maps of {subject.name}; test it on these clips"
            )
        data, moments = self._moments[own]
        times = np.array([data.time(moment) for moment in moments])
        for index in indices:
            apart = np.abs(times - subject.time(index))
            if apart.min() > FAR_SECONDS:
                note(FAR, index)
            found = data.derived(self._folder, self._array, moments[int(apart.argmin())])
            yield (found if self._which is None else found[self._which]).astype(np.float32)
