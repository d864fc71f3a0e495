"""The form of prepared moments: shards in WebDataset's format, and what is written beside them.

    manifest.json       what was prepared from what, and what could not be
    train-00000.tar     the moments of some clips, in the order of the list: a WebDataset shard
    train-00000.json    which clips and moments the shard holds, and where in it they are

A moment's files in a shard are those of `MEMBERS`: its nine frames, what is known of it, its
sound, and the log-spectrogram of its second that the sound encoders hear. Where events are looked
for, each second of a clip has those of `SECOND_MEMBERS`: its frame, the boxes proposed there, what
is known of it, and its log-mel spectrogram.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from lookhear.data.moment import FRAMES
from lookhear.data.readers.tagged import SPLITS, Fault
from lookhear.errors import LookhearError
from lookhear.media.spectrogram import VGGSOUND

FORMAT = 1
MANIFEST = "manifest.json"
FACTS, SOUND, SPECTROGRAM = "json", "sound.npy", "vggsound.npy"
SPECTROGRAM_STFT = VGGSOUND
FRAME_MEMBERS = tuple(f"frame{number}.jpg" for number in range(FRAMES))
MEMBERS = tuple(sorted((*FRAME_MEMBERS, FACTS, SOUND, SPECTROGRAM)))
OLDER_MEMBERS = tuple(sorted((*MEMBERS, "report.npy")))  # with a spectrogram that nothing reads
BOXES, FRAME, LOG_MEL = "boxes.npy", "frame.jpg", "log-mel.npy"
SECOND_MEMBERS = (BOXES, FRAME, FACTS, LOG_MEL)
_MEMBERS_BY_COUNT = {len(of): of for of in (MEMBERS, OLDER_MEMBERS, SECOND_MEMBERS)}
TAR_BLOCK = 512  # bytes; a file in a tar is a block of header and whole blocks of content
SHARD_NAME = re.compile(rf"({'|'.join(SPLITS)})-\d{{5}}")


class Place(NamedTuple):
    """Where in its shard a moment is."""

    time: float  # seconds on its clip's clock
    offset: int  # of the header of its first member, bytes
    sizes: tuple[int, ...]  # of its members, bytes; how many there are tells which they are

    def span(self, member: str) -> tuple[int, int]:
        """Where a member's content begins in the shard, and how many bytes it has."""
        index = _MEMBERS_BY_COUNT[len(self.sizes)].index(member)
        before = sum(map(_in_tar, self.sizes[:index]))
        return self.offset + before + TAR_BLOCK, self.sizes[index]

    @property
    def end(self) -> int:
        """Where the next moment begins, bytes."""
        return self.offset + sum(map(_in_tar, self.sizes))


def _in_tar(size: int) -> int:
    """Bytes that a file of a size takes in a tar."""
    return TAR_BLOCK + -(-size // TAR_BLOCK) * TAR_BLOCK


@dataclass(frozen=True)
class PreparedClip:
    """What became of a clip."""

    path: str  # of its file, relative to the data set
    tag: str  # its category
    start: float  # seconds, at which what the tag names begins
    end: float  # seconds, at which it ends
    bytes: int | None  # size of its file; None where there is none
    has_sound: bool = False  # whether there is any
    fault: str | None = None  # why it could not be prepared, or None
    problems: tuple[str, ...] = ()  # what of it could not be decoded, a line each
    moments: tuple[Place, ...] = ()  # its moments, in the order of time


@dataclass(frozen=True)
class ShardRecord:
    """What a shard holds; it is not there where none of its clips could be prepared."""

    name: str  # without suffix
    bytes: int  # its size; 0 where it is not there
    sha256: str  # its checksum, hexadecimal
    clips: tuple[PreparedClip, ...]

    @property
    def faults(self) -> list[Fault]:
        """The clips that could not be prepared."""
        return [Fault(clip.path, clip.fault) for clip in self.clips if clip.fault]

    def as_json(self) -> str:
        """Write it for `read_record`, a clip a line."""
        clips = ",\n".join(json.dumps(asdict(clip)) for clip in self.clips)
        head = {"lookhear": FORMAT, "name": self.name, "bytes": self.bytes, "sha256": self.sha256}
        return f'{json.dumps(head)[:-1]}, "clips": [\n{clips}\n]}}\n'

    def is_of(self, shard: Path) -> bool:
        """Whether a shard is the one recorded, to the last byte."""
        try:
            return checksum(shard) == self.sha256
        except FileNotFoundError:
            return self.bytes == 0


def checksum(shard: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with shard.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read_record(path: Path) -> ShardRecord:
    """Read what a shard holds.

    Raises:
        LookhearError: The file is missing, damaged or of another version.
    """
    with _read(path) as read:
        size = int(read["bytes"])
        clips = tuple(_prepared_clip(clip, size) for clip in read["clips"])
        return ShardRecord(str(read["name"]), size, str(read["sha256"]), clips)


def _prepared_clip(read: dict[str, Any], shard_bytes: int) -> PreparedClip:
    moments = tuple(
        Place(float(time), int(offset), tuple(map(int, sizes)))
        for time, offset, sizes in read["moments"]
    )
    for place in moments:
        if len(place.sizes) not in _MEMBERS_BY_COUNT or min(place.offset, *place.sizes) < 0:
            raise ValueError("a moment that no shard can hold")
        if place.end > shard_bytes or not math.isfinite(place.time):
            raise ValueError("a moment outside its shard")
    return PreparedClip(**read | {"problems": tuple(read["problems"]), "moments": moments})


@dataclass(frozen=True)
class Manifest:
    """What a prepared folder holds."""

    data: str  # name of the data set it was prepared from
    complete: bool = False  # whether everything is prepared
    tags: tuple[str, ...] = ()  # all categories, sorted; their order numbers them
    # Of each split: the names of its shards, without suffix, how many of its clips were prepared,
    # and how many moments they have.
    shards: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()  # what could not be prepared, and why
    problems: tuple[Fault, ...] = ()  # what was, although some of it could not be decoded
    cut: dict[str, Any] = field(default_factory=dict)  # how clips were; nothing for moments

    def as_json(self) -> str:
        """Write it for `read_manifest`."""
        return json.dumps({"lookhear": FORMAT} | asdict(self), indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read what a prepared folder holds.

    Raises:
        LookhearError: There is no manifest, or it is damaged or of another version.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise LookhearError(f"{folder}: not prepared; run lookhear prepare first")
    with _read(path) as read:
        for name in ("faults", "problems"):
            read[name] = tuple(Fault(**fault) for fault in read[name])
        shards = {split: tuple(names) for split, names in read["shards"].items()}
        if not all(SHARD_NAME.fullmatch(name) for names in shards.values() for name in names):
            raise ValueError("a shard's name")
        if not shards.keys() == read["clips"].keys() == read["moments"].keys():
            raise ValueError("the splits disagree")
        counts = [number for of in ("clips", "moments") for number in read[of].values()]
        if not all(isinstance(number, int) and number >= 0 for number in counts):
            raise ValueError("a count")
        return Manifest(**read | {"tags": tuple(read["tags"]), "shards": shards})


def read_complete(folder: Path, *, of_events: bool = False) -> Manifest:
    """Read what a folder holds that was prepared to the end, as moments or for events.

    Raises:
        LookhearError: It was not, or as the other, or as :func:`read_manifest` does.
    """
    manifest = read_manifest(folder)
    if not manifest.complete:
        raise LookhearError(f"{folder}: not prepared to the end; run lookhear prepare again")
    if bool(manifest.cut) != of_events:
        wanted = "with --events" if of_events else "without --events"
        raise LookhearError(f"{folder}: prepared for something else; prepare {wanted}")
    return manifest


@contextmanager
def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Give what such a file says; what goes wrong with it meanwhile is told of the file."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if (version := read.pop("lookhear")) != FORMAT:
            raise LookhearError(f"{path}: of version {version}, not {FORMAT}; prepare again")
        yield read
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LookhearError(f"{path}: damaged ({error}); prepare again") from error
