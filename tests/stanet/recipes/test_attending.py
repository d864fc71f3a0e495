"""STA learns pseudo-fixations, of moments that have any."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from beeping_squares import COLOURS, SIZE, lasting, prepared_squares, silent_set
from lookhear.data.derived import FIXATIONS, write_derived
from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.nets.saved import load_model
from lookhear.stanet.recipes.attending import (
    RING,
    AttendingTask,
    STAPlusRecipe,
    STAPlusTask,
    STARecipe,
    STATask,
)
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.training.augment import Augmentation, plain_batch
from lookhear.training.curves import read_curves
from lookhear.training.loop import train_on_moments
from lookhear.training.losses import fixation_losses

TINY = PRESETS["tiny"].sta
GRID = (24, 32)
MOVING = replace(TINY, still=0.0, deaf=0.0)
assert PRESETS["tiny"].plus is not None
TINY_PLUS = PRESETS["tiny"].plus.sta
# Of the recipe, only the head learns, and the rest begins with what STA has learnt.
ALL_OF_IT = {
    partners: replace(of, schedule=replace(of.schedule, frozen=()))
    for partners, of in TINY_PLUS.items()
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


def square_in(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where the coloured square is: 1 there, else 0, on the grid of the maps."""
    away = [np.abs(frame - np.float32(colour)).max(-1) for colour in COLOURS.values()]
    of_frame = (np.minimum(*away) < 40).astype(np.float32)
    rows, columns = SIZE[0] // GRID[0], SIZE[1] // GRID[1]
    return of_frame.reshape(GRID[0], rows, GRID[1], columns).mean((1, 3))


def made_maps(prepared: Path, folder: Path, empty: slice = slice(0)) -> Path:
    """Keep maps by hand: the square of each moment, and nothing in some of each shard."""
    for split in get_args(Split):
        try:
            data = Moments(prepared, split, size=SIZE)
        except LookhearError:  # a split without clips
            continue
        for shard, indices in data.shards.items():
            frames = [data[index]["frames"][0, 0].permute(1, 2, 0).numpy() for index in indices]
            maps = np.stack([square_in(frame) for frame in frames]).astype(np.float16)
            maps[empty] = 0
            write_derived(folder, shard, {FIXATIONS: maps})
    return folder


@pytest.fixture(scope="module")
def maps(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_maps(prepared, tmp_path_factory.mktemp("maps"))


def test_it_learns_to_look_where_the_maps_say(prepared: Path, maps: Path, tmp_path: Path) -> None:
    folder = train_on_moments(STATask(lasting(TINY, 10), maps), prepared, tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert curves["validation loss"][-1] < 0.8 * curves["validation loss"][0]
    net = load_model(folder)
    held_out = Moments(prepared, "val", size=SIZE, frames=3, fixations=maps)
    for index in range(len(held_out)):
        sample = held_out[index]
        with torch.inference_mode():
            attention = net(sample["frames"].float() / 255)[0].numpy()
        looked_at = np.kron(sample["fixations"][0].numpy(), np.ones((2, 2))) > 0.5
        deviations = (attention - attention.mean()) / attention.std()
        assert deviations[looked_at].mean() > 1


def test_moments_with_empty_maps_are_left_out(prepared: Path, tmp_path: Path) -> None:
    maps = made_maps(prepared, tmp_path / "maps", empty=slice(0, 17))  # 7 of 24 stay
    recipe = lasting(TINY, 1)
    seen = []

    class Counting(STATask):
        def training_step(self, batch: Any, number: int) -> Any:
            seen.append(batch["fixations"].flatten(1).amax(1))
            return super().training_step(batch, number)

    train_on_moments(Counting(recipe, maps), prepared, tmp_path / "run")
    assert len(seen) == 1  # whole batches of 4 out of 7
    assert torch.cat(seen).min() > 0
    assert json.loads((tmp_path / "run" / "made.json").read_text())["moments"] == 7


def test_too_few_moments_with_maps_are_one_line(prepared: Path, tmp_path: Path) -> None:
    maps = made_maps(prepared, tmp_path / "maps", empty=slice(0, 21))
    with pytest.raises(LookhearError, match="only 3 of 24 moments have pseudo-fixations") as raised:
        train_on_moments(STATask(lasting(TINY, 1), maps), prepared, tmp_path / "run")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_validation_of_empty_maps_is_none(prepared: Path, maps: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        shard = f"{split}-00000"
        kept = np.load(maps / shard / "fixations.npy") * (split == "train")
        write_derived(tmp_path / "maps", shard, {FIXATIONS: kept})
    train_on_moments(STATask(lasting(TINY, 1), tmp_path / "maps"), prepared, tmp_path / "run")
    assert "validation loss" not in read_curves(tmp_path / "run")


def test_maps_of_another_prepared_set_are_refused(
    prepared: Path, maps: Path, tmp_path: Path
) -> None:
    other = silent_set(tmp_path / "other")
    with pytest.raises(LookhearError, match=r"train-00000.* belongs to other moments"):
        train_on_moments(STATask(lasting(TINY, 1), maps), other, tmp_path / "run")
    with pytest.raises(LookhearError, match=r"nowhere.*missing or damaged"):
        train_on_moments(
            STATask(lasting(TINY, 1), tmp_path / "nowhere"), prepared, tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_a_set_without_sound_is_learnt_from_with_a_closed_gate(tmp_path: Path) -> None:
    silent = silent_set(tmp_path / "silent")
    maps = made_maps(silent, tmp_path / "maps")
    folder = train_on_moments(STATask(lasting(TINY, 1), maps), silent, tmp_path / "run")
    assert load_model(folder).sound_encoder is not None
    assert np.isfinite(read_curves(tmp_path / "run")["loss"]).all()


def training_of(recipe: STARecipe) -> STATask:
    """A training outside of a run, without any chance but that of its shares."""
    plain = Augmentation(SIZE, 1, (0.0, 0.0, 0.0, 0.0))
    net = recipe.net | {"input_size": list(SIZE)}
    training = STATask(replace(recipe, augmentation=plain, net=net), Path()).begin(0, ("a", "b"))
    training.log = lambda *_, **__: None  # type: ignore[method-assign]
    with torch.no_grad():  # so that neighbours and sounds matter, as after a training
        training.net.head.time_gate.over_time.weight *= 20
        training.net.head.sound_gate.picture.weight *= 100  # type: ignore[union-attr, operator]
    return training


def chance_batch() -> dict[str, Any]:
    chance = torch.Generator().manual_seed(0)
    patches = torch.randint(0, 256, (4, 1, 3, 3, 3, 4), generator=chance).byte()
    return {
        "frames": patches.repeat_interleave(16, -1).repeat_interleave(16, -2),
        "sound": torch.randn(4, 1, 3, 257, 98, generator=chance),
        "has_sound": torch.ones(4, 1, dtype=torch.bool),
        "tag": torch.tensor([0, 1, 0, 1]),
        "fixations": torch.rand(4, 1, *GRID, generator=chance),
    }


def loss_of(training: STATask, **changed: Any) -> torch.Tensor:
    torch.manual_seed(0)
    return training.training_step(chance_batch() | changed, 0)


def test_the_deaf_are_taught_with_a_closed_sound_gate() -> None:
    other_sound = chance_batch()["sound"].flip(0)
    for deaf in (0.0, 1.0):
        training = training_of(replace(MOVING, deaf=deaf))
        loss = loss_of(training)
        assert (loss_of(training, sound=other_sound) == loss) == bool(deaf)
    silent = loss_of(training_of(MOVING), has_sound=torch.zeros(4, 1, dtype=torch.bool))
    torch.testing.assert_close(silent, loss)


def test_a_share_of_the_moments_is_deaf() -> None:
    training = training_of(replace(MOVING, deaf=0.5))
    opened = []
    see = training.net.see

    def watched(frames: Any, sound: Any = None, switch: Any = None) -> Any:
        opened.extend([] if switch is None else switch.tolist())
        return see(frames, sound, switch)

    training.net.see = watched  # type: ignore[method-assign]
    for seed in range(8):
        torch.manual_seed(seed)
        training.training_step(chance_batch(), 0)
    assert 8 <= sum(opened) <= 24
    assert len(opened) == 32


def test_the_neighbours_of_a_still_are_itself() -> None:
    frames = chance_batch()["frames"]
    training = training_of(replace(MOVING, still=0.5))
    loss = loss_of(training)
    for moment, counts in ((0, True), (1, True), (2, False), (3, False)):
        changed = frames.clone()
        changed[moment, :, [0, 2]] = 255 - changed[moment, :, [0, 2]]
        assert (loss_of(training, frames=changed) != loss) == counts
        changed = frames.clone()
        changed[moment, :, 1] = 255 - changed[moment, :, 1]
        assert loss_of(training, frames=changed) != loss
    # As if there had been no other frame.
    stills = frames[:, :, 1:2].expand(-1, -1, 3, -1, -1, -1)
    training.net.eval()
    same = torch.cat([frames[:2], stills[2:]])
    still = loss_of(training)
    moving = training_of(MOVING)
    moving.net.load_state_dict(training.net.state_dict())
    moving.net.eval()
    torch.testing.assert_close(loss_of(moving, frames=same), still)


def test_all_may_be_stills() -> None:
    frames = chance_batch()["frames"]
    training = training_of(replace(MOVING, still=1.0))
    changed = frames.clone()
    changed[:, :, [0, 2]] = 0
    assert loss_of(training, frames=changed) == loss_of(training)


def test_before_and_after_of_a_moving_moment_are_not_confused() -> None:
    frames = chance_batch()["frames"]
    training = training_of(MOVING)
    training.net.eval()
    with torch.no_grad():  # a network that takes no notice of what comes after
        training.net.head.time_gate.over_time.weight[:, :, 2] = 0
    loss = loss_of(training)
    for moment in range(4):
        for time, counts in ((0, True), (2, False)):
            changed = frames.clone()
            changed[moment, :, time] = 255 - changed[moment, :, time]
            assert (loss_of(training, frames=changed) != loss) == counts


def test_each_frame_is_the_target_once_and_their_losses_are_summed() -> None:
    """With its own sound, in the ring of the released code, both outputs counting."""
    training = training_of(replace(MOVING, every_frame=True))
    training.net.eval()
    batch = chance_batch()
    expected = torch.zeros(())
    for turn in RING:
        before, target, after = (
            training.net.see(batch["frames"][:, 0, time].float() / 255, batch["sound"][:, 0, time])
            for time in turn
        )
        for logits in training.net.head.attend(before, target, after):
            terms = fixation_losses(logits[:, 0], batch["fixations"][:, 0])
            expected = expected + terms["bce"] + terms["kl"]
    torch.testing.assert_close(training.loss_of(plain_batch(batch, SIZE)), expected)
    assert sorted(target for _, target, _ in RING) == [0, 1, 2]


@pytest.mark.parametrize("partners", ["short", "cross"])
def test_sta_plus_learns_to_look_where_the_maps_say(
    prepared: Path, maps: Path, tmp_path: Path, partners: Any
) -> None:
    task = STAPlusTask(lasting(ALL_OF_IT[partners], 8), maps)
    folder = train_on_moments(task, prepared, tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert curves["validation loss"][-1] < 0.8 * curves["validation loss"][0]
    net = load_model(folder)
    held_out = task.moments(prepared, "val")
    for index in range(len(held_out)):
        sample = held_out[index]
        with torch.inference_mode():
            attention = net(sample["frames"][None].float() / 255, sample["sound"][None, :, 1])[0]
        looked_at = np.kron(sample["fixations"][0].numpy(), np.ones((2, 2))) > 0.5
        deviations = (attention - attention.mean()) / attention.std()
        assert deviations.numpy()[looked_at].mean() > 1


def plus_training(recipe: STAPlusRecipe) -> AttendingTask:
    """A training outside of a run, without any chance but that of its shares."""
    plain = Augmentation(SIZE, 1, (0.0, 0.0, 0.0, 0.0))
    net = recipe.net | {"input_size": list(SIZE)}
    changed = replace(recipe, augmentation=plain, net=net)
    training = STAPlusTask(changed, Path()).begin(0, ("a", "b"))
    training.log = lambda *_, **__: None  # type: ignore[method-assign]
    with torch.no_grad():  # so that sounds matter, as after a training
        training.net.head.sound_gate.picture.weight *= 100  # type: ignore[union-attr, operator]
        training.net.head.sound_gate.sound.weight *= 100  # type: ignore[union-attr, operator]
        training.net.head.fuse.weight *= 10  # type: ignore[operator]
        training.net.head.out.weight *= 100  # type: ignore[union-attr]
    return training


def graph_batch() -> dict[str, Any]:
    """Four graphs, of some of whose nodes nobody knows where to look."""
    chance = torch.Generator().manual_seed(0)
    patches = torch.randint(0, 256, (4, 3, 3, 3, 3, 4), generator=chance).byte()
    fixations = torch.rand(4, 3, *GRID, generator=chance)
    fixations[0, 1] = fixations[2, 1] = fixations[2, 2] = 0
    return {
        "frames": patches.repeat_interleave(16, -1).repeat_interleave(16, -2),
        "sound": torch.randn(4, 3, 3, 257, 98, generator=chance),
        "has_sound": torch.tensor([[True] * 3, [True] * 3, [False] * 3, [True, False, True]]),
        "tag": torch.tensor([0, 1, 0, 1]),
        "fixations": fixations,
    }


def test_the_loss_of_sta_plus_is_that_of_each_node_which_has_fixations() -> None:
    """Node by node and graph by graph, as every term is a mean over maps."""
    training = plus_training(ALL_OF_IT["short"])
    training.net.eval()
    batch = graph_batch()
    losses = []
    for graph in range(4):
        frames = batch["frames"][graph].float() / 255
        nodes = []
        for node in range(3):
            looks = [
                training.net.see(
                    frames[node, time : time + 1],
                    batch["sound"][graph, node, 1:2],
                    batch["has_sound"][graph, node].float()[None],
                )
                for time in range(3)
            ]
            nodes.append(training.net.join(*looks))
        logits = training.net.head.attend(*nodes)
        for node in range(3):
            fixations = batch["fixations"][graph, node]
            if fixations.any():
                terms = fixation_losses(logits[:, node], fixations[None])
                losses.append(terms["bce"] + terms["kl"])
    assert len(losses) == 9
    loss = training.loss_of(plain_batch(batch, SIZE))
    torch.testing.assert_close(loss, torch.stack(losses).mean(), rtol=1e-4, atol=1e-5)


def test_the_deaf_are_taught_so_in_all_nodes() -> None:
    other_sound = graph_batch()["sound"].flip(0)
    for deaf in (0.0, 1.0):
        training = plus_training(replace(ALL_OF_IT["short"], deaf=deaf))
        training.net.eval()
        losses = []
        for changed in ({}, {"sound": other_sound}):
            torch.manual_seed(0)
            losses.append(training.training_step(graph_batch() | changed, 0))
        assert (losses[0] == losses[1]) == bool(deaf)
