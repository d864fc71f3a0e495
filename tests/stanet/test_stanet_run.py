"""A whole run of STANet: from clips with tags to a model, in one command or stage by stage."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import Run
from lookhear.nets.saved import load_model
from lookhear.stanet import run as stanet
from tiny_run import (
    SEED,
    World,
    assert_same_maps,
    run_and_kill,
    same_threads,
    stages_said,
    stanet_world,
    start,
    table_of,
    times_of,
    weights,
)

STAGES = (
    "moments",
    "hearing",
    "matching",
    *(f"coarse/{stage}" for stage in ("S", "SA", "ST", "maps")),
    *(f"fine/{stage}" for stage in ("S", "SA", "ST", "maps")),
    "switch",
    "sta",
    "model",
    *(f"test/{stage}" for stage in ("moments", "coarse", "fine", "coarse-tags", "fine-tags")),
    "test/scores",
)


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    """Cut clips in this process: others take seconds to begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stanet, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return stanet_world(tmp_path_factory)


@pytest.fixture
def copied(world: World, tmp_path: Path) -> World:
    """A copy of the run, to be changed."""
    return world.copied(tmp_path / "run")


def test_a_run_says_each_stage_and_leaves_a_model_scores_and_a_report(world: World) -> None:
    assert stages_said(world.said) == [*STAGES, "report.html"]
    maps = [np.load(path) for path in world.out.glob("fine/maps/*/fixations.npy")]
    without = sum(np.count_nonzero(~of_shard.any((1, 2))) for of_shard in maps)
    assert without
    assert f"fine/maps: {without} of 42 moments have no pseudo-fixations" in world.said
    assert f"{world.out}/report.html" in world.said
    assert f"--model {world.out}" in world.said
    kept = json.loads((world.out / "run.json").read_text())
    assert kept["settings"] == {"preset": "tiny", "seed": 3}
    assert tuple(kept["stages"]) == STAGES
    assert all(stage["done"] and stage["seconds"] > 0 for stage in kept["stages"].values())
    scores = json.loads((world.out / "test" / "scores" / "scores.json").read_text())
    assert {*scores["clips"]["STA"]} == {"c1-00", "c1-01", "c1-03"}
    for metrics in scores["means"].values():
        assert f"{metrics['NSS']:.3f}" in table_of(world.said)
    assert load_model(world.out).switch is not None
    assert not list(world.out.rglob(".*"))


def test_the_report_shows_the_stages_the_curves_and_the_table(world: World) -> None:
    page = (world.out / "report.html").read_text()
    for stage in STAGES:
        assert stage in page, stage
    scores = json.loads((world.out / "test" / "scores" / "scores.json").read_text())
    for row, metrics in scores["means"].items():
        assert row in page, row
        assert f"{metrics['NSS']:.3f}" in page, row
    assert "preset tiny" in page
    assert "seed 3" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_card_tells_how_good_the_model_is(world: World) -> None:
    card = (world.out / "model" / "README.md").read_text()
    scores = json.loads((world.out / "test" / "scores" / "scores.json").read_text())
    values = [scores["means"]["STA"][metric] for metric in ("AUC-J", "SIM", "s-AUC", "CC", "NSS")]
    assert "| STA | " + " | ".join(f"{value:.3f}" for value in values) + " |" in card
    assert "12 clips of 3 categories" in card


@pytest.mark.parametrize("clip", [0, 1], ids=["with sound", "without sound"])
def test_what_was_trained_predicts_a_clip(
    run: Run, world: World, tmp_path: Path, clip: int
) -> None:
    video = world.test / "AVE" / f"c1-{clip:02d}.mp4"
    code, _, error = run("predict", video, "--model", world.out, "--out", tmp_path / "results")
    assert (code, error) == (0, "")
    assert (tmp_path / "results" / video.stem / "report.html").exists()


def test_a_run_that_is_done_does_nothing_and_shows_the_same_table(run: Run, world: World) -> None:
    before = times_of(world.out)
    code, said, error = run(*world.command())
    assert (code, error) == (0, "")
    assert stages_said(said) == []
    assert table_of(said) == table_of(world.said)
    assert times_of(world.out) == before


def test_a_stage_that_comes_to_the_same_end_is_all_that_is_done_again(
    run: Run, copied: World
) -> None:
    kept = json.loads((copied.out / "run.json").read_text())
    del kept["stages"]["sta"]
    (copied.out / "run.json").write_text(json.dumps(kept))
    before = weights(copied.out / "sta" / "model")
    code, said, error = run(*copied.command())
    assert (code, error) == (0, "")
    assert stages_said(said) == ["sta", "report.html"]
    assert table_of(said) == table_of(copied.said)
    assert weights(copied.out / "sta" / "model") == before


def test_other_maps_are_learnt_again_and_nothing_else(run: Run, copied: World) -> None:
    """Each turned upside down, so that something else is learnt from them."""
    path = copied.out / "fine" / "maps" / "train-00000" / "fixations.npy"
    content = path.read_bytes()
    begin = 128  # of the numbers, after what tells their shape
    numbers = content[begin:]
    turned = b"".join(numbers[at : at + 2] for at in range(len(numbers) - 2, -1, -2))
    path.write_bytes(content[:begin] + turned)
    code, said, error = run(*copied.command())
    assert (code, error) == (0, "")
    assert stages_said(said) == ["sta", "model", "test/scores", "report.html"]
    assert table_of(said) != table_of(copied.said)


def test_a_test_can_be_added_to_a_run(run: Run, copied: World) -> None:
    kept = json.loads((copied.out / "run.json").read_text())
    kept["stages"] = {name: s for name, s in kept["stages"].items() if "test" not in name}
    (copied.out / "run.json").write_text(json.dumps(kept))
    shutil.rmtree(copied.out / "test")
    (copied.out / "report.html").unlink()
    alone = [word for word in copied.command() if word not in ("--test", str(copied.test))]
    code, said, _ = run(*alone)
    assert (code, stages_said(said)) == (0, ["report.html"])
    assert "Mean over" not in said
    code, said, _ = run(*copied.command())
    assert code == 0
    assert stages_said(said) == [*(s for s in STAGES if "test" in s), "report.html"]
    assert table_of(said) == table_of(copied.said)


def test_the_verb_of_every_stage_makes_what_the_run_makes(
    run: Run, world: World, tmp_path: Path
) -> None:
    moments, ours = world.out / "moments", world.out

    def train(*words: object, out: str) -> Path:
        if words[0] != "join":
            words = (*words, "--preset", "tiny", "--data", moments)
        if words[0] not in ("join", "maps"):
            words = (*words, "--seed", SEED)
        code, _, error = run("train", *words, "--out", tmp_path / out)
        assert (code, error) == (0, "")
        if words[0] == "maps":
            assert_same_maps(tmp_path / out, ours / out)
            return tmp_path / out
        model = tmp_path / out if words[0] == "join" else tmp_path / out / "model"
        assert weights(model) == weights(ours / model.relative_to(tmp_path)), out
        return model

    ear = train("hearing", out="hearing")
    by_ear = start(sound_encoder=ear, head__gate__sound=f"{ear}:classifier")
    first = train("matching", *by_ear, out="matching")
    looks = f"{first}:head.gate.picture"
    train("source", "--net", "S", *start(backbone=first, head__classifier=looks), out="coarse/S")
    seen = start(backbone=first, head__classifier__0=looks)
    sa_parts = start(
        sound_encoder=ear,
        head__votes=f"{ear}:classifier",
        head__sound_gate=f"{first}:head.gate",
    )
    sa = train("source", "--net", "SA", *seen, *sa_parts, out="coarse/SA")
    train("source", "--net", "ST", *seen, out="coarse/ST")
    boxes = train("maps", "--sources", tmp_path / "coarse", out="coarse/maps")
    fine = ["--stage", "fine", "--crops", boxes]
    for net in ("S", "SA", "ST"):
        before = tmp_path / "coarse" / net / "model"
        parts = {"backbone": before, "head": before}
        parts |= {"sound_encoder": before} if net == "SA" else {}
        train("source", "--net", net, *fine, *start(**parts), out=f"fine/{net}")
    maps = train("maps", "--sources", tmp_path / "fine", *fine, out="fine/maps")
    like_sa = start(backbone=sa, sound_encoder=sa)
    gate = start(head__gate=f"{sa}:head.sound_gate")
    switch = train("switch", *like_sa, *gate, *by_ear, out="switch")
    sta_parts = start(backbone=switch, sound_encoder=switch, head__sound_gate=f"{switch}:head.gate")
    sta = train("sta", "--maps", maps, *sta_parts, out="sta")
    train("join", "--sta", sta, "--switch", switch, out="model")


def test_a_run_that_is_killed_twice_comes_to_the_same_end(world: World, tmp_path: Path) -> None:
    out = tmp_path / "run"
    # From the moments of the run, as to cut them takes processes that take seconds to begin.
    command = world._replace(data=world.out / "moments").command(out)
    chance = random.choice(STAGES[1:9]), random.choice(STAGES[9:-1])
    said = run_and_kill(command, chance)
    subprocess.run(
        [sys.executable, "-m", "lookhear", *command],
        check=True,
        stdout=subprocess.DEVNULL,
        env=same_threads(),
    )
    for part in ("test/scores/scores.json", "model/model.safetensors"):
        assert (out / part).read_bytes() == (world.out / part).read_bytes(), said
    assert (out / "report.html").exists()
    assert not list(out.rglob(".*"))
