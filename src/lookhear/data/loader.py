"""Prepared moments, read in any order, each with its partners."""

import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lookhear.data import Partners
from lookhear.data.derived import BOXES, DAMAGED_ARRAY, FIXATIONS, read_derived
from lookhear.data.moment import FRAMES_A_SECOND, REACH, second_of
from lookhear.data.readers.tagged import Split
from lookhear.data.shards import (
    FRAME_MEMBERS,
    MANIFEST,
    SOUND,
    SPECTROGRAM,
    SPECTROGRAM_STFT,
    Place,
    read_complete,
    read_record,
)
from lookhear.errors import LookhearError
from lookhear.media.spectrogram import Stft, log_spectrogram
from lookhear.media.stills import decode_jpeg

PARTNERS = 2  # of a moment


class Kept(Protocol):
    """Something kept in a shard."""

    @property
    def shard(self) -> Path:
        """The shard."""

    @property
    def place(self) -> Place:
        """Where in it."""


class _Entry(NamedTuple):
    shard: Path
    place: Place
    clip: int
    tag: int
    has_sound: bool


class View(NamedTuple):
    """A frame of a prepared moment, or the middle one of a triplet.

    Attributes:
        moment: the index of the moment.
        offset: of the frame from the moment's own.
    """

    moment: int
    offset: int = 0


class Moments(Dataset[dict[str, Any]]):
    """The prepared moments of a split, each with its partners (see the networks of STANet+).

    A sample is a dict; M is 1, or 3 with partners (the target first), and F is `frames`:

    - `frames`: `(M, F, 3, H, W)` uint8 RGB, in the order of time; only if a `size` is given.
    - `sound`: `(M, F, frequencies, times)` float32, the log-spectrogram of the second about each
      frame; only if `windows` are given. Of silence it is zeros.
    - `has_sound`: `(M,)` bool, whether the clip has a sound track.
    - `time`: `(M,)` float64, seconds, of each middle frame.
    - `tag`: int, index in `tags`.
    - `clip`: `(M,)` int64, number of the clip in the split.
    - `fixations`: `(M, h, w)` float32, where people may look; only if given.

    Partners are drawn by seed, epoch and index alone: whoever asks for a sample (a worker, a rank
    of a `DistributedSampler`, a run that goes on after a stop) gets the same one.

    Args:
        folder: What `prepare` made.
        split: Which part.
        size: Height and width to resize frames to, pixels; None for no frames.
        frames: 1, or 3 for a triplet of neighbours.
        windows: Of the log-spectrogram, those of a sound encoder; None for no sound.
        partners: `short`, the frames (for triplets: the triplets three frames) before and after;
            `long`, two other moments of the same clip; `cross`, moments of two other clips of
            the same category. Where there are not two others, what there is comes again: another
            moment, another clip's, and at last, for `cross`, what `long` gives.
        as_released: Whether `short` is as the released code has it: of single frames, the one
            before and the target once more; of triplets, all in the order of time, so that the
            target is the second.
        crops: Folder of `BOXES` (see `lookhear.data.derived`): of every moment only that part of
            its frames is seen.
        fixations: Folder of `FIXATIONS`.
        seed: Of the partners drawn.

    Attributes:
        split: Which part.
        tags: All categories of the data set, sorted.
        shards: Name of each shard -> the indices of its moments.
        clips: Path of each clip, relative to the data set it was prepared from.

    Raises:
        LookhearError: The folder is not prepared, or a file of it is missing or damaged.
    """

    def __init__(
        self,
        folder: Path | str,
        split: Split,
        *,
        size: tuple[int, int] | None = None,
        frames: Literal[1, 3] = 1,
        windows: Stft | None = None,
        partners: Partners | None = None,
        as_released: bool = False,
        crops: Path | None = None,
        fixations: Path | None = None,
        seed: int = 0,
    ) -> None:
        folder = Path(folder)
        manifest = read_complete(folder)
        self.split = split
        self.tags = manifest.tags
        self.shards: dict[str, range] = {}
        self.clips: list[str] = []
        self._entries: list[_Entry] = []
        for name in manifest.shards.get(split, ()):
            self._add_shard(folder / f"{name}.tar")
        if not self._entries:
            raise LookhearError(f"{folder}: holds no moment for {split}; see its {MANIFEST}")
        self._crops, self._looks = crops, fixations
        for derived, of_shard in ((crops, BOXES), (fixations, FIXATIONS)):
            for shard, indices in self.shards.items():
                if derived is not None:
                    read_derived(derived, shard, of_shard, len(indices))
        self._size = size
        self._neighbours = range(-1, 2) if frames == 3 else range(1)
        self._short_step = 3 if frames == 3 else 1
        self._windows = windows
        self._partners = partners
        self._as_released = as_released
        self._seed = seed
        # Shared, so that an epoch's number reaches workers that outlive the one before.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._of_clip: dict[int, list[int]] = defaultdict(list)
        self._clips_of_tag: dict[int, list[int]] = defaultdict(list)
        for index, entry in enumerate(self._entries):
            if entry.clip not in self._of_clip:
                self._clips_of_tag[entry.tag].append(entry.clip)
            self._of_clip[entry.clip].append(index)

    def _add_shard(self, shard: Path) -> None:
        record = read_record(shard.with_suffix(".json"))
        if not shard.is_file() or shard.stat().st_size != record.bytes:
            raise LookhearError(f"{shard}: missing or cut short; run lookhear prepare again")
        begin = len(self._entries)
        for clip in record.clips:
            if not clip.moments:
                continue
            if clip.tag not in self.tags:
                raise LookhearError(f"{shard}: has a tag that {MANIFEST} has not; prepare again")
            number, tag = len(self.clips), self.tags.index(clip.tag)
            self._entries += [_Entry(shard, p, number, tag, clip.has_sound) for p in clip.moments]
            self.clips.append(clip.path)
        self.shards[shard.stem] = range(begin, len(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def tag(self, index: int) -> int:
        """The tag of a moment, index in `tags`; nothing is read."""
        return self._entries[index].tag

    def clip(self, index: int) -> int:
        """The clip of a moment, index in `clips`."""
        return self._entries[index].clip

    def has_sound(self, index: int) -> bool:
        """Whether the clip of a moment has a sound track."""
        return self._entries[index].has_sound

    def time(self, index: int) -> float:
        """The time of a moment on its clip's clock, seconds."""
        return self._entries[index].place.time

    def fixations(self, index: int) -> NDArray[np.float32]:
        """Where people may look at a moment, `(h, w)`; only if given."""
        assert self._looks is not None
        return self.derived(self._looks, FIXATIONS, index).astype(np.float32)

    def derived(self, folder: Path, name: str, index: int) -> NDArray[Any]:
        """The row of a moment in an array that was derived, see `lookhear.data.derived`.

        Raises:
            LookhearError: It is not there, damaged, or of other moments.
        """
        index = range(len(self))[index]
        shard = self._entries[index].shard.stem
        indices = self.shards[shard]
        return np.array(read_derived(folder, shard, name, len(indices))[index - indices.start])

    def clip_moments(self) -> dict[str, list[int]]:
        """Path of each clip -> the indices of its moments, in the order of time."""
        of_clip: dict[str, list[int]] = defaultdict(list)  # the data set may list a clip twice
        for clip, indices in self._of_clip.items():
            of_clip[self.clips[clip]] += indices
        return dict(of_clip)

    def set_epoch(self, epoch: int) -> None:
        """Draw other partners; workers that are at it already follow."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = range(len(self))[index]
        views = self.views(index)
        entries = [self._entries[view.moment] for view in views]
        times = [
            entry.place.time + view.offset / FRAMES_A_SECOND
            for view, entry in zip(views, entries, strict=True)
        ]
        sample = {
            "has_sound": torch.tensor([entry.has_sound for entry in entries]),
            "time": torch.tensor(times, dtype=torch.float64),
            "clip": torch.tensor([entry.clip for entry in entries]),
            "tag": entries[0].tag,
        }
        if self._size is not None:
            frames = [self.seen(view) for view in views]
            sample["frames"] = torch.from_numpy(np.stack(frames))
        if self._windows is not None:
            heard = [self.heard(view) for view in views]
            sample["sound"] = torch.from_numpy(np.stack(heard))
        if self._looks is not None:
            looked = [self.fixations(view.moment) for view in views]
            sample["fixations"] = torch.from_numpy(np.stack(looked))
        return sample

    def views(self, index: int) -> list[View]:
        """What a sample is of: the moment, and its partners of this epoch."""
        if self._as_released and self._partners == "short":
            step = self._short_step
            offsets = (-step, 0, step) if len(self._neighbours) > 1 else (0, -step, 0)
            return [View(index, offset) for offset in offsets]
        return [View(index), *self._drawn_partners(index)]

    def _drawn_partners(self, index: int) -> list[View]:
        if self._partners is None:
            return []
        if self._partners == "short":
            return [View(index, -self._short_step), View(index, self._short_step)]
        target = self._entries[index]
        chance = np.random.default_rng((self._seed, int(self._epoch), index))
        if self._partners == "cross":
            others = [c for c in self._clips_of_tag[target.tag] if c != target.clip]
            if others:
                clips = [self._of_clip[clip] for clip in _drawn(others, chance)]
                return [View(of_clip[chance.integers(len(of_clip))]) for of_clip in clips]
        siblings = [other for other in self._of_clip[target.clip] if other != index]
        return [View(other) for other in _drawn(siblings or [index], chance)]

    def seen(self, view: View) -> NDArray[np.uint8]:
        """A view's frames, `(F, 3, H, W)`; only if a size is given."""
        shifted = (View(view.moment, view.offset + shift) for shift in self._neighbours)
        return np.stack([self.frame(frame) for frame in shifted])

    def frame(self, view: View) -> NDArray[np.uint8]:
        """A view's own frame, `(3, H, W)`; only if a size is given."""
        assert self._size is not None
        box = None if self._crops is None else self.derived(self._crops, BOXES, view.moment)
        member = FRAME_MEMBERS[REACH + view.offset]
        return kept_picture(self._entries[view.moment], member, self._size, box).transpose(2, 0, 1)

    def heard(self, view: View) -> NDArray[np.float32]:
        """A view's log-spectrograms, `(F, frequencies, times)`; only if windows are given."""
        assert self._windows is not None
        windows, entry, heard = self._windows, self._entries[view.moment], []
        sound: NDArray[np.int16] | None = None
        for neighbour in self._neighbours:
            offset = view.offset + neighbour
            if offset == 0 and windows == SPECTROGRAM_STFT:
                heard.append(kept_array(entry, SPECTROGRAM).astype(np.float32))
            else:
                sound = kept_array(entry, SOUND) if sound is None else sound
                heard.append(log_spectrogram(second_of(sound, offset), *windows))
        return np.stack(heard)


def _drawn(others: Sequence[int], chance: np.random.Generator) -> list[int]:
    """Draw as many as a moment has partners, different ones as far as there are."""
    enough = len(others) >= PARTNERS
    drawn = chance.choice(len(others), PARTNERS, replace=not enough)
    return [others[index] for index in drawn]


def _content(entry: Kept, member: str) -> bytes:
    offset, size = entry.place.span(member)
    try:
        with entry.shard.open("rb") as shard:
            shard.seek(offset)
            return shard.read(size)
    except OSError as error:
        raise LookhearError(f"{entry.shard}: cannot be read ({error}); prepare again") from error


def kept_picture(
    entry: Kept, member: str, size: tuple[int, int], box: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """Decode a frame, or a box of it, and resize it to `(H, W, 3)` RGB.

    Raises:
        LookhearError: It is damaged, or its shard cannot be read.
    """
    content = _content(entry, member)
    try:
        picture = decode_jpeg(content, least=size if box is None else None)
    except ValueError as error:
        raise LookhearError(
            f"{entry.shard}: a frame in it is damaged ({error}); prepare again"
        ) from error
    if box is not None:
        picture = _cropped(picture, box)
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _cropped(picture: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    left, top, right, bottom = np.rint(box * (width, height, width, height)).astype(int).tolist()
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]


def kept_array(entry: Kept, member: str) -> NDArray[Any]:
    """Read an array.

    Raises:
        LookhearError: It is damaged, or its shard cannot be read.
    """
    try:
        array: NDArray[Any] = np.load(io.BytesIO(_content(entry, member)), allow_pickle=False)
    except DAMAGED_ARRAY as error:
        raise LookhearError(f"{entry.shard}: {member} in it is damaged; prepare again") from error
    return array
