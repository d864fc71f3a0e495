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
from lookhear.stanet import PLUS_SOURCES, Source, Stage
from lookhear.stanet.gallery import (
    plus_rows_with_tags,
    plus_rows_without_tags,
    rows_with_tags,
    rows_without_tags,
)
from lookhear.stanet.page import Curve, Row, RunReport, ScoreTable
from lookhear.stanet.predicting import PartneredMoments, all_moments
from lookhear.stanet.run_folder import (
    PLUS,
    PSEUDO_FIXATIONS,
    PSEUDO_FIXATIONS_PLUS,
    MapFolders,
    PlusMapFolders,
)
from lookhear.stanet.sta import STA
from lookhear.stanet.stanet_plus import STANetPlus
from lookhear.training.curves import read_curves

Means: TypeAlias = Mapping[str, Mapping[str, float | None]]
"""Row of the table -> metric -> mean over the test's clips; None where it is not defined."""

ScoreRows: TypeAlias = tuple[tuple[str, tuple[float, ...]], ...]

TAGS_NAMED = "tags named rightly (validation)"
TRAININGS = {
    "hearing": "sounds named rightly (validation)",
    **{f"{stage}/{source}": TAGS_NAMED for stage in get_args(Stage) for source in get_args(Source)},
    "matching": "pairs told rightly (validation)",
    "switch": "pairs told rightly (validation)",
    "sta": "",
    **{f"{PLUS}/{source}/{partners}": TAGS_NAMED for source, partners in PLUS_SOURCES},
    **{f"{PLUS}/STA+/{partners}": "" for partners in ("short", "cross")},
}
"""What the accuracy of each training is."""
SHOWN_MOMENTS = 6
METRICS = METRIC_NAMES[:5]  # the paper's

CARD = """---
library_name: lookhear
---
# {name}, trained from category tags

## What it is

{what} with its AudioSwitch, trained by `lookhear train {verb}` with the preset {preset} and seed
{seed} on the tags of {clips} clips of {categories} categories. It has seen no fixations of people.

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
class TestedPlus:
    """What came of a test of STANet+: maps, and the table."""

    maps: PlusMapFolders
    means: Means


@dataclass(frozen=True)
class MadePlus:
    """What the second half of a run has made: the maps of SCAM+, and the model."""

    fixations: Path
    model: Path
    tested: TestedPlus | None


@dataclass(frozen=True)
class Made:
    """What a run has made: prepared moments, their coarse and fine maps, the model, the page.

    The model is a folder for :func:`lookhear.load_model`; there may have been no test, and no
    second half.
    """

    moments: Path
    coarse: Path
    fine: Path
    model: Path
    report: Path
    tested: Tested | None
    plus: MadePlus | None = None


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
        tables=tuple(_tables(made)),
        curves=tuple(_curve(ledger.run, name) for name in TRAININGS if name in ledger.stages),
        sections=tuple(_sections(made, manifest.tags)),
    )


def model_cards(ledger: Ledger, made: Made) -> dict[Path, str]:
    """Describe the models, in Markdown, by their folders."""
    of_sta = made.tested.means if made.tested else None
    what = "STANet's fixation network (CVPR 2021)"
    cards = {made.model: _card(ledger, made, ("STA", what, "stanet"), of_sta)}
    if plus := made.plus:
        of_plus = plus.tested.means if plus.tested else None
        what = "STANet+ (arXiv 2112.13697): the fixation networks STA, STA+ short and STA+ cross"
        cards[plus.model] = _card(ledger, made, ("STANet+", what, "stanet+"), of_plus)
    return cards


def _card(ledger: Ledger, made: Made, named: tuple[str, str, str], means: Means | None) -> str:
    manifest = read_manifest(made.moments)
    scores = "Not measured."
    if made.tested and means:
        lines = ["| | " + " | ".join(METRICS) + " |", "| --- " * (len(METRICS) + 1) + "|"]
        for row, of_row in means.items():
            values = ("-" if (of := of_row[metric]) is None else f"{of:.3f}" for metric in METRICS)
            lines.append(f"| {row} | " + " | ".join(values) + " |")
        scores = "\n".join([f"On the clips of {made.tested.name}:", "", *lines])
    name, what, verb = named
    return CARD.format(
        name=name,
        what=what,
        verb=verb,
        preset=ledger.settings["preset"],
        seed=ledger.settings["seed"],
        clips=manifest.clips["train"],
        categories=len(manifest.tags),
        scores=scores,
    )


def _tables(made: Made) -> Iterator[ScoreTable]:
    if made.tested is None:
        return
    name = made.tested.name
    blind, tagged = _apart(made.tested.means)
    if made.plus and made.plus.tested:
        of_plus, tagged_plus = _apart(made.plus.tested.means)
        yield ScoreTable(
            f"STANet+ on {name}, without tags",
            "S+, SA+ and ST+ map the class that each finds most probable, SCAM+ the one that all "
            "eleven find most probable together. Their partners are of a moment's own clip.",
            METRICS,
            of_plus,
        )
        tagged = tagged_plus
    yield ScoreTable(
        f"On {name}, without tags",
        "Each moment's frame, by STAViS's protocol: mean over frames, then over clips. S, SA "
        "and ST map the class that they find most probable, SCAM the one that they find "
        "most probable together.",
        METRICS,
        blind,
    )
    yield ScoreTable(
        "With tags, for comparison",
        "What STA and STA+ were trained on, made for the test's clips from their tags."
        if len(tagged) > 1
        else "What STA was trained on, made for the test's clips from their tags.",
        METRICS,
        tagged,
    )


def _apart(means: Means) -> tuple[ScoreRows, ScoreRows]:
    """The rows of a table that know no tags, and those that do."""
    blind: list[tuple[str, tuple[float, ...]]] = []
    tagged: list[tuple[str, tuple[float, ...]]] = []
    for name, of_row in means.items():
        values = tuple(math.nan if (of := of_row[metric]) is None else of for metric in METRICS)
        knows = name in (PSEUDO_FIXATIONS, PSEUDO_FIXATIONS_PLUS)
        (tagged if knows else blind).append((name, values))
    return tuple(blind), tuple(tagged)


def _curve(run: Path, training: str) -> Curve:
    curves = read_curves(run / training)
    named = curves.get("accuracy", ())
    return Curve(training, curves.get("loss", ()), named, TRAININGS[training] if named else "")


def _sections(made: Made, categories: Sequence[str]) -> Iterator[tuple[str, tuple[Row, ...]]]:
    sta = load_network(STA, made.model)
    if plus := made.plus:
        yield from _plus_sections(made, plus, categories)
    if tested := made.tested:
        *_, data = all_moments(tested.moments, sta)
        rows = rows_without_tags(data, tested.gaze, tested.maps, sta, categories, SHOWN_MOMENTS)
        yield f"{tested.name}: nobody tells the tag", tuple(rows)
    data = next(all_moments(made.moments, sta))
    rows = rows_with_tags(data, made.coarse, made.fine, sta, SHOWN_MOMENTS)
    yield "Where tags are told: how pseudo-fixations come about", tuple(rows)


def _plus_sections(
    made: Made, plus: MadePlus, categories: Sequence[str]
) -> Iterator[tuple[str, tuple[Row, ...]]]:
    net = load_network(STANetPlus, plus.model)
    if (tested := made.tested) and plus.tested:
        split = [*all_moments(tested.moments)][-1].split
        data = PartneredMoments(tested.moments, split, net)
        maps = tested.maps.fine, plus.tested.maps.blind
        rows = plus_rows_without_tags(data, tested.gaze, *maps, net, categories, SHOWN_MOMENTS)
        yield f"{tested.name}: what other moments tell", tuple(rows)
    split = next(all_moments(made.moments)).split
    data = PartneredMoments(made.moments, split, net)
    rows = plus_rows_with_tags(data, made.fine, plus.fixations, net, SHOWN_MOMENTS)
    yield "Where tags are told: pseudo-fixations of SCAM+", tuple(rows)
