"""What prepares clips for events; the other verbs of events are tested in tests/events."""

from pathlib import Path

import pytest

from ave_layout import make_ave
from conftest import Run
from lookhear.data.shards import read_manifest


def test_prepare_cuts_clips_into_seconds(tmp_path: Path, run: Run) -> None:
    data = make_ave(tmp_path / "ave", (2, 1, 0), 2)
    command = "prepare", data, "--out", tmp_path / "out", "--events", "--boxes", 2, "--workers", 1
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'out'}: 6 seconds of 3 clips, 0 left out")
    assert read_manifest(tmp_path / "out").cut == {"boxes": 2, "edges": "plain"}
    code, _, err = run(*command[:-4], "--boxes", 3)
    assert code == 1
    assert "prepared in another way" in err


@pytest.mark.parametrize("option", [("--boxes", 3), ("--edges", "model.yml.gz")])
def test_what_is_for_events_alone_is_refused_without(
    tmp_path: Path, run: Run, option: tuple[object, ...]
) -> None:
    data = make_ave(tmp_path / "ave", (1, 0, 0), 1)
    code, _, err = run("prepare", data, "--out", tmp_path / "out", *option)
    assert code == 1
    assert "--boxes and --edges go with --events" in err


def test_a_forest_that_is_not_there_is_said_before_the_work(tmp_path: Path, run: Run) -> None:
    data = make_ave(tmp_path / "ave", (1, 0, 0), 1)
    forest = tmp_path / "model.yml.gz"
    code, _, err = run("prepare", data, "--out", tmp_path / "out", "--events", "--edges", forest)
    assert code == 1
    assert f"{forest}: no such file" in err
    assert not (tmp_path / "out").exists()
