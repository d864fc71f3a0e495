"""What each source adds to SCAM: coarse maps of all sets of S, SA and ST, scored on gaze.

    python benchmarks/fusion.py RUN TEST [--rules report]

takes a run of `lookhear train stanet --test TEST`, maps its test's moments without tags by every
set of its coarse sources, by their confidences and, for comparison, each source counting alike, and
prints the mean NSS and CC over clips, by STAViS's protocol, with 95 % intervals of NSS.
"""

import argparse
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import get_args

import numpy as np

from lookhear.data.readers.fixated import frame_at
from lookhear.evaluation.from_runs import GazeTest
from lookhear.evaluation.protocol import annotate, ever_fixated, protocol
from lookhear.evaluation.statistics import estimate
from lookhear.metrics import cc, nss
from lookhear.nets.saved import RUN_MODEL
from lookhear.stanet import ScamRules, scam
from lookhear.stanet.predicting import all_moments
from lookhear.stanet.pseudo_fixations import Looks, Sources
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.stanet.run_folder import TEST_MOMENTS

NAMES = ("S", "SA", "ST")
SETS = [chosen for size in (1, 2, 3) for chosen in combinations(range(3), size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("test", type=Path, help="the clips with gaze that the run was tested on")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--rules", choices=get_args(ScamRules), help="other than the preset's")
    arguments = parser.parse_args()
    preset, run = PRESETS[arguments.preset], arguments.run
    nets = {name: run / "coarse" / name / RUN_MODEL for name in NAMES}
    rules = arguments.rules or preset.rules
    sources = Sources.load(nets, preset.loss("coarse"), rules=rules)
    gaze = GazeTest(arguments.test).gaze
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    named: dict[str, list[float]] = defaultdict(list)
    moments = run / TEST_MOMENTS
    for opened in all_moments(moments):
        data = sources.moments(moments, opened.split)
        for path, indices in data.clip_moments().items():
            clip = gaze[Path(path).stem]
            looks = sources.look(data, range(indices[0], indices[-1] + 1))
            frames = [frame_at(clip, data.time(index)) for index in indices]
            annotation = annotate(clip, frames, ever_fixated(clip))
            height, width = annotation.density.shape[1:]
            tags = sources.tags(data, range(indices[0], indices[-1] + 1))
            for row, (maps, of_tag) in fused(looks, tags, preset.grid).items():
                ready = protocol(maps, height, width)
                scores[row].append(
                    (
                        float(np.nanmean(nss(ready, annotation.fixations))),
                        float(np.nanmean(cc(ready, annotation.density))),
                    )
                )
                named[row].append(of_tag)
    for row, of_clips in scores.items():
        by_nss, by_cc = estimate(np.array(of_clips).T)
        print(
            f"{row:20} NSS {by_nss.mean:.3f} [{by_nss.low:.2f}, {by_nss.high:.2f}]  "
            f"CC {by_cc.mean:.3f}  names the tag {np.mean(named[row]):.3f}"
        )


def fused(
    looks: Looks, tags: np.ndarray, grid: tuple[int, int]
) -> dict[str, tuple[np.ndarray, float]]:
    """Maps of a clip's moments by each set of sources, and how often it names the tag."""
    made = {}
    for chosen in map(list, SETS):
        probabilities = looks.probabilities[:, chosen]
        top = probabilities.mean(1).argmax(-1)
        maps = looks.maps(top, grid)[:, chosen]
        confidences = np.take_along_axis(probabilities, top[:, None, None], axis=-1)[..., 0]
        name, right = " + ".join(NAMES[source] for source in chosen), float((top == tags).mean())
        made[name] = scam.fuse(maps, confidences), right
        if len(chosen) > 1:
            made[f"{name}, alike"] = scam.fuse(maps, np.ones_like(confidences)), right
    return made


if __name__ == "__main__":
    main()
