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

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
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

DATABASE = "world"
SETTINGS = "world.json"
TRUTH = "truth"
VERSION = 1  # of what the same settings make
LONGEST = 600.0  # seconds of a clip


@dataclass(frozen=True)
class World:
    """What decides a world.

    Attributes:
        scenario: which kind of clips.
        clips: how many.
        seed: 0 or more; decides everything that chance does.
        duration: seconds of a clip, 1 to 600.
        version: of what the other settings make.
    """

    scenario: Scenario
    clips: int
    seed: int = 0
    duration: float = 10.0
    version: int = VERSION

    def clip(self, number: int) -> WorldClip:
        """Return a clip; the same for a world of any number of clips."""
        return WorldClip(self.scenario, self.seed, number, self.duration)


def write_world(
    out: Path,
    world: World,
    workers: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Write a world's files, going on where a run stopped; the same world gives the same files.

    Args:
        out: folder of the world; made if need be.
        world: what to make.
        workers: how many clips are made at the same time; more than one are processes, for
            which a script must guard its start by ``if __name__ == "__main__":``.
        advance: called with the number of clips that are done.

    Raises:
        LookhearError: ``out`` cannot be written, or holds another world or something else, or
            the duration is none that can be made.
    """
    if not 1 <= world.duration <= LONGEST:
        raise LookhearError(f"clips of {world.duration:g} s cannot be made; take 1 to 600 s")
    with sole_use(out):
        try:
            _claim(out, world)
            todo = [_Task(out, world, number) for number in range(world.clips)]
            todo = [task for task in todo if not task.truth_file.exists()]
            advance(world.clips - len(todo))
            for made in in_parallel(_make_clip, todo, workers):
                advance(made)
            _write_lists(out, world)
        except OSError as error:
            raise cannot_write(out, error) from error


@dataclass(frozen=True)
class _Task:
    out: Path
    world: World
    number: int

    @property
    def clip(self) -> WorldClip:
        return self.world.clip(self.number)

    @property
    def truth_file(self) -> Path:
        """Written last: where it is, the clip's files are whole."""
        return self.out / TRUTH / f"{self.clip.name}.json"


def _claim(out: Path, world: World) -> None:
    """Make the folder ours for this world, or refuse."""
    settings = out / SETTINGS
    if settings.exists():
        if _read_settings(settings) != asdict(world):
            raise LookhearError(f"{out}: holds a world of other settings; choose another folder")
    elif not is_empty(out):
        raise LookhearError(f"{out}: holds something else; choose another folder")
    else:
        write_whole(settings, json.dumps(asdict(world)) + "\n")
    for folder in (VIDEOS, TRUTH):
        (out / folder).mkdir(exist_ok=True)


def _read_settings(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LookhearError(f"{path}: damaged; choose another folder, or remove it") from error


def _make_clip(task: _Task) -> int:
    """Write a clip's files beside their places, then put them there, its truth last."""
    clip, out = task.clip, task.out
    partial = partial_of(out / clip.name)
    shutil.rmtree(partial, ignore_errors=True)
    (partial / VIDEOS).mkdir(parents=True)
    try:
        _write_clip(partial, clip)
        for made in (
            ave_video(partial, clip.name),
            *(partial / kind / DATABASE / clip.name for kind in (FRAMES, SOUND, ANNOTATIONS)),
        ):
            place = out / made.relative_to(partial)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(place, ignore_errors=True)  # of a run that was stopped about here
            made.replace(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    write_whole(task.truth_file, clip.truth().to_json())
    return 1


def _write_clip(root: Path, clip: WorldClip) -> None:
    sound = clip.sound()
    write_sound(root, DATABASE, clip.name, *sound)
    video = ave_video(root, clip.name)
    with VideoWriter(
        video,
        WIDTH,
        HEIGHT,
        frame_rate=FRAMES_PER_SECOND,
        sound=sound,
        threads=1,  # the same file on every machine
    ) as writer:
        for index, (time, picture) in enumerate(clip.frames()):
            writer.write_rgb(picture, time)
            # Pixels are counted from their corner there, from their centre here.
            fixations = clip.gaze(time) + 0.5
            write_gaze(root, DATABASE, clip.name, index, picture, fixations)


def _write_lists(out: Path, world: World) -> None:
    clips = [world.clip(number) for number in range(world.clips)]
    tagged = [
        TaggedClip(ave_video(out, clip.name), clip.tag, clip.start, clip.end, clip.split)
        for clip in clips
    ]
    write_ave(out, tagged)
    for part in ("train", "test"):
        entries = [
            (clip.name, len(clip.times), FRAMES_PER_SECOND)
            for clip in clips
            if (clip.split == "test") == (part == "test")
        ]
        write_fold(out, DATABASE, part, 1, entries)
