"""A sound encoder learns to tell tags by ear."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from beeping_squares import lasting, prepared_squares, silent_set
from lookhear.data.loader import Moments
from lookhear.errors import LookhearError
from lookhear.nets.saved import load_network
from lookhear.nets.sound import SoundClassifier
from lookhear.stanet.recipes.hearing import HearingTask
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.training.curves import read_curves
from lookhear.training.loop import train_on_moments

TINY = PRESETS["tiny"].hearing


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


def test_two_pitches_are_told_apart_by_ear(prepared: Path, tmp_path: Path) -> None:
    folder = train_on_moments(HearingTask(lasting(TINY, 3)), prepared, tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert len(curves["loss"]) == len(curves["accuracy"]) == 3
    assert curves["accuracy"][-1] == 1
    net = load_network(SoundClassifier, folder)
    assert net.categories == ("Bark", "Flute")
    held_out = Moments(prepared, "val", windows=net.sound_encoder.windows)
    with torch.inference_mode():
        for index in range(len(held_out)):
            logits = net(held_out[index]["sound"][:, 0])
            assert logits.argmax() == held_out.tag(index)


def batch_of(tags: list[int], has_sound: list[bool]) -> dict[str, Any]:
    sound = torch.randn(len(tags), 1, 1, 257, 98, generator=torch.Generator().manual_seed(0))
    heard = torch.tensor(has_sound)[:, None]
    return {
        "sound": sound * heard[:, :, None, None, None],
        "has_sound": heard,
        "tag": torch.tensor(tags),
    }


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> HearingTask:
    """A training that keeps what it logs, by name, in `logged`."""
    assert TINY is not None
    recipe = replace(TINY, augmentation=replace(TINY.augmentation, sound_noise=0))
    training = HearingTask(recipe).begin(0, ("Bark", "Flute"))
    training.logged = {}  # type: ignore[assignment]
    monkeypatch.setattr(
        training, "log", lambda name, value, **_: training.logged.update({name: value.item()})
    )
    return training


def test_what_silent_moments_are_tagged_does_not_count(training: Any) -> None:
    one = batch_of([0, 1, 0, 1], [True, True, False, False])
    other = batch_of([0, 1, 1, 0], [True, True, False, False])
    loss = training.training_step(one, 0)
    assert training.training_step(other, 0) == loss
    changed = batch_of([1, 0, 0, 1], [True, True, False, False])
    assert training.training_step(changed, 0) != loss
    training.net.eval()
    expected = training.training_step({name: part[:2] for name, part in one.items()}, 0)
    torch.testing.assert_close(training.training_step(one, 0), expected)
    training.validation_step(one, 0)
    accuracy = training.logged["accuracy"]
    training.validation_step(other, 0)
    assert training.logged["accuracy"] == accuracy
    training.validation_step(changed, 0)
    assert training.logged["accuracy"] == 1 - accuracy


def test_a_batch_without_any_sound_teaches_nothing(training: Any) -> None:
    silent = batch_of([0, 1], [False, False])
    loss = training.training_step(silent, 0)
    loss.backward()
    assert loss == 0
    assert not any(p.grad.any() for p in training.net.parameters())
    training.validation_step(silent, 0)
    assert training.logged["accuracy"] == 0


def test_one_category_only_is_refused(tmp_path: Path) -> None:
    one = silent_set(tmp_path / "one", ("Bark", "Bark"))
    with pytest.raises(LookhearError, match="one category only") as raised:
        train_on_moments(HearingTask(lasting(TINY, 1)), one, tmp_path / "run")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_too_few_moments_are_refused(prepared: Path, tmp_path: Path) -> None:
    recipe = PRESETS["small"].hearing
    assert recipe is not None
    with pytest.raises(LookhearError, match="24 moments are fewer than a batch of 32"):
        train_on_moments(HearingTask(recipe), prepared, tmp_path / "run")


def test_a_set_without_any_sound_is_refused(tmp_path: Path) -> None:
    silent = silent_set(tmp_path / "silent")
    with pytest.raises(LookhearError, match="sound"):
        train_on_moments(HearingTask(lasting(TINY, 1)), silent, tmp_path / "run")
