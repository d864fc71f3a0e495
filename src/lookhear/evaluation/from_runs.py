"""The maps that a run of STANet made of its test: as models, and scored as the run's own table.

The clips of a run's test have gaze in STAViS's layout and moments of their own. Each moment is
scored on the frame that is shown at its time, by `lookhear.evaluation.protocol`.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookhear.data.derived import FIXATIONS
from lookhear.data.readers.fixated import frame_at
from lookhear.data.readers.stavis import EyeTrackedClip, read_stavis
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import FAR, FAR_SECONDS
from lookhear.evaluation.models import Note
from lookhear.evaluation.protocol import SMOOTHING_SIGMA
from lookhear.evaluation.scores import Scores, Subject, without_nan
from lookhear.evaluation.scoring import gathered, score_frames
from lookhear.evaluation.stimuli import ClipStimulus, Stimulus
from lookhear.maps import Maps
from lookhear.parallel import cores
from lookhear.progress import Progress, unseen
from lookhear.stanet import PLUS_SOURCES
from lookhear.stanet.run_folder import (
    FUSED,
    PLUS,
    SINGLE,
    TEST_COARSE,
    TEST_FINE,
    TEST_FINE_TAGGED,
    TEST_MOMENTS,
    TEST_PLUS,
    TEST_PLUS_TAGGED,
)

if TYPE_CHECKING:
    from lookhear.stanet.steps import Steps

# Row -> folder in the run, array, and which of a moment's several maps.
ROWS: dict[str, tuple[str, str, int | None]] = {
    "S": (TEST_COARSE, SINGLE, 0),
    "SA": (TEST_COARSE, SINGLE, 1),
    "ST": (TEST_COARSE, SINGLE, 2),
    "SCAM-coarse": (TEST_COARSE, FUSED, None),
    "SCAM": (TEST_FINE, FUSED, None),
    "pseudo-fixations": (TEST_FINE_TAGGED, FIXATIONS, None),
    **{
        f"{source}-{partners}": (TEST_PLUS, SINGLE, at)
        for at, (source, partners) in enumerate(PLUS_SOURCES)
    },
    "SCAM+": (TEST_PLUS, FUSED, None),
    "pseudo-fixations+": (TEST_PLUS_TAGGED, FIXATIONS, None),
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
        from lookhear.stanet.predicting import all_moments

        folder, self._array, self._which = ROWS[row]
        self._run = run
        self._folder = run / folder
        if not self._folder.is_dir():
            by = " by train stanet+" if folder.startswith(PLUS) else ""
            raise LookhearError(
                f"{run}: has no maps of a test; train it with --test on these clips{by}"
            )
        self._moments = {
            Path(path).stem: (data, indices)
            for data in all_moments(run / TEST_MOMENTS)
            for path, indices in data.clip_moments().items()
        }

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """Give maps; see `lookhear.evaluation.models.Model`.

        Raises:
            LookhearError: The clip was not in the run's test, or maps are missing or damaged.
        """
        from lookhear.stanet.steps import kept_map

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
            nearest = moments[int(apart.argmin())]
            yield kept_map(data, nearest, self._folder, self._array, self._which)


class GazeTest:
    """Scores every step of a run, from class maps to STA, where people looked: `RunTest`.

    Args:
        data: clips with tags, and gaze in STAViS's layout.
    """

    def __init__(self, data: Path) -> None:
        self.data = data

    @cached_property
    def gaze(self) -> dict[str, EyeTrackedClip]:
        """The clips with gaze, by name.

        Raises:
            LookhearError: There are none, or two of one name.
        """
        gaze: dict[str, EyeTrackedClip] = {}
        for database in read_stavis(self.data):
            for clip in database.clips:
                if clip.name in gaze:
                    raise LookhearError(
                        f"{self.data}: has two clips {clip.name}; test on one database"
                    )
                gaze[clip.name] = clip
        return gaze

    def score(self, moments: Path, steps: "Steps", progress: Progress = unseen) -> Scores:
        """Score every step on all moments of which there is gaze.

        Args:
            moments: the test's, prepared; of clips with gaze by the names of their files.
            steps: give the maps of these moments.
            progress: is told the number of moments that are done.

        Raises:
            LookhearError: No moment has gaze, or something cannot be read.
        """
        from lookhear.stanet.predicting import all_moments

        scored = []
        with ThreadPoolExecutor(cores()) as pool:
            for data in all_moments(moments):
                for path, indices in data.clip_moments().items():
                    clip = self.gaze.get(Path(path).stem)
                    if clip is not None:
                        subject = ClipStimulus(clip, clip.name, is_alone=True)
                        times = tuple(data.time(index) for index in indices)
                        shown = [frame_at(clip, time) for time in times]
                        rows = {name: _Row(maps) for name, maps in steps(data, indices).items()}
                        done = score_frames(subject, shown, rows, SMOOTHING_SIGMA, pool)
                        scored.append((Subject(clip.name, clip.database, times), done))
                    progress(len(indices))
        if not scored:
            raise LookhearError(f"{moments}: none of its clips has gaze; see their names")
        return gathered("clips", scored)

    def table(self, moments: Path, steps: "Steps", progress: Progress = unseen) -> dict[str, Any]:
        """What `score` finds, for `json.dump`: `means`, row -> metric, and `clips`, row -> clip."""
        scores = self.score(moments, steps, progress)
        clips = {
            row: {
                clip.name: {metric: of_clips[at] for metric, of_clips in metrics.items()}
                for at, clip in enumerate(scores.subjects)
            }
            for row, metrics in scores.of_subjects.items()
        }
        return {"means": without_nan(scores.means()), "clips": without_nan(clips)}


class _Row:
    """A step of a run as a model of one clip."""

    def __init__(self, maps: Iterator[Maps]) -> None:
        self._maps = maps

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `lookhear.evaluation.models.Model`; a network that is broken is an error here."""
        del indices, note
        for given in self._maps:
            if not np.isfinite(given).all():
                raise LookhearError(
                    f"{subject.name}: a map to be scored has NaN or infinity in it; train its "
                    "network again"
                )
            yield given
