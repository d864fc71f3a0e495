"""STA learns from still pictures, goes on after a stop, and refuses another training's folder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lookhear.data.readers.osie import FixatedPicture, read_osie
from lookhear.errors import LookhearError
from lookhear.nets.pretrained import IMAGENET, LITE0, load_pretrained
from lookhear.nets.saved import load_model
from lookhear.stanet.recipes.stills import (
    RECIPES,
    FixationRecipe,
    Stills,
    beginning_with,
    train_fixations,
)
from lookhear.stanet.sta import STA
from lookhear.training.schedule import Machine
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

    folder = train_fixations([pictures], tmp_path / "run", lasting(12))
    events = EventAccumulator(str(tmp_path / "run" / "logs"))
    events.Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 0.2
    net = load_model(folder)
    assert net.sound_encoder is None
    assert {of.dtype for of in net.parameters()} == {torch.float32}
    for name, tensor in load_file(folder / "model.safetensors").items():
        if name in dict(net.named_parameters()):
            assert (tensor.dtype == torch.float16) == (tensor.ndim > 1), name


class KilledError(RuntimeError):
    pass


def test_a_training_that_was_stopped_goes_on_to_the_same_end(
    pictures: list[FixatedPicture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookhear.stanet.recipes.stills import FixationTask

    recipe = lasting(4)
    whole = train_fixations([pictures], tmp_path / "whole", recipe)

    def stop_in_third(self: FixationTask) -> None:
        if self.current_epoch == 2:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(FixationTask, "on_train_epoch_start", stop_in_third)
        with pytest.raises(KilledError):
            train_fixations([pictures], tmp_path / "stopped", recipe)
    assert not (tmp_path / "stopped" / "model").exists()
    epochs = []
    with monkeypatch.context() as patched:
        patched.setattr(
            FixationTask,
            "on_train_epoch_start",
            lambda self: epochs.append(self.current_epoch),
        )
        resumed = train_fixations([pictures], tmp_path / "stopped", recipe)
    assert epochs == [2, 3]
    expected = load_model(whole).state_dict()
    for name, tensor in load_model(resumed).state_dict().items():
        torch.testing.assert_close(tensor, expected[name], msg=name)


def test_a_finished_training_is_left_alone(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    folder = train_fixations([pictures], tmp_path / "run", TINY)
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert train_fixations([pictures], tmp_path / "run", TINY) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made


def test_a_run_of_something_else_is_refused(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    train_fixations([pictures], tmp_path / "run", TINY)
    for other in (
        lambda: train_fixations([pictures], tmp_path / "run", lasting(3)),
        lambda: train_fixations([pictures[1:]], tmp_path / "run", TINY),
        lambda: train_fixations([pictures], tmp_path / "run", TINY, seed=1),
    ):
        with pytest.raises(LookhearError, match="another"):
            other()


def test_too_few_pictures_are_refused(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="fewer than a batch"):
        train_fixations([pictures[:3]], tmp_path / "run", TINY)
    assert not (tmp_path / "run").exists()


def test_pictures_come_in_their_own_shapes_with_where_people_looked(
    pictures: list[FixatedPicture], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    square = read_osie(make_osie(tmp_path / "square", count=5, size=(64, 64)))
    stills = Stills([pictures, square], (96, 128), batch_size=4)
    assert (stills.sets, len(stills)) == ([0] * 6 + [1] * 5, 11)
    assert stills.shapes == [(96, 128)] * 6 + [(96, 96)] * 5
    assert caplog.text == ""
    seen, densities = stills[[6, 8, 10]]
    assert (seen.shape, seen.dtype) == ((3, 3, 120, 120), torch.uint8)
    assert (densities.shape, densities.dtype) == ((3, 60, 60), torch.float32)
    for picture, density in zip(seen.float(), densities, strict=True):
        # The disc that all look at is bright in red.
        at = divmod(int(density.argmax()), 60)
        assert picture[0, 2 * at[0], 2 * at[1]] > 200


def test_rare_shapes_are_stretched_to_the_next_and_one_line_says_so(
    pictures: list[FixatedPicture], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rare = read_osie(make_osie(tmp_path / "rare", count=2, size=(80, 60)))
    square = read_osie(make_osie(tmp_path / "square", count=4, size=(64, 64)))
    stills = Stills([pictures, [*rare, *square]], (96, 128), batch_size=4)
    assert stills.shapes == [(96, 128)] * 6 + [(96, 96)] * 6
    (line,) = caplog.messages
    assert "2 pictures of 12 are of shapes too rare" in line
    assert "1001.jpg" in line


def test_sets_are_learnt_together(pictures: list[FixatedPicture], tmp_path: Path) -> None:
    square = read_osie(make_osie(tmp_path / "square", count=5, size=(64, 64)))
    folder = train_fixations([pictures, square], tmp_path / "run", TINY)
    assert load_model(folder).input_size == (96, 128)
    with pytest.raises(LookhearError, match="another"):
        train_fixations([pictures], tmp_path / "run", TINY)


def test_a_pretrained_backbone_learns_slowly_and_its_early_layers_not_at_all(
    pictures: list[FixatedPicture], tmp_path: Path
) -> None:
    """And they keep their statistics; in 16 bits, as the bundled model is trained."""
    small = RECIPES["small"]
    recipe = replace(
        small,
        net=small.net | {"input_size": [64, 96], "width": 8},
        schedule=replace(small.schedule, epochs=3, batch_size=4, average=None),
        views=(64, 64),
        moving=1,
    )
    assert recipe.pretrained == IMAGENET
    folder = train_fixations(
        [pictures], tmp_path / "run", recipe, machine=Machine(precision="bf16-mixed")
    )
    before = STA(**recipe.net)
    load_pretrained(before, IMAGENET)
    after = load_model(folder)
    assert torch.equal(after.mean, before.mean)
    ours, theirs = after.backbone.state_dict(), before.backbone.state_dict()
    early = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")
    for name, tensor in ours.items():
        if name.endswith("num_batches_tracked"):
            continue
        saved = theirs[name].half().float() if tensor.ndim > 1 else theirs[name]
        assert torch.equal(tensor, saved) == name.startswith(early), name
    late = "blocks.6.0.conv_pw.weight"
    assert (ours[late] - theirs[late]).abs().max() < 3 * 3e-4


def test_another_backbone_takes_the_place_of_a_recipes_own() -> None:
    small = RECIPES["small"]
    assert beginning_with(small, IMAGENET) is small
    other = beginning_with(small, "resnet18.a1_in1k")
    assert (other.net["backbone"], other.pretrained) == ("resnet18", "resnet18.a1_in1k")
    assert (other.schedule.frozen, other.schedule.backbone_rate) == ((), 3e-4)
    none = beginning_with(small, None)
    assert (none.net, none.pretrained) == (small.net, None)
    assert (none.schedule.frozen, none.schedule.backbone_rate) == ((), None)
    assert beginning_with(TINY, IMAGENET).net["backbone"] == LITE0["backbone"]
