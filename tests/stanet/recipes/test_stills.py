"""STA learns from still pictures, goes on after a stop, and refuses another training's folder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lookhear.data.readers.osie import FixatedPicture, read_osie
from lookhear.errors import LookhearError
from lookhear.nets.saved import load_model
from lookhear.stanet.recipes.stills import RECIPES, FixationRecipe, train_fixations
from osie_layout import make_osie

TINY = RECIPES["tiny"]


def lasting(epochs: int) -> FixationRecipe:
    """The tiny recipe for so many epochs."""
    return replace(TINY, schedule=replace(TINY.schedule, epochs=epochs))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[FixatedPicture]:
    return read_osie(make_osie(tmp_path_factory.mktemp("osie")))


def test_a_training_learns(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train_fixations(pictures, tmp_path / "run", lasting(12))
    events = EventAccumulator(str(tmp_path / "run" / "logs"))
    events.Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 0.2
    assert load_model(folder).sound_encoder is None


class KilledError(RuntimeError):
    pass


def test_a_training_that_was_stopped_goes_on_to_the_same_end(
    pictures: list[FixatedPicture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookhear.stanet.recipes.stills import FixationTask

    recipe = lasting(4)
    whole = train_fixations(pictures, tmp_path / "whole", recipe)

    def stop_in_third(self: FixationTask) -> None:
        if self.current_epoch == 2:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(FixationTask, "on_train_epoch_start", stop_in_third)
        with pytest.raises(KilledError):
            train_fixations(pictures, tmp_path / "stopped", recipe)
    assert not (tmp_path / "stopped" / "model").exists()
    epochs = []
    with monkeypatch.context() as patched:
        patched.setattr(
            FixationTask,
            "on_train_epoch_start",
            lambda self: epochs.append(self.current_epoch),
        )
        resumed = train_fixations(pictures, tmp_path / "stopped", recipe)
    assert epochs == [2, 3]
    expected = load_model(whole).state_dict()
    for name, tensor in load_model(resumed).state_dict().items():
        torch.testing.assert_close(tensor, expected[name], msg=name)


def test_a_finished_training_is_left_alone(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    folder = train_fixations(pictures, tmp_path / "run", TINY)
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert train_fixations(pictures, tmp_path / "run", TINY) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made


def test_a_run_of_something_else_is_refused(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    train_fixations(pictures, tmp_path / "run", TINY)
    for other in (
        lambda: train_fixations(pictures, tmp_path / "run", lasting(3)),
        lambda: train_fixations(pictures[1:], tmp_path / "run", TINY),
        lambda: train_fixations(pictures, tmp_path / "run", TINY, seed=1),
    ):
        with pytest.raises(LookhearError, match="another"):
            other()


def test_too_few_pictures_are_refused(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="fewer than a batch"):
        train_fixations(pictures[:3], tmp_path / "run", TINY)
    assert not (tmp_path / "run").exists()
