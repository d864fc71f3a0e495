"""Whether GBVS and Itti-Koch give the GBVS toolbox's own maps, and what each baseline costs.

    python benchmarks/baselines.py OSIE GOLDEN.npz

OSIE is a folder in OSIE's layout. GOLDEN.npz holds the toolbox's maps of some of its pictures under
`gbvs/<picture>` and `itti/<picture>`. NSS is taken at the picture's size, as `lookhear evaluate`
takes it. The times are of one thread's work, pictures one by one, from pixels in memory to map.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from lookhear.baselines import BASELINES, Baseline
from lookhear.data.readers.osie import FixatedPicture, read_osie
from lookhear.maps import Maps
from lookhear.metrics import cc, nss

_KEYS = {"gbvs": "gbvs", "itti-koch": "itti"}


def maps_and_seconds(
    baseline: Baseline, pictures: list[FixatedPicture]
) -> tuple[dict[str, Maps], float]:
    """Map of each picture by its name, and the median time of one."""
    maps, seconds = {}, []
    baseline(pictures[0].pixels()[None], None)
    for picture in pictures:
        pixels = picture.pixels()[None]
        start = time.process_time()
        maps[picture.name] = baseline(pixels, None)[0]
        seconds.append(time.process_time() - start)
    return maps, float(np.median(seconds))


def mean_nss(pictures: list[FixatedPicture], maps: dict[str, Maps]) -> float:
    scores = [nss(maps[picture.name][None], picture.fixation_map()[None]) for picture in pictures]
    return float(np.concatenate(scores).mean())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("osie", type=Path)
    arguments.add_argument("golden", type=Path)
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    with np.load(options.golden) as archive:
        golden = dict(archive)
    wanted = {key.split("/")[1] for key in golden}
    pictures = [of for of in read_osie(options.osie) if of.path.stem in wanted]

    rows = Table(title=f"{len(pictures)} pictures")
    for heading in ("baseline", "CC", "lowest CC", "NSS", "toolbox's", "ms a picture"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for name, baseline in BASELINES.items():
        maps, seconds = maps_and_seconds(baseline, pictures)
        likeness = toolbox_nss = None
        if name in _KEYS:
            theirs = {of.name: golden[f"{_KEYS[name]}/{of.path.stem}"] for of in pictures}
            likeness = np.concatenate([cc(maps[n][None], theirs[n][None]) for n in theirs])
            toolbox_nss = mean_nss(pictures, theirs)
        rows.add_row(
            name,
            "" if likeness is None else f"{likeness.mean():.4f}",
            "" if likeness is None else f"{likeness.min():.4f}",
            f"{mean_nss(pictures, maps):.3f}",
            "" if toolbox_nss is None else f"{toolbox_nss:.3f}",
            f"{1000 * seconds:.1f}",
        )
    Console().print(rows)


if __name__ == "__main__":
    main()
