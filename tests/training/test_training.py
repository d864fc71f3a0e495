from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lookhear.data.readers.osie import FixatedPicture, read_osie
from lookhear.errors import LookhearError
from lookhear.nets.saved import load_model
from lookhear.stanet.recipes.stills import RECIPES, FixationRecipe, train_fixations
from lookhear.training.augment import random_views
from lookhear.training.losses import fixation_losses
from osie_layout import make_osie

TINY = RECIPES["tiny"]


def lasting(epochs: int) -> FixationRecipe:
    """The tiny recipe for so many epochs."""
    return replace(TINY, schedule=replace(TINY.schedule, epochs=epochs))


def blob(height: int, width: int, y: float, x: float, size: float = 3) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * size**2))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[FixatedPicture]:
    return read_osie(make_osie(tmp_path_factory.mktemp("osie")))


def test_every_loss_is_least_for_the_truth() -> None:
    density = blob(24, 32, 8, 20)[None]
    truth = torch.logit(density.clamp(1e-4, 1 - 1e-4))
    elsewhere = truth.flip(-1)
    flat = torch.zeros_like(truth)
    at_truth, wrong, even = (fixation_losses(x, density) for x in (truth, elsewhere, flat))
    for name in at_truth:
        assert at_truth[name] < wrong[name], name
        assert at_truth[name] < even[name], name
    assert at_truth["kl"] == pytest.approx(0, abs=0.01)
    assert at_truth["cc"] == pytest.approx(0, abs=0.01)
    assert even["nss"] == pytest.approx(0, abs=1e-5)


def test_losses_are_finite_where_nobody_looked_and_where_all_is_flat() -> None:
    logits = torch.zeros(2, 6, 8, requires_grad=True)
    terms = fixation_losses(logits, torch.zeros(2, 24, 32))
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    assert total.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_views_move_picture_and_density_alike() -> None:
    torch.manual_seed(3)
    spots = torch.stack([blob(60, 80, y, x, 4) for y, x in ((20, 30), (40, 50), (30, 15))])
    pictures = spots[:, None].expand(-1, 3, -1, -1)
    views = random_views(pictures, spots, (48, 64), smallest_crop=0.8, moving=2)
    assert views.target.shape == (3, 3, 48, 64)
    assert views.before.shape == views.after.shape == (2, 3, 48, 64)
    assert views.density.shape == (3, 24, 32)
    for picture, density in zip(views.target.mean(1), views.density, strict=True):
        seen = torch.nonzero(picture == picture.max())[0] / torch.tensor([48, 64])
        looked = torch.nonzero(density == density.max())[0] / torch.tensor([24, 32])
        torch.testing.assert_close(seen, looked, atol=0.06, rtol=0)
    assert not torch.allclose(views.before, views.target[:2])
    assert not torch.allclose(views.before, views.after)


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
