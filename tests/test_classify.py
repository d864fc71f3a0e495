"""S, SA and ST learn tags, go on after a stop, and refuse what they cannot learn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ave_layout import write_lists
from clips import beep, make_clip
from conftest import Run
from lookhear.data.ave import read_ave
from lookhear.data.prepare import prepare
from lookhear.errors import LookhearError
from lookhear.nets.scam import SA, ST, S
from lookhear.training.augment import random_moments
from lookhear.training.classify import PRESETS, ClassRecipe, ClassTraining, Source, train_source

SIZE = (48, 64)
COLOURS = {"Bark": (220, 40, 40), "Flute": (40, 60, 220)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Moments of clips in which a square of the tag's colour moves about on noise."""
    root = tmp_path_factory.mktemp("sets") / "ave"
    (root / "AVE").mkdir(parents=True)
    lists: dict[str, list[str]] = {"trainSet.txt": [], "valSet.txt": []}
    for number in range(10):
        tag = list(COLOURS)[number % 2]
        chance = np.random.default_rng(number)
        ground = chance.integers(90, 160, (*SIZE, 3)).astype(np.uint8)
        frames = []
        for index in range(24):
            frame = ground.copy()
            left = 4 + 2 * index
            frame[16:32, left : left + 16] = COLOURS[tag]
            frames.append(frame)
        make_clip(root / "AVE" / f"c{number}.mp4", frames, 8, sound=beep(3, [0.5]))
        lists["trainSet.txt" if number < 8 else "valSet.txt"].append(f"{tag}&c{number}&good&0&3")
    write_lists(root, lists)
    prepare(read_ave(root), root.parent / "moments")
    return root.parent / "moments"


def lasting(epochs: int, source: Source = "S") -> ClassRecipe:
    """The tiny recipe for so many epochs, on pictures of 48 x 64."""
    recipe = PRESETS["tiny"][source]
    schedule = replace(recipe.schedule, epochs=epochs)
    return replace(
        recipe, net=recipe.net | {"input_size": list(SIZE)}, schedule=schedule, prepared_size=SIZE
    )


def test_it_learns_the_tags(prepared: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train_source(prepared, tmp_path / "run", lasting(8))
    events = EventAccumulator(str(tmp_path / "run" / "logs"))
    events.Reload()
    losses, accuracies = (
        [event.value for event in events.Scalars(name)] for name in ("loss", "accuracy")
    )
    assert losses[-1] < 0.9 * losses[0]
    assert accuracies[-1] == 1
    assert S.from_pretrained(folder).categories == ("Bark", "Flute")


@pytest.mark.parametrize(("source", "kind"), [("SA", SA), ("ST", ST)])
def test_every_source_trains(
    prepared: Path, tmp_path: Path, source: Source, kind: type[SA] | type[ST]
) -> None:
    folder = train_source(prepared, tmp_path / "run", lasting(1, source))
    assert kind.from_pretrained(folder).input_size == SIZE


class KilledError(RuntimeError):
    pass


def test_a_training_that_was_stopped_goes_on_to_the_same_end(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_source(prepared, tmp_path / "whole", lasting(3, "SA"))

    def stop_in_second(self: ClassTraining) -> None:
        if self.current_epoch == 1:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(ClassTraining, "on_train_epoch_start", stop_in_second)
        with pytest.raises(KilledError):
            train_source(prepared, tmp_path / "stopped", lasting(3, "SA"))
    resumed = train_source(prepared, tmp_path / "stopped", lasting(3, "SA"))
    expected = load_file(whole / "model.safetensors")
    for name, tensor in load_file(resumed / "model.safetensors").items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("preset", ["paper", "small", "tiny"])
def test_the_papers_loss_weighs_plain_and_fused_scores(preset: str) -> None:
    for source, recipe in PRESETS[preset].items():
        assert recipe.source == source
        expected = (0.4, 0.6) if (preset, source) == ("paper", "ST") else (1.0, 1.0)
        assert recipe.weights == expected


def test_the_papers_rates_are_by_role() -> None:
    recipe = replace(lasting(1), schedule=PRESETS["paper"]["S"].schedule)
    training = ClassTraining(recipe, ("a", "b"), 0)
    (optimizer,), _ = training.configure_optimizers()
    rates = {
        id(group["params"][0]): round(group["initial_lr"] / 1e-3, 6)
        for group in optimizer.param_groups
    }
    named = {name: rates[id(p)] for name, p in training.net.named_parameters()}
    assert named["head.classifier.weight"] == 10
    assert named["head.classifier.bias"] == 20
    assert {rate for name, rate in named.items() if name.startswith("backbone")} == {1, 2}


def test_all_frames_of_a_moment_are_cropped_and_mirrored_alike() -> None:
    torch.manual_seed(0)
    frames = torch.rand(4, 1, 3, 24, 32).expand(-1, 3, -1, -1, -1)
    views = random_moments(frames, (16, 20), smallest_crop=0.7, jitter=(0.3, 0.3, 0.3, 0.1))
    assert views.shape == (4, 3, 3, 16, 20)
    assert views.min() >= 0
    assert views.max() <= 1
    torch.testing.assert_close(views[:, 0], views[:, 1])
    torch.testing.assert_close(views[:, 0], views[:, 2])
    assert not torch.allclose(views[0], views[1])


def test_without_change_a_moment_is_only_resized() -> None:
    torch.manual_seed(1)
    frames = torch.rand(2, 1, 3, 16, 16)
    views = random_moments(frames, (16, 16), smallest_crop=1, jitter=(0, 0, 0, 0))
    for frame, view in zip(frames, views, strict=True):
        assert torch.allclose(view, frame, atol=1e-5) or torch.allclose(
            view, frame.flip(-1), atol=1e-5
        )


def test_what_cannot_be_learnt_from_is_refused(run: Run, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    make_clip(tmp_path / "one" / "c.mp4", [np.zeros((48, 64, 3), np.uint8)] * 24, 8)
    (tmp_path / "one" / "clips.csv").write_text("path,tag,start,end\nc.mp4,Cat,0,3\n")
    assert run("prepare", tmp_path / "one", "--out", tmp_path / "few")[0] == 0
    for data, words in (
        (tmp_path / "few", "one category only"),
        (tmp_path / "nothing", "run lookhear prepare first"),
    ):
        code, _, err = run(
            "train", "source", "--data", data, "--out", tmp_path / "run", "--net", "S"
        )
        assert code == 1
        assert words in err
        assert err.count("\n") == 1
    with pytest.raises(LookhearError, match="24 moments are fewer than a batch of 32"):
        train_source(prepared, tmp_path / "run", PRESETS["small"]["S"])
    assert not (tmp_path / "run").exists()
