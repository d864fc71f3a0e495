"""Preparing: tagged clips become shards of moments, once, before any network sees them.

What is kept of a clip is decided by a `Cut`; all else is the same for every one.

A shard holds the same clips whoever makes it and appears whole, with its record after it: so
several processes, a Ray cluster, or a run that goes on after another was killed, all end with the
same files.
"""

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from webdataset.writer import TarWriter

from lookhear.data.moment import FRAMES_A_SECOND, REACH, Moment, second_of
from lookhear.data.moment import cut as moments_of
from lookhear.data.readers.ave import ANNOTATIONS, read_ave
from lookhear.data.readers.dcase import has_dcase, is_dcase, read_dcase
from lookhear.data.readers.tables import CLIPS, read_clips
from lookhear.data.readers.tagged import (
    SPLITS,
    Fault,
    TaggedClip,
    TaggedClips,
    name_from,
    size_of,
)
from lookhear.data.shards import (
    FACTS,
    FRAME_MEMBERS,
    MANIFEST,
    MEMBERS,
    SHARD_NAME,
    SOUND,
    SPECTROGRAM,
    SPECTROGRAM_STFT,
    Manifest,
    Place,
    PreparedClip,
    ShardRecord,
    checksum,
    read_manifest,
    read_record,
)
from lookhear.errors import LookhearError
from lookhear.files import is_empty, is_partial, sole_use, whole_file, write_whole
from lookhear.media import Clip, open_clip
from lookhear.media.spectrogram import log_spectrogram
from lookhear.parallel import in_parallel
from lookhear.progress import Progress, unseen

CLIPS_A_SHARD = 16
END_OF_TAR = bytes(1024)


class Cut(Protocol):
    """How clips are cut into pieces; it is sent to the processes that cut."""

    @property
    def told(self) -> dict[str, Any]:
        """What decides the pieces, for the manifest, as JSON has it."""

    @property
    def members(self) -> tuple[str, ...]:
        """The names of a piece's files, sorted."""

    def pieces(self, clip: Clip, said: PreparedClip) -> Iterator[tuple[float, dict[str, bytes]]]:
        """Cut an open clip of which so much is said: the seconds of each piece, and its files."""


@dataclass(frozen=True)
class MomentsCut:
    """Cuts a clip into moments, from where its tag begins to where it ends."""

    @property
    def told(self) -> dict[str, Any]:
        """Nothing: there is one way."""
        return {}

    @property
    def members(self) -> tuple[str, ...]:
        """Frames, facts, sound and its spectrogram."""
        return MEMBERS

    def pieces(self, clip: Clip, said: PreparedClip) -> Iterator[tuple[float, dict[str, bytes]]]:
        """Give the moments."""
        for moment in moments_of(clip, said.start, said.end):
            yield moment.time, _contents(moment, said, clip.has_sound)


@dataclass(frozen=True)
class _Shard:
    """The work on one shard."""

    path: Path
    root: Path
    clips: tuple[TaggedClip, ...]
    cut: Cut

    @property
    def record_path(self) -> Path:
        return self.path.with_suffix(".json")

    def described(self) -> list[PreparedClip]:
        """Say what is known of the clips before they are prepared."""
        return [
            PreparedClip(
                name_from(self.root, clip.path),
                clip.tag,
                clip.start,
                clip.end,
                size_of(clip.path),
            )
            for clip in self.clips
        ]

    def is_made(self, record: ShardRecord) -> bool:
        """Whether an earlier run's record is of the same clips, and the shard is whole.

        Clips are compared by size. One that has gone since stays prepared.
        """
        known = [PreparedClip(c.path, c.tag, c.start, c.end, c.bytes) for c in record.clips]
        described = [
            replace(now, bytes=before.bytes) if now.bytes is None else now
            for now, before in zip(self.described(), known, strict=False)
        ]
        are_same = len(self.clips) == len(known) and described == known
        return are_same and record.is_of(self.path)


def read_tagged(path: Path, roots: Sequence[Path] = ()) -> TaggedClips:
    """Read the tagged clips of a folder in AVE's layout or of DCASE's lists, or of a `clips.csv`.

    Of a `clips.csv` or a list of DCASE, its path will do as well as its folder's.

    Clips of a table may also lie in ``roots``.

    Raises:
        LookhearError: It is none of these, or its lists cannot be read.
    """
    if (path / ANNOTATIONS).exists():
        return read_ave(path)
    if is_dcase(path) or has_dcase(path):
        return read_dcase(path)
    table = path / CLIPS if path.is_dir() else path
    if not table.is_file():
        raise LookhearError(
            f"{path}: no tagged clips; looked for {ANNOTATIONS} (AVE), {CLIPS} and DCASE's lists"
        )
    return read_clips(table, roots)


def prepare(
    data: TaggedClips,
    out: Path,
    cut: Cut = MomentsCut(),
    *,
    workers: int = 1,
    ray_address: str | None = None,
    strict: bool = False,
    advance: Progress = unseen,
) -> Manifest:
    """Cut tagged clips into moments and keep them in shards, going on where a run stopped.

    Args:
        data: The clips.
        out: Folder of the shards; made if need be.
        cut: How.
        workers: How many shards are made at the same time.
        ray_address: Make them on a Ray cluster; see `in_parallel`.
        strict: Whether a clip or entry that cannot be prepared is an error; else it is left out
            and the manifest says why.
        advance: Is told the number of clips that are done.

    Raises:
        LookhearError: `out` cannot be written or holds something else, nothing can be prepared,
            or, if `strict`, something cannot.
    """
    if strict:
        _refuse(data.faults)
    with sole_use(out):
        shards = _shards(data, out, cut)
        earlier = _readable_records(out)
        _check_place(out, shards, earlier, cut)
        records: dict[str, ShardRecord] = {}

        def take(record: ShardRecord) -> None:
            if strict:
                _refuse(record.faults)
            records[record.name] = record
            advance(len(record.clips))

        todo = []
        for shard in shards:
            record = earlier.get(shard.path.stem)
            if record and shard.is_made(record):
                take(record)
            else:
                todo.append(shard)
        is_new = not (out / MANIFEST).exists()
        if todo:
            write_whole(out / MANIFEST, Manifest(data.root.name, cut=cut.told).as_json())
        try:
            for made in in_parallel(_make_shard, todo, workers, ray_address):
                take(made)
        except LookhearError:
            if is_new and not _readable_records(out):  # the work could not even begin
                (out / MANIFEST).unlink(missing_ok=True)
            raise
        _clear_leftovers(out, records)
        manifest = _manifest(data, [records[shard.path.stem] for shard in shards], cut)
        write_whole(out / MANIFEST, manifest.as_json())
    if not sum(manifest.moments.values()):
        why = f"the first: {manifest.faults[0]}" if manifest.faults else "it names none"
        raise LookhearError(
            f"{data.root}: not one clip can be prepared ({why}); {out / MANIFEST} names all"
        )
    return manifest


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise LookhearError(f"{faults[0]} (--strict)")


def _check_place(
    out: Path, shards: Sequence[_Shard], earlier: Mapping[str, ShardRecord], cut: Cut
) -> None:
    """Refuse a folder of something else, of another data set, or cut in another way."""
    if not (out / MANIFEST).exists():
        if not is_empty(out):
            raise LookhearError(f"{out}: holds something else; choose another --out")
        return
    before = cut.told
    with suppress(LookhearError):  # a damaged manifest is written anew
        before = read_manifest(out).cut
    if before != cut.told:
        raise LookhearError(f"{out}: prepared in another way; choose another --out")
    clips_before = {clip.path for record in earlier.values() for clip in record.clips}
    now = (clip.path for shard in shards for clip in shard.described())
    if clips_before and clips_before.isdisjoint(now):
        raise LookhearError(f"{out}: prepared from another data set; choose another --out")


def _readable_records(out: Path) -> dict[str, ShardRecord]:
    """What earlier runs say of their shards, by the shard's name."""
    records = {}
    for path in out.glob("*.json"):
        if SHARD_NAME.fullmatch(path.stem):
            with suppress(LookhearError):
                records[path.stem] = read_record(path)
    return records


def _shards(data: TaggedClips, out: Path, cut: Cut) -> list[_Shard]:
    # Paths are absolute, as workers of a cluster are in other folders.
    folder, root = out.absolute(), data.root.absolute()
    root = root if root.is_dir() else root.parent
    shards = []
    for split in SPLITS:
        clips = [replace(clip, path=clip.path.absolute()) for clip in data.of_split(split)]
        for number, begin in enumerate(range(0, len(clips), CLIPS_A_SHARD)):
            of_shard = tuple(clips[begin : begin + CLIPS_A_SHARD])
            shards.append(_Shard(folder / f"{split}-{number:05d}.tar", root, of_shard, cut))
    return shards


def _make_shard(shard: _Shard) -> ShardRecord:
    name, clips = shard.path.stem, []
    with whole_file(shard.path) as partial, partial.open("wb") as tar:
        shard.record_path.unlink(missing_ok=True)
        for number, (clip, described) in enumerate(
            zip(shard.clips, shard.described(), strict=True)
        ):
            key = f"{name}-{number:02d}"
            clips.append(_add_clip(tar, key, clip.path, described, shard.cut))
        is_used = tar.tell() > 0
        size = tar.tell() + tar.write(END_OF_TAR)
    if is_used:
        record = ShardRecord(name, size, checksum(shard.path), tuple(clips))
    else:
        shard.path.unlink()
        record = ShardRecord(name, 0, "", tuple(clips))
    write_whole(shard.record_path, record.as_json())
    return record


def _add_clip(
    tar: BinaryIO, key: str, path: Path, described: PreparedClip, cut: Cut
) -> PreparedClip:
    """Add a clip's moments to a shard: all of them, or none if one cannot be had."""
    if described.bytes is None:
        return replace(described, fault="not there")
    begin = tar.tell()
    try:
        prepared = _write_moments(tar, key, path, described, cut)
        end = prepared.moments[-1].end
    except _BadClipError as error:
        prepared, end = replace(described, fault=str(error)), begin
    # Without the mark of a tar's end, so that more can follow.
    tar.seek(end)
    tar.truncate()
    return prepared


def _write_moments(
    tar: BinaryIO, key: str, path: Path, described: PreparedClip, cut: Cut
) -> PreparedClip:
    """Write a clip's moments from here on, and the mark of a tar's end."""
    offset = tar.tell()
    places: list[Place] = []
    with TarWriter(tar, encoder=False, mtime=0) as writer:
        for opened, time, contents in _pieces(path, described, cut):
            writer.write({"__key__": f"{key}-{int(time):03d}"} | contents)
            sizes = tuple(len(contents[member]) for member in cut.members)
            places.append(Place(time, offset, sizes))
            offset = places[-1].end
            clip = opened
    return replace(
        described,
        has_sound=clip.has_sound,
        problems=tuple(clip.problems),
        moments=tuple(places),
    )


class _BadClipError(Exception):
    """A clip cannot be read, for the reason given: no fault of the shard it is for."""


def _pieces(
    path: Path, described: PreparedClip, cut: Cut
) -> Iterator[tuple[Clip, float, dict[str, bytes]]]:
    """Open a clip and cut it: at least one piece, or `_BadClipError`."""
    try:
        opened = open_clip(path)
        for time, contents in cut.pieces(opened, described):
            yield opened, time, contents
    # A damaged file makes decoders raise a dozen unrelated kinds of error.
    except Exception as error:
        reason = str(error).removeprefix(f"{path}: ") or type(error).__name__
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
    spectrogram = log_spectrogram(second_of(moment.sound, 0), *SPECTROGRAM_STFT)
    return dict(zip(FRAME_MEMBERS, moment.jpegs, strict=True)) | {
        FACTS: json.dumps(facts).encode(),
        SOUND: npy(moment.sound),
        SPECTROGRAM: npy(spectrogram.astype(np.float16)),
    }


def npy(array: NDArray[Any]) -> bytes:
    """An array as the content of an .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _clear_leftovers(out: Path, wanted: Collection[str]) -> None:
    """Remove what an interrupted run, or an earlier and longer list, left."""
    for file in out.iterdir():
        if is_partial(file) or (SHARD_NAME.fullmatch(file.stem) and file.stem not in wanted):
            file.unlink()


def _manifest(data: TaggedClips, records: Sequence[ShardRecord], cut: Cut) -> Manifest:
    of_split = {s: [r for r in records if r.name.startswith(f"{s}-")] for s in SPLITS}
    prepared = {
        split: [clip for record in of_one for clip in record.clips if clip.moments]
        for split, of_one in of_split.items()
    }
    return Manifest(
        data=data.root.name,
        complete=True,
        tags=data.tags,
        shards={s: tuple(r.name for r in of_one if r.bytes) for s, of_one in of_split.items()},
        clips={split: len(clips) for split, clips in prepared.items()},
        moments={split: sum(len(c.moments) for c in clips) for split, clips in prepared.items()},
        faults=(*data.faults, *(fault for record in records for fault in record.faults)),
        problems=tuple(
            Fault(clip.path, line)
            for clips in prepared.values()
            for clip in clips
            for line in clip.problems
        ),
        cut=cut.told,
    )
