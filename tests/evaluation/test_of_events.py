"""Networks of events, scored on clips of which all is known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from conftest import Run
from event_runs import EventRun, event_run
from lookhear.data.world.truth import Box, Course, Segment, Truth
from lookhear.errors import LookhearError
from lookhear.evaluation.kinds import kind_of
from lookhear.evaluation.of_events import (
    EventScores,
    JudgedClip,
    Places,
    _intervals,
    evaluate_events,
)
from lookhear.events.net import EventNet


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> EventRun:
    return event_run(tmp_path_factory)


def clip(name: str, named: list[int], there: list[int]) -> JudgedClip:
    return JudgedClip(name, np.array(named, bool), np.array(there, bool), {}, None)


def test_micro_f1_has_an_interval_and_pairs_of_models_a_difference() -> None:
    there = [[1, 0], [0, 1]] * 20
    good = [clip(str(i), of, of) for i, of in enumerate(there)]
    half = [replace(of, named=of.named & bool(i % 2)) for i, of in enumerate(good)]
    scores = [EventScores(name, ("a", "b"), tuple(of)) for name, of in (("g", good), ("h", half))]
    micro, differences = _intervals(scores)
    assert (micro["g"].value, micro["g"].low, micro["g"].high) == (1, 1, 1)
    assert micro["h"].value == pytest.approx(2 / 3)
    assert micro["h"].low < 2 / 3 < micro["h"].high
    assert differences["h"].value == pytest.approx(1 / 3)
    assert differences["h"].low > 0


def test_boxes_are_counted_by_pointing_and_by_overlap() -> None:
    one = Places(((True, 0.6),), ((True, 0.6), (False, 0.1)), (0.2, 0.4))
    other = Places(((False, 0.0),), (), ())
    clips = [replace(clip("c", [1], [1]), places=of) for of in (one, other)]
    assert EventScores("m", ("a",), tuple(clips)).places == {
        "pointing, clip": 0.5,
        "pointing, each second": 0.5,
        "IoU 0.5, clip": 0.5,
        "IoU 0.5, each second": 0.5,
        "pointing by chance": pytest.approx(0.3),
    }


def test_a_run_is_scored_on_the_test_split_of_its_kind_of_clips(
    trained: EventRun, tmp_path: Path, run: Run
) -> None:
    code, out, err = run(
        *("evaluate", "--data", trained.data, "--model", trained.out),
        *("--model", f"again={trained.out}", "--out", tmp_path / "scores", "--device", "cpu"),
    )
    assert (code, err) == (0, "")
    assert "3 clips of the test split count, of 15" in out
    assert "Tags of clips" in out
    assert "When it is heard, by the second" in out
    assert "micro F1 of run less that of again: 0.000 [0.000, 0.000]" in out
    kept = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert {*kept["models"]} == {"run", "again"}
    assert len(kept["models"]["run"]["clips"]) == 3
    rows = (tmp_path / "scores" / "classes.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 3
    assert "## Tags of clips" in (tmp_path / "scores" / "tables.md").read_text()


def write_truth(data: Path, name: str, tag: str) -> None:
    """The tag is to be seen in the first second, upper left, and to be heard in the second."""
    boxes = tuple(Box(0, 0, 40, 30) if index < 8 else None for index in range(16))
    truth = Truth(
        "unsynchronised",
        tag,
        8,
        (Segment("sight", tag, 0, 1), Segment("sound", tag, 1, 2), Segment("sound", "X", 0, 1)),
        (Course(tag, "target", boxes), Course("X", "other", (None,) * 16)),
    )
    (data / "truth").mkdir(exist_ok=True)
    (data / "truth" / f"{name}.json").write_text(truth.to_json())


def test_times_and_boxes_are_scored_by_the_truth_of_a_world(
    trained: EventRun, tmp_path: Path
) -> None:
    data = tmp_path / "world"
    data.mkdir()
    for path in trained.data.iterdir():
        (data / path.name).symlink_to(path)
    tags = {"c0-12": "Bark", "c0-13": "Flute", "c0-14": "Horn"}
    for name, tag in tags.items():
        write_truth(data, name, tag)
    (scores,) = evaluate_events(data, [str(trained.out)]).scores
    for of in scores.clips:
        column = scores.categories.index(tags[of.name])
        for modality, second in (("seen", 0), ("heard", 1)):
            true = of.rolls[modality][2]
            assert [(row, at) for row, at in np.argwhere(true).tolist()] == [(second, column)]
        assert of.places is not None
        assert len(of.places.every) == 1  # of the first second alone
    always = scores.throughout("seen")
    assert always is not None
    assert always.counts.f1 == pytest.approx(2 / 3)  # of two seconds one


def test_a_tag_that_the_network_does_not_know_counts_as_missed(
    trained: EventRun, tmp_path: Path
) -> None:
    clip = trained.data / "AVE" / "c0-12.mp4"
    (tmp_path / "clip.mp4").symlink_to(clip)
    (tmp_path / "clips.csv").write_text("path,tag,start,end\nclip.mp4,Bark;Shofar,0,2\n")
    done = evaluate_events(tmp_path, [f"m={trained.out}"])
    assert done.notes == ("m does not know 1 tag (Shofar): each counts as missed",)
    (scores,) = done.scores
    assert scores.categories[-1] == "Shofar"
    assert (scores.tags.classes[-1].there, scores.tags.classes[-1].named) == (1, 0)


def test_names_choose_clips(trained: EventRun, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("c0-00\nc0-13\n")
    (scores,) = evaluate_events(trained.data, [str(trained.out)], names=names).scores
    assert [of.name for of in scores.clips] == ["c0-00", "c0-13"]
    names.write_text("nobody\n")
    with pytest.raises(LookhearError, match="nobody: no clip of"):
        evaluate_events(trained.data, [str(trained.out)], names=names)


def test_networks_that_see_the_same_look_once(
    trained: EventRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    pooled = EventNet.pooled

    def counting(net: EventNet, frames: Tensor, boxes: Tensor) -> Tensor:
        looks.append(len(frames))
        return pooled(net, frames, boxes)

    monkeypatch.setattr(EventNet, "pooled", counting)
    names = tmp_path / "names.txt"
    names.write_text("c0-00\n")
    (alone,) = evaluate_events(trained.data, [str(trained.out)], names=names).scores
    once = [*looks]
    one, other = evaluate_events(
        trained.data, [f"{name}={trained.out}" for name in "ab"], names=names
    ).scores
    assert looks == 2 * once
    assert (alone.clips[0].named == one.clips[0].named).all()
    assert (alone.clips[0].named == other.clips[0].named).all()


def test_networks_of_events_are_known_and_not_mixed_with_others(
    trained: EventRun, tiny_model: Path
) -> None:
    assert kind_of([str(trained.out), f"x={trained.out}"]) == "events"
    assert kind_of(["centre", str(tiny_model)]) == "gaze"
    with pytest.raises(LookhearError, match="--model centre: is scored on gaze"):
        kind_of([str(trained.out), "centre"])


def test_what_is_of_gaze_alone_is_refused(trained: EventRun, run: Run) -> None:
    code, _, err = run("evaluate", "--data", trained.data, "--model", trained.out, "--smooth", "2")
    assert code == 1
    assert "--smooth" in err


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        ("clip.wav\t30\t40\tBark\nclip.wav\t30\t40\tFlute\n", False),
        ("clip.wav\t0\t0.9\tBark\nclip.wav\t1.1\t2\tFlute\n", True),
    ],
)
def test_strong_lists_of_dcase_tell_times_and_weak_ones_do_not(
    trained: EventRun, tmp_path: Path, lines: str, known: bool
) -> None:
    (tmp_path / "clip.mp4").symlink_to(trained.data / "AVE" / "c0-12.mp4")
    (tmp_path / "list.csv").write_text(lines)
    (scores,) = evaluate_events(tmp_path / "list.csv", [str(trained.out)]).scores
    (of,) = scores.clips
    assert [of.there[scores.categories.index(tag)] for tag in ("Bark", "Flute", "Horn")] == [
        1,
        1,
        0,
    ]
    assert [*of.rolls] == (["heard"] if known else [])
    if known:
        assert of.rolls["heard"][2].astype(int).tolist() == [[1, 0, 0], [0, 1, 0]]
