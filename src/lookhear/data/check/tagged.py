"""Looking at clips with one tag each: which are there, open and are long enough; how balanced."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lookhear.data.check.findings import Advance, Section, Trouble, by_reason, names_in
from lookhear.data.moment import seconds_of
from lookhear.data.readers.ave import VIDEOS, read_ave
from lookhear.data.readers.tables import read_clips
from lookhear.data.readers.tagged import SPLITS, TaggedClip, TaggedClips, size_of
from lookhear.errors import LookhearError
from lookhear.media import Clip, open_clip


def check_ave(root: Path, advance: Advance) -> Section:
    """Look at a folder in AVE's layout; the videos need not be there."""
    clips, folder = read_ave(root), root / VIDEOS
    unlisted = sorted(names_in(folder) - {clip.path.name for clip in clips.clips})
    return _section(
        "AVE's layout: clips with one tag each",
        clips,
        _open_videos(clips, folder, advance),
        advice=f"expected as {VIDEOS}/<VideoID>.mp4",
        more=Trouble(f"Files in {VIDEOS}/ that no list names", unlisted),
    )


def check_clips(path: Path, advance: Advance) -> Section:
    """Look at a table of tagged clips; they need not be there."""
    clips = read_clips(path)
    title = f"{path.name}: clips with one tag each"
    return _section(title, clips, _open_videos(clips, path.parent, advance))


@dataclass
class _Videos:
    """The files of tagged clips.

    Attributes:
        folder: Where they are.
        missing: Those that are not there.
        broken: Those that cannot be opened, and why.
        silent: Those without sound.
        duration: Seconds for which those that can be opened have a picture, 0 where the header
            does not tell.
    """

    folder: Path
    missing: list[Path] = field(default_factory=list)
    broken: dict[Path, str] = field(default_factory=dict)
    silent: list[Path] = field(default_factory=list)
    duration: dict[Path, float] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """How the list has it."""
        return path.relative_to(self.folder).as_posix()


def _open_videos(clips: TaggedClips, folder: Path, advance: Advance) -> _Videos:
    videos = _Videos(folder)
    for path in dict.fromkeys(clip.path for clip in clips.clips):
        advance(1)
        if size_of(path) is None:
            videos.missing.append(path)
            continue
        try:
            clip = open_clip(path)
        except LookhearError as error:
            videos.broken[path] = str(error).removeprefix(f"{path}: ")
            continue
        videos.duration[path] = _picture_seconds(clip)
        if not clip.has_sound:
            videos.silent.append(path)
    return videos


def _picture_seconds(clip: Clip) -> float:
    # The sound may go on for longer, and the clip with it.
    if clip.frame_count and clip.frame_rate:
        return clip.frame_count / clip.frame_rate
    return clip.duration or 0.0


def _section(
    title: str, clips: TaggedClips, videos: _Videos, advice: str = "", more: Trouble | None = None
) -> Section:
    name, total = videos.name, len({clip.path for clip in clips.clips})
    empty = [clip for clip in clips.clips if not seconds_of(clip.start, clip.end)]
    short = [clip for clip in clips.clips if _is_short(clip, videos)]
    opened = [clip for clip in clips.clips if clip.path in videos.duration]
    troubles = (
        Trouble("Missing videos", [name(path) for path in videos.missing], total, advice),
        Trouble(
            "Videos that cannot be opened",
            [f"{name(path)}, {reason}" for path, reason in videos.broken.items()],
            total,
        ),
        Trouble(
            "Videos that end before their annotation",
            [f"{name(c.path)} at {videos.duration[c.path]:.1f} of {c.end:g} s" for c in short],
        ),
        Trouble("Videos without sound", [name(path) for path in videos.silent], total),
        *by_reason(clips.faults),
        Trouble(
            "Annotations without the middle of a second",
            [f"{name(clip.path)}, {clip.start:g} to {clip.end:g} s" for clip in empty],
        ),
        Trouble(
            "Videos that are in two splits",
            [name(path) for path in _in_two_splits(clips)],
            total,
            "listed with other tags or times",
        ),
        Trouble("Categories without a clip in a split", _absent_categories(clips)),
        *([more] if more else []),
    )
    return Section(
        title,
        unit="clips",
        usable=len({*opened} - {*empty, *short}),
        total=len(clips.clips),
        rows=_rows(clips, {*videos.missing}),
        facts=(*_balance(clips), *clips.notes),
        troubles=troubles,
    )


def _is_short(clip: TaggedClip, videos: _Videos) -> bool:
    """Whether the last of the clip's moments comes after its end."""
    duration, seconds = videos.duration.get(clip.path), seconds_of(clip.start, clip.end)
    return bool(duration and seconds and duration <= seconds[-1] + 0.5)


def _in_two_splits(clips: TaggedClips) -> list[Path]:
    splits: dict[Path, set[str]] = {}
    for clip in clips.clips:
        splits.setdefault(clip.path, set()).add(clip.split)
    return [path for path, of_one in splits.items() if len(of_one) > 1]


def _absent_categories(clips: TaggedClips) -> list[str]:
    return [
        f"{tag} in {split}"
        for split in SPLITS
        if (of_split := {clip.tag for clip in clips.of_split(split)})
        for tag in clips.tags
        if tag not in of_split
    ]


def _balance(clips: TaggedClips) -> list[str]:
    counts = clips.count().most_common()
    if not counts or counts[0][1] == counts[-1][1]:
        return []
    (largest, most), (smallest, fewest) = counts[0], counts[-1]
    return [
        f"Balance: {smallest} has {fewest:,}, {largest} {most:,}: {most / fewest:.1f} times as many"
    ]


def _rows(clips: TaggedClips, missing: set[Path]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("split", "clips", "there", "seconds", "categories", "fewest", "most")
    ]
    splits: list[tuple[str, Sequence[TaggedClip]]] = [(s, clips.of_split(s)) for s in SPLITS]
    for split, listed in (*splits, ("all", clips.clips)):
        if listed:
            counts = Counter(clip.tag for clip in listed).values()
            there = sum(clip.path not in missing for clip in listed)
            length = round(sum(clip.end - clip.start for clip in listed))
            numbers = (len(listed), there, length, len(counts), min(counts), max(counts))
            rows.append((split, *(f"{number:,}" for number in numbers)))
    return rows
