"""Prepared clips as the network of events takes them: bags of boxes and of windows of sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lookhear.data.derived import POOLED, read_derived
from lookhear.data.loader import kept_array, kept_picture
from lookhear.data.readers.tagged import SPLITS, Split, tags_in
from lookhear.data.shards import BOXES, FRAME, LOG_MEL, Manifest, Place, read_complete, read_record
from lookhear.errors import LookhearError
from lookhear.events.seconds import WINDOW_ROWS, window_starts
from lookhear.media.spectrogram import MEL_BANDS, MEL_ROWS_A_SECOND
from lookhear.words import count

HELD_OUT = 10  # of so many clips one is held out, where the data set holds out none


class KeptSecond(NamedTuple):
    """A second of a clip in its shard."""

    shard: Path
    place: Place


@dataclass(frozen=True)
class PreparedSeconds:
    """A prepared clip.

    Attributes:
        path: of its file, relative to the data set.
        tags: what it carries.
        has_sound: whether it has a sound track.
        seconds: all of them, in order.
        row: of the first of them, among those of its shard.
        of_shard: how many seconds the shard has.
    """

    path: str
    tags: tuple[str, ...]
    has_sound: bool
    seconds: tuple[KeptSecond, ...]
    row: int
    of_shard: int


@dataclass(frozen=True)
class Parts:
    """The clips that a training has.

    Attributes:
        tags: of the clips to learn from, sorted.
        boxes: in a frame, at most.
        learnt: clips to learn from.
        held_out: clips to choose by; none where there are too few.
        notes: what is odd, a line each.
    """

    tags: tuple[str, ...]
    boxes: int
    learnt: tuple[PreparedSeconds, ...]
    held_out: tuple[PreparedSeconds, ...]
    notes: tuple[str, ...] = ()

    @property
    def stretch(self) -> int:
        """Seconds of a clip to learn from: the median."""
        return round(float(np.median([len(clip.seconds) for clip in self.learnt])))


def prepared_clips(folder: Path, split: Split, manifest: Manifest) -> list[PreparedSeconds]:
    """The prepared clips of a split, in order.

    Raises:
        LookhearError: a shard is missing or damaged.
    """
    clips = []
    for name in manifest.shards.get(split, ()):
        shard = folder / f"{name}.tar"
        record = read_record(shard.with_suffix(".json"))
        if not shard.is_file() or shard.stat().st_size != record.bytes:
            raise LookhearError(f"{shard}: missing or cut short; run lookhear prepare again")
        of_shard, row = sum(len(clip.moments) for clip in record.clips), 0
        for clip in record.clips:
            if clip.moments:
                seconds = tuple(KeptSecond(shard, place) for place in clip.moments)
                tags = tags_in(clip.tag)
                found = PreparedSeconds(clip.path, tags, clip.has_sound, seconds, row, of_shard)
                clips.append(found)
                row += len(seconds)
    return clips


def parts_of(folder: Path) -> Parts:
    """Share prepared clips out: to learn from, and to choose by.

    Where the data set holds none out, every tenth of those to learn from is.

    Raises:
        LookhearError: nothing is prepared for events there, or nothing to learn from.
    """
    manifest = read_complete(folder, of_events=True)
    of_split = {split: prepared_clips(folder, split, manifest) for split in SPLITS}
    learnt, held_out, notes = of_split["train"], of_split["val"], []
    if not learnt:
        raise LookhearError(f"{folder}: holds no clip to learn from; see its manifest.json")
    if not held_out:
        held_out = learnt[HELD_OUT - 1 :: HELD_OUT]
        learnt = [clip for clip in learnt if clip not in held_out]
        told = f"{count(len(held_out), 'clip')} of those to learn from held out to choose by"
        notes.append(told if held_out else "too few clips to hold one out: the threshold is 0")
    tags = {tag for clip in learnt for tag in clip.tags}
    everywhere = {tag for clips in of_split.values() for clip in clips for tag in clip.tags}
    if without := sorted(everywhere - tags):
        notes.append(f"tags without a clip to learn from, left out: {', '.join(without)}")
    boxes = int(manifest.cut["boxes"])
    return Parts(tuple(sorted(tags)), boxes, tuple(learnt), tuple(held_out), tuple(notes))


class Bags(Dataset[dict[str, Tensor]]):
    """Clips as bags of proposals, each filled up to the largest.

    A sample is a dict, T being the seconds of the longest clip, M the boxes of a frame at most:

    - `pooled`: `(T * M, features)` float32, what the backbone sees in boxes; only if it is kept.
    - `frames`: `(T, 3, H, W)` uint8, and `boxes`: `(T, M, 4)` float32; only if a size is given.
    - `there`: `(T * M,)` bool, which boxes there are.
    - `windows`: `(W, 96, 64)` float32, and `audible`: `(W,)` bool, which there are; only if it
      `hears`.
    - `tags`: `(C,)` bool.

    Args:
        parts: gives the tags and the number of boxes.
        clips: which.
        pooled: folder of `POOLED`, see `lookhear.data.derived`.
        size: height and width of frames, in pixels.
        hears: whether windows are wanted.
        step: rows from one window to the next.
        shifts: whether windows begin elsewhere in each epoch, by chance.
        seed: of that chance.
    """

    def __init__(
        self,
        parts: Parts,
        clips: Sequence[PreparedSeconds],
        *,
        pooled: Path | None = None,
        size: tuple[int, int] | None = None,
        hears: bool = True,
        step: int = WINDOW_ROWS // 2,
        shifts: bool = False,
        seed: int = 0,
    ) -> None:
        self.clips = clips
        self._tags, self._boxes = parts.tags, parts.boxes
        self._pooled, self._size, self._hears = pooled, size, hears
        self._step, self._shifts, self._seed = step, shifts, seed
        self._longest = max(len(clip.seconds) for clip in clips)
        self._windows = len(window_starts(MEL_ROWS_A_SECOND * self._longest, step))
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.clips)

    def set_epoch(self, epoch: int) -> None:
        """Turn to an epoch, for other chances."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip = self.clips[index]
        sample = {"tags": torch.tensor([tag in clip.tags for tag in self._tags])}
        if self._pooled is not None or self._size is not None:
            sample |= self._seen(clip)
        if self._hears:
            sample |= self._heard(clip, index)
        return sample

    def _seen(self, clip: PreparedSeconds) -> dict[str, Tensor]:
        boxes = np.zeros((self._longest, self._boxes, 4), np.float32)
        there = np.zeros((self._longest, self._boxes), bool)
        for number, second in enumerate(clip.seconds):
            proposed = kept_array(second, BOXES)[: self._boxes, :4]
            boxes[number, : len(proposed)] = proposed
            there[number, : len(proposed)] = True
        sample = {"there": torch.from_numpy(there.reshape(-1))}
        if self._pooled is not None:
            shard = clip.seconds[0].shard.stem
            kept = read_derived(self._pooled, shard, POOLED, clip.of_shard)
            rows = kept[clip.row : clip.row + len(clip.seconds)]
            pooled = np.zeros((self._longest, *rows.shape[1:]), np.float32)
            pooled[: len(rows)] = rows
            sample["pooled"] = torch.from_numpy(pooled.reshape(-1, rows.shape[-1]))
        if self._size is not None:
            frames = np.zeros((self._longest, *self._size, 3), np.uint8)
            for number, second in enumerate(clip.seconds):
                frames[number] = kept_picture(second, FRAME, self._size)
            sample["frames"] = torch.from_numpy(frames.transpose(0, 3, 1, 2))
            sample["boxes"] = torch.from_numpy(boxes)
        return sample

    def _heard(self, clip: PreparedSeconds, index: int) -> dict[str, Tensor]:
        first = 0
        if self._shifts:
            chance = np.random.default_rng((self._seed, int(self._epoch), index))
            first = int(chance.integers(self._step))
        windows = np.zeros((self._windows, WINDOW_ROWS, MEL_BANDS), np.float32)
        audible = np.zeros(self._windows, bool)
        rows = clip_rows(clip)
        for number, start in enumerate(window_starts(len(rows), self._step, first)):
            windows[number] = rows[start : start + WINDOW_ROWS]
            audible[number] = True
        return {"windows": torch.from_numpy(windows), "audible": torch.from_numpy(audible)}


def clip_rows(clip: PreparedSeconds) -> NDArray[Any]:
    """The log-mel spectrogram of a clip, (rows, 64); no row where it has no sound track."""
    return np.concatenate([kept_array(second, LOG_MEL) for second in clip.seconds])
