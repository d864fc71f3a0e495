"""The demonstration: a clip whose true attention is known, predicted and scored."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookhear.baselines import centre_prior
from lookhear.data.observers import OBSERVERS
from lookhear.data.readers.fixated import DENSITY_SIGMA_PER_WIDTH
from lookhear.data.scene import FRAMES_PER_SECOND, HEIGHT, WIDTH, Scene
from lookhear.errors import LookhearError
from lookhear.files import cannot_write, whole_folder, write_whole
from lookhear.media import VideoWriter, open_clip
from lookhear.metrics import auc_judd, cc, density, nss, sim
from lookhear.prediction.maps_files import MapsArchive
from lookhear.prediction.overlay import OverlayVideo
from lookhear.prediction.page import ModelNotes
from lookhear.prediction.results import REPORT, Settings, made_with, write_results
from lookhear.stanet.sta import STA

CLIP, GAZE, RESULTS = "scene.mp4", "gaze.csv", "scene"
METRICS = "AUC-J", "NSS", "CC", "SIM"

SCORED_PIXEL = 2  # pixels of the picture a side; a map's are 8 of what the network sees
SCORED_AT = HEIGHT // SCORED_PIXEL, WIDTH // SCORED_PIXEL


def run_demo(
    out: Path,
    say: Callable[[str], None],
    net: STA,
    notes: ModelNotes,
    duration: float = 9.0,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Render a clip with sound and known gaze, predict it, score the prediction, and tell.

    Writes ``scene.mp4``, ``gaze.csv`` (time, observer, x, y) and, as for any clip, the results
    in ``scene/``. An earlier demo is replaced.

    Args:
        out: folder, made if need be.
        say: takes one line of text for the user at a time.
        net: the loaded network.
        notes: about it, for the report.
        duration: seconds of the clip.
        advance: called after each predicted frame.

    Raises:
        LookhearError: ``out`` cannot be written, or holds anything but an earlier demo.
    """
    _check_replaceable(out)
    scene = Scene(duration=duration)
    with whole_folder(out) as partial:
        _write_clip(partial / CLIP, scene)
        write_whole(partial / GAZE, _gaze_table(scene))
        settings = Settings(model=notes.name)
        write_results(
            open_clip(partial / CLIP), partial / RESULTS, net, notes, settings, advance=advance
        )
    say(
        f"Rendered {out / CLIP}: {duration:g} s in which a bell, a beetle and a ball take turns "
        "to sound."
    )
    say(f"Where {OBSERVERS} simulated observers look in it is in {out / GAZE}.")

    with np.load(out / RESULTS / MapsArchive.name) as kept:
        maps, times = kept["maps"], kept["times"].tolist()
    prior = np.broadcast_to(centre_prior(*SCORED_AT), (len(times), *SCORED_AT))
    looks = _observed(scene, times)
    say(f"Predicted {len(times)} maps. How well they agree with the observers (more is better):")
    rows = {notes.name: _mean_scores(maps, looks), "centre prior": _mean_scores(prior, looks)}
    margin = max(map(len, rows))
    say(" " * margin + "".join(f"{metric:>8}" for metric in METRICS))
    for name, scores in rows.items():
        say(f"{name:{margin}}" + "".join(f"{score:8.3f}" for score in scores))
    say(f"Open {out / RESULTS / REPORT} first, then watch {out / RESULTS / OverlayVideo.name}.")


def _check_replaceable(out: Path) -> None:
    try:
        held = {path.name for path in out.iterdir()} if out.is_dir() else set()
    except OSError as error:
        raise cannot_write(out, error) from error
    if held and not (held == {CLIP, GAZE, RESULTS} and made_with(out / RESULTS)):
        raise LookhearError(f"{out}: holds more than an earlier demo; choose another --out")


def _write_clip(path: Path, scene: Scene) -> None:
    sound = scene.sound()
    with VideoWriter(path, WIDTH, HEIGHT, frame_rate=FRAMES_PER_SECOND, sound=sound) as writer:
        for time, picture in scene.frames():
            writer.write_rgb(picture, time)


def _gaze_table(scene: Scene) -> str:
    looks = (
        f"{time:.3f},{observer},{x:.1f},{y:.1f}"
        for time in scene.times
        for observer, (x, y) in enumerate(scene.gaze(time), 1)
    )
    return "\n".join(("time,observer,x,y", *looks, ""))


def _observed(scene: Scene, times: Sequence[float]) -> NDArray[np.float32]:
    """Count the looks at each time: (T, *SCORED_AT)."""
    counts = np.zeros((len(times), *SCORED_AT), np.float32)
    for count, time in zip(counts, times, strict=True):
        columns, rows = (scene.gaze(time) / SCORED_PIXEL).astype(int).T
        np.add.at(count, (rows, columns), 1)
    return counts


def _mean_scores(maps: NDArray[np.floating], looks: NDArray[np.float32]) -> list[float]:
    """Score maps (T, h, w) by looks (T, H, W); return the mean of each of `METRICS`."""
    looked_at = density(looks, DENSITY_SIGMA_PER_WIDTH * looks.shape[-1])
    scores = auc_judd(maps, looks), nss(maps, looks), cc(maps, looked_at), sim(maps, looked_at)
    return [float(score.mean()) for score in scores]
