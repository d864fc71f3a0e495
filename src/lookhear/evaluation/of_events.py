"""Evaluate networks of events: tags of clips, when they are seen and heard, and in which boxes.

What is true of a clip comes from its list, and, in a world of `lookhear world`, from `truth/`,
which says when the tagged thing is seen and heard, and where. AVE's times are those of what is both
seen and heard, DCASE's those of what is heard. Times are scored twice: as found, so that a wrong
tag counts, and where the tag is known, so that only time does; boxes where the tag is known.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookhear.data.prepare import read_tagged
from lookhear.data.readers.tagged import TaggedClip, tags_in
from lookhear.errors import LookhearError
from lookhear.evaluation.event_truth import MODALITIES, Annotation, Known, clips_of
from lookhear.evaluation.kinds import labelled
from lookhear.evaluation.statistics import LEVEL, RESAMPLES, SEED
from lookhear.evaluation.tables import markdown_table, or_null, short
from lookhear.events.finding import Stretch, gathered, in_stretches, judge, seen_in, spans_of
from lookhear.events.net import EventNet, Seen
from lookhear.events.scores import (
    Counts,
    Event,
    SegmentScores,
    TagScores,
    roll,
    segment_scores,
    tag_scores,
)
from lookhear.events.seconds import SecondsCut, seconds_of
from lookhear.files import check_replaceable, whole_folder
from lookhear.localisation import box_iou, points_into
from lookhear.media import Clip, open_clip
from lookhear.nets.saved import load_network
from lookhear.progress import Bars, no_bars
from lookhear.words import counted

SCORES, CLASSES, TABLES = "scores.json", "classes.csv", "tables.md"
RESULTS = {SCORES, CLASSES, TABLES}
LEAST_OVERLAP = 0.5  # of a box that is right

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Places:
    """Where the tagged things of a clip truly are, against where they were looked for.

    Attributes:
        best: of each tag that is seen, whether its strongest box of the clip points into the true
            one, and how much it overlaps it.
        every: of each second in which a tag is seen, the same of the best box of its frame.
        chance: of each such second, the share of the proposals that point into the true box.
    """

    best: tuple[tuple[bool, float], ...]
    every: tuple[tuple[bool, float], ...]
    chance: tuple[float, ...]


@dataclass(frozen=True)
class JudgedClip:
    """A clip, as it is and as it was found to be.

    Attributes:
        name: of it.
        named, there: the tags found and those it carries, by the categories that are scored.
        rolls: modality -> segments as found, where tags are known, and as they are; none where
            nothing is known of times.
        places: None where nothing is known of boxes.
    """

    name: str
    named: Flags
    there: Flags
    rolls: Mapping[str, tuple[Flags, Flags, Flags]]
    places: Places | None


@dataclass(frozen=True)
class EventScores:
    """How well a network does.

    Attributes:
        model: its name.
        categories: that are scored.
        clips: each of them.
        notes: what is odd, a line each.
    """

    model: str
    categories: tuple[str, ...]
    clips: tuple[JudgedClip, ...]
    notes: tuple[str, ...] = ()

    @property
    def tags(self) -> TagScores:
        """Of clips."""
        named, there = (np.stack([getattr(of, k) for of in self.clips]) for k in ("named", "there"))
        return tag_scores(named, there)

    def segments(self, modality: str, *, tags_known: bool = False) -> SegmentScores | None:
        """Of seconds; None where nothing is known of them."""
        rolls = [of.rolls[modality] for of in self.clips if modality in of.rolls]
        if not rolls:
            return None
        return segment_scores(
            (known if tags_known else found, true) for found, known, true in rolls
        )

    def throughout(self, modality: str) -> SegmentScores | None:
        """Of saying that each tag is on all the time, which knows the tag but no time."""
        rolls = [of.rolls[modality][2] for of in self.clips if modality in of.rolls]
        if not rolls:
            return None
        return segment_scores((np.ones_like(true) & true.any(0), true) for true in rolls)

    def of_times(self, modality: str) -> tuple[float, float, float, float]:
        """F1 and error rate as found, and F1 where tags are known, by the network and always on."""
        found, known = self.segments(modality), self.segments(modality, tags_known=True)
        always = self.throughout(modality)
        assert found
        assert known
        assert always
        return found.counts.f1, found.error_rate, known.counts.f1, always.counts.f1

    @property
    def places(self) -> dict[str, float]:
        """Shares of boxes that are right: by pointing and by overlap, and by chance."""
        known = [of.places for of in self.clips if of.places is not None]
        hits: dict[str, list[float]] = {
            "pointing, clip": [hit for of in known for hit, _ in of.best],
            "pointing, each second": [hit for of in known for hit, _ in of.every],
            "IoU 0.5, clip": [iou >= LEAST_OVERLAP for of in known for _, iou in of.best],
            "IoU 0.5, each second": [iou >= LEAST_OVERLAP for of in known for _, iou in of.every],
            "pointing by chance": [share for of in known for share in of.chance],
        }
        return {name: sum(of) / len(of) for name, of in hits.items() if of}


@dataclass(frozen=True)
class Interval:
    """A figure, and the bootstrap interval (95 %, percentiles, over clips) about it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class EventEvaluation:
    """What came of an evaluation: scores of each network, and how sure micro F1 is.

    Attributes:
        scores: in the order of the models.
        micro: model -> its micro F1.
        differences: model -> the first model's micro F1 less its own; the first is left out.
        notes: what is odd, a line each.
    """

    scores: tuple[EventScores, ...]
    micro: dict[str, Interval]
    differences: dict[str, Interval]
    notes: tuple[str, ...] = field(default=())

    @property
    def tables(self) -> dict[str, list[list[str]]]:
        """Tables by their titles, each a head and a row for each network."""
        tags = [["model", "micro F1 (95 %)", "macro F1", "precision", "recall"]]
        for of in self.scores:
            micro = of.tags.micro
            values = (of.tags.macro_f1, micro.precision, micro.recall)
            tags.append([of.model, str(self.micro[of.model]), *map(short, values)])
        tables = {"Tags of clips": tags}
        for modality in MODALITIES:
            if self.scores[0].segments(modality):
                heads = ["model", "F1", "error rate", "F1, tag known", "F1, tag known, throughout"]
                rows = [[of.model, *map(short, of.of_times(modality))] for of in self.scores]
                tables[f"When it is {modality}, by the second"] = [heads, *rows]
        heads = [*next((of.places for of in self.scores if of.places), {})]
        if heads:
            rows = [
                [of.model, *(short(of.places.get(name, math.nan)) for name in heads)]
                for of in self.scores
            ]
            tables["Where it is seen, tag known"] = [["model", *heads], *rows]
        return tables


def evaluate_events(
    data: Path,
    models: Sequence[str],
    out: Path | None = None,
    *,
    names: Path | None = None,
    overwrite: bool = False,
    device: str | None = None,
    bars: Bars = no_bars,
) -> EventEvaluation:
    """Score networks of events on clips with tags, and on times and boxes as far as they are known.

    Args:
        data: a folder in AVE's layout, also of a world, a ``clips.csv``, or lists of DCASE.
        models: folders of saved networks or of runs, as ``FOLDER`` or ``LABEL=FOLDER``.
        out: folder that gets the scores and tables; None writes nothing.
        names: text file of names of clips, a line each; only these count. If left out, those of
            the test split do, or all where there is none.
        overwrite: whether older results in ``out`` are replaced.
        device: where networks run; CUDA where there is one, if left out.
        bars: show how many clips are judged.

    Raises:
        LookhearError: something cannot be read, used or written, or no clip counts.
    """
    if out:
        check_replaceable(out, RESULTS, overwrite=overwrite)
    tagged = read_tagged(data)
    clips, notes = clips_of(tagged, names)
    labels = [labelled(name) for name in models]
    if len({label for label, _ in labels}) < len(labels):
        raise LookhearError("--model: two have one name; give each its own, as LABEL=FOLDER")
    nets = [load_network(EventNet, folder, device).folded() for _, folder in labels]
    tags = {tag for clip in clips for tag in tags_in(clip.tag)}
    of_models: list[list[JudgedClip]] = [[] for _ in nets]
    annotation = Annotation(data, tagged)
    with bars("judging clips", len(clips)) as progress:
        for clip in clips:
            known = annotation.of(clip)
            for net, done, judged in zip(nets, of_models, judge_by_all(nets, clip), strict=True):
                done.append(_compared(net, clip, judged, known, categories_of(net, tags)))
            progress(1)
    scores = []
    for (label, _), net, done in zip(labels, nets, of_models, strict=True):
        told = []
        if unknown := sorted(tags - {*net.categories}):
            told = [f"{label} does not know {counted('tag', unknown)}: each counts as missed"]
        scores.append(EventScores(label, categories_of(net, tags), tuple(done), tuple(told)))
    notes += [note for of in scores for note in of.notes]
    evaluation = EventEvaluation(tuple(scores), *_intervals(scores), tuple(notes))
    if out:
        with whole_folder(out) as partial:
            _write(partial, evaluation)
    return evaluation


def categories_of(net: EventNet, tags: Set[str]) -> tuple[str, ...]:
    """What a network is scored on: all that it knows, and the tags that it does not."""
    return (*net.categories, *sorted(tags - {*net.categories}))


@dataclass(frozen=True)
class _Judged:
    """An open clip, and what a network says of its stretches."""

    clip: Clip
    stretches: tuple[Stretch, ...]


def judge_by_all(nets: Sequence[EventNet], tagged: TaggedClip) -> list[_Judged]:
    """Judge a clip by several networks, which share its frames and the boxes proposed there.

    What one sees in them is not looked at again for another that sees the same.

    Raises:
        LookhearError: it cannot be decoded.
    """
    clip = open_clip(tagged.path)
    found: list[list[Stretch]] = [[] for _ in nets]
    for boxes, length in {(net.boxes, net.stretch) for net in nets}:
        alike = [i for i, net in enumerate(nets) if (net.boxes, net.stretch) == (boxes, length)]
        for seconds in in_stretches(seconds_of(clip, SecondsCut(boxes)), length):
            known: list[tuple[EventNet, Seen]] = []
            for net, of_net in ((nets[i], found[i]) for i in alike):
                seen = next((seen for other, seen in known if net.pools_as(other)), None)
                if net.sees and seen is None:
                    seen = seen_in(net, seconds)
                    known.append((net, seen))
                of_net.append(judge(net, seconds, seen))
    return [_Judged(clip, tuple(of_net)) for of_net in found]


def _compared(
    net: EventNet, tagged: TaggedClip, judged: _Judged, known: Known, categories: Sequence[str]
) -> JudgedClip:
    """Compare what is said of a clip with what is known of it."""
    stretches, clip = judged.stretches, judged.clip
    found = gathered(net, stretches, clip)
    tags = tags_in(tagged.tag)
    numbers = {tag: net.categories.index(tag) for tag in tags if tag in net.categories}
    if_known = [
        span
        for tag, index in numbers.items()
        for stretch in stretches
        for span in spans_of(stretch, index, tag)
    ]
    rolls = {}
    for modality, events in known.events.items():
        told, sure = (
            [Event(of.tag, of.start, of.end) for of in spans if of.modality == modality]
            for spans in (found.spans, if_known)
        )
        as_found, as_known, as_it_is = (
            roll(of, categories, found.seconds) for of in (told, sure, events)
        )
        rolls[modality] = as_found, as_known, as_it_is
    places = None
    if known.truth is not None and net.sees:
        places = _places(stretches, numbers, known, clip)
    named_tags = np.isin(categories, [tag.name for tag in found.tags])
    return JudgedClip(tagged.name, named_tags, np.isin(categories, tags), rolls, places)


def _places(
    stretches: Sequence[Stretch], numbers: Mapping[str, int], known: Known, clip: Clip
) -> Places:
    sides = np.array([clip.width, clip.height] * 2)
    best, every, chance = [], [], []
    for tag, index in numbers.items():
        strongest = -math.inf, (False, 0.0)
        is_seen = False
        for stretch in stretches:
            for number, boxes in enumerate(stretch.boxes):
                true = known.box(tag, stretch.first + number)
                strengths = stretch.seen[number][:, index]
                chosen = boxes[[strengths.argmax()], :4] * sides
                hit = False, 0.0
                if true is not None:
                    is_seen = True
                    target = np.array([true]) + np.array([0, 0, 1, 1])
                    hit = _hits(chosen, target)[0], float(box_iou(chosen, target)[0, 0])
                    every.append(hit)
                    chance.append(float(np.mean(_hits(boxes[:, :4] * sides, target))))
                if strengths.max() > strongest[0]:
                    strongest = float(strengths.max()), hit
        if is_seen:
            best.append(strongest[1])
    return Places(tuple(best), tuple(every), tuple(chance))


def _hits(boxes: NDArray[np.floating], target: NDArray[np.floating]) -> list[bool]:
    """Whether the middle of each box lies in a target (1, 4)."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    hits: list[bool] = points_into(middles, np.repeat(target, len(boxes), 0)).tolist()
    return hits


def _intervals(
    scores: Sequence[EventScores],
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Of micro F1 of each model, and of how much the first has more; clips are drawn alike."""
    chance = np.random.default_rng(SEED)
    count = len(scores[0].clips)
    times = chance.multinomial(count, np.full(count, 1 / count), RESAMPLES)
    values, drawn = [], []
    for of in scores:
        counts = np.array(
            [
                ((clip.named & clip.there).sum(), clip.named.sum(), clip.there.sum())
                for clip in of.clips
            ]
        )
        right, named, there = (times @ counts).T.astype(float)
        values.append(of.tags.micro.f1)
        drawn.append(2 * right / np.maximum(named + there, 1))
    micro = {
        of.model: _interval(value, draws)
        for of, value, draws in zip(scores, values, drawn, strict=True)
    }
    differences = {
        of.model: _interval(values[0] - value, drawn[0] - draws)
        for of, value, draws in zip(scores[1:], values[1:], drawn[1:], strict=True)
    }
    return micro, differences


def _interval(value: float, draws: NDArray[np.floating]) -> Interval:
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [outside, 1 - outside]).tolist()
    return Interval(value, low, high)


def _write(folder: Path, evaluation: EventEvaluation) -> None:
    described = {
        "models": {of.model: _described(of, evaluation) for of in evaluation.scores},
        "notes": evaluation.notes,
    }
    _write_text(folder / SCORES, json.dumps(described, indent=1))
    with (folder / CLASSES).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["model", "category", "precision", "recall", "F1", "clips"])
        for of in evaluation.scores:
            for category, counts in zip(of.categories, of.tags.classes, strict=True):
                cells = [short(x) for x in (counts.precision, counts.recall, counts.f1)]
                table.writerow([of.model, category, *cells, f"{counts.there:.0f}"])
    parts = []
    for title, ((_, *heads), *rows) in evaluation.tables.items():
        parts += [f"## {title}", ""]
        parts += markdown_table(heads, {model: cells for model, *cells in rows})
    _write_text(folder / TABLES, "\n".join(parts).rstrip())


def _write_text(path: Path, text: str) -> None:
    path.write_text(f"{text}\n", encoding="utf-8")


def _described(of: EventScores, evaluation: EventEvaluation) -> dict[str, Any]:
    segments = {
        f"{modality}{', tag known' if known else ''}": _segments(found)
        for modality in MODALITIES
        for known in (False, True)
        if (found := of.segments(modality, tags_known=known))
    }
    segments |= {
        f"{modality} throughout": _segments(always)
        for modality in MODALITIES
        if (always := of.throughout(modality))
    }
    micro = of.tags.micro
    return {
        "micro F1": vars(evaluation.micro[of.model]),
        "macro F1": or_null(of.tags.macro_f1),
        "precision": or_null(micro.precision),
        "recall": or_null(micro.recall),
        "segments": segments,
        "boxes": of.places,
        "less than the first": (
            vars(evaluation.differences[of.model]) if of.model in evaluation.differences else None
        ),
        "clips": {
            clip.name: [
                name for name, is_on in zip(of.categories, clip.named, strict=True) if is_on
            ]
            for clip in of.clips
        },
    }


def _segments(of: SegmentScores) -> dict[str, float | None]:
    counts: Counts = of.counts
    return {
        "F1": or_null(counts.f1),
        "precision": or_null(counts.precision),
        "recall": or_null(counts.recall),
        "error rate": or_null(of.error_rate),
    }
