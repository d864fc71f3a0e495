"""Preparing: tagged clips become shards of moments, once, before any network sees them.

A shard holds the same clips whoever makes it and appears whole, with its record after it: so
several processes, a Ray cluster, or a run that goes on after another was killed, all end with the
same files.
"""

import io
import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from webdataset.writer import TarWriter

from lookhear.data.ave import ANNOTATIONS, read_ave
from lookhear.data.moment import (
    FRAMES_A_SECOND,
    REACH,
    Moment,
    cut,
)
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
    read_manifest,
    read_record,
)
from lookhear.data.tables import CLIPS, read_clips
from lookhear.data.tagged import SPLITS, Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError
from lookhear.files import cannot_write, is_empty, write_whole
from lookhear.media import open_clip
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

    def described(self) -> list[PreparedClip]:
        """Say what is known of the clips before they are prepared."""
        return [
            PreparedClip(
                path=clip.path.relative_to(self.root).as_posix(),
                tag=clip.tag,
                start=clip.start,
                end=clip.end,
                bytes=clip.path.stat().st_size if clip.path.is_file() else None,
            )
            for clip in self.clips
        ]

    def finished(self) -> ShardRecord | None:
        """Return the record of an earlier run, if it was of the same files."""
        try:
            record = read_record(self.record_path)
            size = self.path.stat().st_size if self.path.is_file() else 0
        except LookhearError:
            return None
        source = [PreparedClip(c.path, c.tag, c.start, c.end, c.bytes) for c in record.clips]
        return record if size == record.bytes and source == self.described() else None


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
    _claim(out, data)
    shards = _shards(data, out)
    records = {shard.name: shard.finished() for shard in shards}
    for fault in data.faults if strict else ():
        raise LookhearError(f"{fault} (--strict)")

    def take(record: ShardRecord) -> None:
        for fault in record.faults if strict else ():
            raise LookhearError(f"{fault} (--strict)")
        records[record.name] = record
        advance(len(record.clips))

    for record in records.values():
        if record:
            take(record)
    todo = [shard for shard in shards if records[shard.name] is None]
    for made in in_parallel(_make_shard, todo, workers, ray_address):
        take(made)
    _clear_leftovers(out, records)
    manifest = _manifest(data, [record for record in records.values() if record])
    write_whole(out / MANIFEST, manifest.as_json())
    if not sum(manifest.moments.values()):
        raise LookhearError(f"{data.root}: not one clip can be prepared; {out / MANIFEST} says why")
    return manifest


def _claim(out: Path, data: TaggedClips) -> None:
    """Make the folder ours for this data set, or refuse."""
    if (out / MANIFEST).exists():
        if read_manifest(out).data != _named(data):
            raise LookhearError(f"{out}: prepared from another data set; choose another --out")
    elif out.exists() and not is_empty(out):
        raise LookhearError(f"{out}: holds something else; choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    write_whole(out / MANIFEST, Manifest(_named(data)).as_json())


def _named(data: TaggedClips) -> str:
    return str(data.root.resolve())


def _shards(data: TaggedClips, out: Path) -> list[_Shard]:
    root = data.root if data.root.is_dir() else data.root.parent
    shards = []
    for split in SPLITS:
        clips = data.of_split(split)
        for number, begin in enumerate(range(0, len(clips), CLIPS_A_SHARD)):
            of_shard = tuple(clips[begin : begin + CLIPS_A_SHARD])
            shards.append(_Shard(out, f"{split}-{number:05d}", root, of_shard))
    return shards


def _make_shard(shard: _Shard) -> ShardRecord:
    partial = shard.path.with_name(f".{shard.path.name}.partial")
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
    record = ShardRecord(shard.name, size and size + len(END_OF_TAR), tuple(clips))
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
    except OSError:
        raise  # of the shard; what is wrong with a clip is a LookhearError
    except Exception as error:  # a damaged file can make decoders raise anything
        reason = str(error).removeprefix(f"{clip.path}: ") or type(error).__name__
        prepared, end = replace(described, fault=reason), begin
    # Without the mark of a tar's end, so that more can follow.
    tar.seek(end)
    tar.truncate()
    return prepared


def _write_moments(
    tar: BinaryIO, key: str, clip: TaggedClip, described: PreparedClip
) -> PreparedClip:
    """Write a clip's moments from here on, and the mark of a tar's end."""
    opened = open_clip(clip.path)
    offset = tar.tell()
    places: list[Place] = []
    with TarWriter(tar, encoder=False, mtime=0) as writer:
        for moment in cut(opened, clip.start, clip.end):
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
        partial = file.name.startswith(".") and file.name.endswith(".partial")
        if partial or (SHARD_NAME.fullmatch(file.stem) and file.stem not in wanted):
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
        data=_named(data),
        complete=True,
        tags=tuple(sorted({clip.tag for clip in every})),
        shards={
            split: tuple(r.name for r in of_one if r.bytes) for split, of_one in of_split.items()
        },
        clips={split: len(clips) for split, clips in prepared.items()},
        moments={split: sum(len(c.moments) for c in clips) for split, clips in prepared.items()},
        faults=(*data.faults, *(fault for record in records for fault in record.faults)),
        problems=tuple(Fault(clip.path, line) for clip in every for line in clip.problems),
    )
