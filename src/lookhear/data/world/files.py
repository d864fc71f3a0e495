"""A world's folder: clips in AVE's layout, who looks where in the layout of the eye-tracking sets.

    OUT/world.json                          what was asked for
    OUT/AVE/s7-00012.mp4                    a clip: H.264 and AAC
    OUT/Annotations.txt, ...Set.txt         its tag and times; see `lookhear.data.readers.ave`
    OUT/video_frames/world/s7-00012/        and video_audio, annotations, fold_lists: its frames,
                                            its sound, fixations and their density for each
                                            frame; see `lookhear.data.readers.stavis`
    OUT/truth/s7-00012.json                 what is where and when; see `read_truth`

Clips of the test split are in the fold lists' test part, all others in the train part. The lists
are written when all clips are there.
"""

import shutil
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from lookhear.data.readers.ave import VIDEOS, ave_video, write_ave
from lookhear.data.readers.stavis import (
    ANNOTATIONS,
    FRAMES,
    SOUND,
    write_fold,
    write_gaze,
    write_sound,
)
from lookhear.data.readers.tagged import TaggedClip
from lookhear.data.world.clip import HEIGHT, WIDTH, WorldClip
from lookhear.data.world.scenarios import FRAMES_PER_SECOND
from lookhear.data.world.truth import Scenario
from lookhear.errors import LookhearError
from lookhear.files import cannot_write, is_empty, partial_of, sole_use, write_whole
from lookhear.media import VideoWriter
from lookhear.parallel import in_parallel
from lookhear.progress import Progress, unseen
from lookhear.resume import left, made_from

DATABASE = "world"
SETTINGS = "world.json"
TRUTH = "truth"
VERSION = 1  # of what the same settings make
LONGEST = 600.0  # seconds of a clip
OTHER_WORLD = "holds a world of other settings, or damaged; choose another folder"


@dataclass(frozen=True)
class World:
    """What decides a world."""

    scenario: Scenario  # which kind of clips
    clips: int  # how many
    seed: int = 0  # 0 or more; decides everything that chance does
    duration: float = 10.0  # seconds of a clip, 1 to 600
    version: int = VERSION  # of what the other settings make

    def clip(self, number: int) -> WorldClip:
        """Return a clip; the same for a world of any number of clips."""
        return WorldClip(self.scenario, self.seed, number, self.duration)


def write_world(out: Path, world: World, workers: int = 1, advance: Progress = unseen) -> None:
    """Write a world's files, going on where a run stopped; the same world gives the same files.

    Args:
        out: folder of the world; made if need be.
        world: what to make.
        workers: how many clips are made at the same time; more than one are processes, for
            which a script must guard its start by ``if __name__ == "__main__":``.
        advance: is told the number of clips that are done.

    Raises:
        LookhearError: ``out`` cannot be written, or holds another world or something else, or
            the duration is none that can be made.
    """
    if not 1 <= world.duration <= LONGEST:
        raise LookhearError(f"clips of {world.duration:g} s cannot be made; take 1 to 600 s")
    with sole_use(out):
        try:
            if not (out / SETTINGS).exists() and not is_empty(out):
                raise LookhearError(f"{out}: holds something else; choose another folder")
            made_from(out, asdict(world), SETTINGS, OTHER_WORLD)
            for folder in (VIDEOS, TRUTH):
                (out / folder).mkdir(exist_ok=True)
            # Of a clip's files its truth is written last: where it is, they are whole.
            truths = {_truth_file(out, world.clip(number)): number for number in range(world.clips)}
            todo = [*left(truths, advance, lambda _: 1).values()]
            for made in in_parallel(partial(_make_clip, out, world), todo, workers):
                advance(made)
            _write_lists(out, [world.clip(number) for number in range(world.clips)])
        except OSError as error:
            raise cannot_write(out, error) from error


def _truth_file(out: Path, clip: WorldClip) -> Path:
    return out / TRUTH / f"{clip.name}.json"


def _make_clip(out: Path, world: World, number: int) -> int:
    """Write a clip's files beside their places, then put them there, its truth last."""
    clip = world.clip(number)
    aside = partial_of(out / clip.name)
    shutil.rmtree(aside, ignore_errors=True)
    (aside / VIDEOS).mkdir(parents=True)
    try:
        _write_clip(aside, clip)
        for made in (
            ave_video(aside, clip.name),
            *(aside / kind / DATABASE / clip.name for kind in (FRAMES, SOUND, ANNOTATIONS)),
        ):
            place = out / made.relative_to(aside)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(place, ignore_errors=True)  # of a run that was stopped about here
            made.replace(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    write_whole(_truth_file(out, clip), clip.truth().to_json())
    return 1


def _write_clip(root: Path, clip: WorldClip) -> None:
    sound = clip.sound()
    write_sound(root, DATABASE, clip.name, *sound)
    video, rate = ave_video(root, clip.name), FRAMES_PER_SECOND
    # One thread, for the same file on every machine.
    with VideoWriter(video, WIDTH, HEIGHT, frame_rate=rate, sound=sound, threads=1) as writer:
        for index, (time, picture) in enumerate(clip.frames()):
            writer.write_rgb(picture, time)
            # Pixels are counted from their corner there, from their centre here.
            fixations = clip.gaze(time) + 0.5
            write_gaze(root, DATABASE, clip.name, index, picture, fixations)


def _write_lists(out: Path, clips: list[WorldClip]) -> None:
    tagged = [
        TaggedClip(ave_video(out, clip.name), clip.tag, clip.start, clip.end, clip.split)
        for clip in clips
    ]
    write_ave(out, tagged)
    for part in ("train", "test"):
        of_part = [clip for clip in clips if (clip.split == "test") == (part == "test")]
        entries = [(clip.name, len(clip.times), FRAMES_PER_SECOND) for clip in of_part]
        write_fold(out, DATABASE, part, 1, entries)
