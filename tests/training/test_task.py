"""A new training is a task and a recipe; all else is there already."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from beeping_squares import prepared_squares, silent_set
from lookhear.data.identity import identity
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.training.curves import read_curves
from lookhear.training.initial_weights import SavedPart
from lookhear.training.loop import train_on_moments
from lookhear.training.schedule import Schedule
from lookhear.training.task import MomentsTask


@dataclass(frozen=True)
class ColourRecipe:
    schedule: Schedule
    size: tuple[int, int] = (4, 6)


class Colours(nn.Module):
    """Tells tags by the colours of the middle frame."""

    def __init__(self, size: tuple[int, int], tags: int) -> None:
        super().__init__()
        self.backbone = nn.Flatten()
        self.head = nn.Linear(3 * size[0] * size[1], tags)

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.backbone(frames[:, 0, 0].float() / 255))

    def save_pretrained(self, folder: Path) -> None:
        save_file(self.state_dict(), folder / "model.safetensors")
        (folder / "config.json").write_text("{}")


class ColourTask(MomentsTask):
    recipe: ColourRecipe
    watched = ("accuracy", "max")
    needs_categories = "one colour is no choice"

    def moments(self, prepared: Path, split: Split) -> Moments:
        return Moments(prepared, split, size=self.recipe.size)

    def build(self, tags: tuple[str, ...]) -> Colours:
        return Colours(self.recipe.size, len(tags))

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        return self.log_loss(F.cross_entropy(self.net(batch["frames"]), batch["tag"]))

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        right = self.net(batch["frames"]).argmax(1) == batch["tag"]
        self.log_watched(right.float().mean(), len(right))


RECIPE = ColourRecipe(Schedule(epochs=3, batch_size=4, average=None))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


def test_a_new_task_trains_notes_from_what_and_is_left_when_done(
    prepared: Path, tmp_path: Path
) -> None:
    model = train_on_moments(ColourTask(RECIPE), prepared, tmp_path / "run", seed=5)
    curves = read_curves(tmp_path / "run")
    assert [len(curves[name]) for name in ("loss", "accuracy")] == [3, 3]
    assert curves["loss"][-1] < curves["loss"][0]
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").exists()
    made: dict[str, Any] = json.loads((tmp_path / "run" / "made.json").read_text())
    assert (made["seed"], made["data"], made["size"]) == (5, identity(prepared), [4, 6])
    assert made["schedule"]["epochs"] == 3
    before = (model / "model.safetensors").stat().st_mtime_ns
    assert train_on_moments(ColourTask(RECIPE), prepared, tmp_path / "run", seed=5) == model
    assert (model / "model.safetensors").stat().st_mtime_ns == before
    for recipe, seed in ((RECIPE, 6), (replace(RECIPE, size=(6, 4)), 5)):
        with pytest.raises(LookhearError, match="made by another recipe, seed or data"):
            train_on_moments(ColourTask(recipe), prepared, tmp_path / "run", seed)


def test_a_task_begins_with_saved_parts_and_notes_them(prepared: Path, tmp_path: Path) -> None:
    model = train_on_moments(ColourTask(RECIPE), prepared, tmp_path / "one")
    start = {"head": SavedPart(model, "head")}
    begun = ColourTask(RECIPE, start).begin(1, ("Bark", "Flute"))
    for name, tensor in load_file(model / "model.safetensors").items():
        assert begun.net.state_dict()[name].equal(tensor)
    train_on_moments(ColourTask(RECIPE, start), prepared, tmp_path / "two")
    made = json.loads((tmp_path / "two" / "made.json").read_text())
    assert made["head"] == [identity(model), "head"]


class PiecewiseColours(Colours):
    """Its backbone has weights and norms, too."""

    def __init__(self, size: tuple[int, int], tags: int) -> None:
        super().__init__(size, tags)
        self.backbone = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Flatten())
        self.other = nn.BatchNorm1d(tags)

    def forward(self, frames: Tensor) -> Tensor:
        return self.other(super().forward(frames))


class PiecewiseTask(ColourTask):
    def build(self, tags: tuple[str, ...]) -> Colours:
        return PiecewiseColours(self.recipe.size, len(tags))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_frozen_parts_keep_weights_and_statistics_and_the_rest_learns(
    prepared: Path, tmp_path: Path, optimizer: Any
) -> None:
    schedule = replace(RECIPE.schedule, optimizer=optimizer, frozen=("backbone",))
    recipe = replace(RECIPE, schedule=schedule)
    begun = PiecewiseTask(recipe).begin(0, ("Bark", "Flute")).net.state_dict()
    model = train_on_moments(PiecewiseTask(recipe), prepared, tmp_path / "run")
    for name, tensor in load_file(model / "model.safetensors").items():
        stays = name.startswith("backbone.")
        assert tensor.equal(begun[name]) == stays, name
    free = replace(recipe, schedule=replace(schedule, frozen=()))
    model = train_on_moments(PiecewiseTask(free), prepared, tmp_path / "free")
    weights = load_file(model / "model.safetensors")
    for name in ("backbone.0.weight", "backbone.1.running_mean"):
        assert not weights[name].equal(begun[name]), name


def test_what_a_task_needs_of_its_moments_is_asked_of_them(tmp_path: Path) -> None:
    one = silent_set(tmp_path / "one", ("Bark", "Bark"))
    with pytest.raises(LookhearError, match="has one category only; one colour is no choice"):
        train_on_moments(ColourTask(RECIPE), one, tmp_path / "run")
    assert not (tmp_path / "run").exists()
