"""Clips of the world with fewer frames than it has, in AVE's layout with the truth beside.

Their names, frames, sound and truth are those of `lookhear world` of the same seed; to render fewer
frames takes that much less time.
"""

from functools import partial
from pathlib import Path

from lookhear.cli.console import bars
from lookhear.data.readers.ave import VIDEOS, ave_video, write_ave
from lookhear.data.readers.tagged import TaggedClip
from lookhear.data.world.clip import HEIGHT, WIDTH, WorldClip
from lookhear.data.world.files import TRUTH, World
from lookhear.data.world.scenarios import FRAMES_PER_SECOND
from lookhear.files import whole_file, write_whole
from lookhear.media import VideoWriter
from lookhear.parallel import cores, in_parallel
from lookhear.resume import left


def make(out: Path, world: World, step: int, *, sound: bool = False) -> None:
    """Make a world with every so-manieth frame, going on where a run was stopped."""
    clips = [world.clip(number) for number in range(world.clips)]
    for folder in (VIDEOS, TRUTH):
        (out / folder).mkdir(parents=True, exist_ok=True)
    truths = {out / TRUTH / f"{clip.name}.json": n for n, clip in enumerate(clips)}
    with bars("clips")(f"make {out.name}", world.clips) as progress:
        todo = [*left(truths, progress, lambda _: 1).values()]
        for _ in in_parallel(partial(make_clip, out, world, step, sound), todo, cores()):
            progress(1)
    tagged = [
        TaggedClip(ave_video(out, clip.name), clip.tag, clip.start, clip.end, clip.split)
        for clip in clips
    ]
    write_ave(out, tagged)


def make_clip(out: Path, world: World, step: int, sound: bool, number: int) -> None:
    clip: WorldClip = world.clip(number)
    video, rate = ave_video(out, clip.name), FRAMES_PER_SECOND / step
    heard = clip.sound() if sound else None
    with whole_file(video) as partial_file:
        writable = partial_file.with_suffix(".mp4")
        with VideoWriter(writable, WIDTH, HEIGHT, frame_rate=rate, sound=heard, threads=1) as film:
            for index in range(0, len(clip.times), step):
                film.write_rgb(clip.picture(index), clip.times[index])
        writable.replace(partial_file)
    write_whole(out / TRUTH / f"{clip.name}.json", clip.truth().to_json())
