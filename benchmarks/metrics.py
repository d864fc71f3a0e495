"""The metrics beside pysaliency's: time, and by how much the values differ.

    python benchmarks/metrics.py [--frames 1000]

The two take turns on 5 frames of 320 x 240 at a time, each with 30 fixations, on one thread, maps
and densities in float32. CPU time is compared: the median turn, and the best one, which no other
program has disturbed. pysaliency's functions are called directly, without its stimuli and models
around them; its AUC is the default one of its models and, on a line of its own, its AUC-Judd; its
s-AUC is against all pixels that were fixated elsewhere, as ours is. Values are compared in
float64, by our conventions as far as pysaliency has them.

pysaliency 0.2.22 needs setuptools below 81 and, with NumPy 2, `numpy.trapz`, which is put back
here. In an environment of its own that has lookhear too:

    pip install cython wheel 'setuptools<81'
    pip install --no-deps pysaliency==0.2.22
    pip install boltons deprecation dill imageio natsort numba schema tqdm
"""

import argparse
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lookhear.metrics import all_metrics, auc_judd, auc_shuffled, cc, density, kl, nss, sim

HEIGHT, WIDTH, FIXATIONS = 240, 320, 30
PIXELS = HEIGHT * WIDTH
BLOCK = 5  # frames, few enough that the best turn is undisturbed

Array = NDArray[np.float64]
Metric = Callable[[Array, Array, Array], float]


def blocks(frames: int) -> Iterator[tuple[Array, NDArray[np.intp], Array]]:
    """Maps, the places of fixations that they predict in part, and densities, all float64."""
    random = np.random.default_rng(0)
    for _ in range(0, frames, BLOCK):
        spots = (random.random((2, BLOCK, HEIGHT, WIDTH)) > 0.9998).astype(float)
        maps, truth = density(spots[0] + spots[1], 14.0), density(spots[1], 14.0)
        maps = maps + 0.05 * maps.mean() * random.random(maps.shape) + 1e-6
        likely = truth.reshape(BLOCK, PIXELS) + 1e-5
        chosen = [random.choice(PIXELS, FIXATIONS, replace=False, p=of / of.sum()) for of in likely]
        places = np.stack(chosen)
        yield maps, places, density(fixation_maps(places).astype(float), 10.0)


def fixation_maps(places: NDArray[np.intp]) -> NDArray[np.uint8]:
    marks = np.zeros((BLOCK, PIXELS), np.uint8)
    np.put_along_axis(marks, places, 1, axis=1)
    return marks.reshape(BLOCK, HEIGHT, WIDTH)


def pysaliency_metrics() -> tuple[Mapping[str, Metric], Mapping[str, Metric]]:
    """Its functions by its own conventions, and by ours where it has them."""
    vars(np)["trapz"] = np.trapezoid
    from pysaliency.metrics import CC, NSS, SIM, MIT_KLDiv, image_based_kl_divergence
    from pysaliency.roc import general_roc

    def auc(pixels: Array, places: Array, _: Array) -> float:
        values = pixels.flatten().astype(float)
        return float(general_roc(values[places], values)[0])

    def auc_judd(pixels: Array, places: Array, _: Array) -> float:
        values = pixels.flatten().astype(float)
        return float(general_roc(values[places], np.delete(values, places), judd=1)[0])

    def mean_nss(pixels: Array, places: Array, _: Array) -> float:
        return float(NSS(pixels, places % WIDTH, places // WIDTH).mean())

    def correlation(pixels: Array, _: Array, target: Array) -> float:
        return float(CC(pixels, target))

    def similarity(pixels: Array, _: Array, target: Array) -> float:
        return float(SIM(pixels, target))

    def mit_kl(pixels: Array, _: Array, target: Array) -> float:
        return float(MIT_KLDiv(pixels, target))

    def its_kl(pixels: Array, _: Array, target: Array) -> float:
        return float(image_based_kl_divergence(pixels, target))

    its_own = {"AUC-J": auc, "NSS": mean_nss, "CC": correlation, "SIM": similarity, "KL": its_kl}
    by_ours = {
        "AUC-J": auc_judd,
        "NSS": lambda *scene: mean_nss(*scene) * math.sqrt((PIXELS - 1) / PIXELS),
        "CC": correlation,
        "SIM": lambda pixels, places, target: similarity(pixels - pixels.min(), places, target),
        "KL": mit_kl,
    }
    return its_own, by_ours


OURS: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "AUC-J": lambda maps, fixations, _: auc_judd(maps, fixations),
    "NSS": lambda maps, fixations, _: nss(maps, fixations),
    "CC": lambda maps, _, target: cc(maps, target),
    "SIM": lambda maps, _, target: sim(maps, target),
    "KL": lambda maps, _, target: kl(maps, target),
}


def its_shuffled_auc(pixels: Array, places: Array, others: Array) -> float:
    from pysaliency.roc import general_roc

    values = pixels.flatten().astype(float)
    return float(general_roc(values[places], values[others])[0])


def every_frame(metric: Metric, scenes: Sequence[Array]) -> Array:
    return np.array([metric(*one) for one in zip(*scenes, strict=True)])


class Stopwatch:
    """CPU time of what has a name, in each of its turns."""

    def __init__(self) -> None:
        self.turns: dict[str, list[float]] = defaultdict(list)

    def run(self, name: str, function: Callable[..., object], *inputs: object) -> None:
        """Take the time of one turn."""
        start = time.process_time()
        function(*inputs)
        self.turns[name].append(time.process_time() - start)

    def milliseconds(self, of_turns: Callable[[Sequence[float]], float]) -> dict[str, float]:
        """A frame's share of a turn."""
        return {name: of_turns(turns) / BLOCK * 1e3 for name, turns in self.turns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1000)
    frames = parser.parse_args().frames
    np.seterr(divide="ignore")  # pysaliency's KL takes the logarithm of 0
    its_own, by_ours = pysaliency_metrics()
    theirs, ours = Stopwatch(), Stopwatch()
    apart = {name: [] for name in OURS}
    otherwise = {name: [] for name in OURS}
    for index, scenes in enumerate(blocks(frames + BLOCK)):
        maps, places, target = scenes
        single = maps.astype(np.float32), places, target.astype(np.float32)
        fixations = fixation_maps(places)
        annotated = single[0], fixations, single[2]
        if index == 1:  # pysaliency compiles on its first calls
            theirs, ours = Stopwatch(), Stopwatch()
        for name, metric in its_own.items():
            theirs.run(name, every_frame, metric, single)
            ours.run(name, OURS[name], *annotated)
            answer = OURS[name](maps, fixations, target)
            apart[name].append(every_frame(by_ours[name], scenes) - answer)
            otherwise[name].append(every_frame(metric, scenes) - answer)
        theirs.run("AUC-Judd", every_frame, by_ours["AUC-J"], single)
        others = single[0], places, places[::-1]
        theirs.run("s-AUC", every_frame, its_shuffled_auc, others)
        ours.run("s-AUC", auc_shuffled, single[0], fixations, fixations[::-1])
        ours.run("six, all_metrics", all_metrics, *annotated, fixations[::-1])
    print("Values less ours, in float64: by our conventions; by its own (mean, largest)")
    for name in OURS:
        same, other = np.concatenate(apart[name]), np.concatenate(otherwise[name])
        print(
            f"| {name} | {np.abs(same).max():.0e} "
            f"| {other.mean():+.1e} | {np.abs(other).max():.1e} |"
        )
    for title, of_turns in {"median": statistics.median, "best": min}.items():
        its, mine = theirs.milliseconds(of_turns), ours.milliseconds(of_turns)
        six = [*OURS, "s-AUC"]
        its["six, one by one"] = its["six, all_metrics"] = sum(its[name] for name in six)
        mine["six, one by one"] = sum(mine[name] for name in six)
        mine["AUC-Judd"] = mine["AUC-J"]
        print(f"ms a frame, {title} turn: pysaliency, lookhear, ratio")
        for name in its:
            print(f"| {name} | {its[name]:.2f} | {mine[name]:.2f} | {its[name] / mine[name]:.1f} |")


if __name__ == "__main__":
    main()
