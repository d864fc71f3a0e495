"""What is true of clips with tags: which count, when their tags are seen and heard, and where."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lookhear.data.readers.ave import ANNOTATIONS
from lookhear.data.readers.dcase import has_dcase, is_dcase
from lookhear.data.readers.lists import read_names
from lookhear.data.readers.tagged import TaggedClip, TaggedClips, once_a_clip, tags_in
from lookhear.data.world.files import TRUTH
from lookhear.data.world.truth import Box, Truth, read_truth
from lookhear.errors import LookhearError
from lookhear.events.scores import Event
from lookhear.events.seconds import MIDDLE
from lookhear.words import counted

MODALITIES = ("seen", "heard")


def clips_of(tagged: TaggedClips, names: Path | None) -> tuple[list[TaggedClip], list[str]]:
    """The clips that count, of which the files are there, and what is odd about them."""
    clips, notes = (
        [*once_a_clip(tagged).clips],
        [f"left out: {fault}" for fault in tagged.faults[:1]],
    )
    if len(tagged.faults) > 1:
        notes = [f"left out: {counted('entry', [*map(str, tagged.faults)])}"]
    if names is not None:
        wanted = {*read_names(names)}
        if missing := sorted(wanted - {clip.name for clip in clips}):
            raise LookhearError(f"{names}: {missing[0]}: no clip of {tagged.root}")
        clips = [clip for clip in clips if clip.name in wanted]
    elif tested := [clip for clip in clips if clip.split == "test"]:
        if len(tested) < len(clips):
            notes.append(f"{len(tested)} clips of the test split count, of {len(clips)}")
        clips = tested
    gone = [clip.name for clip in clips if not clip.path.is_file()]
    if gone:
        notes.append(f"not there: {counted('clip', gone)}")
    clips = [clip for clip in clips if clip.path.is_file()]
    if not clips:
        raise LookhearError(f"{tagged.root}: no clip to score on; check the list and its files")
    return clips, notes


@dataclass(frozen=True)
class Known:
    """What is known of a clip beyond its tags: when what is seen or heard, and where it is."""

    events: Mapping[str, Sequence[Event]]
    truth: Truth | None = None

    def box(self, tag: str, second: int) -> Box | None:
        """Where a tagged thing is in the middle of a second, in pixels; None: not in sight."""
        if self.truth is None:
            return None
        frame = math.floor((second + MIDDLE) * self.truth.frames_per_second + 1e-6)
        boxes = [thing.boxes for thing in self.truth.things if thing.category == tag]
        return next((of[frame] for of in boxes if frame < len(of) and of[frame]), None)


class Annotation:
    """What is known of the clips of a set: by the truth of a world, else by its lists."""

    def __init__(self, data: Path, tagged: TaggedClips) -> None:
        self._truth = data / TRUTH
        self._events: dict[Path, list[Event]] = {}
        for of in tagged.clips:
            self._events.setdefault(of.path, []).append(Event(of.tag, of.start, of.end))
        self._tells_of: tuple[str, ...] = ()
        if (data / ANNOTATIONS).exists():
            self._tells_of = MODALITIES
        # A weak list says of each of a clip's labels the same: whence the clip was cut.
        elif (is_dcase(data) or has_dcase(data)) and any(
            len({(event.start, event.end) for event in events}) > 1
            for events in self._events.values()
        ):
            self._tells_of = ("heard",)

    def of(self, clip: TaggedClip) -> Known:
        """What is known of a clip."""
        file, tags = self._truth / f"{clip.name}.json", tags_in(clip.tag)
        if not file.is_file():
            return Known(dict.fromkeys(self._tells_of, self._events[clip.path]))
        truth, kinds = read_truth(file), {"sight": "seen", "sound": "heard"}
        events: dict[str, list[Event]] = {"seen": [], "heard": []}
        for of in truth.segments:
            if of.category in tags and of.what in kinds:
                events[kinds[of.what]].append(Event(of.category, of.start, of.end))
        return Known(events, truth)
