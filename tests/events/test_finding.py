"""What is found in clips, when and where; and what is written of it."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import lookhear
from clips import make_clip
from conftest import Run, moving_disc
from event_runs import EventRun, event_run
from lookhear.events.finding import (
    ON,
    Stretch,
    gathered,
    in_stretches,
    judge,
    judged,
    spans_of,
)
from lookhear.events.net import EventNet
from lookhear.events.results import RESULTS
from lookhear.events.seconds import Second, SecondsCut, seconds_of
from lookhear.media import open_clip
from lookhear.nets.saved import load_network, save_model
from pages import Page, addresses


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> EventRun:
    return event_run(tmp_path_factory)


@pytest.fixture(scope="module")
def net(trained: EventRun) -> EventNet:
    return load_network(EventNet, trained.out, "cpu")


@pytest.fixture(scope="module")
def eager(net: EventNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network that finds every tag."""
    folder = tmp_path_factory.mktemp("eager") / "model"
    before = net.threshold.clone()
    net.threshold.fill_(-3)
    save_model(net, folder)
    net.threshold.copy_(before)
    return folder


def stretch(seen: list[list[float]], heard: list[float]) -> Stretch:
    """Of one category; boxes of each second are side by side."""
    boxes = [np.array([[i / 4, 0, (i + 1) / 4, 1, 1] for i in range(len(of))]) for of in seen]
    return Stretch(
        first=10,
        scores=np.array([1.0], np.float32),
        boxes=tuple(boxes),
        seen=tuple(np.array(of, np.float32)[:, None] for of in seen),
        starts=10 + 0.48 * np.arange(len(heard), dtype=np.float32),
        heard=np.array(heard, np.float32)[:, None],
        sight=np.array([0.5], np.float32),
        sound=np.array([0.5], np.float32),
    )


def test_a_tag_is_seen_in_the_seconds_and_boxes_of_the_strongest_evidence() -> None:
    spans = [*spans_of(stretch([[0.1, 2.0], [-1.0, 0.1], [4.0, 1.0]], []), 0, "a")]
    assert [(span.start, span.end, span.box[0]) for span in spans if span.box] == [
        (10, 11, 0.25),
        (12, 13, 0.0),
    ]
    assert [span.score for span in spans] == [0.5, 1.0]


def test_windows_in_a_row_are_one_time_in_which_a_tag_is_heard() -> None:
    spans = [*spans_of(stretch([[-1.0]], [0.0, 2.0, 1.0, ON * 2 - 0.01, 2.0]), 0, "a")]
    heard = [(round(span.start, 2), round(span.end, 2)) for span in spans if span.box is None]
    assert heard == [(10.72, 11.68), (12.16, 12.88)]  # but for what the next windows speak for


def test_a_sense_that_says_no_tells_of_no_time() -> None:
    both = stretch([[1.0]], [1.0])
    deaf = Stretch(**vars(both) | {"sound": np.array([-0.1], np.float32)})
    assert [span.modality for span in spans_of(both, 0, "a")] == ["seen", "heard"]
    assert [span.modality for span in spans_of(deaf, 0, "a")] == ["seen"]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9, 14])
def test_stretches_hold_every_second_once_and_none_is_short(count: int) -> None:
    seconds = [Second(number, *[np.zeros(0)] * 3) for number in range(count)]
    cut = [*in_stretches(iter(seconds), 3)]
    assert [second.number for of in cut for second in of] == [*range(count)]
    assert all(2 <= len(of) <= 4 for of in cut) or count == 1


def test_a_long_clip_is_judged_stretch_by_stretch(trained: EventRun, net: EventNet) -> None:
    frames = moving_disc(7 * 8)
    path = make_clip(trained.data.parent / "long.mp4", frames, 8)
    clip = open_clip(path)
    seconds = [*seconds_of(clip, SecondsCut(net.boxes))]
    found = [*judged(clip, net)]
    assert [(of.first, len(of.boxes)) for of in found] == [(0, 2), (2, 2), (4, 3)]
    alone = judge(net, seconds[2:4])
    np.testing.assert_allclose(found[1].scores, alone.scores, atol=1e-4)
    highest = np.stack([of.scores for of in found]).max(0)
    assert [*gathered(net, found, clip).scores.values()] == pytest.approx(highest.tolist())


def test_events_are_found_in_python(trained: EventRun, net: EventNet, eager: Path) -> None:
    clip = trained.data / "AVE" / "c0-09.mp4"
    events = lookhear.find_events(clip, eager, device="cpu")
    assert {tag.name for tag in events.tags} == {"Bark", "Flute", "Horn"}
    assert all(a.score >= b.score for a, b in pairwise(events.tags))
    assert events.seconds == 2
    assert {span.modality for span in events.spans} == {"seen", "heard"}
    for span in events.spans:
        assert 0 <= span.start < span.end <= 2
        assert ON <= span.score <= 1
        assert (span.box is None) == (span.modality == "heard")
    strict = lookhear.find_events(clip, net)
    assert strict.scores == pytest.approx(events.scores, abs=1e-4)
    assert {tag.name for tag in strict.tags} == {
        name for name, score in strict.scores.items() if score >= strict.threshold
    }


def test_a_clip_without_sound_is_judged_by_sight(trained: EventRun, eager: Path) -> None:
    events = lookhear.find_events(trained.data / "AVE" / "c0-02.mp4", eager)
    assert {span.modality for span in events.spans} == {"seen"}


def test_a_still_and_a_picture_without_a_thing_are_judged(tmp_path: Path, eager: Path) -> None:
    black = make_clip(tmp_path / "black.mp4", [np.zeros((48, 64, 3), np.uint8)] * 4, 8)
    events = lookhear.find_events(black, eager)
    assert {span.box for span in events.spans} <= {(0.0, 0.0, 1.0, 1.0)}
    assert events.seconds == 1


def test_the_verb_writes_what_it_finds(
    trained: EventRun, eager: Path, tmp_path: Path, run: Run
) -> None:
    clip = trained.data / "AVE" / "c0-09.mp4"
    command = "events", clip, "--model", eager, "--out", tmp_path / "out", "--device", "cpu"
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    folder = tmp_path / "out" / "c0-09"
    assert {path.name for path in folder.iterdir()} == RESULTS - {"overlay.png"}
    assert out.startswith("c0-09.mp4: ")
    assert str(folder / "report.html") in out

    found = json.loads((folder / "events.json").read_text())
    assert {*found["scores"]} == {"Bark", "Flute", "Horn"}
    rows = [*csv.DictReader((folder / "events.csv").open())]
    assert len(rows) == len(found["events"])
    for row, event in zip(rows, found["events"], strict=True):
        assert (row["tag"], row["modality"]) == (event["tag"], event["modality"])
        if row["modality"] == "seen":
            assert 0 <= float(row["left"]) < float(row["right"]) <= 96
        else:
            assert row["left"] == ""
    with av.open(str(folder / "overlay.mp4")) as film:
        assert len(film.streams.audio) == 1
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 16
    assert frames[0].shape[1] == 96
    assert frames[0].shape[0] > 64  # the timeline below
    page = Page((folder / "report.html").read_text())
    assert not page.open
    assert "What this network knows" in page.text
    assert all(tag in page.text for tag in found["scores"])
    for address in addresses(page):
        assert address.startswith("data:") or (folder / address).is_file()

    code, out, _ = run(*command)
    assert (code, out.split(":")[0]) == (0, f"done already in {tmp_path / 'out'}")


def test_a_still_gets_a_picture_and_no_overlay_means_none(
    eager: Path, tmp_path: Path, run: Run
) -> None:
    picture = tmp_path / "still.png"
    av.VideoFrame.from_ndarray(moving_disc(1)[0], "rgb24").to_image().save(picture)
    assert run("events", picture, "--model", eager, "--out", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "still" / "overlay.png").is_file()
    command = "events", picture, "--model", eager, "--out", tmp_path / "bare", "--no-overlay"
    assert run(*command)[0] == 0
    names = {path.name for path in (tmp_path / "bare" / "still").iterdir()}
    assert names == RESULTS - {"overlay.png", "overlay.mp4"}


def test_what_cannot_be_judged_is_said_in_a_line_and_the_others_go_on(
    trained: EventRun, eager: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 20)
    sound = tmp_path / "only.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", 16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    clip = trained.data / "AVE" / "c0-10.mp4"
    code, out, err = run(
        "events", tmp_path / "noise.mp4", sound, clip, "--model", eager, "--out", tmp_path / "out"
    )
    assert code == 1
    assert "c0-10.mp4" in out
    assert "has no picture, only sound" in err
    assert err.splitlines()[2:] == ["lookhear: 2 of 3 clips failed; the others are done"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c0-10"]


def test_another_network_is_refused(tiny_model: Path, tmp_path: Path, run: Run) -> None:
    code, _, err = run("events", "x.mp4", "--model", tiny_model, "--out", tmp_path / "out")
    assert code == 1
    assert "its network is STA, not Events" in err


def test_the_page_says_when_nothing_is_found(
    trained: EventRun, net: EventNet, tmp_path: Path, run: Run
) -> None:
    before = net.threshold.clone()
    net.threshold.fill_(3)
    save_model(net, tmp_path / "model")
    net.threshold.copy_(before)
    clip = trained.data / "AVE" / "c0-09.mp4"
    _, out, _ = run("events", clip, "--model", tmp_path / "model", "--out", tmp_path / "out")
    assert "no tag that it knows" in out
    page = Page((tmp_path / "out" / "c0-09" / "report.html").read_text())
    assert "Nothing that this network knows is found" in page.text
