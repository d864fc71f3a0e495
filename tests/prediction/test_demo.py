"""The demo: every file it promises is there, and the scores it tells are those of the files."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lookhear.data.observers import OBSERVERS
from lookhear.data.scene import HEIGHT, WIDTH
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.metrics import nss
from lookhear.prediction.demo import run_demo
from lookhear.prediction.page import ModelNotes
from lookhear.stanet.sta import STA

NOTES = ModelNotes("untrained", (("Limits", "All."),))
DURATION = 1.6


@pytest.fixture(scope="module")
def demo(tiny_net: STA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    said: list[str] = []
    run_demo(out, said.append, tiny_net, NOTES, DURATION)
    return out, said


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_demo_makes_a_clip_with_sound_and_all_results(demo: tuple[Path, list[str]]) -> None:
    out, said = demo
    assert {path.name for path in out.iterdir()} == {"scene.mp4", "gaze.csv", "scene"}
    for name in ("scene.mp4", "scene/overlay.mp4"):
        clip = open_clip(out / name)
        frames = list(clip.frames())
        heard = np.concatenate(list(clip.sound()))
        assert len(frames) == 40
        assert frames[0].rgb().shape == (HEIGHT, WIDTH, 3)
        assert abs(len(heard) / 16_000 - DURATION) < 0.1
        assert np.abs(heard).max() > 0.3
        assert not clip.problems
    assert (out / "scene/contact-sheet.jpg").stat().st_size > 10_000
    assert "scene.mp4" in (out / "scene/report.html").read_text(encoding="utf-8")
    assert rows(out / "scene/fixations.csv")
    assert str(out / "scene/report.html") in said[-1]
    assert all("\n" not in line for line in said)


def test_gaze_file_has_every_observer_in_every_frame(demo: tuple[Path, list[str]]) -> None:
    gaze = rows(demo[0] / "gaze.csv")
    assert len(gaze) == 40 * OBSERVERS
    assert {int(row["observer"]) for row in gaze} == set(range(1, OBSERVERS + 1))
    assert gaze[-1]["time"] == "1.560"
    assert all(0 <= float(row["x"]) < WIDTH and 0 <= float(row["y"]) < HEIGHT for row in gaze)


def test_scores_can_be_had_from_the_files_again(demo: tuple[Path, list[str]]) -> None:
    out, said = demo
    header = next(i for i, line in enumerate(said) if "NSS" in line)
    told = {
        line[: -8 * 4].strip(): dict(zip(said[header].split(), line.split()[-4:], strict=True))
        for line in said[header + 1 : header + 3]
    }
    assert set(told) == {"untrained", "centre prior"}

    with np.load(out / "scene/maps.npz") as kept:
        maps, times = kept["maps"], kept["times"]
    fixations = np.zeros((len(times), HEIGHT, WIDTH))
    for row in rows(out / "gaze.csv"):
        for index in np.flatnonzero(np.abs(times - float(row["time"])) < 1e-3):
            fixations[index, round(float(row["y"])), round(float(row["x"]))] = 1
    again = float(nss(maps, fixations).mean())
    assert float(told["untrained"]["NSS"]) == pytest.approx(again, abs=0.05)
    assert 0.5 < float(told["centre prior"]["AUC-J"]) < 1


def test_a_second_demo_replaces_the_first(tiny_net: STA, tmp_path: Path) -> None:
    run_demo(tmp_path / "demo", lambda _: None, tiny_net, NOTES, 0.6)
    run_demo(tmp_path / "demo", lambda _: None, tiny_net, NOTES, 0.4)
    assert len(list(open_clip(tmp_path / "demo/scene.mp4").frames())) == 10
    assert len(rows(tmp_path / "demo/gaze.csv")) == 10 * OBSERVERS
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


@pytest.mark.parametrize("mine", ["mine.txt", "scene.mp4", "scene/settings.json", "scene/my.txt"])
def test_a_folder_that_holds_anything_else_is_left_alone(
    tiny_net: STA, tmp_path: Path, mine: str
) -> None:
    (tmp_path / "scene").mkdir()
    (tmp_path / mine).write_text("[]")
    with pytest.raises(LookhearError, match="choose another --out"):
        run_demo(tmp_path, lambda _: None, tiny_net, NOTES, 0.4)
    assert {path.name for path in tmp_path.rglob("*")} == {"scene", Path(mine).name}


def test_an_out_that_cannot_be_written_is_one_line(tiny_net: STA, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LookhearError, match="cannot be written") as error:
        run_demo(tmp_path / "file" / "demo", lambda _: None, tiny_net, NOTES, 0.4)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
