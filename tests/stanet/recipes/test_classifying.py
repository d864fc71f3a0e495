"""S, SA and ST learn tags, go on after a stop, and refuse what they cannot learn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from beeping_squares import SIZE, lasting, prepared_squares
from clips import make_clip
from conftest import Run
from lookhear.data import Partners
from lookhear.data.derived import BOXES, write_derived
from lookhear.data.loader import Moments
from lookhear.errors import LookhearError
from lookhear.nets.saved import load_network
from lookhear.stanet import PLUS_SOURCES, PlusSource, Source
from lookhear.stanet.pseudo_fixations import as_probabilities
from lookhear.stanet.recipes.classifying import ClassRecipe, SourceTask
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.stanet.sources import SA, ST, ClassMaps, S
from lookhear.stanet.sources_plus import PlusNet
from lookhear.training.augment import Augmentation, random_batch
from lookhear.training.curves import read_curves
from lookhear.training.initial_weights import parts_of
from lookhear.training.loop import train_on_moments
from lookhear.training.task import MomentsTask

TINY = dict(PRESETS["tiny"].coarse)
assert PRESETS["tiny"].plus is not None
# Of the recipe, only the head learns, and the rest begins with what SA has learnt.
PLUS = {
    of: replace(r, schedule=replace(r.schedule, frozen=()))
    for of, r in PRESETS["tiny"].plus.sources.items()
}
# Of the recipe, S begins at what an AudioSwitch has learnt; here it begins at nothing.
S_SCHEDULE = replace(TINY["S"].schedule, learning_rate=4e-3)
TINY["S"] = replace(TINY["S"], schedule=S_SCHEDULE)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


def test_it_learns_the_tags(prepared: Path, tmp_path: Path) -> None:
    folder = train_on_moments(SourceTask(lasting(TINY["S"], 8)), prepared, tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert curves["loss"][-1] < 0.8 * curves["loss"][0]
    assert curves["accuracy"][-1] == 1
    assert S.from_pretrained(folder).categories == ("Bark", "Flute")


@pytest.mark.parametrize(("source", "kind"), [("SA", SA), ("ST", ST)])
def test_every_source_trains(
    prepared: Path, tmp_path: Path, source: Source, kind: type[SA] | type[ST]
) -> None:
    folder = train_on_moments(SourceTask(lasting(TINY[source], 1)), prepared, tmp_path / "run")
    assert kind.from_pretrained(folder).input_size == SIZE


def test_a_training_begins_with_what_another_has_learnt(prepared: Path, tmp_path: Path) -> None:
    s = train_on_moments(SourceTask(lasting(TINY["S"], 8)), prepared, tmp_path / "S")
    recipe = lasting(TINY["S"], 1)
    start = parts_of(s, "backbone", "head")
    train_on_moments(SourceTask(recipe, start), prepared, tmp_path / "more")
    train_on_moments(SourceTask(recipe), prepared, tmp_path / "anew")
    begun, anew = (read_curves(tmp_path / run)["loss"][0] for run in ("more", "anew"))
    assert begun < 0.8 * anew


def test_what_it_cannot_begin_with_is_refused(prepared: Path, tmp_path: Path) -> None:
    task = SourceTask(lasting(TINY["S"], 1), parts_of(tmp_path / "nowhere", "backbone"))
    with pytest.raises(LookhearError, match="nowhere"):
        train_on_moments(task, prepared, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_fine_stage_sees_crops_only(prepared: Path, tmp_path: Path) -> None:
    # The last columns are noise, whatever the tag.
    crops = tmp_path / "coarse"
    for split in ("train", "val"):
        for shard, indices in Moments(prepared, split).shards.items():  # type: ignore[arg-type]
            boxes = np.tile(np.array([60 / 64, 0, 1, 1], np.float32), (len(indices), 1))
            write_derived(crops, shard, {BOXES: boxes})
    recipe = lasting(TINY["S"], 8)
    train_on_moments(SourceTask(recipe, crops=crops), prepared, tmp_path / "blind")
    train_on_moments(SourceTask(recipe), prepared, tmp_path / "seeing")
    blind, seeing = (read_curves(tmp_path / run)["loss"][-1] for run in ("blind", "seeing"))
    assert blind > 1.2 * seeing
    with pytest.raises(LookhearError, match="nowhere"):
        train_on_moments(SourceTask(recipe, crops=tmp_path / "nowhere"), prepared, tmp_path / "run")


class KilledError(RuntimeError):
    pass


@pytest.mark.parametrize("recipe", [TINY["SA"], PLUS["SA+", "cross"]], ids=["SA", "SA+ cross"])
def test_a_training_that_was_stopped_goes_on_to_the_same_end(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: ClassRecipe
) -> None:
    """With the partners of its epoch, if it has any."""
    recipe = lasting(recipe, 3)
    whole = train_on_moments(SourceTask(recipe), prepared, tmp_path / "whole")

    def stop_in_second(self: SourceTask) -> None:
        if self.current_epoch == 1:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(SourceTask, "on_train_epoch_start", stop_in_second)
        with pytest.raises(KilledError):
            train_on_moments(SourceTask(recipe), prepared, tmp_path / "stopped")
    resumed = train_on_moments(SourceTask(recipe), prepared, tmp_path / "stopped")
    expected = load_file(whole / "model.safetensors")
    for name, tensor in load_file(resumed / "model.safetensors").items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("of", PLUS_SOURCES, ids=" ".join)
def test_those_that_know_other_moments_learn_the_tags(
    prepared: Path, tmp_path: Path, of: tuple[PlusSource, Partners]
) -> None:
    recipe = lasting(PLUS[of], 8)
    folder = train_on_moments(SourceTask(recipe), prepared, tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert curves["loss"][-1] < 0.9 * curves["loss"][0]
    assert curves["accuracy"][-1] >= 0.5
    assert load_network(PlusNet, folder).input_size == SIZE


@pytest.mark.parametrize("of", [("S+", "short"), ("SA+", "cross"), ("ST+", "long")], ids=" ".join)
@pytest.mark.parametrize("sums", [True, False])
def test_the_loss_of_a_graph_is_that_of_each_frame_of_each_node(
    of: tuple[PlusSource, Partners], sums: bool
) -> None:
    """As published, 0.4 of the plain scores' and all of the fused ones', summed over all."""
    recipe = replace(
        lasting(PLUS[of], 1),
        augmentation=Augmentation(SIZE, 1, (0.0, 0.0, 0.0, 0.0)),
        loss="soft margin",
        weights=(0.4, 1.0),
        sums_frames=sums,
    )
    training = SourceTask(recipe).begin(0, ("a", "b"))
    training.log = lambda *_, **__: None  # type: ignore[method-assign]
    training.net.eval()
    frames = 3 if of[0] == "ST+" else 1
    chance = torch.Generator().manual_seed(0)
    batch = {
        "frames": torch.randint(0, 256, (2, 3, frames, 3, *SIZE), generator=chance).byte(),
        "sound": torch.randn(2, 3, frames, 257, 98, generator=chance),
        "has_sound": torch.tensor([[True, True, True], [True, False, True]]),
        "tag": torch.tensor([0, 1]),
    }
    torch.manual_seed(0)
    loss = training.training_step(batch, 0)
    torch.manual_seed(0)
    maps = training._maps(random_batch(batch, SIZE, recipe.augmentation))
    expected = 0.0
    for weight, scores in zip((0.4, 1.0), maps.scores(), strict=True):
        for graph, tag in enumerate(batch["tag"].tolist()):
            of_graph = scores[graph].reshape(-1, 2)
            assert len(of_graph) in (3, 9)
            for said in of_graph.tolist():
                for category, score in enumerate(said):
                    sign = 1 if category == tag else -1
                    share = 2 * 2 * (1 if sums else len(of_graph))  # graphs, categories
                    expected += weight * np.log1p(np.exp(-sign * score)) / share
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def by_name(training: MomentsTask) -> dict[str, float]:
    """The rate of each parameter, for one of the backbone's weights."""
    (optimizer,), _ = training.configure_optimizers()
    base = training.schedule.learning_rate
    rates = {
        id(group["params"][0]): round(group["initial_lr"] / base, 6)
        for group in optimizer.param_groups
    }
    return {name: rates[id(p)] for name, p in training.net.named_parameters()}


@pytest.mark.parametrize("source", ["S", "SA", "ST"])
def test_published_rates_are_by_role(source: Source) -> None:
    """The sound encoder comes trained, as the backbone does."""
    recipe = replace(lasting(TINY[source], 1), schedule=PRESETS["paper"].coarse[source].schedule)
    rates = by_name(SourceTask(recipe).begin(0, ("a", "b")))
    trained = ("backbone.", "sound_encoder.")
    for name, rate in rates.items():
        expected = (1 if name.startswith(trained) else 10) * (2 if name.endswith("bias") else 1)
        assert rate == expected, name
    assert {*rates.values()} == {1, 2, 10, 20}
    assert any(name.startswith("sound_encoder.") for name in rates) == (source == "SA")


def test_the_rate_falls_where_the_schedule_says_and_nowhere_else() -> None:
    for falls, expected in (((), [1.0] * 12), ((5, 10), [1.0] * 5 + [0.1] * 5 + [0.01] * 2)):
        schedule = replace(PRESETS["paper"].coarse["SA"].schedule, falls=falls)
        training = SourceTask(replace(lasting(TINY["S"], 1), schedule=schedule))
        (optimizer,), (scheduler,) = training.begin(0, ("a", "b")).configure_optimizers()
        first = optimizer.param_groups[0]["lr"]
        rates = []
        for _ in range(12):
            rates.append(optimizer.param_groups[0]["lr"] / first)
            optimizer.step()
            scheduler.step()
        np.testing.assert_allclose(rates, expected)
        group = optimizer.param_groups[0]
        assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 5e-4)


def test_a_loss_weighs_plain_and_fused_scores_and_sums_or_averages_frames() -> None:
    """By hand: of two categories at scores s and -s for the first, the soft margin is log(1 +
    exp(-s)); and each of three frames has scores of its own."""
    plain, fused = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.5, -2.0, 3.0])
    scores = (torch.stack([s, -s], -1)[None] for s in (plain, fused))  # 1, 3, 2
    by_plain, by_fused = (np.log1p(np.exp(-s.numpy())).sum() for s in (plain, fused))
    maps = ClassMaps(*(s[..., None, None] for s in scores))
    batch = {"frames": torch.zeros(1, 1, 3, 3, *SIZE).byte(), "has_sound": torch.ones(1, 1) > 0}
    for sums_frames, expected in (
        (True, 0.4 * by_plain + 0.6 * by_fused),
        (False, (0.4 * by_plain + 0.6 * by_fused) / 3),
    ):
        recipe = replace(
            lasting(TINY["ST"], 1),
            loss="soft margin",
            weights=(0.4, 0.6),
            sums_frames=sums_frames,
        )
        training = SourceTask(recipe).begin(0, ("a", "b"))
        training.log = lambda *_, **__: None  # type: ignore[method-assign]
        training._maps = lambda _: maps  # type: ignore[method-assign]
        loss = training.training_step(batch | {"tag": torch.tensor([0])}, 0)
        assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_scores_become_probabilities_as_they_were_trained() -> None:
    scores = torch.tensor([[0.0, 2.0, -1.0]])
    exclusive = as_probabilities(scores, "cross-entropy")
    torch.testing.assert_close(exclusive.sum(-1), torch.ones(1))
    torch.testing.assert_close(as_probabilities(scores, "soft margin")[0, 0], torch.tensor(0.5))


def test_what_cannot_be_learnt_from_is_refused(run: Run, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    make_clip(tmp_path / "one" / "c.mp4", [np.zeros((48, 64, 3), np.uint8)] * 32, 8)
    (tmp_path / "one" / "clips.csv").write_text("path,tag,start,end\nc.mp4,Cat,0,4\n")
    assert run("prepare", tmp_path / "one", "--out", tmp_path / "few")[0] == 0
    for data, words in (
        (tmp_path / "few", "one category only"),
        (tmp_path / "nothing", "run lookhear prepare first"),
    ):
        source = ("--net", "S", "--preset", "tiny")
        code, _, err = run("train", "source", "--data", data, "--out", tmp_path / "run", *source)
        assert code == 1
        assert words in err
        assert err.count("\n") == 1
    with pytest.raises(LookhearError, match="24 moments are fewer than a batch of 32"):
        train_on_moments(SourceTask(PRESETS["small"].coarse["S"]), prepared, tmp_path / "run")
    assert not (tmp_path / "run").exists()
