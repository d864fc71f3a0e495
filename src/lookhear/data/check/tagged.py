"""Looking at clips with one tag each: which are there, open and are long enough; how balanced."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lookhear.data.check.findings import Section, Trouble, by_reason, names_in, row
from lookhear.data.moment import seconds_of
from lookhear.data.readers.ave import VIDEOS, read_ave
from lookhear.data.readers.tables import read_clips
from lookhear.data.readers.tagged import SPLITS, TaggedClip, TaggedClips, name_from, size_of
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.progress import Progress

TRIED = 16  # pixels a side, to which a frame is converted to see whether it can be


def check_ave(root: Path, advance: Progress) -> Section:
    """Look at a folder in AVE's layout; the videos need not be there."""
    clips, folder = read_ave(root), root / VIDEOS
    unlisted = sorted(names_in(folder) - {clip.path.name for clip in clips.clips})
    return _section(
        "AVE's layout: clips with one tag each",
        clips,
        _Videos(folder, clips, advance),
        f"expected as {VIDEOS}/<VideoID>.mp4",
        Trouble(f"Files in {VIDEOS}/ that no list names", unlisted),
    )


def check_clips(path: Path, advance: Progress, roots: Sequence[Path] = ()) -> Section:
    """Look at a table of tagged clips; they need not be there."""
    clips = read_clips(path, roots)
    videos = _Videos(path.parent, clips, advance)
    return _section(f"{path.name}: clips with one tag each", clips, videos)


class _Videos:
    """The files of tagged clips in a folder, each opened once."""

    def __init__(self, folder: Path, clips: TaggedClips, advance: Progress) -> None:
        self._folder = folder
        self.missing: list[Path] = []
        self.broken: dict[Path, str] = {}  # and why
        self.silent: list[Path] = []
        # Seconds for which there is a picture, 0 where the header does not tell.
        self.duration: dict[Path, float] = {}
        for path in dict.fromkeys(clip.path for clip in clips.clips):
            advance(1)
            if size_of(path) is None:
                self.missing.append(path)
                continue
            try:
                clip = open_clip(path)
                next(clip.frames()).rgb((TRIED, TRIED))
            except LookhearError as error:
                self.broken[path] = str(error).removeprefix(f"{path}: ")
                continue
            seconds = clip.duration or 0.0
            if clip.frame_count and clip.frame_rate:  # the sound may go on for longer
                seconds = clip.frame_count / clip.frame_rate
            self.duration[path] = seconds
            if not clip.has_sound:
                self.silent.append(path)

    def name(self, path: Path) -> str:
        """How the list has it."""
        return name_from(self._folder, path)

    def is_short(self, clip: TaggedClip) -> bool:
        """Whether the last of the clip's moments comes after its end."""
        duration, seconds = self.duration.get(clip.path), seconds_of(clip.start, clip.end)
        return bool(duration and seconds and duration <= seconds[-1] + 0.5)


def _section(
    title: str, clips: TaggedClips, videos: _Videos, advice: str = "", *more: Trouble
) -> Section:
    name, total = videos.name, len({clip.path for clip in clips.clips})
    empty = [clip for clip in clips.clips if not seconds_of(clip.start, clip.end)]
    short = [clip for clip in clips.clips if videos.is_short(clip)]
    opened = [clip for clip in clips.clips if clip.path in videos.duration]
    splits: dict[Path, set[str]] = {}
    for clip in clips.clips:
        splits.setdefault(clip.path, set()).add(clip.split)
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
            [name(path) for path, of_one in splits.items() if len(of_one) > 1],
            total,
            "listed with other tags or times",
        ),
        Trouble("Categories without a clip in a split", _absent_categories(clips)),
        *more,
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


def _absent_categories(clips: TaggedClips) -> list[str]:
    return [
        f"{tag} in {split}"
        for split in SPLITS
        if (of_split := {clip.tag for clip in clips.of_split(split)})
        for tag in clips.tags
        if tag not in of_split
    ]


def _balance(clips: TaggedClips) -> list[str]:
    counts = Counter(clip.tag for clip in clips.clips).most_common()
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
    listed_in = {split: clips.of_split(split) for split in SPLITS}
    for split, listed in (*listed_in.items(), ("all", clips.clips)):
        if listed:
            counts = Counter(clip.tag for clip in listed).values()
            there = sum(clip.path not in missing for clip in listed)
            length = round(sum(clip.end - clip.start for clip in listed))
            numbers = (len(listed), there, length, len(counts), min(counts), max(counts))
            rows.append(row(split, *numbers))
    return rows
