"""Trainings of events, whole and killed, and what cannot be learnt from."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import Run
from event_runs import EventRun, event_run
from little_world import write_little_world
from lookhear.data.derived import POOLED
from lookhear.errors import LookhearError
from lookhear.events import recipe as recipes
from lookhear.events.ear import Ear
from lookhear.events.net import EventNet
from lookhear.events.recipe import RECIPES
from lookhear.events.run import RunSettings, train_events
from lookhear.nets.saved import load_network, saved_as
from lookhear.training.curves import read_curves
from lookhear.training.initial_weights import initialise

DIE = """
import os, signal, sys
from pathlib import Path
from lookhear.events.run import RunSettings, train_events
from lookhear.training import checkpoints

data, out, saves = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
save = checkpoints.Checkpoints.save_checkpoint

def save_or_die(self, *args, **options):
    global saves
    saves -= 1
    if saves < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    save(self, *args, **options)

checkpoints.Checkpoints.save_checkpoint = save_or_die
train_events(RunSettings(data, out, "tiny", workers=1), print)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> EventRun:
    return event_run(tmp_path_factory)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def test_a_run_makes_a_network_that_knows_the_tags(trained: EventRun) -> None:
    name, arguments = saved_as(trained.out)
    assert name == "Events"
    assert arguments["categories"] == ["Bark", "Flute", "Horn"]
    assert arguments["stretch"] == 2
    net = load_network(EventNet, trained.out, "cpu")
    assert 0 <= net.threshold.item() < 2  # chosen on the held-out clips
    curves = read_curves(trained.out)
    assert len(curves["loss"]) == 2
    assert 0 <= curves["f1"][-1] <= 1


def test_a_run_that_is_done_does_nothing(trained: EventRun) -> None:
    before = (trained.out / "model" / "model.safetensors").stat().st_mtime_ns
    train_events(RunSettings(trained.data, trained.out, "tiny", workers=1), print)
    assert (trained.out / "model" / "model.safetensors").stat().st_mtime_ns == before


def test_another_run_does_not_take_its_place(trained: EventRun) -> None:
    other = RunSettings(trained.data, trained.out, "tiny", pooling="max", workers=1)
    with pytest.raises(LookhearError, match="made by another recipe, seed or data"):
        train_events(other, print)


@pytest.mark.parametrize("saves", [0, 2])
def test_a_killed_run_goes_on_to_the_same_end(
    trained: EventRun, tmp_path: Path, saves: int
) -> None:
    command = [sys.executable, "-c", DIE, str(trained.data), str(tmp_path / "run"), str(saves)]
    env = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    assert subprocess.run(command, check=False, env=env).returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "model").exists()
    train_events(RunSettings(trained.data, tmp_path / "run", "tiny", workers=1), print)
    for name, tensor in weights(trained.out).items():
        assert torch.equal(tensor, weights(tmp_path / "run")[name]), name


def test_a_frozen_backbone_sees_each_frame_once(
    trained: EventRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = RECIPES["tiny"]
    frozen = replace(tiny, schedule=replace(tiny.schedule, frozen=("backbone",)))
    monkeypatch.setitem(recipes.RECIPES, "tiny", frozen)
    prepared = trained.out / "prepared"
    seen: list[int] = []
    pooled = EventNet.pooled

    def counting(net: EventNet, frames: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        seen.append(len(frames))
        return pooled(net, frames, boxes)

    monkeypatch.setattr(EventNet, "pooled", counting)
    shared = tmp_path / "pooled"
    for pooling in ("two-stream", "max"):
        settings = RunSettings(
            prepared, tmp_path / pooling, "tiny", pooling=pooling, pooled=shared, workers=1
        )
        train_events(settings, print)
    assert sum(seen) == 12 * 2  # clips to learn from and to choose by, two seconds each
    kept = np.load(shared / "train-00000" / f"{POOLED}.npy")
    net = load_network(EventNet, tmp_path / "max", "cpu")
    assert kept.shape == (18, 4, net.pooled_size)
    other = RunSettings(prepared, tmp_path / "other", "tiny", pooled=shared, seed=1, workers=1)
    with pytest.raises(LookhearError, match="made by another recipe"):
        train_events(other, print)  # whose backbone begins elsewhere


def test_a_network_learns_to_tell_the_tags_of_a_little_world(
    trained: EventRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = RECIPES["tiny"]
    longer = replace(tiny, schedule=replace(tiny.schedule, epochs=16, learning_rate=5e-3))
    monkeypatch.setitem(recipes.RECIPES, "tiny", longer)
    settings = RunSettings(trained.out / "prepared", tmp_path / "run", "tiny", workers=1)
    train_events(settings, print)
    assert read_curves(tmp_path / "run")["f1"][-1] > 0.8


def test_an_ear_begins_with_vggishs_state_dict(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = {"channels": [2, 2, 2, 2, 2, 2], "hidden": 4}
    ear = Ear(**small)
    extra = {"pproc.pca_means": torch.zeros(2)}
    state = {name: tensor.contiguous() for name, tensor in ear.state_dict().items()}
    save_file(state | extra, tmp_path / "vggish.safetensors")
    net = EventNet(["a", "b"], **RECIPES["tiny"].net | {"ear": small})
    initialise(net, {"ear": tmp_path / "vggish.safetensors"})
    for name, tensor in ear.state_dict().items():
        assert torch.equal(net.ear.state_dict()[name], tensor)
    save_file(extra, tmp_path / "other.safetensors")
    with pytest.raises(LookhearError, match="of another Ear: "):
        initialise(net, {"ear": tmp_path / "other.safetensors"})


def test_tags_without_a_clip_to_learn_from_are_told_and_left_out(tmp_path: Path) -> None:
    write_little_world(tmp_path / "data", (5, 1, 0), seconds=1)
    with (tmp_path / "data" / "Annotations.txt").open("a") as file:
        file.write("Shofar&gone&good&0&1\n")
    with (tmp_path / "data" / "trainSet.txt").open("a") as file:
        file.write("Shofar&gone&good&0&1\n")
    for list_ in ("Annotations.txt", "valSet.txt"):
        path = tmp_path / "data" / list_
        path.write_text(path.read_text().replace("Horn&c0-05", "Cat&c0-05"))
    said: list[str] = []
    train_events(RunSettings(tmp_path / "data", tmp_path / "run", "tiny", workers=1), said.append)
    assert said == [
        "left out: AVE/gone.mp4: not there",
        "tags without a clip to learn from, left out: Cat",
    ]
    assert saved_as(tmp_path / "run")[1]["categories"] == ["Bark", "Flute", "Horn"]


@pytest.mark.parametrize(
    ("clips", "tags", "reason"),
    [
        (1, ("Bark", "Flute"), "1 clip to learn from, fewer than a batch of 4; give more clips"),
        (5, ("Bark",), "has one tag only; the network learns to tell tags apart"),
    ],
)
def test_what_cannot_be_learnt_from_is_said_in_one_line(
    tmp_path: Path, run: Run, clips: int, tags: tuple[str, ...], reason: str
) -> None:
    write_little_world(tmp_path / "data", (clips, 0, 0), seconds=1, tags=tags)
    code, _, err = run(
        *("train", "events", "--data", tmp_path / "data", "--out", tmp_path / "run"),
        *("--preset", "tiny", "--workers", 1),
    )
    assert code == 1
    assert reason in err.splitlines()[-1]


def test_sound_alone_needs_sound(tmp_path: Path) -> None:
    write_little_world(tmp_path / "data", (5, 0, 0), seconds=1, silent=range(5))
    settings = RunSettings(tmp_path / "data", tmp_path / "run", "tiny", senses="sound", workers=1)
    with pytest.raises(LookhearError, match="none of its clips has sound"):
        train_events(settings, print)


@pytest.mark.parametrize("wrong", [{"preset": "huge"}, {"senses": "smell"}, {"pooling": "mean"}])
def test_unknown_choices_say_what_there_is(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(LookhearError, match="unknown; there are"):
        train_events(RunSettings(tmp_path, tmp_path / "run", **{"preset": "tiny"} | wrong), print)


def test_the_papers_recipe_is_told() -> None:
    paper = RECIPES["paper"]
    assert (paper.boxes, paper.loss, paper.schedule.batch_size) == (10, "hinge", 24)
    assert paper.net["hidden"] == 4096
    assert "ear" not in paper.net  # VGGish itself
    assert not paper.is_frozen
