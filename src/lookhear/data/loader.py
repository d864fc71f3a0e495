"""Prepared moments, read in any order, each with its partners."""

import io
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lookhear.data.moment import FRAMES_A_SECOND, REACH, second_of
from lookhear.data.shards import (
    FRAME_MEMBERS,
    MANIFEST,
    SOUND,
    SPECTROGRAM_MEMBERS,
    Place,
    read_manifest,
    read_record,
)
from lookhear.data.spectrogram import Windows, log_spectrogram
from lookhear.data.tagged import Split
from lookhear.errors import LookhearError

Partners: TypeAlias = Literal["short", "long", "cross"]
Other = TypeVar("Other")

PARTNERS = 2  # of a moment


class _Entry(NamedTuple):
    shard: Path
    place: Place
    clip: int
    tag: int
    has_sound: bool


class _View(NamedTuple):
    entry: _Entry
    offset: int  # of its middle frame from the moment's own


class Moments(Dataset[dict[str, Any]]):
    """The prepared moments of a split, each with its partners (see the networks of STANet+).

    A sample is a dict; M is 1, or 3 with partners (the target first), and F is `frames`:

    - `frames`: `(M, F, 3, H, W)` uint8 RGB, in the order of time.
    - `sound`: `(M, F, frequencies, times)` float32, the log-spectrogram of the second about each
      frame; only if `windows` are given. Of silence it is zeros.
    - `has_sound`: `(M,)` bool, whether the clip has a sound track.
    - `time`: `(M,)` float64, seconds, of each middle frame.
    - `tag`: int, index in `tags`.
    - `clip`: `(M,)` int64, number of the clip in the split.

    Partners are drawn by seed, epoch and index alone: whoever asks for a sample (a worker, a rank
    of a `DistributedSampler`, a run that goes on after a stop) gets the same one.

    Args:
        folder: What `prepare` made.
        split: Which part.
        size: Height and width to resize frames to, pixels.
        frames: 1, or 3 for a triplet of neighbours.
        windows: Of the log-spectrogram, `REPORT` or `VGGSOUND`; None for no sound.
        partners: `short`, the frames (for triplets: the triplets three frames) before and after;
            `long`, two other moments of the same clip; `cross`, moments of two other clips of
            the same category. Where there are not two others, what there is comes again: another
            moment, another clip's, and at last, for `cross`, what `long` gives.
        seed: Of the partners drawn.

    Attributes:
        tags: All categories of the data set, sorted.

    Raises:
        LookhearError: The folder is not prepared, or a file of it is missing or damaged.
    """

    def __init__(
        self,
        folder: Path | str,
        split: Split,
        *,
        size: tuple[int, int],
        frames: Literal[1, 3] = 1,
        windows: Windows | None = None,
        partners: Partners | None = None,
        seed: int = 0,
    ) -> None:
        folder = Path(folder)
        manifest = read_manifest(folder)
        if not manifest.complete:
            raise LookhearError(f"{folder}: not prepared to the end; run lookhear prepare again")
        self.tags = manifest.tags
        self._entries = list(_entries(folder, manifest.shards.get(split, ()), manifest.tags))
        if not self._entries:
            raise LookhearError(f"{folder}: holds no moment for {split}; see its {MANIFEST}")
        self._size = size
        self._neighbours = range(-1, 2) if frames == 3 else range(1)
        self._short_step = 3 if frames == 3 else 1
        self._windows = windows
        self._partners = partners
        self._seed = seed
        # Shared, so that an epoch's number reaches workers that outlive the one before.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._of_clip: dict[int, list[_Entry]] = defaultdict(list)
        self._clips_of_tag: dict[int, list[int]] = defaultdict(list)
        for entry in self._entries:
            if entry.clip not in self._of_clip:
                self._clips_of_tag[entry.tag].append(entry.clip)
            self._of_clip[entry.clip].append(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def set_epoch(self, epoch: int) -> None:
        """Draw other partners; workers that are at it already follow."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        target = self._entries[index]
        views = [_View(target, 0), *self._drawn_partners(index)]
        sample = {
            "frames": torch.from_numpy(np.stack([self._frames(view) for view in views])),
            "has_sound": torch.tensor([view.entry.has_sound for view in views]),
            "time": torch.tensor([_time(view) for view in views], dtype=torch.float64),
            "clip": torch.tensor([view.entry.clip for view in views]),
            "tag": target.tag,
        }
        if self._windows is not None:
            heard = [self._heard(view, self._windows) for view in views]
            sample["sound"] = torch.from_numpy(np.stack(heard))
        return sample

    def _drawn_partners(self, index: int) -> list[_View]:
        if self._partners is None:
            return []
        target = self._entries[index]
        if self._partners == "short":
            return [_View(target, -self._short_step), _View(target, self._short_step)]
        chance = np.random.default_rng((self._seed, int(self._epoch), index % len(self)))
        if self._partners == "cross":
            others = [c for c in self._clips_of_tag[target.tag] if c != target.clip]
            if others:
                clips = [self._of_clip[clip] for clip in _drawn(others, chance)]
                return [_View(of_clip[chance.integers(len(of_clip))], 0) for of_clip in clips]
        siblings = [other for other in self._of_clip[target.clip] if other is not target]
        return [_View(entry, 0) for entry in _drawn(siblings or [target], chance)]

    def _frames(self, view: _View) -> NDArray[np.uint8]:
        """The view's frames, `(F, 3, H, W)`."""
        pictures = []
        for neighbour in self._neighbours:
            member = FRAME_MEMBERS[REACH + view.offset + neighbour]
            pictures.append(_picture(view.entry, member, self._size))
        return np.stack(pictures).transpose(0, 3, 1, 2)

    def _heard(self, view: _View, windows: Windows) -> NDArray[np.float32]:
        """The view's log-spectrograms, `(F, frequencies, times)`."""
        heard = []
        sound: NDArray[np.int16] | None = None
        for neighbour in self._neighbours:
            offset = view.offset + neighbour
            if offset == 0 and windows in SPECTROGRAM_MEMBERS:
                kept = _array(view.entry, SPECTROGRAM_MEMBERS[windows])
                heard.append(kept.astype(np.float32))
            else:
                sound = _array(view.entry, SOUND) if sound is None else sound
                heard.append(log_spectrogram(second_of(sound, offset), *windows))
        return np.stack(heard)


def _entries(folder: Path, shards: Iterable[str], tags: Sequence[str]) -> Iterator[_Entry]:
    clips = itertools.count()
    for name in shards:
        shard = folder / f"{name}.tar"
        record = read_record(shard.with_suffix(".json"))
        if not shard.is_file() or shard.stat().st_size != record.bytes:
            raise LookhearError(f"{shard}: missing or cut short; run lookhear prepare again")
        for clip in record.clips:
            if clip.moments and clip.tag not in tags:
                raise LookhearError(f"{shard}: has a tag that {MANIFEST} has not; prepare again")
            if clip.moments:
                number, tag = next(clips), tags.index(clip.tag)
                for place in clip.moments:
                    yield _Entry(shard, place, number, tag, clip.has_sound)


def _drawn(others: Sequence[Other], chance: np.random.Generator) -> list[Other]:
    """Draw as many as a moment has partners, different ones as far as there are."""
    enough = len(others) >= PARTNERS
    drawn = chance.choice(len(others), PARTNERS, replace=not enough)
    return [others[index] for index in drawn]


def _time(view: _View) -> float:
    return view.entry.place.time + view.offset / FRAMES_A_SECOND


def _content(entry: _Entry, member: str) -> bytes:
    offset, size = entry.place.span(member)
    try:
        with entry.shard.open("rb") as shard:
            shard.seek(offset)
            return shard.read(size)
    except OSError as error:
        raise LookhearError(f"{entry.shard}: cannot be read ({error}); prepare again") from error


def _picture(entry: _Entry, member: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode and resize a frame to `(H, W, 3)` RGB."""
    jpeg = np.frombuffer(_content(entry, member), np.uint8)
    rgb = cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB) if jpeg.size else None
    if rgb is None:
        raise LookhearError(f"{entry.shard}: a frame in it is damaged; prepare again")
    return np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _array(entry: _Entry, member: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(io.BytesIO(_content(entry, member)), allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise LookhearError(f"{entry.shard}: sound in it is damaged; prepare again") from error
    return array
