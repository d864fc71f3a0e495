"""Preparing: tagged clips become shards of moments, once, before any network sees them.

A shard holds the same clips whoever makes it and appears whole, with its record after it: so
several processes, a Ray cluster, or a run that goes on after another was killed, all end with the
same files.
"""

import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from webdataset.writer import TarWriter

from lookhear.data.moment import (
    FRAMES_A_SECOND,
    REACH,
    Moment,
    cut,
)
from lookhear.data.readers.ave import ANNOTATIONS, read_ave
from lookhear.data.readers.tables import CLIPS, read_clips
from lookhear.data.readers.tagged import SPLITS, Fault, Split, TaggedClip, TaggedClips, size_of
from lookhear.data.shards import (
    FACTS,
    FRAME_MEMBERS,
    MANIFEST,
    MEMBERS,
    SHARD_NAME,
    SOUND,
    SPECTROGRAM_MEMBERS,
    Manifest,
    Place,
    PreparedClip,
    ShardRecord,
    checksum,
    read_record,
)
from lookhear.errors import LookhearError
from lookhear.files import (
    cannot_write,
    is_empty,
    is_partial,
    partial_of,
    sole_use,
    write_whole,
)
from lookhear.media import Clip, open_clip
from lookhear.parallel import in_parallel

CLIPS_A_SHARD = 16
END_OF_TAR = bytes(1024)


@dataclass(frozen=True)
class _Shard:
    """The work on one shard."""

    folder: Path
    name: str
    root: Path
    clips: tuple[TaggedClip, ...]

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.tar"

    @property
    def record_path(self) -> Path:
        return self.folder / f"{self.name}.json"

    def name_of(self, clip: TaggedClip) -> str:
        """A clip's path within the data set."""
        return clip.path.relative_to(self.root).as_posix()

    def described(self) -> list[PreparedClip]:
        """Say what is known of the clips before they are prepared."""
        return [
            PreparedClip(
                path=self.name_of(clip),
                tag=clip.tag,
                start=clip.start,
                end=clip.end,
                bytes=size_of(clip.path),
            )
            for clip in self.clips
        ]

    def is_made(self, record: ShardRecord) -> bool:
        """Whether an earlier run's record is of the same clips, and the shard is whole.

        Clips are compared by size. One that has gone since stays prepared.
        """
        described = self.described()
        if len(described) != len(record.clips):
            return False
        for clip, before in zip(described, record.clips, strict=True):
            known = PreparedClip(before.path, before.tag, before.start, before.end, before.bytes)
            if clip not in (known, replace(known, bytes=None)):
                return False
        return record.is_of(self.path)


def read_tagged(path: Path) -> TaggedClips:
    """Read the tagged clips of a folder in AVE's layout, or of a `clips.csv` or the folder of one.

    Raises:
        LookhearError: It is none of these, or its lists cannot be read.
    """
    if (path / ANNOTATIONS).exists():
        return read_ave(path)
    table = path / CLIPS if path.is_dir() else path
    if not table.is_file():
        raise LookhearError(f"{path}: no tagged clips; looked for {ANNOTATIONS} (AVE) and {CLIPS}")
    return read_clips(table)


def prepare(
    data: TaggedClips,
    out: Path,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    strict: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Cut tagged clips into moments and keep them in shards, going on where a run stopped.

    Args:
        data: The clips.
        out: Folder of the shards; made if need be.
        workers: How many shards are made at the same time.
        ray_address: Make them on a Ray cluster; see `in_parallel`.
        strict: Whether a clip or entry that cannot be prepared is an error; else it is left out
            and the manifest says why.
        advance: Called with the number of clips that are done.

    Raises:
        LookhearError: `out` cannot be written or holds something else, nothing can be prepared,
            or, if `strict`, something cannot.
    """
    if strict:
        _refuse(data.faults)
    with sole_use(out):
        shards = _shards(data, out)
        earlier = _readable_records(out)
        _check_place(out, shards, earlier)
        records: dict[str, ShardRecord] = {}

        def take(record: ShardRecord) -> None:
            if strict:
                _refuse(record.faults)
            records[record.name] = record
            advance(len(record.clips))

        for shard in shards:
            if shard.name in earlier and shard.is_made(earlier[shard.name]):
                take(earlier[shard.name])
        todo = [shard for shard in shards if shard.name not in records]
        if todo:
            write_whole(out / MANIFEST, Manifest(data.root.name).as_json())
        for made in in_parallel(_make_shard, todo, workers, ray_address):
            take(made)
        _clear_leftovers(out, records)
        manifest = _manifest(data, [records[shard.name] for shard in shards])
        write_whole(out / MANIFEST, manifest.as_json())
    if not sum(manifest.moments.values()):
        raise LookhearError(f"{data.root}: not one clip can be prepared; {out / MANIFEST} says why")
    return manifest


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise LookhearError(f"{faults[0]} (--strict)")


def _check_place(out: Path, shards: Sequence[_Shard], earlier: Mapping[str, ShardRecord]) -> None:
    """Refuse a folder of something else, or of another data set."""
    if not (out / MANIFEST).exists():
        if not is_empty(out):
            raise LookhearError(f"{out}: holds something else; choose another --out")
        return
    before = {clip.path for record in earlier.values() for clip in record.clips}
    now = (shard.name_of(clip) for shard in shards for clip in shard.clips)
    if before and before.isdisjoint(now):
        raise LookhearError(f"{out}: prepared from another data set; choose another --out")


def _readable_records(out: Path) -> dict[str, ShardRecord]:
    """What earlier runs say of their shards, by the shard's name."""
    records = {}
    for path in out.glob("*.json"):
        if SHARD_NAME.fullmatch(path.stem):
            with suppress(LookhearError):
                records[path.stem] = read_record(path)
    return records


def _shards(data: TaggedClips, out: Path) -> list[_Shard]:
    # Paths are absolute, as workers of a cluster are in other folders.
    folder, root = out.absolute(), data.root.absolute()
    root = root if root.is_dir() else root.parent
    shards = []
    for split in SPLITS:
        clips = [replace(clip, path=clip.path.absolute()) for clip in data.of_split(split)]
        for number, begin in enumerate(range(0, len(clips), CLIPS_A_SHARD)):
            of_shard = tuple(clips[begin : begin + CLIPS_A_SHARD])
            shards.append(_Shard(folder, f"{split}-{number:05d}", root, of_shard))
    return shards


def _make_shard(shard: _Shard) -> ShardRecord:
    partial = partial_of(shard.path)
    clips = []
    try:
        shard.record_path.unlink(missing_ok=True)
        with partial.open("wb") as tar:
            for number, (clip, described) in enumerate(
                zip(shard.clips, shard.described(), strict=True)
            ):
                clips.append(_add_clip(tar, f"{shard.name}-{number:02d}", clip, described))
            size = tar.tell()
            tar.write(END_OF_TAR)
        if size:
            partial.replace(shard.path)
        else:
            shard.path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(shard.path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    sizes = (size + len(END_OF_TAR), checksum(shard.path)) if size else (0, "")
    record = ShardRecord(shard.name, *sizes, tuple(clips))
    write_whole(shard.record_path, record.as_json())
    return record


def _add_clip(tar: BinaryIO, key: str, clip: TaggedClip, described: PreparedClip) -> PreparedClip:
    """Add a clip's moments to a shard: all of them, or none if one cannot be had."""
    if described.bytes is None:
        return replace(described, fault="not there")
    begin = tar.tell()
    try:
        prepared = _write_moments(tar, key, clip, described)
        end = prepared.moments[-1].end
    except _BadClipError as error:
        prepared, end = replace(described, fault=str(error)), begin
    # Without the mark of a tar's end, so that more can follow.
    tar.seek(end)
    tar.truncate()
    return prepared


def _write_moments(
    tar: BinaryIO, key: str, clip: TaggedClip, described: PreparedClip
) -> PreparedClip:
    """Write a clip's moments from here on, and the mark of a tar's end."""
    with _bad_clips(clip):
        opened = open_clip(clip.path)
    offset = tar.tell()
    places: list[Place] = []
    with TarWriter(tar, encoder=False, mtime=0) as writer:
        for moment in _moments(opened, clip):
            contents = _contents(moment, described, opened.has_sound)
            writer.write({"__key__": f"{key}-{int(moment.time):03d}"} | contents)
            sizes = tuple(len(contents[member]) for member in MEMBERS)
            places.append(Place(moment.time, offset, sizes))
            offset = places[-1].end
    return replace(
        described,
        has_sound=opened.has_sound,
        problems=tuple(opened.problems),
        moments=tuple(places),
    )


class _BadClipError(Exception):
    """A clip cannot be read, for the reason given."""


def _moments(opened: Clip, clip: TaggedClip) -> Iterator[Moment]:
    with _bad_clips(clip):
        yield from cut(opened, clip.start, clip.end)


@contextmanager
def _bad_clips(clip: TaggedClip) -> Iterator[None]:
    """Tell what goes wrong with a clip from what goes wrong with the shard."""
    try:
        yield
    # A damaged file makes decoders raise a dozen unrelated kinds of error.
    except Exception as error:
        reason = str(error).removeprefix(f"{clip.path}: ") or type(error).__name__
        raise _BadClipError(reason) from error


def _contents(moment: Moment, clip: PreparedClip, has_sound: bool) -> dict[str, bytes]:
    """A moment's files."""
    facts = {
        "clip": clip.path,
        "tag": clip.tag,
        "start": clip.start,
        "end": clip.end,
        "time": moment.time,
        "frame_times": [moment.time + i / FRAMES_A_SECOND for i in range(-REACH, REACH + 1)],
        "has_sound": has_sound,
    }
    contents = dict(zip(FRAME_MEMBERS, moment.jpegs, strict=True))
    contents[FACTS] = json.dumps(facts).encode()
    contents[SOUND] = _npy(moment.sound)
    for windows, member in SPECTROGRAM_MEMBERS.items():
        contents[member] = _npy(moment.spectrogram(windows).astype(np.float16))
    return contents


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _clear_leftovers(out: Path, wanted: Collection[str]) -> None:
    """Remove what an interrupted run, or an earlier and longer list, left."""
    for file in out.iterdir():
        if is_partial(file) or (SHARD_NAME.fullmatch(file.stem) and file.stem not in wanted):
            file.unlink()


def _manifest(data: TaggedClips, records: Sequence[ShardRecord]) -> Manifest:
    of_split: dict[Split, list[ShardRecord]] = {
        split: [record for record in records if record.name.startswith(f"{split}-")]
        for split in SPLITS
    }
    prepared = {
        split: [clip for record in of_one for clip in record.clips if clip.moments]
        for split, of_one in of_split.items()
    }
    every = [clip for clips in prepared.values() for clip in clips]
    return Manifest(
        data=data.root.name,
        complete=True,
        tags=data.tags,
        shards={
            split: tuple(r.name for r in of_one if r.bytes) for split, of_one in of_split.items()
        },
        clips={split: len(clips) for split, clips in prepared.items()},
        moments={split: sum(len(c.moments) for c in clips) for split, clips in prepared.items()},
        faults=(*data.faults, *(fault for record in records for fault in record.faults)),
        problems=tuple(Fault(clip.path, line) for clip in every for line in clip.problems),
    )
