"""A run told to people: its page, and the card of its model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, get_args

from lookhear.data.readers.fixated import FixatedClip
from lookhear.data.shards import read_manifest
from lookhear.metrics import METRIC_NAMES
from lookhear.nets.saved import load_network
from lookhear.resume import Ledger
from lookhear.stanet import Source, Stage
from lookhear.stanet.gallery import rows_with_tags, rows_without_tags
from lookhear.stanet.page import Curve, Row, RunReport, ScoreTable
from lookhear.stanet.predicting import all_moments
from lookhear.stanet.run_folder import PSEUDO_FIXATIONS, MapFolders
from lookhear.stanet.sta import STA
from lookhear.training.curves import read_curves

Means: TypeAlias = Mapping[str, Mapping[str, float | None]]
"""Row of the table -> metric -> mean over the test's clips; None where it is not defined."""

TRAININGS = {
    "hearing": "sounds named rightly (validation)",
    **{
        f"{stage}/{source}": "tags named rightly (validation)"
        for stage in get_args(Stage)
        for source in get_args(Source)
    },
    "matching": "pairs told rightly (validation)",
    "switch": "pairs told rightly (validation)",
    "sta": "",
}
"""What the accuracy of each training is."""
SHOWN_MOMENTS = 6
METRICS = METRIC_NAMES[:5]  # the paper's

CARD = """---
library_name: lookhear
---
# STA, trained from category tags

## What it is

STANet's fixation network (CVPR 2021) with its AudioSwitch, trained by `lookhear train stanet` with
the preset {preset} and seed {seed} on the tags of {clips} clips of {categories} categories. It has
seen no fixations of people.

## How good it is

{scores}

## What it is not good for

It knows what draws attention in clips like those it was trained on, and no others. Do not use it
to judge people.
"""


@dataclass(frozen=True)
class Tested:
    """What came of a test: on which data, its moments, gaze by clip, maps, and the table."""

    name: str
    moments: Path
    gaze: Mapping[str, FixatedClip]
    maps: MapFolders
    means: Means


@dataclass(frozen=True)
class Made:
    """What a run has made: prepared moments, their coarse and fine maps, the model, the page.

    The model is a folder for :func:`lookhear.load_model`; there may have been no test.
    """

    moments: Path
    coarse: Path
    fine: Path
    model: Path
    report: Path
    tested: Tested | None


def run_page(ledger: Ledger, made: Made) -> RunReport:
    """Gather all that the page of a run shows.

    Raises:
        LookhearError: something of the run cannot be read.
    """
    manifest = read_manifest(made.moments)
    counts = ", ".join(f"{clips} {split}" for split, clips in manifest.clips.items() if clips)
    return RunReport(
        title=f"From tags to fixations: {manifest.data}",
        facts=(
            f"{len(manifest.tags)} categories",
            f"{sum(manifest.clips.values())} clips ({counts})",
            f"{sum(manifest.moments.values())} moments",
            *(f"{name} {value}" for name, value in ledger.settings.items()),
        ),
        stages=tuple((name, entry.seconds) for name, entry in ledger.stages.items()),
        tables=_tables(made.tested) if made.tested else (),
        curves=tuple(_curve(ledger.run, name) for name in TRAININGS if name in ledger.stages),
        sections=tuple(_sections(made, manifest.tags)),
    )


def model_card(ledger: Ledger, made: Made) -> str:
    """Describe the model, in Markdown."""
    manifest = read_manifest(made.moments)
    scores = "Not measured."
    if made.tested:
        lines = ["| | " + " | ".join(METRICS) + " |", "| --- " * (len(METRICS) + 1) + "|"]
        for row, means in made.tested.means.items():
            values = ("-" if (of := means[name]) is None else f"{of:.3f}" for name in METRICS)
            lines.append(f"| {row} | " + " | ".join(values) + " |")
        scores = "\n".join([f"On the clips of {made.tested.name}:", "", *lines])
    return CARD.format(
        preset=ledger.settings["preset"],
        seed=ledger.settings["seed"],
        clips=manifest.clips["train"],
        categories=len(manifest.tags),
        scores=scores,
    )


def _tables(tested: Tested) -> tuple[ScoreTable, ...]:
    rows = {
        name: (name, tuple(math.nan if (of := means[metric]) is None else of for metric in METRICS))
        for name, means in tested.means.items()
    }
    with_tags = rows.pop(PSEUDO_FIXATIONS)
    return (
        ScoreTable(
            f"On {tested.name}, without tags",
            "Each moment's frame, by STAViS's protocol: mean over frames, then over clips. S, SA "
            "and ST map the class that they find most probable, SCAM the one that they find "
            "most probable together.",
            METRICS,
            tuple(rows.values()),
        ),
        ScoreTable(
            "With tags, for comparison",
            "What STA was trained on, made for the test's clips from their tags.",
            METRICS,
            (with_tags,),
        ),
    )


def _curve(run: Path, training: str) -> Curve:
    curves = read_curves(run / training)
    named = curves.get("accuracy", ())
    return Curve(training, curves.get("loss", ()), named, TRAININGS[training] if named else "")


def _sections(made: Made, categories: Sequence[str]) -> Iterator[tuple[str, tuple[Row, ...]]]:
    sta = load_network(STA, made.model)
    if tested := made.tested:
        *_, data = all_moments(tested.moments, sta)
        rows = rows_without_tags(data, tested.gaze, tested.maps, sta, categories, SHOWN_MOMENTS)
        yield f"{tested.name}: nobody tells the tag", tuple(rows)
    data = next(all_moments(made.moments, sta))
    rows = rows_with_tags(data, made.coarse, made.fine, sta, SHOWN_MOMENTS)
    yield "Where tags are told: how pseudo-fixations come about", tuple(rows)
