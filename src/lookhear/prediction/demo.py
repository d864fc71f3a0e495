"""The demonstration: a clip of the world, whose true attention is known, predicted and scored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookhear.baselines import centre_prior
from lookhear.clip_results import made_with
from lookhear.data.observers import OBSERVERS
from lookhear.data.readers.fixated import DENSITY_SIGMA_PER_WIDTH, count_fixations
from lookhear.data.world.clip import HEIGHT, WIDTH, WorldClip
from lookhear.data.world.scenarios import FRAMES_PER_SECOND
from lookhear.errors import LookhearError
from lookhear.files import cannot_write, whole_folder, write_whole
from lookhear.maps import enlarge
from lookhear.media import VideoWriter
from lookhear.metrics import auc_judd, cc, density, nss, sim
from lookhear.prediction import maps_files, overlay, results
from lookhear.prediction.results import REPORT, Settings, predict_clips
from lookhear.progress import Bars, no_bars

CLIP, GAZE, RESULTS = "scene.mp4", "gaze.csv", "scene"
SEED, NUMBER = 0, 2  # of the world's clip
METRICS = "AUC-J", "NSS", "CC", "SIM"


def run_demo(
    out: Path,
    say: Callable[[str], None],
    bars: Bars = no_bars,
    model: str = "small",
    duration: float = 9.0,
) -> None:
    """Render a clip with sound and known gaze, predict it, score the prediction, and tell.

    Writes ``scene.mp4``, ``gaze.csv`` (time, observer, x, y) and, as for any clip, the results
    in ``scene/``. An earlier demo is replaced.

    Args:
        out: folder, made if need be.
        say: takes one line of text for the user at a time.
        bars: show how many frames are predicted.
        model: what :func:`lookhear.load_model` takes.
        duration: seconds of the clip.

    Raises:
        LookhearError: ``out`` cannot be written, or holds anything but an earlier demo.
    """
    _check_replaceable(out)
    clip = WorldClip("sounding", SEED, NUMBER, duration)
    with whole_folder(out) as partial:
        _write_clip(partial / CLIP, clip)
        write_whole(partial / GAZE, _gaze_table(clip))
        (of_clip,) = predict_clips([partial / CLIP], partial, Settings(model), bars=bars)
        if of_clip.error:
            raise LookhearError(of_clip.error)
    others = [thing.category for thing in clip.truth().things if thing.role == "other"]
    say(
        f"Rendered {out / CLIP}: {duration:g} s in which a {clip.tag.lower()} sounds, and moves "
        f"with its sound, beside a {' and a '.join(others).lower()}."
    )
    say(f"Where {OBSERVERS} simulated observers look in it is in {out / GAZE}.")

    with np.load(out / RESULTS / maps_files.ARCHIVE) as kept:
        maps, times = kept["maps"], kept["times"].tolist()
    looks = np.stack([_looks(clip, time) for time in times])
    prior = np.broadcast_to(centre_prior(HEIGHT, WIDTH), looks.shape)
    say(f"Predicted {len(times)} maps. How well they agree with the observers (more is better):")
    enlarged = enlarge(maps, (HEIGHT, WIDTH))
    rows = {model: _mean_scores(enlarged, looks), "centre prior": _mean_scores(prior, looks)}
    margin = max(map(len, rows))
    say(" " * margin + "".join(f"{metric:>8}" for metric in METRICS))
    for name, scores in rows.items():
        say(f"{name:{margin}}" + "".join(f"{score:8.3f}" for score in scores))
    say(f"Open {out / RESULTS / REPORT} first, then watch {out / RESULTS / overlay.VIDEO}.")


def _check_replaceable(out: Path) -> None:
    try:
        held = {path.name for path in out.iterdir()} if out.exists() else set()
    except OSError as error:
        raise cannot_write(out, error) from error
    if held and not (held == {CLIP, GAZE, RESULTS} and made_with(out / RESULTS, results.RESULTS)):
        raise LookhearError(f"{out}: holds more than an earlier demo; choose another --out")


def _write_clip(path: Path, clip: WorldClip) -> None:
    sound = clip.sound()
    with VideoWriter(path, WIDTH, HEIGHT, frame_rate=FRAMES_PER_SECOND, sound=sound) as writer:
        for time, picture in clip.frames():
            writer.write_rgb(picture, time)


def _gaze_table(clip: WorldClip) -> str:
    looks = (
        f"{time:.3f},{observer},{x:.1f},{y:.1f}"
        for time in clip.times
        for observer, (x, y) in enumerate(clip.gaze(time), 1)
    )
    return "\n".join(("time,observer,x,y", *looks, ""))


def _looks(clip: WorldClip, time: float) -> NDArray[np.uint8]:
    """Count the looks at a time: (HEIGHT, WIDTH)."""
    x, y = clip.gaze(time).T + 0.5  # pixels are counted from their corner there
    return count_fixations(x, y, HEIGHT, WIDTH)


def _mean_scores(maps: NDArray[np.floating], looks: NDArray[np.uint8]) -> list[float]:
    """Score maps (T, h, w) by looks (T, H, W); return the mean of each of `METRICS`."""
    looked_at = density(looks, DENSITY_SIGMA_PER_WIDTH * looks.shape[-1])
    scores = auc_judd(maps, looks), nss(maps, looks), cc(maps, looked_at), sim(maps, looked_at)
    return [float(score.mean()) for score in scores]
