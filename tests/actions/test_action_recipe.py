"""Training networks of actions: what is learnt, from which clips, and what is told of bad ones."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import lookhear
from little_actions import LABELS, write_action, write_class_folders
from lookhear import LookhearError
from lookhear.actions.clips import STEP, clips_told, listed
from lookhear.actions.losses import contrast, total_variation, unimodal
from lookhear.actions.net import WhereWhen
from lookhear.actions.presets import PRESETS
from lookhear.actions.recipe import (
    LEFT_OUT,
    ActionTask,
    beginning_with,
    train_actions,
)
from lookhear.data.labelled import read_labelled
from lookhear.data.prepare import prepare, read_tagged
from lookhear.nets.pretrained import IMAGENET
from lookhear.nets.saved import load_network
from lookhear.training.curves import read_curves
from lookhear.training.schedule import Schedule

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_class_folders(tmp_path_factory.mktemp("data"), {"train": 6, "val": 2})


def test_a_network_learns_what_is_done_when_and_where(data: Path, tmp_path: Path) -> None:
    recipe = replace(
        TINY,
        schedule=Schedule(epochs=24, batch_size=6, learning_rate=1e-2, average=None),
        augmentation=replace(TINY.augmentation, jitter=(0, 0, 0, 0)),
    )
    train_actions(read_labelled(data), tmp_path / "run", recipe)
    accuracy = read_curves(tmp_path / "run")["accuracy"]
    assert max(accuracy[-5:]) >= 5 / 6
    net = load_network(WhereWhen, tmp_path / "run", "cpu")
    assert net.categories == tuple(sorted(LABELS))
    assert net.seconds == pytest.approx(2, abs=0.1)
    clip = write_action(tmp_path / "new.mp4", "blacken", start=1, end=1.7, seed=123)
    assert lookhear.find_actions(clip, net).top(1)[0].label == "blacken"


def test_the_loss_is_the_sum_of_its_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(
        TINY,
        total_variation=0.3,
        contrast=0.2,
        unimodal=5.0,
        strongest=0.7,
        net=TINY.net | {"seconds": 2.0, "temporal": "additive", "blocks": 1},
        augmentation=replace(TINY.augmentation, smallest_crop=None, jitter=(0, 0, 0, 0)),
    )
    batch = {
        "frames": torch.randint(0, 256, (2, 1, 6, 3, 48, 64), dtype=torch.uint8),
        "tag": torch.tensor([0, 2]),
    }
    for released in (False, True):
        task = ActionTask(replace(recipe, released=released)).begin(0, tuple(LABELS))
        task.eval()
        monkeypatch.setattr(task, "log", lambda *_, **__: None)
        attended = task.net(batch["frames"][:, 0].float() / 255)
        rough = total_variation(attended.mask)
        expected = (
            torch.nn.functional.cross_entropy(attended.logits, batch["tag"])
            + 0.7 * torch.nn.functional.cross_entropy(attended.strongest, batch["tag"])
            + 0.3 * (rough.sum() if released else rough.mean())
            + 0.2 * contrast(attended.mask).mean()
            + 5 * unimodal(attended.glimpses, released=released).mean()
        )
        torch.testing.assert_close(task.training_step(batch, 0), expected)


def test_prepared_clips_teach_it_too(data: Path, tmp_path: Path) -> None:
    rows = [
        f"{path.relative_to(data).as_posix()},{path.parent.name},0,2"
        for path in sorted((data / "train").glob("*/*.mp4"))
    ]
    table = data / "clips.csv"
    table.write_text("\n".join(["path,tag,start,end", *rows, ""]))
    prepare(read_tagged(table), tmp_path / "moments")
    table.unlink()
    train_actions(tmp_path / "moments", tmp_path / "run", TINY)
    net = load_network(WhereWhen, tmp_path / "run", "cpu")
    assert (net.categories, net.seconds) == (tuple(sorted(LABELS)), 2)


def test_what_is_wrong_with_clips_is_told_in_a_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_class_folders(tmp_path / "data", {"train": 2})
    write_action(data / "train" / "alone" / "only.mp4", "redden", seconds=0.25)  # of two frames
    (data / "train" / "redden" / "damaged.mp4").write_bytes(b"\0" * 100)
    write_action(data / "val" / "a stranger" / "a.mp4", "redden")
    write_action(data / "val" / "redden" / "b.mp4", "redden")
    with caplog.at_level(logging.WARNING):
        train_actions(read_labelled(data), tmp_path / "run", TINY)
    said = caplog.messages
    assert any(line.startswith("1 label (alone) with one clip only") for line in said)
    assert any(line.startswith("1 label (a stranger) held out, but not trained") for line in said)
    assert sum("damaged.mp4: left out of the training" in line for line in said) == 1
    assert said[-1].startswith("1 clip (damaged.mp4) could not be decoded")
    noted = [json.loads(line) for line in (tmp_path / "run" / LEFT_OUT).read_text().split("\n")[1:]]
    assert [Path(path).name for path, _ in noted] == ["damaged.mp4"]


def test_too_few_clips_or_classes_are_refused(tmp_path: Path) -> None:
    data = write_class_folders(tmp_path / "data", {"train": 1}, labels=["redden"])
    with pytest.raises(LookhearError, match="one class"):
        train_actions(read_labelled(data), tmp_path / "run", TINY)
    write_action(data / "train" / "other" / "a.mp4", "redden")
    with pytest.raises(LookhearError, match="2 clips to train on: fewer than a batch of 4"):
        train_actions(read_labelled(data), tmp_path / "run", TINY)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("gone.mp4 golf\n")
    with pytest.raises(LookhearError, match="not one of its clips"):
        train_actions(read_labelled(tmp_path / "lists"), tmp_path / "run", TINY)


def test_a_run_knows_on_which_clips_it_was_trained(data: Path, tmp_path: Path) -> None:
    clips = read_labelled(data)
    train_actions(clips, tmp_path / "run", TINY)
    assert clips_told(tmp_path / "run") == listed(clips)
    assert listed(replace(clips, clips=clips.clips[1:])) != listed(clips)
    assert clips_told(tmp_path) is None


def test_the_papers_figures() -> None:
    recipe = PRESETS["paper"]
    net: dict[str, Any] = recipe.net
    assert (net["backbone"], net["frames"], net["dropout"]) == ("resnet50", 50, 0.2)
    assert (net["temporal"], net["widths"]) == ("additive", [1024, 512])
    assert (recipe.total_variation, recipe.contrast, recipe.unimodal) == (1e-5, 1e-4, 1)
    schedule = recipe.schedule
    assert (schedule.optimizer, schedule.learning_rate, schedule.weight_decay) == (
        "adam",
        1e-4,
        1e-4,
    )
    assert recipe.released
    with torch.device("meta"):
        built = WhereWhen(["a", "b"], **net)
    assert built.channels == (2048,)
    assert STEP == 0.125


def test_light_begins_with_imagenets_weights_of_which_the_first_stay() -> None:
    light = PRESETS["light"]
    assert beginning_with(light, IMAGENET) is light
    task = ActionTask(replace(light, net=light.net | {"seconds": 4.0}), {"backbone": IMAGENET})
    net = task.begin(0, ("a", "b")).net
    learns = {name: of.requires_grad for name, of in net.named_parameters()}
    assert not learns["backbone.conv_stem.weight"]
    assert learns["head.classify.weight"]
    assert sum(learns[f"backbone.{name}"] for name, _ in net.backbone.named_parameters()) > 20
    nothing = beginning_with(light, None)
    assert (nothing.net, nothing.pretrained) == (light.net, None)
    assert nothing.schedule.frozen == ()


def test_any_preset_may_begin_with_imagenets_weights() -> None:
    recipe = beginning_with(PRESETS["small"], IMAGENET)
    assert recipe.net["backbone"] == "tf_efficientnet_lite0"
    with torch.device("meta"):
        WhereWhen(["a", "b"], **recipe.net)
