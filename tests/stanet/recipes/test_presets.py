"""Each preset holds what is published, typed out here once more, and its recipes train."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from safetensors.torch import load_file

from beeping_squares import SIZE, TINY_BACKBONE, prepared_squares
from lookhear.data.derived import FIXATIONS, write_derived
from lookhear.data.loader import Moments
from lookhear.nets.backbones import DILATED, SHALLOW
from lookhear.nets.pretrained import IMAGENET, LITE0, LITE0_EARLY
from lookhear.nets.saved import load_model
from lookhear.nets.sound import SoundClassifier
from lookhear.stanet import ScamRules, Source, Stage, run
from lookhear.stanet.recipes.attending import STATask
from lookhear.stanet.recipes.classifying import SourceTask
from lookhear.stanet.recipes.matching import SwitchTask
from lookhear.stanet.recipes.presets import PRESETS, all_begun_with
from lookhear.stanet.run import Run as StanetRun
from lookhear.stanet.run import RunSettings, train_stanet
from lookhear.training.curves import read_curves
from lookhear.training.initial_weights import SavedPart
from lookhear.training.loop import train_on_moments
from lookhear.training.task import MomentsTask, windows_of

PUBLISHED = ("paper", "report")


@dataclass(frozen=True)
class Facts:
    """What is published of how a network learns."""

    epochs: int
    rate: float
    decay: float
    falls: tuple[int, ...]
    weights: tuple[float, float] | None = None  # of plain and fused scores


# The released scripts; where the report says otherwise, it is the second row.
RELEASED = {
    "S": Facts(15, 1e-4, 5e-4, (5, 10), (1.0, 1.0)),
    "SA": Facts(15, 1e-4, 5e-4, (), (1.0, 1.0)),
    "ST": Facts(15, 1e-4, 5e-4, (), (0.4, 1.0)),
    "STA": Facts(15, 1e-3, 1e-4, ()),
}
REPORTED = RELEASED | {
    "S": Facts(20, 1e-4, 5e-4, (5, 10), (1.0, 1.0)),
    "ST": Facts(15, 1e-4, 5e-4, (), (0.4, 0.6)),
}
FACTS = {"paper": RELEASED, "report": REPORTED}
RULES: dict[str, ScamRules] = {
    "paper": "released",
    "report": "report",
    "small": "clean",
    "light": "clean",
    "tiny": "clean",
}
SOUND = {"paper": "vggsound", "report": "vggsound-report"}
GATES: dict[Stage, str] = {"coarse": "report", "fine": "report-fine"}
# Height and width before and after the crop.
SEEN: dict[Stage, tuple[int, int]] = {"coarse": (300, 256), "fine": (356, 356)}


def test_these_are_the_presets() -> None:
    assert PRESETS.keys() == RULES.keys()
    assert {name: preset.rules for name, preset in PRESETS.items()} == RULES


@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("source", get_args(Source))
@pytest.mark.parametrize("name", PUBLISHED)
def test_sources_learn_as_published(name: str, source: Source, stage: Stage) -> None:
    recipe, facts = PRESETS[name].sources(stage)[source], FACTS[name][source]
    schedule = recipe.schedule
    learnt = Facts(
        schedule.epochs,
        schedule.learning_rate,
        schedule.weight_decay,
        schedule.falls,
        recipe.weights,
    )
    assert learnt == facts
    assert (schedule.optimizer, schedule.average) == ("sgd", None)
    assert recipe.loss == "soft margin"
    assert recipe.sums_frames == (source == "ST")
    before, after = SEEN[stage]
    assert recipe.augmentation.prepared_size == (before, before)
    assert recipe.net["input_size"] == [after, after]
    assert recipe.augmentation.smallest_crop is None  # one size, nothing mirrored
    assert recipe.augmentation.jitter == (0.3, 0.3, 0.3, 0.1)
    assert recipe.augmentation.sound_noise == 0


@pytest.mark.parametrize(("name", "frequencies"), [("paper", 257), ("report", 81)])
def test_all_hear_the_same_spectrograms(name: str, frequencies: int) -> None:
    preset = PRESETS[name]
    for stage, gate in GATES.items():
        sa = preset.sources(stage)["SA"].net
        assert (sa["sound_encoder"], sa["sound_gate"]) == (SOUND[name], gate)
    assert preset.sta.net["sound_encoder"] == preset.switch.net["sound_encoder"] == SOUND[name]
    assert windows_of(preset.sta.net).window // 2 + 1 == frequencies


@pytest.mark.parametrize("name", PUBLISHED)
def test_sta_learns_as_published(name: str) -> None:
    preset, facts = PRESETS[name], FACTS[name]["STA"]
    recipe, schedule = preset.sta, preset.sta.schedule
    learnt = (schedule.epochs, schedule.learning_rate, schedule.weight_decay, schedule.falls)
    assert learnt == (facts.epochs, facts.rate, facts.decay, facts.falls)
    assert (schedule.optimizer, schedule.average) == ("sgd", None)
    assert recipe.loss == {"bce": 1.0, "batch kl": 1.0}
    assert recipe.every_frame
    assert (recipe.deaf, recipe.still) == (0.0, 0.0)
    assert recipe.augmentation.prepared_size == preset.grid == (356, 356)
    assert recipe.augmentation.smallest_crop is None


def test_stanet_plus_learns_as_published() -> None:
    plus = PRESETS["paper"].plus
    assert plus is not None
    assert PRESETS["report"].plus is None
    assert [*plus.sources] == [
        ("S+", "short"),
        ("S+", "long"),
        ("S+", "cross"),
        ("SA+", "long"),
        ("SA+", "cross"),
        ("ST+", "short"),
        ("ST+", "long"),
        ("ST+", "cross"),
    ]
    for (source, partners), recipe in plus.sources.items():
        assert (recipe.source, recipe.partners) == (source, partners)
        schedule = recipe.schedule
        assert schedule.learning_rate == {"S+": 1e-3, "SA+": 1e-5, "ST+": 1e-5}[source]
        assert (schedule.optimizer, schedule.weight_decay, schedule.frozen) == ("sgd", 5e-4, ())
        assert schedule.falls == ((5, 10) if source == "SA+" else ())
        assert (recipe.loss, recipe.weights, recipe.sums_frames) == (
            "soft margin",
            (0.4, 1.0),
            True,
        )
        augmentation = recipe.augmentation
        assert (augmentation.prepared_size, augmentation.smallest_crop) == ((300, 300), None)
        assert recipe.net == {}  # whose defaults are the paper's
    assert [*plus.sta] == ["short", "cross"]
    for partners, of_sta in plus.sta.items():
        assert of_sta.partners == partners
        schedule = of_sta.schedule
        assert (schedule.learning_rate, schedule.weight_decay) == (1e-3, 1e-4)
        assert of_sta.loss == {"bce": 1.0, "batch kl": 1.0}
        assert (of_sta.deaf, schedule.frozen) == (0.0, ())


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_what_is_not_published_is_as_it_was(name: str) -> None:
    """So that runs made before go on."""
    preset = PRESETS[name]
    for stage in get_args(Stage):
        for recipe in preset.sources(stage).values():
            assert (recipe.loss, recipe.weights) == ("cross-entropy", (1.0, 1.0))
            assert not recipe.sums_frames
    assert preset.sta.loss == {"bce": 1.0, "kl": 1.0}
    assert not preset.sta.every_frame


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


def shrunk(recipe: Any, **net: Any) -> Any:
    """The recipe of a full-sized network for a small one, for an epoch of three steps."""
    height, width = SIZE
    before, after = recipe.augmentation.prepared_size[0], recipe.net.get("input_size", [356])[0]
    size = round(height * before / after), round(width * before / after)
    return replace(
        recipe,
        net=recipe.net | TINY_BACKBONE | {"input_size": [*SIZE]} | net,
        schedule=replace(recipe.schedule, epochs=1),
        augmentation=replace(recipe.augmentation, prepared_size=size),
    )


NETS: dict[str, dict[str, Any]] = {
    "S": {},
    "SA": {"sound_encoder": "light", "width": 8},
    "ST": {"width": 8},
}


@pytest.mark.parametrize("source", get_args(Source))
def test_a_source_trains_by_the_published_recipe(
    prepared: Path, tmp_path: Path, source: Source
) -> None:
    recipe = shrunk(PRESETS["paper"].coarse[source], **NETS[source])
    train_on_moments(SourceTask(recipe), prepared, tmp_path / "run")
    assert np.isfinite(read_curves(tmp_path / "run")["loss"]).all()


def test_sta_and_its_switch_train_by_the_published_recipes(prepared: Path, tmp_path: Path) -> None:
    preset = PRESETS["report"]
    for split in ("train", "val"):
        for shard, indices in Moments(prepared, split).shards.items():  # type: ignore[arg-type]
            maps = np.zeros((len(indices), 24, 32), np.float16)
            maps[:, 4:9, 4:9] = 1
            write_derived(tmp_path / "maps", shard, {FIXATIONS: maps})
    sta = STATask(shrunk(preset.sta, sound_encoder="light", width=8), tmp_path / "maps")
    train_on_moments(sta, prepared, tmp_path / "sta")
    switch = SwitchTask(shrunk(preset.switch, sound_encoder="light"))
    train_on_moments(switch, prepared, tmp_path / "switch")
    for trained in ("sta", "switch"):
        assert np.isfinite(read_curves(tmp_path / trained)["loss"]).all()


def test_a_whole_run_goes_by_the_report(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of small networks, without pretrained weights: the fine sources begin with the coarse ones',
    but SA's gate, which grows to another grid."""
    of, light = PRESETS["report"], {"sound_encoder": "light"}
    sources = {
        stage: {
            source: shrunk(recipe, **NETS[source]) for source, recipe in of.sources(stage).items()
        }
        for stage in get_args(Stage)
    }
    small = replace(
        of,
        **sources,
        switch=shrunk(of.switch, **light),
        sta=shrunk(of.sta, **light, width=8),
        grid=(24, 32),
    )
    monkeypatch.setitem(PRESETS, "report", small)
    SoundClassifier(("Bark", "Flute"), "light").save_pretrained(tmp_path / "sound")
    settings = RunSettings(
        prepared, tmp_path / "run", "report", sound=tmp_path / "sound", pretrained="none"
    )
    made = train_stanet(settings, say=lambda _: None)
    net = load_model(made.model)
    assert (net.switch is not None, net.head.gru.update.out_channels) == (True, 8)
    coarse, fine = (
        load_file(tmp_path / "run" / stage / "SA" / "model" / "model.safetensors")
        for stage in get_args(Stage)
    )
    grown = "head.sound_gate.upsample.0.weight"
    assert (coarse[grown].shape[-1], fine[grown].shape[-1]) == (3, 4)


def test_light_is_small_with_imagenets_sight() -> None:
    """But for the backbone and its rate, and that the first AudioSwitch begins with ImageNet's."""
    small, light = PRESETS["small"], PRESETS["light"]
    assert (small.pretrained, light.pretrained) == (None, IMAGENET)
    for stage in get_args(Stage):
        for source, recipe in light.sources(stage).items():
            other = small.sources(stage)[source]
            assert recipe.net["backbone"] == LITE0["backbone"] + SHALLOW
            assert recipe.net["input_size"] == other.net["input_size"]
            assert recipe.schedule.backbone_rate == pytest.approx(0.5 * 2e-3)
            assert recipe.schedule.frozen == (*LITE0_EARLY, "backbone.blocks.2")
            assert replace(recipe.schedule, backbone_rate=None, frozen=()) == other.schedule
    assert light.switch.schedule.frozen == ("backbone",)
    assert light.plus is not None
    assert {of.net["backbone"] for of in light.plus.sources.values()} == {
        LITE0["backbone"] + SHALLOW + DILATED
    }


def starts_of(
    settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """With what the backbone of each stage of a run begins; each begins, and none is trained."""
    begun = {}

    def train(_: StanetRun, stage: str, task: MomentsTask, *__: Any, **___: Any) -> Path:
        begun[stage] = task.start.get("backbone")
        if settings.preset == "light":  # others are large
            task.start = {}  # of networks that are not there
            task.begin(0, ("Bark", "Flute"))
        return tmp_path / stage

    monkeypatch.setattr(StanetRun, "_train", train)
    monkeypatch.setattr(StanetRun, "_maps", lambda *_, **__: tmp_path / "maps")
    monkeypatch.setattr(StanetRun, "_do", lambda *_, **__: tmp_path / "model")
    monkeypatch.setattr(run, "identities", lambda _: {})
    settings.out.mkdir()
    StanetRun(settings, say=lambda _: None)._trained()
    return begun


def test_the_first_backbone_begins_with_imagenet_and_hands_on_what_it_learns(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = RunSettings(prepared, tmp_path / "new", "light")
    begun = starts_of(settings, tmp_path, monkeypatch)
    assert begun.pop("hearing") is None
    assert begun.pop("matching") == IMAGENET
    assert all(isinstance(start, SavedPart) for start in begun.values())
    assert begun.keys() >= {"coarse/S", "fine/ST", "switch", "sta"}


def test_of_published_runs_every_backbone_begins_with_what_is_given(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SoundClassifier(("Bark", "Flute"), "vggsound-report").save_pretrained(tmp_path / "sound")
    settings = RunSettings(
        prepared, tmp_path / "new", "report", sound=tmp_path / "sound", pretrained=IMAGENET
    )
    begun = starts_of(settings, tmp_path, monkeypatch)
    assert set(begun.values()) == {IMAGENET}


def test_a_preset_comes_to_see_as_other_weights_do() -> None:
    paper = all_begun_with(PRESETS["paper"], IMAGENET)
    assert (paper.pretrained, paper.coarse["ST"].net["backbone"]) == (IMAGENET, LITE0["backbone"])
    assert paper.plus is not None
    assert (paper.plus.goes_on, paper.plus.pretrained) == (False, IMAGENET)
    dilated = LITE0 | {"backbone": LITE0["backbone"] + DILATED}
    for recipe in (*paper.plus.sources.values(), *paper.plus.sta.values()):
        assert recipe.net.items() >= dilated.items()
    without = all_begun_with(PRESETS["light"], None)
    assert (without.pretrained, without.sta.net) == (None, PRESETS["light"].sta.net)
    assert (without.sta.schedule.frozen, without.sta.schedule.backbone_rate) == ((), None)
    assert without.plus is not None
    assert without.plus.sta["short"].schedule.frozen == ("backbone", "sound_encoder")
    assert all_begun_with(PRESETS["light"], IMAGENET) is PRESETS["light"]
