"""Evaluate models: score them on sets of pictures or a set of clips, compare them, and tell."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lookhear.evaluation.examples import (
    Choice,
    Example,
    choose_examples,
    models_shown,
    most_of_each,
    ranking,
)
from lookhear.evaluation.gaps import Missing
from lookhear.evaluation.models import Model
from lookhear.evaluation.naming import find_models, paths_in
from lookhear.evaluation.page import EvaluationReport, render
from lookhear.evaluation.score_cache import ScoreCache, stamp
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.scoring import Choices, score_models
from lookhear.evaluation.statistics import Statistics, analyse
from lookhear.evaluation.stimuli import StimulusSet, read_sets
from lookhear.evaluation.tables import FRAMES_FILE, SCORES_FILE, TABLE_FILES, write_tables
from lookhear.files import check_replaceable, whole_folder, write_whole
from lookhear.metrics import METRIC_NAMES
from lookhear.nets import Engine
from lookhear.progress import Bars, no_bars

REPORT = "report.html"
RESULTS = {SCORES_FILE, FRAMES_FILE, *TABLE_FILES, "clips.csv", "pictures.csv", REPORT}
CLIPS = "Clips"  # of the protocol: which ones count
EXAMPLES = 3  # of each model's best frames, and of its worst


@dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation.

    Attributes:
        scores: of each model on each frame.
        statistics: of each database or set of pictures, and of all together last if there are
            several.
        protocol: how it was measured: name of a choice -> what was chosen.
    """

    scores: Scores
    statistics: tuple[Statistics, ...]
    protocol: Mapping[str, str]


def evaluate(
    data: Path | Sequence[Path],
    models: Sequence[str],
    out: Path | None = None,
    *,
    names: Path | Sequence[Path] | None = None,
    database: str | None = None,
    every: int = 1,
    smooth: float | None = None,
    missing: Missing | None = None,
    overwrite: bool = False,
    device: str | None = None,
    engine: Engine | None = None,
    command: str | None = None,
    bars: Bars = no_bars,
) -> Evaluation:
    """Score models by how well they predict where people looked.

    With a folder of results, an evaluation that was stopped goes on.

    Args:
        data: pictures with fixations in OSIE's layout, or several sets of them, each in a folder of
            another name; or clips in STAViS's.
        models: names, see `lookhear.evaluation.naming`.
        out: folder that gets tables, a page and all values; None writes nothing.
        names: text file of names of pictures or clips, a line each; only these count. Of several
            sets one for each, in the order of ``data``, or none.
        database: the one of a folder in STAViS's layout that counts; all if left out.
        every: of how many frames of a clip the middle one is scored.
        smooth: sigma in pixels of the map; 2 for clips, as STAViS, and 0 for pictures, if left out.
        missing: what becomes of frames of a clip without a map, see `lookhear.evaluation.gaps`.
        overwrite: whether older results in ``out`` are replaced.
        device: where networks run; CUDA where there is one, if left out.
        engine: by what; see :func:`~lookhear.nets.saved.load_watcher`.
        command: by which this is made again, for the page.
        bars: show how many frames or pictures are scored, and drawn for the page.

    Raises:
        LookhearError: something cannot be read, used or written.
    """
    if out:
        check_replaceable(out, RESULTS, overwrite=overwrite)
    folders = [data] if isinstance(data, Path) else [*data]
    lists = [names] if isinstance(names, Path) else [*(names or ())]
    stimuli = read_sets(folders, lists, database)
    found = find_models(models, stimuli, device, engine)
    choices = Choices.of(stimuli, smooth, every, missing)
    frames = {subject.name: choices.frames(subject) for subject in stimuli.subjects}
    cache = None
    if out and not any(getattr(of, "is_foreign_code", False) for of in found.values()):
        used = stamp([*folders, *(path for name in models for path in paths_in(name))])
        places = [str(folder.resolve()) for folder in folders]
        described = {"data": places, "models": [*models], "engine": engine, "used": used}
        cache = ScoreCache(out, described | {"frames": frames, **asdict(choices)})
    unit = "frames" if stimuli.kind == "clips" else "pictures"
    with bars(f"scoring {unit}", sum(map(len, frames.values()))) as progress:
        scores = score_models(stimuli, found, choices, progress, cache)
    statistics = analyse(scores)
    protocol = choices.in_words(stimuli)
    if stimuli.counted:
        protocol = {CLIPS: stimuli.counted} | protocol
    if out:
        ranked = ranking(statistics[-1])
        chosen = choose_examples(scores, min(EXAMPLES, most_of_each(len(found))))
        examples = []
        with whole_folder(out) as partial:
            write_tables(partial, scores, statistics, protocol)
            with bars(f"drawing {unit}", len(chosen)) as progress:
                for choice in chosen:  # the best and worst frames of each model, looked at again
                    shown = models_shown(choice.why, ranked)  # some take seconds for a map
                    drawn = {name: model for name in shown if (model := found[name]) is not None}
                    examples.append(_example(stimuli, drawn, choices, scores, choice))
                    progress(1)
            report = EvaluationReport(
                title=f"Models on {stimuli.name}",
                data_name=stimuli.name,
                scores=scores,
                statistics=statistics,
                protocol=protocol,
                examples=examples,
                command=command,
            )
            write_whole(partial / REPORT, render(report))
        if cache:
            cache.clear()
    return Evaluation(scores, statistics, protocol)


def _example(
    stimuli: StimulusSet,
    models: Mapping[str, Model],
    choices: Choices,
    scores: Scores,
    choice: Choice,
) -> Example:
    subject = stimuli.subjects[choice.subject]
    index = choices.frames(subject)[choice.frame]
    annotation = subject.annotate([index])
    rows, columns = np.nonzero(annotation.fixations[0])
    maps = {}
    for name, model in models.items():
        given = next(model.maps(subject, [index], lambda *_: None))
        if given is not None and np.isfinite(given).all():
            maps[name] = given
    return Example(
        subject=subject.name,
        time=subject.time(index),
        frame=subject.pixels(index),
        truth=annotation.density[0].astype(np.float32),
        fixations=np.stack([columns + 0.5, rows + 0.5], 1),
        maps=maps,
        values={
            name: {
                metric: scores.values[name][metric][choice.subject][choice.frame]
                for metric in METRIC_NAMES
            }
            for name in scores.values
        },
        why=choice.why,
    )
