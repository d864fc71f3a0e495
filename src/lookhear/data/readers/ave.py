"""Clips with one tag each, in the folder layout of the AVE data set.

    DIR/Annotations.txt                             Category&VideoID&Quality&StartTime&EndTime
    DIR/trainSet.txt, valSet.txt, testSet.txt       the same lines, shared out
    DIR/AVE/<VideoID>.mp4

Tian et al., "Audio-visual event localization in unconstrained videos", ECCV 2018;
https://github.com/YapengTian/AVE-ECCV18.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lookhear.data.readers.lists import (
    BadEntryError,
    label,
    numbered_lines,
    once_each,
    plain_name,
    span,
    utf8,
)
from lookhear.data.readers.tagged import SPLITS, Fault, Split, TaggedClip, TaggedClips
from lookhear.errors import LookhearError
from lookhear.files import write_whole

ANNOTATIONS = "Annotations.txt"
SPLIT_LISTS: dict[Split, str] = {split: f"{split}Set.txt" for split in SPLITS}
VIDEOS = "AVE"
HEADER = "Category&VideoID&Quality&StartTime&EndTime"
_CATEGORIES = (
    "Accordion; Acoustic guitar; Baby cry, infant cry; Banjo; Bark; Bus; Cat; Chainsaw; "
    "Church bell; Clock; Female speech, woman speaking; Fixed-wing aircraft, airplane; Flute; "
    "Frying (food); Goat; Helicopter; Horse; Male speech, man speaking; Mandolin; Motorcycle; "
    "Race car, auto racing; Rodents, rats, mice; Shofar; Toilet flush; Train horn; Truck; "
    "Ukulele; Violin, fiddle"
)
CATEGORIES = tuple(_CATEGORIES.split("; "))
"""In the published order: sorted by name."""


class _Entry(NamedTuple):
    tag: str
    video_id: str
    start: float
    end: float


def read_ave(root: Path | str) -> TaggedClips:
    """Read the lists of a folder in AVE's layout; the videos need not be there.

    A list may begin with the header or not. Every entry that cannot be used becomes a fault, and
    one that two split lists have counts for the first of train, val and test. Without any split
    list, all clips are for training. A video listed with several categories or times is a clip
    with each.

    Raises:
        LookhearError: If there is no `Annotations.txt`, or a list is not text or far too long.
    """
    root = Path(root)
    if not (root / ANNOTATIONS).exists():
        raise LookhearError(f"{root}: not a folder in AVE's layout; it must hold {ANNOTATIONS}")
    faults: list[Fault] = []
    lines = _read_list(root / ANNOTATIONS, faults)
    absent = [name for name in SPLIT_LISTS.values() if not (root / name).exists()]
    split_of: dict[_Entry, Split] = {}
    if len(absent) == len(SPLIT_LISTS):
        split_of = dict.fromkeys(lines, "train")
        notes = ["There are no split lists: all is for training"]
    else:
        notes = [f"There is no {' and no '.join(absent)}"] if absent else []
    for split, name in SPLIT_LISTS.items():
        if name in absent:
            continue
        for entry, line in _read_list(root / name, faults).items():
            if entry not in lines:
                faults.append(Fault(f"{name}, line {line}", f"not in {ANNOTATIONS}"))
            elif entry in split_of:
                first = SPLIT_LISTS[split_of[entry]]
                faults.append(Fault(f"{name}, line {line}", f"in {first} already"))
            else:
                split_of[entry] = split
    clips = []
    for entry, line in lines.items():
        if entry in split_of:
            video = ave_video(root, entry.video_id)
            clips.append(TaggedClip(video, entry.tag, entry.start, entry.end, split_of[entry]))
        else:
            faults.append(Fault(f"{ANNOTATIONS}, line {line}", "in no split list"))
    return TaggedClips(root, tuple(clips), tuple(faults), tuple(notes))


def write_ave(root: Path, clips: Sequence[TaggedClip]) -> None:
    """Write the lists of a folder in AVE's layout, each whole or not at all.

    Clips are named by their `VideoID`; `ave_video` says where their files are.

    Raises:
        LookhearError: If a list cannot be written.
    """
    write_whole(root / ANNOTATIONS, "".join([f"{HEADER}\n", *map(_line, clips)]))
    for split, name in SPLIT_LISTS.items():
        write_whole(root / name, "".join(_line(clip) for clip in clips if clip.split == split))


def ave_video(root: Path, video_id: str) -> Path:
    """Where the file of a video is in AVE's layout."""
    return root / VIDEOS / f"{video_id}.mp4"


def _line(clip: TaggedClip) -> str:
    return f"{clip.tag}&{clip.name}&good&{clip.start:.10g}&{clip.end:.10g}\n"


def _read_list(path: Path, faults: list[Fault]) -> dict[_Entry, int]:
    """The entries of a list, each with its line; what of it cannot be used goes to `faults`."""
    return once_each(_without_header(path), _parse, path, faults)


def _without_header(path: Path) -> Iterator[tuple[int, str]]:
    for place, (line, text) in enumerate(numbered_lines(path)):
        if place > 0 or text.replace(" ", "").casefold() != HEADER.casefold():
            yield line, text


def _parse(text: str) -> _Entry:
    # From the right, as the category alone may hold anything.
    fields = [field.strip() for field in utf8(text).rsplit("&", 4)]
    if len(fields) != 5:
        raise BadEntryError("not five fields with & between them", text)
    category, video_id, _quality, start, end = fields
    return _Entry(label(category, "category"), plain_name(video_id, "VideoID"), *span(start, end))
