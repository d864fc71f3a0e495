"""What a run of STANet cannot use is told in one line, and nothing of the run is lost by it."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from conftest import Run
from little_world import write_little_world
from lookhear.data.prepare import prepare, read_tagged
from lookhear.errors import LookhearError
from lookhear.files import sole_use
from lookhear.stanet import run as stanet
from lookhear.stanet.recipes.matching import SwitchTask
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.curves import read_curves


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stanet, "cores", lambda: 1)
        yield


class Worlds(NamedTuple):
    data: Path
    test: Path


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    root = tmp_path_factory.mktemp("worlds")
    return Worlds(
        write_little_world(root / "train", (9, 0, 0), seconds=2),
        write_little_world(root / "test", (0, 0, 2), seconds=2, unwatched=(), seed=1),
    )


def command(data: Path, out: Path, *more: object) -> tuple[object, ...]:
    preset = () if "--preset" in more else ("--preset", "tiny")
    return ("train", "stanet", "--data", data, "--out", out, *preset, *more)


def refused(run: Run, *arguments: object) -> str:
    """The one line that a command ends with."""
    code, _, error = run(*arguments)
    assert code == 1
    assert error.startswith("lookhear: ")
    assert error.count("\n") == 1
    return error


def stages_of(out: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((out / "run.json").read_text())["stages"]
    return kept


def test_a_folder_without_tags_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    line = refused(run, *command(tmp_path / "clips", tmp_path / "run"))
    assert "clips: no tagged clips; looked for Annotations.txt" in line
    assert "nowhere: no tagged clips" in refused(
        run, *command(tmp_path / "nowhere", tmp_path / "run")
    )
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_folder_that_was_refused_can_be_used(run: Run, worlds: Worlds, tmp_path: Path) -> None:
    refused(run, *command(tmp_path / "nowhere", tmp_path / "run"))
    assert run(*command(worlds.data, tmp_path / "run"))[0] == 0


def test_one_category_is_too_few(run: Run, tmp_path: Path) -> None:
    data = write_little_world(tmp_path / "ave", (4, 0, 0), seconds=1, tags=["Bark"])
    line = refused(run, *command(data, tmp_path / "run"))
    assert "has one category only; classifiers need two at least" in line


def test_too_few_moments_are_told(run: Run, tmp_path: Path) -> None:
    data = write_little_world(tmp_path / "ave", (3, 0, 0), seconds=1)
    line = refused(run, *command(data, tmp_path / "run"))
    assert "its 3 moments are fewer than a batch of 4; prepare more clips" in line


def test_a_training_of_ten_steps_is_none_too_few(run: Run, tmp_path: Path) -> None:
    """Of torch's one-cycle, whose rise would be over before its first step."""
    data = write_little_world(tmp_path / "ave", (10, 0, 0), seconds=2)
    prepare(read_tagged(data), tmp_path / "moments")  # two epochs of five batches
    options = "--data", tmp_path / "moments", "--out", tmp_path / "run", "--preset", "tiny"
    assert run("train", "hearing", *options)[0] == 0


def test_clips_none_of_which_has_sound_are_refused(run: Run, tmp_path: Path) -> None:
    data = write_little_world(tmp_path / "ave", (9, 0, 0), seconds=2, silent=range(9))
    assert "sound" in refused(run, *command(data, tmp_path / "run"))


def test_some_clips_without_sound_go_on(run: Run, worlds: Worlds, tmp_path: Path) -> None:
    data = write_little_world(tmp_path / "ave", (9, 0, 0), seconds=2, silent=[0, 4, 5, 8])
    assert run(*command(data, tmp_path / "run", "--test", worlds.test))[0] == 0
    for training in ("hearing", "coarse/SA", "switch", "sta"):
        assert np.isfinite(read_curves(tmp_path / "run" / training)["loss"]).all(), training


def test_a_run_of_another_version_or_seed_is_refused(
    run: Run, worlds: Worlds, tmp_path: Path
) -> None:
    kept = {"lookhear": 99, "settings": {"preset": "tiny", "seed": 0}, "stages": {}}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps(kept))
    line = refused(run, *command(worlds.data, tmp_path / "run"))
    assert "a run of another version of lookhear (99, not 1); choose another --out" in line
    (tmp_path / "run" / "run.json").write_text(json.dumps(kept | {"lookhear": 1}))
    line = refused(run, *command(worlds.data, tmp_path / "run", "--seed", 1))
    assert "a run with --seed 0, not 1; choose another --out" in line
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]


def test_a_folder_of_something_else_is_refused(run: Run, worlds: Worlds, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert "holds something else; choose" in refused(run, *command(worlds.data, tmp_path))
    line = refused(run, *command(worlds.data, tmp_path / "letter.txt"))
    assert "letter.txt: cannot be written" in line
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_clips_too_short_for_the_released_rules_are_refused_at_once(
    run: Run, worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of clips of two moments none has pseudo-fixations, which STA would find at the end."""
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], rules="released"))
    line = refused(run, *command(worlds.data, tmp_path / "run"))
    assert f"{worlds.data}: as released, --preset tiny makes no pseudo-fixations" in line
    assert "at most 0 of 18 have any, fewer than a batch of 4; give clips" in line
    assert not (tmp_path / "run" / "hearing").exists()


def test_an_unknown_preset_is_refused(run: Run, worlds: Worlds, tmp_path: Path) -> None:
    line = refused(run, *command(worlds.data, tmp_path / "run", "--preset", "huge"))
    assert "--preset huge: unknown; there are paper, report, small, light, tiny" in line
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_there_are_told_before_any_work(
    run: Run, worlds: Worlds, tmp_path: Path
) -> None:
    (tmp_path / "broken.pth").write_bytes(b"broken")
    for given, complaint in (
        ("no_such_weights", "pretrained weights no_such_weights: neither imagenet"),
        (tmp_path / "broken.pth", f"{tmp_path / 'broken.pth'}: cannot be read as weights"),
    ):
        line = refused(run, *command(worlds.data, tmp_path / "run", "--pretrained", given))
        assert complaint in line
        assert not (tmp_path / "run" / "moments").exists()


def test_the_papers_preset_asks_for_a_sound_encoder(
    run: Run, worlds: Worlds, tmp_path: Path
) -> None:
    line = refused(run, *command(worlds.data, tmp_path / "run", "--preset", "paper"))
    assert "begins with a trained sound encoder; convert" in line
    assert "--sound" in line


def test_a_missing_sound_encoder_is_told_before_any_work(
    run: Run, worlds: Worlds, tmp_path: Path
) -> None:
    refused(run, *command(worlds.data, tmp_path / "run", "--preset", "paper"))
    assert not (tmp_path / "run" / "moments").exists()


def test_a_sound_encoder_that_is_not_there_is_told_before_any_work(
    run: Run, worlds: Worlds, tmp_path: Path
) -> None:
    line = refused(run, *command(worlds.data, tmp_path / "run", "--sound", tmp_path / "no"))
    assert str(tmp_path / "no") in line
    assert not (tmp_path / "run" / "coarse" / "S").exists()


def test_a_test_without_gaze_is_refused(run: Run, worlds: Worlds, tmp_path: Path) -> None:
    blind = write_little_world(tmp_path / "ave", (0, 0, 1), seconds=1)
    line = refused(run, *command(worlds.data, tmp_path / "run", "--test", blind))
    assert "ave: not a folder in STAViS's layout; it must hold fold_lists" in line


@pytest.mark.parametrize("lacks", ["gaze", "tags"])
def test_a_test_that_cannot_be_used_is_told_before_any_work(
    run: Run, worlds: Worlds, tmp_path: Path, lacks: str
) -> None:
    test = write_little_world(tmp_path / "ave", (0, 0, 1), seconds=1, unwatched=())
    if lacks == "gaze":
        shutil.rmtree(test / "fold_lists")
    else:
        (test / "Annotations.txt").unlink()
    refused(run, *command(worlds.data, tmp_path / "run", "--test", test))
    assert not (tmp_path / "run" / "hearing").exists()


def test_a_test_may_have_fewer_tags_than_were_learnt(
    run: Run, worlds: Worlds, tmp_path: Path
) -> None:
    test = write_little_world(
        tmp_path / "ave", (0, 0, 3), seconds=2, tags=["Horn"], unwatched=(), seed=2
    )
    assert run(*command(worlds.data, tmp_path / "run", "--test", test))[0] == 0
    coarse = tmp_path / "run" / "test" / "coarse-tags" / "test-00000"
    assert np.load(coarse / "named.npy").tolist() == [2] * 6


def test_a_run_that_is_at_work_is_left_alone(run: Run, worlds: Worlds, tmp_path: Path) -> None:
    with sole_use(tmp_path / "run"):
        line = refused(run, *command(worlds.data, tmp_path / "run"))
        assert "run: another run is at work there; wait for it" in line
        assert not (tmp_path / "run" / "run.json").exists()


def test_parts_that_are_not_there_cannot_be_joined(run: Run, tmp_path: Path) -> None:
    parts = "--sta", tmp_path / "no", "--switch", tmp_path
    assert str(tmp_path / "no") in refused(run, "train", "join", *parts, "--out", tmp_path / "m")


def test_a_switch_in_the_place_of_sta_is_one_line(run: Run, tmp_path: Path) -> None:
    net = {"backbone": "resnet10t", "sound_encoder": "light", "input_size": (64, 96)}
    AudioSwitch(**net).save_pretrained(tmp_path / "switch")
    parts = "--sta", tmp_path / "switch", "--switch", tmp_path / "switch"
    line = refused(run, "train", "join", *parts, "--out", tmp_path / "m")
    assert str(tmp_path / "switch") in line


def test_a_batch_without_a_sound_has_a_loss_all_the_same() -> None:
    training = SwitchTask(PRESETS["tiny"].switch).begin(0, ("a", "b"))
    silent = {
        "frames": torch.zeros(4, 1, 1, 3, 64, 96, dtype=torch.uint8),
        "sound": torch.zeros(4, 1, 1, 257, 98),
        "has_sound": torch.zeros(4, 1, dtype=torch.bool),
        "tag": torch.arange(4) % 2,
    }
    training.log = lambda *_, **__: None  # type: ignore[method-assign]
    assert training.training_step(silent, 0).item() == 0


Failing = Callable[[pytest.MonkeyPatch, Callable[[Path], bool]], None]


def full_for(path: Path) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", str(path))


def fail_at_bytes(patch: pytest.MonkeyPatch, concerns: Callable[[Path], bool]) -> None:
    write = Path.write_bytes

    def write_bytes(path: Path, content: Any) -> int:
        if concerns(path):
            write(path, bytes(content)[:10])
            raise full_for(path)
        return write(path, content)

    patch.setattr(Path, "write_bytes", write_bytes)


def fail_at_arrays(patch: pytest.MonkeyPatch, concerns: Callable[[Path], bool]) -> None:
    save = np.save

    def save_some(path: Any, *arguments: Any, **options: Any) -> None:
        if isinstance(path, Path) and concerns(path):
            path.write_bytes(b"half")
            raise full_for(path)
        save(path, *arguments, **options)

    patch.setattr(np, "save", save_some)


def fail_at_text(patch: pytest.MonkeyPatch, concerns: Callable[[Path], bool]) -> None:
    write = Path.write_text

    def write_text(path: Path, text: str, **options: Any) -> int:
        if concerns(path):
            write(path, text[:10], **options)
            raise full_for(path)
        return write(path, text, **options)

    patch.setattr(Path, "write_text", write_text)


def fail_at_moves(patch: pytest.MonkeyPatch, concerns: Callable[[Path], bool]) -> None:
    for name in ("replace", "rename"):
        move = getattr(Path, name)

        def moved(path: Path, target: Any, move: Any = move) -> Any:
            if concerns(Path(target)):
                raise full_for(path)
            return move(path, target)

        patch.setattr(Path, name, moved)


@pytest.fixture(scope="module")
def moments(worlds: Worlds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "moments"
    prepare(read_tagged(worlds.data), out)
    return out


def test_a_full_disk_is_one_line_each_time_and_the_run_comes_to_the_same_end(
    run: Run,
    worlds: Worlds,
    moments: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is full in one stage after another; each time the run goes on from there."""
    out = tmp_path / "run"
    whole = command(moments, out, "--test", worlds.test)
    failures: list[tuple[Failing, Callable[[Path], bool]]] = [
        (fail_at_text, lambda path: "run.json" in path.name),
        (fail_at_bytes, lambda path: "last.ckpt" in path.name),
        (fail_at_moves, lambda path: path.parts[-2:] == ("S", "model")),
        (fail_at_arrays, lambda path: "fused" in path.name and "coarse" in path.parts),
        (fail_at_bytes, lambda path: "last.ckpt" in path.name and "fine" in path.parts),
        (fail_at_moves, lambda path: path.parent.name == "maps" and "fine" in path.parts),
        (fail_at_text, lambda path: path.name == "made.json" or ".made" in path.name),
        (fail_at_moves, lambda path: path == out / "model"),
        (fail_at_arrays, lambda path: "test" in path.parts),
        (fail_at_text, lambda path: path.name == "scores.json"),
        (fail_at_text, lambda path: "report.html" in path.name),
        (fail_at_text, lambda path: "README.md" in path.name and path.parent == out / "model"),
    ]
    done: set[str] = set()
    for fail, concerns in failures:
        with monkeypatch.context() as patch:
            fail(patch, concerns)
            line = refused(run, *whole)
        assert "cannot be written: No space left on device; make room and run again" in line
        if (out / "run.json").exists():
            stages = stages_of(out)
            assert done <= {name for name, stage in stages.items() if stage["done"]}
            done = {name for name, stage in stages.items() if stage["done"]}
    assert run(*whole)[0] == 0
    assert run(*command(moments, tmp_path / "reference", "--test", worlds.test))[0] == 0
    for part in ("test/scores/scores.json", "model/model.safetensors"):
        assert (out / part).read_bytes() == (tmp_path / "reference" / part).read_bytes()
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize("lost", ["report.html", "README.md"])
def test_a_report_that_could_not_be_written_is_written_by_the_next_run(
    run: Run,
    worlds: Worlds,
    moments: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    out = tmp_path / "run"
    assert run(*command(moments, out))[0] == 0
    with monkeypatch.context() as patch:
        fail_at_text(patch, lambda path: lost in path.name)
        refused(run, *command(moments, out, "--test", worlds.test))
    assert run(*command(moments, out, "--test", worlds.test))[0] == 0
    assert "On test, without tags" in (out / "report.html").read_text()
    assert "| STA |" in (out / "model" / "README.md").read_text()


def test_a_broken_stage_says_which_file_to_remove(
    run: Run, moments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"

    def stop(*_: Any, **__: Any) -> None:
        raise LookhearError("stopped here")

    with monkeypatch.context() as patch:
        patch.setattr("lookhear.training.loop.save_model", stop)
        assert "stopped here" in refused(run, *command(moments, out))
    checkpoint = out / "hearing" / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    line = refused(run, *command(moments, out))
    assert f"{checkpoint}: damaged; remove it and run again" in line
    checkpoint.unlink()
    assert run(*command(moments, out))[0] == 0
