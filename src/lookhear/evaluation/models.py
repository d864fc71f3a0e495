"""What is scored: anything that gives a map of a frame is a model.

Maps made elsewhere are in `lookhear.evaluation.from_files` and `lookhear.evaluation.from_runs`,
those of classifiers in `lookhear.evaluation.cams`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.baselines import LEAST_SIDE, Baseline, fitted_centre
from lookhear.errors import LookhearError
from lookhear.evaluation.stimuli import Stimulus
from lookhear.maps import Maps, enlarge
from lookhear.media import Picture, SoundWindows
from lookhear.media.spectrogram import Stft, log_spectrogram
from lookhear.nets.watching import Moment, Watch, Watcher, moment
from lookhear.words import sides

BATCH_SIZE = 8
NEIGHBOUR_SECONDS = 1 / 8  # between the frames of a moment, as prepared ones have it

Note = Callable[[str, int], None]
"""Is told what was found odd about the map of a frame, and which frame it is."""


class Model(Protocol):
    """Gives maps of the frames of clips and pictures."""

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps | None]:
        """Give the map of each frame asked for, one after the other, as it is needed.

        Args:
            subject: The clip or the picture.
            indices: Frames of it, in the order of time.
            note: Of what is odd.

        Yields:
            Of each frame (h, w) float32 of any size; None where there is none.
        """


class OfBaseline:
    """A baseline, which sees the frame and, in a clip, the one before it."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        if min(subject.size) < LEAST_SIDE:
            raise LookhearError(
                f"{subject.name}: is {sides(subject.size)} pixels, but baselines need "
                f"{LEAST_SIDE} a side; leave it out"
            )
        for some in batches(indices):
            before = None
            if subject.frame_rate is not None:
                before = pixels_of(subject, [max(index - 1, 0) for index in some])
            yield from self._baseline(pixels_of(subject, some), before)


class OfFittedCentre:
    """A Gaussian fitted to where people looked in all other clips, or pictures of the same set.

    So of several sets of pictures, each has the centre that it has alone.
    """

    def __init__(self, subjects: Sequence[Stimulus]) -> None:
        self._subjects = subjects
        self._looks: dict[str, NDArray[np.float64]] = {}

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        others = [
            self._places(other)
            for other in self._subjects
            if other is not subject and (subject.frame_rate or other.group == subject.group)
        ]
        if not others:
            raise LookhearError(
                f"{subject.name}: there is nothing else to fit a centre to; use centre"
            )
        height, width = subject.size
        prior = fitted_centre(np.concatenate(others)).prior(height, width)
        for _ in indices:
            yield prior

    def _places(self, subject: Stimulus) -> NDArray[np.float64]:
        """Where people looked in a subject, (N, 2): x and y in shares of the sides."""
        if subject.name not in self._looks:
            self._looks[subject.name] = subject.places()
        return self._looks[subject.name]


class OfWatcher:
    """A trained network that predicts fixations, with sound where it hears.

    Its maps have the size at which it sees the frames, as those that the published test code of
    STANet writes.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        watch, wanted = Watch(self._watcher), frozenset(indices)
        size = self._watcher.size_for(*subject.size)
        heard = Heard(subject, self._watcher.windows)
        for some in batches(indices):
            moments = [moment_of(subject, index, self._watcher.reach) for index in some]
            needed = {index for moment in moments for index in moment}
            # What comes before a frame that is listened to already cannot be heard any more.
            needed.update(
                indices[bisect_left(indices, some[0]) : bisect_right(indices, max(needed))]
            )
            watch.forget(before=min(needed))
            unseen = watch.unseen(needed)
            targets = [index for index in unseen if index in wanted]
            if targets:
                watch.see(targets, pixels_of(subject, targets, size), *heard.around(targets))
            beside = [index for index in unseen if index not in wanted]
            if beside:
                watch.see(beside, pixels_of(subject, beside, size))
            yield from enlarge(watch.attend(moments), size)


class Heard:
    """The log-spectrograms of the second around one frame after another."""

    def __init__(self, subject: Stimulus, windows: Stft | None) -> None:
        blocks = subject.sound() if windows else None
        self._subject = subject
        self._windows = windows
        self._sound = SoundWindows(blocks) if blocks else None

    def around(
        self, indices: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | tuple[None, None]:
        """Of frames, in the order of time; None without sound.

        Returns:
            (N, frequencies, times), and (N,), 1 where there is anything to hear, else 0.
        """
        if self._sound is None or self._windows is None:
            return None, None
        waves = [self._sound.window(self._subject.time(index)) for index in indices]
        spectrograms = np.stack([log_spectrogram(wave, *self._windows) for wave in waves])
        return spectrograms, np.array([wave.any() for wave in waves], np.float32)


def moment_of(subject: Stimulus, index: int, reach: int = 1) -> Moment:
    """A frame between those shortly before and after it, as far as there are any."""
    step = max(round((subject.frame_rate or 1) * NEIGHBOUR_SECONDS), 1)
    return moment(index, subject.frame_count, reach, step)


def batches(indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """Some frames after others, `BATCH_SIZE` at a time."""
    for start in range(0, len(indices), BATCH_SIZE):
        yield indices[start : start + BATCH_SIZE]


def pixels_of(
    subject: Stimulus, indices: Sequence[int], size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Frames, resized to a height and width if given: (N, H, W, 3), RGB.

    Raises:
        LookhearError: Without a size, if one is not as large as the subject.
    """
    frames = [subject.pixels(index) for index in indices]
    if size is not None:
        frames = [_resized(frame, size) for frame in frames]
    for index, frame in zip(indices, frames, strict=True):
        if size is None and frame.shape[:2] != subject.size:
            raise LookhearError(
                f"{subject.name}: frame {index + 1} is {sides(frame.shape)} pixels, the first "
                f"{sides(subject.size)}; copy its frames again"
            )
    return np.stack(frames)


def _resized(frame: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
