"""An evaluation's folder of results: tables, all values, and a page to look at."""

from collections.abc import Callable, Mapping, Sequence
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
from lookhear.evaluation.models import Model
from lookhear.evaluation.page import EvaluationReport, render
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.scoring import Choices
from lookhear.evaluation.statistics import Statistics
from lookhear.evaluation.stimuli import ViewedSet
from lookhear.evaluation.tables import FRAMES_FILE, SCORES_FILE, TABLE_FILES, write_tables
from lookhear.files import whole_folder, write_whole
from lookhear.metrics import METRIC_NAMES

REPORT = "report.html"
RESULTS = {SCORES_FILE, FRAMES_FILE, *TABLE_FILES, "clips.csv", "pictures.csv", REPORT}
EXAMPLES = 3  # of each model's best frames, and of its worst


def write_report(
    folder: Path,
    viewed: ViewedSet,
    models: Mapping[str, Model | None],
    choices: Choices,
    scores: Scores,
    found: Sequence[Statistics],
    command: str,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write everything into a folder, which is replaced as a whole.

    Args:
        folder: Where.
        viewed: What was scored on; its best and worst frames are looked at again.
        models: What was scored.
        choices: How.
        scores: Of the models on the set.
        found: What `lookhear.evaluation.statistics.analyse` says of them.
        command: By which this is made again.
        advance: Called after each frame that is looked at again.

    Raises:
        LookhearError: The folder cannot be written.
    """
    protocol = choices.in_words(scores.kind)
    with whole_folder(folder) as partial:
        write_tables(partial, scores, found, protocol)
        examples = []
        ranked = ranking(found[-1])
        for choice in choose_examples(scores, min(EXAMPLES, most_of_each(len(models)))):
            shown = models_shown(choice.why, ranked)  # some models take seconds for a map
            drawn = {name: model for name in shown if (model := models[name]) is not None}
            examples.append(_example(viewed, drawn, choices, scores, choice))
            advance()
        report = EvaluationReport(
            title=f"Models on {viewed.name}",
            data_name=viewed.name,
            scores=scores,
            statistics=found,
            protocol=protocol,
            examples=examples,
            command=command,
        )
        write_whole(partial / REPORT, render(report))


def _example(
    viewed: ViewedSet,
    models: Mapping[str, Model],
    choices: Choices,
    scores: Scores,
    choice: Choice,
) -> Example:
    subject = viewed.subjects[choice.subject]
    index = choices.frames(subject)[choice.frame]
    annotation = subject.annotate([index])
    rows, columns = np.nonzero(annotation.fixations[0].numpy())
    maps = {}
    for name, model in models.items():
        given = next(model.maps(subject, [index], lambda *_: None))
        if given is not None and np.isfinite(given).all():
            maps[name] = given
    return Example(
        subject=subject.name,
        time=subject.time(index),
        frame=subject.pixels(index),
        truth=annotation.density[0].numpy().astype(np.float32),
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
