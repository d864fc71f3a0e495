"""Score networks of actions: what they name, and when and where they say it is."""

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookhear.actions.clips import clips_told, listed
from lookhear.actions.finding import Actions, Segment, find_actions
from lookhear.actions.net import WhereWhen
from lookhear.actions.scores import (
    ACTIVITYNET,
    THUMOS14,
    mean_average_precision,
    mean_box_iou,
    pointing,
    recall_of_frames,
)
from lookhear.data.labelled import read_labelled
from lookhear.data.readers.activitynet import (
    LabelledSegment,
    find_activitynet,
    read_segments,
)
from lookhear.data.readers.lists import read_names
from lookhear.data.readers.tagged import size_of
from lookhear.data.world.files import TRUTH
from lookhear.data.world.truth import Truth, read_truth
from lookhear.errors import LookhearError
from lookhear.evaluation.tables import markdown_table, or_null, short
from lookhear.files import check_replaceable, whole_folder, write_whole
from lookhear.nets.saved import load_network
from lookhear.progress import Bars, no_bars
from lookhear.words import count, counted, named

SCORES, CLIPS, TABLE = "scores.json", "clips.csv", "table.md"
RESULTS = {SCORES, CLIPS, TABLE}
NO_ATTENTION = "no attention"
FIGURES = ("accuracy", "mAP@0.5", "mAP 0.1-0.5", "mAP 0.5-0.95", "recall", "pointing", "box IoU")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrueClip:
    """A clip and what is true of it.

    Attributes:
        path: of the file.
        label: its class; empty where it has several.
        segments: when what is; None where nobody tells.
        truth: of a clip of the world: where things are, too.
    """

    path: Path
    label: str
    segments: tuple[LabelledSegment, ...] | None = None
    truth: Truth | None = None


@dataclass(frozen=True)
class ClipScores:
    """How well one clip was named, and its action found; NaN where that is not told.

    Attributes:
        model: which network's.
        clip: name of the file.
        label: its class.
        named: the class that was found most probable.
        probability: of its own class.
        recall: see :func:`lookhear.actions.scores.recall_of_frames`.
        pointing: share of the frames of the action in which the mask points at what acts.
        box_iou: mean over these frames.
        share: of the picture, that what acts fills: what a random place would point at.
    """

    model: str
    clip: str
    label: str
    named: str
    probability: float
    recall: float = math.nan
    pointing: float = math.nan
    box_iou: float = math.nan
    share: float = math.nan


@dataclass(frozen=True)
class ActionScores:
    """What came of an evaluation.

    Attributes:
        figures: model -> figure, of `FIGURES` -> value, NaN where that cannot be told. A first row
            for each model is followed by one of `NO_ATTENTION`: whole clips, anywhere in them.
        at: model -> IoU -> mAP.
        clips: of each model on each clip.
        notes: what is to be known of them, a line each.
    """

    figures: dict[str, dict[str, float]]
    at: dict[str, dict[float, float]]
    clips: tuple[ClipScores, ...]
    notes: tuple[str, ...]


def evaluate_actions(
    data: Path,
    models: Mapping[str, str],
    out: Path | None = None,
    *,
    names: Path | None = None,
    overwrite: bool = False,
    device: str | None = None,
    bars: Bars = no_bars,
    find: Callable[[Path, WhereWhen], Actions] = find_actions,
) -> ActionScores:
    """Score networks on clips of which the action is known, and maybe when and where it is.

    Of clips that a network was trained on, those of the test split alone count.

    Args:
        data: a world of actions, ActivityNet's JSON, or any other layout of labelled clips.
        models: name -> folder of the network, or of its run.
        out: gets ``scores.json``, ``clips.csv`` and ``table.md``; None writes nothing.
        names: text file of the names of clips, a line each; only these count.
        overwrite: whether older results in ``out`` are replaced.
        device: where networks run; CUDA where there is one, if left out.
        bars: show how many clips are scored.
        find: gives what a network finds in a clip.

    Raises:
        LookhearError: something cannot be read, used or written.
    """
    if out:
        check_replaceable(out, RESULTS, overwrite=overwrite)
    loaded = {name: load_network(WhereWhen, folder, device) for name, folder in models.items()}
    clips, notes = read_true_clips(data, [*models.values()], names)
    scores: list[ClipScores] = []
    figures: dict[str, dict[str, float]] = {}
    at: dict[str, dict[float, float]] = {}
    for name, net in loaded.items():
        strangers = sorted({clip.label for clip in clips if clip.label} - {*net.categories})
        if strangers:
            raise LookhearError(
                f"{data}: {counted('label', strangers)} that {name} does not know; it knows "
                f"{named(net.categories)}; take other data, or --names"
            )
        found: dict[str, Actions] = {}
        with bars("scoring clips", len(clips)) as progress:
            for clip in clips:
                try:
                    found[clip.path.name] = find(clip.path, net)
                except LookhearError as error:
                    notes.append(f"{clip.path.name}: counts as missed: {error}")
                progress(1)
        of_model = [_clip_scores(name, clip, found.get(clip.path.name)) for clip in clips]
        scores += of_model
        figures[name], at[name] = _figures(clips, of_model, found)
        bare = {clip: _without_attention(actions) for clip, actions in found.items()}
        without = NO_ATTENTION if len(loaded) == 1 else f"{name}, {NO_ATTENTION}"
        figures[without], at[without] = _figures(clips, of_model, bare)
        figures[without] |= _by_chance(of_model)
    done = ActionScores(figures, at, tuple(scores), tuple(notes))
    if out:
        _write(out, done)
    return done


def read_true_clips(
    data: Path, models: Sequence[str], names: Path | None
) -> tuple[list[TrueClip], list[str]]:
    """Read the clips that count, and what is to be known of them, a line each.

    Raises:
        LookhearError: there are none, or they cannot be read.
    """
    labelled, notes = read_labelled(data), list[str]()
    segments = {}
    if find_activitynet(data):
        annotated, _ = read_segments(data)
        segments = {of.path: of.segments for of in annotated.values() if of.segments}
    splits = {clip.path: clip.split for clip in labelled.clips}
    labels = {clip.path: clip.tag for clip in labelled.clips}
    splits |= {of.path: of.split for of in annotated.values()} if segments else {}
    paths = [path for path in dict.fromkeys([*labels, *segments]) if size_of(path) is not None]
    if missing := len({*labels, *segments}) - len(paths):
        notes.append(f"{count(missing, 'clip')} of the lists not there, and left out")
    if names:
        wanted = {*read_names(names)}
        paths = [path for path in paths if path.stem in wanted or path.name in wanted]
    elif any(clips_told(Path(model)) == listed(labelled) for model in models):
        paths = [path for path in paths if splits[path] == "test"]
        notes.append("Trained on clips of this folder: those of its test split alone count")
    if not paths:
        raise LookhearError(f"{data}: not one clip to score; check --data and --names")
    clips = []
    for path in paths:
        file = data / TRUTH / f"{path.stem}.json"
        clip = TrueClip(path, labels.get(path, ""), segments.get(path))
        if file.is_file():
            truth = read_truth(file)
            of = tuple(
                LabelledSegment(s.category, s.start, s.end)
                for s in truth.segments
                if s.what == "action"
            )
            clip = replace(clip, segments=of or None, truth=truth)
        clips.append(clip)
    return clips, notes


def _clip_scores(model: str, clip: TrueClip, found: Actions | None) -> ClipScores:
    if found is None:
        return ClipScores(model, clip.path.name, clip.label, "", 0.0)
    (best,) = found.top(1)
    own = found.categories.index(clip.label) if clip.label else None
    scores = ClipScores(
        model,
        clip.path.name,
        clip.label,
        best.label,
        math.nan if own is None else float(found.probabilities[own]),
    )
    if clip.segments is None:
        return scores
    spans = [(of.start, of.end) for of in clip.segments]
    scores = replace(scores, recall=recall_of_frames(found.times, found.attention, spans))
    if clip.truth is None:
        return scores
    true, at = _true_boxes(clip.truth, found.times, spans)
    if not len(true):
        return scores
    height, width = found.size
    area = (true[:, 2] - true[:, 0]) * (true[:, 3] - true[:, 1])
    return replace(
        scores,
        pointing=pointing(found.masks[at], true, found.size),
        box_iou=mean_box_iou(found.boxes[at], true),
        share=float(area.mean() / (width * height)),
    )


def _true_boxes(
    truth: Truth, times: Floats, spans: Sequence[tuple[float, float]]
) -> tuple[Floats, list[int]]:
    """The box of what acts in each frame of the action, and which frames these are."""
    targets = [thing.boxes for thing in truth.things if thing.role == "target"]
    boxes, at = [], []
    for index, time in enumerate(times.tolist()):
        if not targets or not any(start <= time < end for start, end in spans):
            continue
        # The first frame at or after the time, as when looking.
        frame = min(math.ceil(time * truth.frames_per_second - 1e-3), len(targets[0]) - 1)
        box = targets[0][frame]
        if box is not None:
            boxes.append([side + 0.5 for side in box])  # the world counts from pixels' centres
            at.append(index)
    return np.array(boxes, float), at


def _without_attention(found: Actions) -> Actions:
    """What would be said without weights: the whole clip, for each class as sure as it is."""
    whole = tuple(
        Segment(label, probability, 0.0, found.duration)
        for label, probability in found.top(len(found.categories))
    )
    return replace(found, segments=whole)


def _figures(
    clips: Sequence[TrueClip], scores: Sequence[ClipScores], found: Mapping[str, Actions]
) -> tuple[dict[str, float], dict[float, float]]:
    truth = {clip.path.name: clip.segments for clip in clips if clip.segments is not None}
    ours = {name: of.segments for name, of in found.items() if name in truth}
    at = mean_average_precision(truth, ours, [*THUMOS14, *ACTIVITYNET[1:]])
    right = [of.named == of.label for of in scores if of.label]
    values = {
        "accuracy": float(np.mean(right)) if right else math.nan,
        "mAP@0.5": at[0.5],
        "mAP 0.1-0.5": float(np.mean([at[iou] for iou in THUMOS14])),
        "mAP 0.5-0.95": float(np.mean([at[iou] for iou in ACTIVITYNET])),
        "recall": _mean([of.recall for of in scores]),
        "pointing": _mean([of.pointing for of in scores]),
        "box IoU": _mean([of.box_iou for of in scores]),
    }
    return values, at


def _by_chance(scores: Sequence[ClipScores]) -> dict[str, float]:
    """What pointing anywhere would give, and a box of the whole picture."""
    share = _mean([of.share for of in scores])
    return {"recall": math.nan, "pointing": share, "box IoU": share}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def in_markdown(scores: ActionScores) -> str:
    """The figures as a table in Markdown."""
    rows = {
        model: [short(values[of]) for of in FIGURES] for model, values in scores.figures.items()
    }
    return "\n".join(markdown_table(FIGURES, rows))


def _write(out: Path, scores: ActionScores) -> None:
    described = {
        "figures": {
            model: {of: or_null(value) for of, value in values.items()}
            for model, values in scores.figures.items()
        },
        "mAP": {
            model: {f"{iou:g}": or_null(value) for iou, value in values.items()}
            for model, values in scores.at.items()
        },
        "notes": scores.notes,
    }
    with whole_folder(out) as partial:
        write_whole(partial / SCORES, json.dumps(described, indent=1, allow_nan=False) + "\n")
        write_whole(partial / TABLE, in_markdown(scores))
        with (partial / CLIPS).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(ClipScores.__annotations__)
            table.writerows(asdict(of).values() for of in scores.clips)
