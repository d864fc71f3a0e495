import csv
import json
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from clips import beep, make_clip
from conftest import Run, moving_disc
from lookhear import __version__, predict
from lookhear.maps import enlarge
from lookhear.stanet.sta import STA, Seen
from osie_layout import make_osie


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "disc.mp4", moving_disc(40), 20, sound=beep(2, [0.5]))


def frames_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def test_predict_writes_all_results(run: Run, clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    code, out, err = run("predict", clip, "--out", tmp_path / "out", "--model", tiny_model)
    assert code == 0, err
    folder = tmp_path / "out" / "disc"
    assert str(folder / "report.html") in out
    assert {file.name for file in folder.iterdir()} == {
        "overlay.mp4",
        "maps.npz",
        "fixations.csv",
        "report.html",
        "contact-sheet.jpg",
        "settings.json",
    }
    np.testing.assert_allclose(frames_of(folder / "overlay.mp4"), frames_of(clip), atol=1e-4)
    with av.open(str(folder / "overlay.mp4")) as container:
        assert len(container.streams.audio) == 1
        assert container.duration / 1e6 == pytest.approx(2, abs=0.05)
    with np.load(folder / "maps.npz") as saved:
        maps, times = saved["maps"], saved["times"]
    assert maps.shape == (6, 12, 20)
    np.testing.assert_allclose(times, [0, 0.35, 0.7, 1, 1.35, 1.7])
    with (folder / "fixations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = [row for row in rows if row["time"] == "0.000"]
    assert [row["rank"] for row in first] == [str(rank + 1) for rank in range(len(first))]
    strengths = [float(row["strength"]) for row in first]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == pytest.approx(float(maps[0].max()), abs=2e-3)
    assert all(0 <= float(row["x"]) <= 128 and 0 <= float(row["y"]) <= 72 for row in rows)
    assert "Untrained." in (folder / "report.html").read_text()


def test_the_overlay_is_the_clip_with_heat_where_attention_is(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_the_right(_: STA, __: Seen, target: Seen, ___: Seen) -> torch.Tensor:
        attention = torch.zeros(len(target.fine), *target.fine.shape[-2:])
        attention[..., attention.shape[-1] // 2 :] = 1
        return attention

    monkeypatch.setattr(STA, "attend", on_the_right)
    run("predict", clip, "--out", tmp_path / "out", "--model", tiny_model)

    def picture(path: Path) -> np.ndarray:
        with av.open(str(path)) as container:
            return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)

    change = np.abs(picture(tmp_path / "out/disc/overlay.mp4") - picture(clip)).mean(axis=2)
    assert change[:, 70:].mean() > 25
    assert change[:, :50].mean() < 4


def test_a_second_run_skips_and_overwrite_does_it_again(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    arguments = ("predict", clip, "--out", tmp_path / "out", "--model", tiny_model, "--no-overlay")
    run(*arguments)
    report = tmp_path / "out" / "disc" / "report.html"
    made = report.stat().st_mtime_ns
    code, out, _ = run(*arguments)
    assert code == 0
    assert "done already" in out
    assert report.stat().st_mtime_ns == made
    code, _, _ = run(*arguments, "--overwrite")
    assert code == 0
    assert report.stat().st_mtime_ns > made
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["disc"]


def test_results_made_otherwise_are_not_taken_for_these(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    arguments = ("predict", clip, "--out", tmp_path / "out", "--model", tiny_model, "--no-overlay")
    run(*arguments)
    code, _, err = run(*arguments, "--fps", 2)
    assert code == 1
    assert "--overwrite" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_folder_of_something_else_is_never_replaced(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path, overwrite: list[str]
) -> None:
    (tmp_path / "out" / "disc").mkdir(parents=True)
    (tmp_path / "out" / "disc" / "thesis.txt").write_text("dear")
    (tmp_path / "out" / "disc" / "settings.json").write_text('{"lookhear": "mine"}')
    arguments = ("predict", clip, "--out", tmp_path / "out", "--model", tiny_model)
    code, _, err = run(*arguments, *overwrite)
    assert code == 1
    assert "holds more than results" in err
    assert (tmp_path / "out" / "disc" / "thesis.txt").read_text() == "dear"


def test_maps_as_pictures_at_the_clips_size(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    common = ("--out", tmp_path / "out", "--model", tiny_model, "--no-overlay", "--every", 10)
    code, _, err = run("predict", clip, *common, "--maps", "png")
    assert code == 0, err
    folder = tmp_path / "out" / "disc" / "maps"
    with (folder / "times.csv").open(newline="") as file:
        times = {row["file"]: float(row["time"]) for row in csv.DictReader(file)}
    assert times == {f"{n + 1:06d}.png": n / 2 for n in range(4)}
    drawn = cv2.imread(str(folder / "000001.png"), cv2.IMREAD_UNCHANGED)
    attention = predict(clip, tiny_model, every=10).maps[0]
    enlarged = enlarge(attention, (72, 128))
    np.testing.assert_allclose(drawn / 255, enlarged, atol=1 / 500)
    assert np.ptp(enlarged) > 0.02
    assert not (tmp_path / "out" / "disc" / "overlay.mp4").exists()


def test_a_still_gets_a_picture_for_an_overlay(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), moving_disc(1)[0])
    code, _, err = run(
        "predict", tmp_path / "still.png", "--out", tmp_path / "out", "--model", tiny_model
    )
    assert code == 0, err
    overlay = cv2.imread(str(tmp_path / "out" / "still" / "overlay.png"))
    assert overlay.shape == (72, 128, 3)


@pytest.fixture
def bad_clips(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "text.mp4").write_text("this is no film\n" * 50)
    (tmp_path / "empty.mp4").touch()
    samples, rate = beep(1, [0.2])
    with av.open(str(tmp_path / "song.m4a"), "w") as container:
        stream = container.add_stream("aac", rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (tmp_path / "no_pictures").mkdir()
    names = ("missing.mp4", "text.mp4", "empty.mp4", "song.m4a", "no_pictures")
    return {name: tmp_path / name for name in names}


@pytest.mark.parametrize(
    "name", ["missing.mp4", "text.mp4", "empty.mp4", "song.m4a", "no_pictures"]
)
def test_a_bad_clip_is_one_line_and_leaves_nothing(
    run: Run, bad_clips: dict[str, Path], tiny_model: Path, tmp_path: Path, name: str
) -> None:
    code, out, err = run(
        "predict", bad_clips[name], "--out", tmp_path / "out" / "deep", "--model", tiny_model
    )
    assert code == 1
    assert out == ""
    assert err.count("\n") == 1
    assert name in err
    assert not (tmp_path / "out").exists()


def test_one_broken_clip_does_not_stop_the_others(
    run: Run, clip: Path, bad_clips: dict[str, Path], tiny_model: Path, tmp_path: Path
) -> None:
    code, out, err = run(
        "predict",
        bad_clips["text.mp4"],
        clip,
        bad_clips["empty.mp4"],
        "--out",
        tmp_path / "out",
        "--model",
        tiny_model,
        "--no-overlay",
    )
    assert code == 1
    assert "disc.mp4" in out
    assert "2 of 3 clips failed" in err
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["disc"]


def test_what_is_wrong_with_many_clips_is_told_of_the_first_and_then_of_all(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    clips = [tmp_path / f"{number}.mp4" for number in range(9)]
    code, _, err = run("predict", *clips, "--out", tmp_path / "out", "--model", tiny_model)
    assert code == 1
    assert f"lookhear: {clips[0]}: no such file" in err
    assert "9 clips (0.mp4, 1.mp4, 2.mp4 and 6 more): no such file" in err
    assert "9 of 9 clips failed" in err
    assert err.count("\n") == 3


def test_an_out_that_cannot_be_written_is_one_line(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = run("predict", clip, "--out", tmp_path / "file", "--model", tiny_model)
    assert code == 1
    assert err.count("\n") == 1
    assert "cannot be written" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["predict", "clip.mp4"], "--out"),
        (["predict", "clip.mp4", "--out", "o", "--nonsense"], "--nonsense"),
        (["predict", "clip.mp4", "--out", "o", "--maps", "gif"], "gif"),
        (["predict", "clip.mp4", "--out", "o", "--every", "0"], "every"),
        (["predict", "clip.mp4", "--out", "o", "--fps", "-1"], "fps"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_wrong_option_is_one_line(run: Run, arguments: list[str], complaint: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert complaint in err


def test_fps_and_every_exclude_each_other(run: Run, clip: Path, tmp_path: Path) -> None:
    code, _, err = run("predict", clip, "--out", tmp_path / "out", "--fps", 2, "--every", 3)
    assert code == 2
    assert "exclude each other" in err


def test_an_unknown_model_is_one_line(run: Run, clip: Path, tmp_path: Path) -> None:
    code, _, err = run("predict", clip, "--out", tmp_path / "out", "--model", "huge")
    assert code == 1
    assert err.count("\n") == 1
    assert "huge" in err
    assert not (tmp_path / "out").exists()


def test_clips_of_one_name_in_two_formats_do_not_meet(
    run: Run, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    other = make_clip(tmp_path / "disc.mkv", moving_disc(8), 20)
    common = ("--out", tmp_path / "out", "--model", tiny_model, "--no-overlay")
    code, _, _ = run("predict", clip, other, *common)
    assert code == 0
    assert {f.name for f in (tmp_path / "out").iterdir()} == {"disc.mp4", "disc.mkv"}
    code, _, err = run("predict", clip, clip, *common)
    assert code == 1
    assert "one by one" in err


def test_a_clip_among_its_own_results_is_never_replaced(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "disc").mkdir()
    clip = make_clip(tmp_path / "disc" / "disc.mp4", moving_disc(4), 20)
    code, _, err = run("predict", clip, "--out", tmp_path, "--model", tiny_model, "--overwrite")
    assert code == 1
    assert "lies in" in err
    assert clip.exists()


def test_odd_names_stay_what_they_are(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    clips = [
        make_clip(tmp_path / "in.mp4", moving_disc(4), 20).rename(tmp_path / name)
        for name in ("..mp4", "[red]x.mp4", ":cat: 50%.mp4", "<b>&.mp4")
        if make_clip(tmp_path / "in.mp4", moving_disc(4), 20)
    ]
    common = ("--out", tmp_path / "out", "--model", tiny_model, "--no-overlay")
    code, out, err = run("predict", *clips, *common)
    assert code == 0, err
    assert {f.name for f in (tmp_path / "out").iterdir()} == {
        *("..mp4", "[red]x", ":cat: 50%", "<b>&")
    }
    for clip in clips:
        assert f"{clip.name}: 4 frames" in out
    _, out, _ = run("predict", *clips, *common)
    assert "done already" in out
    assert "4 clips (..mp4, [red]x.mp4, :cat: 50%.mp4 and 1 more)" in out
    assert out.count("\n") == 1


def test_maps_too_far_apart_for_an_overlay_are_refused(
    run: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookhear.prediction.results.MOST_WAITING_BYTES", 10**6)
    clip = make_clip(tmp_path / "disc.mp4", moving_disc(40), 20)
    common = ("--out", tmp_path / "out", "--model", tiny_model, "--fps", 0.1)
    code, _, err = run("predict", clip, *common)
    assert code == 1
    assert "--no-overlay" in err
    code, _, _ = run("predict", clip, *common, "--no-overlay")
    assert code == 0


def test_train_then_evaluate_what_was_trained(run: Run, tmp_path: Path) -> None:
    data = make_osie(tmp_path / "osie")
    names = [picture.name for picture in sorted((data / "data" / "stimuli").iterdir())]
    (tmp_path / "val.txt").write_text("\n".join(names[:2]))
    arguments = ("train", "fixations", "--data", data, "--exclude", tmp_path / "val.txt")
    code, out, err = run(*arguments, "--recipe", "tiny", "--out", tmp_path / "run")
    assert code == 0, err
    model = tmp_path / "run" / "model"
    assert str(model) in out.replace("\n", "")
    code, out, err = run(
        *("evaluate", "--data", data, "--names", tmp_path / "val.txt"),
        *("--model", "centre", "--model", model, "--out", tmp_path / "scores"),
    )
    assert code == 0, err
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert [picture["name"] for picture in scores["subjects"]] == names[:2]
    assert set(scores["means"]) == {"centre", "model"}
    assert "NSS" in out


def test_a_training_takes_several_sets_each_without_its_own_names(run: Run, tmp_path: Path) -> None:
    sets = [make_osie(tmp_path / name, seed=seed) for seed, name in enumerate(("osie", "crowd"))]
    for folder, name in zip(sets, ("1001.jpg", "1002.jpg"), strict=True):
        (folder / "val.txt").write_text(f"{name}\n")
    given = [(("--data", of), ("--exclude", of / "val.txt")) for of in sets]
    every = [*chain.from_iterable(chain.from_iterable(given))]
    options = ("--recipe", "tiny", "--out", tmp_path / "run")
    code, out, err = run("train", "fixations", *every, *options)
    assert code == 0, err
    assert "trained on 10 pictures" in out
    made = json.loads((tmp_path / "run" / "made.json").read_text())
    assert ["1001.jpg" in names for names in made["pictures"]] == [False, True]
    assert ["1002.jpg" in names for names in made["pictures"]] == [True, False]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--data", "osie", "--data", "osie", "--exclude", "osie/val.txt"), "1 file for 2 folders"),
        (("--data", "nowhere"), "nowhere: not a folder in OSIE's layout"),
        (("--data", "osie", "--pretrained", "no_such"), "pretrained weights no_such: neither"),
        (("--data", "osie", "--pretrained", "osie/val.txt"), "cannot be read as weights"),
        (("--data", "osie", "--precision", "8"), "precision 8"),
    ],
)
def test_a_training_on_pictures_refuses_in_a_line(
    run: Run,
    options: tuple[str, ...],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (make_osie(tmp_path / "osie") / "val.txt").write_text("1001.jpg\n")
    code, _, err = run("train", "fixations", *options, "--recipe", "tiny", "--out", "run")
    assert code == 1
    assert complaint in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_the_program_itself_starts_and_fails_as_promised(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lookhear"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"lookhear {__version__}\n"
    failed = subprocess.run(
        [*command, "predict", str(tmp_path / "no.mp4"), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith("lookhear: ")


def test_ctrl_c_leaves_nothing_half_done(tiny_model: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "long.mp4", moving_disc(25) * 40, 25)
    command = [sys.executable, "-m", "lookhear", "predict", str(clip), "--every", "1"]
    command += ["--out", str(tmp_path / "out"), "--model", str(tiny_model)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while not (tmp_path / "out").exists():
            assert running.poll() is None
            time.sleep(0.05)
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err == "lookhear: interrupted; what was finished is kept\n"
    assert not (tmp_path / "out").exists()
