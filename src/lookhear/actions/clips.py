"""Clips as a network of actions is shown them: some frames each, spread over the clip.

Of each, it sees the frame itself (``colour``); or by how much each of its colours differs from what
the frame `STEP` before had there, 128 being not at all (``motion``). Any backbone of pictures can
see that, and nothing but what moves is in it.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from lookhear.actions import Sight
from lookhear.data.loader import Moments, View
from lookhear.data.moment import FRAMES_A_SECOND, REACH
from lookhear.data.readers.tagged import SPLITS, TaggedClips, size_of
from lookhear.errors import LookhearError
from lookhear.media import Clip, Frame, Picture, open_clip
from lookhear.media.ticks import Due
from lookhear.parallel import cores
from lookhear.resume import NOTE, Journal
from lookhear.words import counted

STEP = 1 / FRAMES_A_SECOND
"""Seconds between the frames of which motion is seen, as between those of prepared moments."""
CLIPS = "clips"  # in a run's note
ZERO = 128  # what stays as it was, where motion is seen
KEPT_BYTES = 2 * 2**30
"""Up to which clips are decoded once and kept in memory for all epochs."""

Times = NDArray[np.float64]

log = logging.getLogger(__name__)


def spread(duration: float, frames: int) -> Times:
    """Seconds of so many frames, each in the middle of an even part of a clip."""
    return (np.arange(frames, dtype=np.float64) + 0.5) * (duration / frames)


def duration_of(clip: Clip) -> float:
    """Seconds of a clip by its header, or, where that tells nothing, by its frames."""
    if clip.duration:
        return clip.duration
    last = max(clip.frames(), key=lambda frame: frame.index)
    return last.time + last.duration


def looks(
    clip: Clip, times: Sequence[float], size: tuple[int, int], sight: Sight
) -> Iterator[Picture]:
    """What is seen of a clip at some times, one after the other; a few pictures are held at a time.

    Args:
        clip: which.
        times: seconds, ascending. Each is looked at by the first frame at or after it, and after
            the end by the last one.
        size: height and width to which frames are resized.
        sight: what is seen.

    Yields:
        (H, W, 3) uint8, RGB; or as ``motion`` has it.

    Raises:
        LookhearError: no frame can be decoded.
    """
    shifts = (0.0,) if sight == "colour" else (-STEP, 0.0)
    wanted = sorted((time + shift, index) for index, time in enumerate(times) for shift in shifts)
    due = Due([max(time, 0.0) for time, _ in wanted])
    left = iter(wanted)
    seen: dict[int, list[NDArray[np.uint8]]] = {}

    def take(frame: Frame, count: int) -> Iterator[Picture]:
        picture = frame.rgb(size) if count else None
        for _, (_, index) in zip(range(count), left, strict=False):
            assert picture is not None
            of_one = seen.setdefault(index, [])
            of_one.append(picture)
            if len(of_one) == len(shifts):
                del seen[index]
                yield picture if sight == "colour" else motion(*of_one)

    last: Frame | None = None
    for frame in clip.frames():
        yield from take(frame, due.by(frame.time))
        last = frame
    assert last is not None  # else frames() had raised
    yield from take(last, len(wanted))


def motion(before: NDArray[np.uint8], own: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show what moves: by how much a picture differs from an earlier one, `ZERO` being nothing."""
    return (own.astype(np.int16) - before + ZERO).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Labelled:
    """A clip to learn from: its file, and the number of its class."""

    path: Path
    label: int


class SpreadClips(Dataset[dict[str, Any]]):
    """Clips, of each some frames spread over it, decoded as they come.

    A sample has ``frames`` (1, n, 3, H, W) uint8 and its class as ``tag``. A clip that cannot be
    decoded is left out: the next that can takes its place, and the journal gets a line.

    Attributes:
        kept: whether clips stay in memory once they are decoded: where all have room in
            `KEPT_BYTES`.

    Args:
        clips: which.
        frames: n.
        size: height and width to which frames are resized.
        sight: what is seen of each.
        left_out: gets a line [path, reason] for each that cannot be decoded.
    """

    def __init__(
        self,
        clips: Sequence[Labelled],
        frames: int,
        size: tuple[int, int],
        sight: Sight,
        left_out: Journal,
    ) -> None:
        self.clips = clips
        self.kept = len(clips) * frames * size[0] * size[1] * 3 <= KEPT_BYTES
        self._frames, self._size, self._sight = frames, size, sight
        self._left_out = left_out
        self._known: dict[int, NDArray[np.uint8]] = {}
        self._broken: set[int] = set()

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        for turn in range(len(self)):
            other = (index + turn) % len(self)
            pictures = self._pictures(other)
            if pictures is not None:
                frames = torch.from_numpy(pictures).permute(0, 3, 1, 2)[None]
                return {"frames": frames, "tag": self.clips[other].label}
        raise LookhearError("not one clip can be decoded; see lookhear data check")

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Give a batch, decoded on all cores but in a worker, which has one of its own."""
        if get_worker_info() is None and not self._known.keys() >= {*indices}:
            with ThreadPoolExecutor(cores()) as pool:
                return [*pool.map(self.__getitem__, indices)]
        return [*map(self.__getitem__, indices)]

    def _pictures(self, index: int) -> NDArray[np.uint8] | None:
        """The frames of a clip (n, H, W, 3); None if it cannot be decoded."""
        if index in self._broken:
            return None
        pictures = self._known.get(index)
        if pictures is None:
            path = self.clips[index].path
            try:
                pictures = self._decoded(path)
            except Exception as error:  # a damaged file makes decoders raise all kinds of error
                reason = str(error).removeprefix(f"{path}: ") or type(error).__name__
                self._broken.add(index)
                self._left_out.add([str(path), " ".join(reason.split())])
                log.warning("%s: left out of the training: %s", path, reason)
                return None
            if self.kept:
                self._known[index] = pictures
        return pictures

    def _decoded(self, path: Path) -> NDArray[np.uint8]:
        clip = open_clip(path)
        times = spread(duration_of(clip), self._frames).tolist()
        return np.stack([*looks(clip, times, self._size, self._sight)])


class SpreadMoments(Dataset[dict[str, Any]]):
    """The same of clips that were prepared (`lookhear.data.prepare`), of which shards are read.

    A clip is as long as its moments: the part that its list said it has its tag in.
    """

    def __init__(self, moments: Moments, frames: int, sight: Sight) -> None:
        self.tags = moments.tags
        self._moments, self._frames, self._sight = moments, frames, sight
        self._clips = [*moments.clip_moments().values()]

    def __len__(self) -> int:
        return len(self._clips)

    @property
    def labels(self) -> list[int]:
        """The class of each clip."""
        return [self._moments.tag(indices[0]) for indices in self._clips]

    @property
    def seconds(self) -> float:
        """How long a clip is, on average."""
        return sum(map(len, self._clips)) / len(self._clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        indices = self._clips[index]
        # A moment's second has nine frames, the last of which begins the next: of eight, each is
        # looked at, or what it differs by from the one before.
        first = -REACH if self._sight == "colour" else 1 - REACH
        offsets = range(first, first + 2 * REACH)
        ticks = [View(at, offset) for at in indices for offset in offsets]
        places = spread(len(ticks), self._frames).astype(int)
        pictures = [self._picture(ticks[place]) for place in places]
        return {
            "frames": torch.from_numpy(np.stack(pictures))[None],
            "tag": self._moments.tag(indices[0]),
        }

    def _picture(self, view: View) -> NDArray[np.uint8]:
        if self._sight == "colour":
            return self._moments.frame(view)
        before = View(view.moment, view.offset - 1)
        return motion(self._moments.frame(before), self._moments.frame(view))


def tell_left_out(left_out: Journal) -> str | None:
    """Say in one line which clips a training left out; None where there are none."""
    reasons: dict[str, str] = dict(left_out.read())
    if not reasons:
        return None
    names = [Path(path).name for path in reasons]
    return f"{counted('clip', names)} could not be decoded and were left out; see {left_out.path}"


def listed(data: TaggedClips) -> str:
    """A checksum of the clips that are there for training and validation."""
    told = [
        [clip.path.name, clip.tag, clip.split, size_of(clip.path)]
        for clip in data.clips
        if clip.split in SPLITS[:2] and size_of(clip.path) is not None
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def clips_told(run: Path) -> str | None:
    """Return the checksum of the clips that a run was trained on; None where it does not tell."""
    try:
        made_of: Any = json.loads((run / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    told = made_of.get(CLIPS) if isinstance(made_of, dict) else None
    return told if isinstance(told, str) else None
