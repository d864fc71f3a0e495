"""A run that goes on from STANet to STANet+: in one command or stage by stage."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Run
from lookhear.nets.saved import load_model
from lookhear.stanet import run as stanet
from lookhear.stanet.stanet_plus import STANetPlus
from tiny_run import (
    SEED,
    World,
    assert_same_maps,
    run_and_kill,
    stages_said,
    stanet_world,
    start,
    times_of,
    weights,
)

SOURCES = (
    *("S+/short", "S+/long", "S+/cross"),
    *("SA+/long", "SA+/cross"),
    *("ST+/short", "ST+/long", "ST+/cross"),
)
STAGES = tuple(
    f"stanet+/{stage}"
    for stage in (
        *SOURCES,
        "maps",
        "STA+/short",
        "STA+/cross",
        "model",
        "test/maps",
        "test/maps-tags",
        "test/scores",
    )
)
ROWS = (
    "SCAM, fine",
    *(source.replace("/", " ") for source in SOURCES),
    "SCAM+",
    "pseudo-fixations (know the tag)",
    "pseudo-fixations of SCAM+ (know the tag)",
    "STA",
    "STA+ short",
    "STA+ cross",
    "STANet+",
)


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stanet, "cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The run of STANet."""
    return stanet_world(tmp_path_factory)


@pytest.fixture(scope="module")
def world(before: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A copy of it that has gone on to STANet+."""
    copy = before.copied(tmp_path_factory.mktemp("plus") / "run")
    return copy._replace(verb="stanet+").made()


def ledger(out: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((out / "run.json").read_text())
    return kept


def scores(out: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((out / "stanet+/test/scores/scores.json").read_text())
    return table


def test_it_goes_on_from_a_run_none_of_whose_stages_is_done_again(
    before: World, world: World
) -> None:
    assert stages_said(world.said) == [*STAGES, "report.html"]
    kept, of_before = ledger(world.out), ledger(before.out)
    assert kept["settings"] == of_before["settings"]
    assert tuple(kept["stages"]) == (*of_before["stages"], *STAGES)
    assert all(stage["done"] for stage in kept["stages"].values())
    for name, stage in of_before["stages"].items():
        assert kept["stages"][name] == stage, name
    times, told = times_of(world.out), ("run.json", "report.html", "model/README.md")
    for path, time in times_of(before.out).items():
        assert path in told or times[path] == time, path
    for path in ("model/README.md", "test/scores/scores.json"):
        assert (world.out / path).read_bytes() == (before.out / path).read_bytes()
    assert not list(world.out.rglob(".*"))


def test_it_leaves_a_model_scores_and_a_report(world: World) -> None:
    net = load_model(world.out / "stanet+")
    assert isinstance(net, STANetPlus)
    assert net.switch is not None
    assert (net.short.apart, net.cross.apart) == (3, 16)
    table = scores(world.out)
    assert tuple(table["means"]) == ROWS
    assert {*table["clips"]["STANet+"]} == {"c1-00", "c1-01", "c1-03"}
    page = (world.out / "report.html").read_text()
    for stage in ledger(world.out)["stages"]:
        assert stage in page, stage
    for row, metrics in table["means"].items():
        assert row in page, row
        assert f"{metrics['NSS']:.3f}" in world.said, row
        assert f"{metrics['NSS']:.3f}" in page, row
    for heading in (
        "STANet+ on test, without tags",
        "On test, without tags",
        "test: what other moments tell",
        "pseudo-fixations of SCAM+",
    ):
        assert heading in page, heading
    assert f"{world.out}/stanet+/model: use it with" in world.said
    assert "http" not in page.replace("http://www.w3.org", "")


def test_sta_is_scored_in_both_tables_alike(world: World) -> None:
    of_sta = json.loads((world.out / "test/scores/scores.json").read_text())["means"]
    for row in ("SCAM, fine", "STA", "pseudo-fixations (know the tag)"):
        assert scores(world.out)["means"][row] == pytest.approx(of_sta[row], abs=1e-4), row


def test_the_card_tells_how_good_the_model_is(world: World) -> None:
    card = (world.out / "stanet+/model/README.md").read_text()
    values = [
        scores(world.out)["means"]["STANet+"][metric]
        for metric in ("AUC-J", "SIM", "s-AUC", "CC", "NSS")
    ]
    assert "| STANet+ | " + " | ".join(f"{value:.3f}" for value in values) + " |" in card
    assert "`lookhear train stanet+`" in card
    assert "12 clips of 3 categories" in card


def test_a_run_that_is_done_does_nothing(run: Run, before: World, world: World) -> None:
    times = times_of(world.out)
    code, said, error = run(*world.command())
    assert (code, error, stages_said(said)) == (0, "", [])
    assert times_of(world.out) == times
    # Nor does the first half's own verb have anything to do.
    code, said, error = run(*before.command(world.out))
    assert (code, error, stages_said(said)) == (0, "", [])
    assert times_of(world.out) == times


@pytest.mark.parametrize("clip", [0, 1], ids=["with sound", "without sound"])
def test_what_was_trained_predicts_a_clip(
    run: Run, world: World, tmp_path: Path, clip: int
) -> None:
    video = world.test / "AVE" / f"c1-{clip:02d}.mp4"
    model = world.out / "stanet+"
    code, _, error = run("predict", video, "--model", model, "--out", tmp_path / "results")
    assert (code, error) == (0, "")
    assert (tmp_path / "results" / video.stem / "report.html").exists()


def test_its_steps_are_models_to_evaluate(run: Run, world: World, tmp_path: Path) -> None:
    models = (f"{world.out}:SCAM+", f"{world.out}:SA+-cross", f"ours={world.out / 'stanet+'}")
    words = [word for model in models for word in ("--model", model)]
    code, _, error = run(
        *("evaluate", "--data", world.test, *words, "--every", 8, "--out", tmp_path / "out")
    )
    assert (code, error) == (0, "")
    means = json.loads((tmp_path / "out" / "scores.json").read_text())["means"]
    assert [*means] == ["SCAM+", "SA+-cross", "ours"]


def test_the_steps_of_a_run_without_them_are_one_line(
    run: Run, before: World, tmp_path: Path
) -> None:
    model = "--model", f"{before.out}:SCAM+"
    code, _, error = run("evaluate", "--data", before.test, *model, "--out", tmp_path)
    assert (code, error.count("\n")) == (1, 1)
    assert "has no maps of a test; train it with --test on these clips by train stanet+" in error


def test_the_verb_of_every_stage_makes_what_the_run_makes(
    run: Run, world: World, tmp_path: Path
) -> None:
    ours, sa, sta = world.out, world.out / "coarse/SA/model", world.out / "sta/model"
    preset = ("--preset", "tiny", "--data", ours / "moments")

    def train(*words: object, out: str) -> Path:
        code, _, error = run("train", *words, "--out", tmp_path / out)
        assert (code, error) == (0, "")
        return tmp_path / out

    seed = ("--seed", SEED)
    sees = start(backbone=sa, head__classifier=sa, head__self_attention=sa)
    hears = start(sound_encoder=sa, head__sound_gate=sa, head__votes=sa)
    for name in SOURCES:
        net, _, partners = name.partition("/")
        begins = [*sees, *hears] if net == "SA+" else sees
        words = ("source", "--net", net, "--partners", partners, *preset, *seed, *begins)
        folder = train(*words, out=name)
        assert weights(folder / "model") == weights(ours / "stanet+" / name / "model"), name
    crops = ("--stage", "fine", "--crops", ours / "coarse/maps")
    words = ("maps", "--plus", tmp_path, "--sources", ours / "fine", *crops, *preset)
    maps = train(*words, out="maps")
    assert_same_maps(maps, ours / "stanet+/maps")
    begins = start(backbone=sta, sound_encoder=sta, head__sound_gate=sta)
    parts: list[object] = []
    for partners in ("short", "cross"):
        words = ("sta+", "--maps", maps, "--partners", partners, *preset, *seed, *begins)
        folder = train(*words, out=f"STA+/{partners}") / "model"
        assert weights(folder) == weights(ours / "stanet+/STA+" / partners / "model")
        parts += [f"--{partners}", folder]
    switch = ("--switch", ours / "switch/model")
    model = train("join", "--sta", sta, *parts, *switch, out="model")
    assert weights(model) == weights(ours / "stanet+/model")
    without = load_model(train("join", "--sta", ours / "model", *parts, out="deaf-to-none"))
    assert isinstance(without, STANetPlus)
    assert without.switch is None


def test_a_run_that_is_killed_twice_comes_to_the_same_end(
    run: Run, before: World, world: World, tmp_path: Path
) -> None:
    copy = before.copied(tmp_path / "run")._replace(verb="stanet+")
    chosen = random.choice(STAGES[:8]), random.choice(STAGES[8:-1])
    said = run_and_kill(copy.command(), chosen)
    code, rest, error = run(*copy.command())
    assert (code, error) == (0, ""), said
    assert not {*stages_said(rest)} & {*said[:-1]} - {*chosen}  # what was done is left alone
    for part in ("test/scores/scores.json", "model/model.safetensors"):
        assert (copy.out / "stanet+" / part).read_bytes() == (
            world.out / "stanet+" / part
        ).read_bytes(), said
    assert (copy.out / "report.html").exists()
    assert not list(copy.out.rglob(".*"))


def refused(run: Run, *arguments: object) -> str:
    code, _, error = run(*arguments)
    assert code == 1
    assert error.startswith("lookhear: ")
    assert error.count("\n") == 1
    return error


def test_a_preset_without_stanet_plus_is_one_line(run: Run, before: World, tmp_path: Path) -> None:
    wanted = "--preset report: its publication has no STANet+; take another"
    out = tmp_path / "run"
    report = ("--preset", "report", "--data", before.data, "--out", out)
    assert wanted in refused(run, "train", "stanet+", *report)
    source = ("source", "--net", "S+", "--partners", "short")
    assert wanted in refused(run, "train", *source, *report)
    sta = ("sta+", "--maps", tmp_path, "--partners", "short")
    assert wanted in refused(run, "train", *sta, *report)
    assert not out.exists()


def test_a_run_of_something_else_is_one_line(run: Run, before: World, tmp_path: Path) -> None:
    given = ("train", "stanet+", "--data", before.data)
    other = refused(run, *given, "--preset", "small", "--out", before.out)
    assert "a run with --preset tiny, not small; choose another --out" in other
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{")
    damaged = refused(run, *given, "--preset", "tiny", "--out", tmp_path / "run")
    assert "run.json: damaged; choose another --out" in damaged
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    letter = refused(run, *given, "--preset", "tiny", "--out", tmp_path / "other")
    assert "holds something else" in letter


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--net", "S", "--partners", "long"), "--partners: S knows none; they go with S+"),
        (("--net", "S+"), "--net S+: give its --partners, one of short, long, cross"),
        (
            ("--net", "SA+", "--partners", "short"),
            "--partners short: unknown; there are long, cross",
        ),
        (
            ("--net", "ST+", "--partners", "long", "--stage", "fine", "--crops", "x"),
            "--net ST+: sees whole frames; leave out --stage fine and --crops",
        ),
        (("--net", "S+", "--partners", "long", "--crops", "x"), "--crops goes with --stage fine"),
    ],
)
def test_sources_and_partners_that_do_not_go_together_are_one_line(
    run: Run, tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    paths = ("--data", tmp_path, "--out", tmp_path / "run")
    assert line in refused(run, "train", "source", *words, *paths)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("maps", "--data", "x", "--sources", "x", "--plus", "x"), "--plus goes with --stage fine"),
        (
            ("sta+", "--data", "x", "--maps", "x", "--partners", "long"),
            "--partners long: unknown; there are short, cross",
        ),
        (("join", "--sta", "x", "--short", "x"), "--short goes with --cross"),
        (("join", "--sta", "x", "--cross", "x", "--switch", "x"), "--short goes with --cross"),
        (("join", "--sta", "x"), "--switch: give one to join with STA, or --short and --cross"),
        (("join", "--sta", "x", "--short", "y", "--cross", "z"), "model x: unknown"),
    ],
)
def test_stages_that_lack_something_are_one_line(
    run: Run, tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    assert line in refused(run, "train", *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
