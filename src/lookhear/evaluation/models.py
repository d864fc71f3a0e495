"""What is scored: anything that gives a map of a frame is a model.

Maps made elsewhere are in `lookhear.evaluation.from_files` and `lookhear.evaluation.from_runs`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookhear.baselines import LEAST_SIDE, Baseline, fitted_centre
from lookhear.cam import class_activation
from lookhear.errors import LookhearError
from lookhear.evaluation.stimuli import Stimulus
from lookhear.maps import Maps, enlarge
from lookhear.media import Picture, SoundWindows
from lookhear.media.spectrogram import Stft, log_spectrogram
from lookhear.nets.imported import is_size
from lookhear.nets.kinds import NamingNetwork
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
        for some in _batches(indices):
            before = None
            if subject.frame_rate is not None:
                before = _pixels(subject, [max(index - 1, 0) for index in some])
            yield from self._baseline(_pixels(subject, some), before)


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
        heard = _Heard(subject, self._watcher.windows)
        for some in _batches(indices):
            moments = [_moment(subject, index, self._watcher.reach) for index in some]
            needed = {index for moment in moments for index in moment}
            # What comes before a frame that is listened to already cannot be heard any more.
            needed.update(
                indices[bisect_left(indices, some[0]) : bisect_right(indices, max(needed))]
            )
            watch.forget(before=min(needed))
            unseen = watch.unseen(needed)
            targets = [index for index in unseen if index in wanted]
            if targets:
                watch.see(targets, _pixels(subject, targets, size), *heard.around(targets))
            beside = [index for index in unseen if index not in wanted]
            if beside:
                watch.see(beside, _pixels(subject, beside, size))
            yield from enlarge(watch.attend(moments), size)


class OfSource:
    """Where S, SA or ST sees the class that it finds most probable, by a method of CAM."""

    def __init__(self, net: NamingNetwork, method: str) -> None:
        self._net = net
        self._method = method

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        net = self._net
        device = _device(net)
        heard = _Heard(subject, net.windows)
        for some in _batches(indices):
            frames = _pictures(subject, some, net.input_size).to(device)
            sounds, around = heard.around(some)[0], None
            if net.looks_around:
                moments = [_moment(subject, index) for index in some]
                around = torch.stack(
                    [_pictures(subject, [m[i] for m in moments], net.input_size) for i in (0, 2)], 1
                ).to(device)
            spectrograms = None if sounds is None else torch.from_numpy(sounds).to(device)
            classifier = net.as_classifier(spectrograms, around)
            with torch.inference_mode():
                classes = classifier(frames).argmax(1)
            maps = class_activation(classifier, frames, classes.clone(), self._method)
            yield from maps.cpu().numpy()


class OfOwn:
    """Where a user's classifier sees the class that it finds most probable, by a method of CAM.

    It takes pictures (B, 3, H, W), RGB in [0, 1], at the size that it has as its ``input_size``,
    or that of the frames.

    Raises:
        LookhearError: Its ``input_size`` is none.
    """

    def __init__(self, net: nn.Module, method: str) -> None:
        self._net = net
        self._method = method
        self._size = getattr(net, "input_size", None)
        if self._size is not None and not is_size(self._size):
            raise LookhearError(
                f"network {type(net).__name__}: its input_size must be (height, width) in pixels, "
                f"not {self._size!r}"
            )

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        device = _device(self._net)
        for some in _batches(indices):
            frames = _pictures(subject, some, self._size).to(device)
            classes = self._logits(frames).argmax(1)
            yield from class_activation(self._net, frames, classes, self._method).cpu().numpy()

    def _logits(self, frames: Tensor) -> Tensor:
        name = type(self._net).__name__
        try:
            with torch.no_grad():
                logits = self._net(frames)
        except Exception as error:  # whatever a stranger's code raises
            raise LookhearError(
                f"network {name}: fails on pictures {tuple(frames.shape)}: {error}"
            ) from error
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise LookhearError(
                f"network {name}: gives no logits (pictures, classes); wrap it in a module"
                " that does"
            )
        return logits


class _Heard:
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


def _moment(subject: Stimulus, index: int, reach: int = 1) -> Moment:
    """A frame between those shortly before and after it, as far as there are any."""
    step = max(round((subject.frame_rate or 1) * NEIGHBOUR_SECONDS), 1)
    return moment(index, subject.frame_count, reach, step)


def _device(net: nn.Module) -> torch.device:
    return next((of.device for of in net.parameters()), torch.device("cpu"))


def _batches(indices: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), BATCH_SIZE):
        yield indices[start : start + BATCH_SIZE]


def _pictures(
    subject: Stimulus, indices: Sequence[int], size: tuple[int, int] | None = None
) -> Tensor:
    """Frames as a network of PyTorch takes them, (N, 3, H, W), RGB in [0, 1]; see `_pixels`."""
    return torch.from_numpy(_pixels(subject, indices, size)).permute(0, 3, 1, 2).float() / 255


def _pixels(
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
