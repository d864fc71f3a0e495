"""With what trainings begin: their weights, and clips from elsewhere; nothing is trained."""

from pathlib import Path
from typing import Any

import pytest

from clips import make_clip
from conftest import Run, moving_disc
from lookhear.nets.pretrained import IMAGENET, LITE0, LITE0_EARLY
from lookhear.training import loop
from lookhear.training.initial_weights import SavedPart
from lookhear.training.task import MomentsTask

WHERE = ("--data", "moments", "--out", "run")


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[MomentsTask]:
    """What is to be trained."""
    asked: list[MomentsTask] = []

    def train(task: MomentsTask, _: Path, out: Path, *__: Any) -> Path:
        asked.append(task)
        return out

    monkeypatch.setattr(loop, "train_on_moments", train)
    return asked


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        (("matching", "--preset", "light"), IMAGENET),
        (("matching", "--preset", "small"), None),
        (("source", "--net", "S", "--preset", "report"), "resnext101_32x8d.fb_wsl_ig1b_ft_in1k"),
        (("source", "--net", "S+", "--partners", "long", "--preset", "paper"), "vgg16.tv_in1k"),
        (("sta+", "--partners", "short", "--maps", "maps", "--preset", "paper"), "vgg16.tv_in1k"),
    ],
)
def test_networks_begin_as_their_preset_says(
    run: Run, tasks: list[MomentsTask], verb: tuple[str, ...], expected: str | None
) -> None:
    code, _, err = run("train", *verb, *WHERE)
    assert code == 0, err
    (task,) = tasks
    assert task.start.get("backbone") == expected


@pytest.mark.parametrize(
    "verb",
    [
        ("matching",),
        ("source", "--net", "ST"),
        ("source", "--net", "SA+", "--partners", "long"),
        ("switch",),
        ("sta", "--maps", "maps"),
        ("sta+", "--partners", "cross", "--maps", "maps"),
    ],
)
def test_other_weights_bring_their_backbone(
    run: Run, tasks: list[MomentsTask], verb: tuple[str, ...]
) -> None:
    code, _, err = run("train", *verb, *WHERE, "--pretrained", "imagenet")
    assert code == 0, err
    (task,) = tasks
    assert task.start["backbone"] == IMAGENET
    assert task.recipe.net["backbone"].removesuffix("_dilated") == LITE0["backbone"]
    assert task.recipe.net["pixels"] == LITE0["pixels"]


def test_without_weights_all_layers_learn(run: Run, tasks: list[MomentsTask]) -> None:
    kept = (*LITE0_EARLY, "backbone.blocks.2")
    for given, frozen in (((), kept), (("--pretrained", "none"), ())):
        code, _, err = run("train", "source", "--net", "S", "--preset", "light", *WHERE, *given)
        assert code == 0, err
        assert tasks.pop().frozen == frozen


def test_a_saved_backbone_goes_before_the_presets(run: Run, tasks: list[MomentsTask]) -> None:
    saved = ("--start", "backbone=first/model")
    code, _, err = run("train", "source", "--net", "S", "--preset", "light", *WHERE, *saved)
    assert code == 0, err
    assert tasks.pop().start["backbone"] == SavedPart(Path("first/model"), "backbone")
    code, _, err = run(
        *("train", "source", "--net", "S", *WHERE, *saved), "--pretrained", "imagenet"
    )
    assert code == 1
    assert "--pretrained: goes without --start backbone=" in " ".join(err.split())


@pytest.mark.parametrize("verb", ["stanet", "events", "actions"])
def test_clips_of_ones_own_list_may_lie_elsewhere_if_that_is_said(
    verb: str, tmp_path: Path, run: Run
) -> None:
    clips, lists = tmp_path / "clips", tmp_path / "lists"
    clips.mkdir()
    lists.mkdir()
    rows = ["path,tag,start,end"]
    for tag in ("Cat", "Dog"):
        clip = make_clip(clips / f"{tag}.mp4", moving_disc(25))
        rows.append(f"{clip},{tag},0,1")
    (lists / "clips.csv").write_text("\n".join(rows))
    command = ["train", verb, "--data", lists, "--preset", "tiny", "--out", tmp_path / "run"]
    code, _, refused = run(*command)
    assert code == 1
    assert "--root DIR" in refused
    code, _, too_few = run(*command, "--root", clips)
    assert code == 1
    assert "fewer than a batch" in too_few.splitlines()[-1]
