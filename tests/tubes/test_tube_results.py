"""What an explanation leaves beside its films: strip, tubes, scores, curves and page."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from clips import counting_frames, make_clip
from explained_clips import explanation, faithful, grey_clip, left_then_right, tube_of, written
from lookhear.media import open_clip
from lookhear.show.heat import Pixels
from lookhear.show.lettering import lettered
from lookhear.tubes.plots import faithfulness_plot, scores_plot
from lookhear.tubes.strip import ACCENT, Strip, key_moments
from lookhear.tubes.tube import TubeInTime
from pages import Page

HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" & 'ticked'",
    "юникод 中文 🙂\u202e\x07",
    "long " * 80,
    "line\nbreak",
    "",
    "$style",
    "\udcff",
]


def shown(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_archive_has_every_frame_of_every_tube(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    tubes = [left_then_right(5), tube_of(np.random.default_rng(0).random((5, 3, 3)))]
    times = [0.0, 0.1, 0.1, 0.2, 0.4]
    folder = written(tmp_path / "out", explanation(clip, times, tubes, ["a", "中文"]))
    with np.load(folder / "tube.npz", allow_pickle=False) as saved:
        assert saved["tubes"].dtype == np.float16
        expected = [[*tube.frames()] for tube in tubes]
        np.testing.assert_allclose(saved["tubes"], expected, atol=1e-3)
        assert saved["times"].tolist() == times
        assert saved["labels"].tolist() == ["a", "中文"]
        assert saved["probabilities"].shape == (2, 2)
        assert saved["spans"].tolist() == [[0, 0.2], [0.2, 0.4]]


def test_scores_have_a_line_for_each_window_and_a_column_for_each_label(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    scores = [[0.75, 1e-7], [math.nan, 0.5]]
    tubes = [left_then_right(2)] * 2
    one = explanation(clip, [0, 0.4], tubes, ["a, b", "c"], scores)
    folder = written(tmp_path / "out", one)
    with (folder / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = [*csv.reader(file)]
    assert rows == [
        ["start", "end", "a, b", "c"],
        ["0.000", "0.200", "0.75", "1e-07"],
        ["0.200", "0.400", "", "0.5"],
    ]


def test_settings_are_strict_json_and_say_what_was_found(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    tubes = [left_then_right(4), left_then_right(4)]
    scores = [[0.5, math.nan], [0.25, 0.1]]
    measured = [faithful(), faithful(better=False)]
    times = [0.0, 0.1, 0.2, 0.3]
    one = explanation(clip, times, tubes, ["archery", "yoga"], scores, measured)
    folder = written(tmp_path / "out", one, command="lookhear explain 'a.mp4'")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (folder / "explanation.json").read_text(encoding="utf-8")
    kept = json.loads(text, parse_constant=refuse)
    assert kept["clip"] == "a.mp4"
    assert (kept["network"], kept["layer"], kept["head"]) == ("r3d_18", "layer4", "fc")
    assert kept["command"] == "lookhear explain 'a.mp4'"
    first, second = kept["labels"]
    assert (first["index"], first["name"], first["peak_time"]) == (7, "archery", 0.3)
    assert first["mean_probability"] == pytest.approx(0.375)
    assert second["mean_probability"] is None
    areas = first["faithfulness"]
    assert areas["deletion"] < areas["random_deletion"]
    assert areas["insertion"] > areas["random_insertion"]


def test_curves_are_kept_and_drawn_where_they_were_measured(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    bare = explanation(clip, [0, 0.4], [left_then_right(2)])
    without = written(tmp_path / "without", bare)
    assert not {"faithfulness.csv", "faithfulness.svg"} & {p.name for p in without.iterdir()}
    assert "Whether to believe it" not in shown(without)
    full = explanation(clip, [0, 0.4], [left_then_right(2)], measured=[faithful()])
    folder = written(tmp_path / "with", full)
    with (folder / "faithfulness.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [float(row["share"]) for row in rows] == pytest.approx(np.linspace(0, 1, 17), abs=1e-4)
    assert float(rows[2]["deletion"]) == pytest.approx(0.8 * math.exp(-1), abs=1e-4)
    drawn = ElementTree.parse(folder / "faithfulness.svg")
    said = " ".join(drawn.getroot().itertext())
    assert f"area {faithful().area(faithful().deletion):.3g}" in said


@pytest.mark.parametrize(
    ("better", "verdict"), [(True, "the map knows"), (False, "no better than when it is moved")]
)
def test_the_page_says_in_words_how_faithful_it_is(
    tmp_path: Path, better: bool, verdict: str
) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    measured = faithful(better)
    one = explanation(clip, [0, 0.4], [left_then_right(2)], measured=[measured])
    text = Page(shown(written(tmp_path / "out", one))).text
    assert "Without the 12.5% of pixels" in text
    assert f"from 0.80 to {measured.deletion[2]:.2f}" in text
    assert f"to {measured.random_deletion[2]:.2f}" in text
    assert verdict in text


def test_a_hair_better_than_a_moved_map_is_no_better(tmp_path: Path) -> None:
    clip, true = grey_clip(tmp_path / "a.mp4"), faithful()
    hair = replace(true, random_deletion=true.deletion + 1e-3, random_insertion=true.insertion)
    one = explanation(clip, [0, 0.4], [left_then_right(2)], measured=[hair])
    assert "no better than when it is moved" in shown(written(tmp_path / "out", one))


def test_the_page_tells_what_is_seen_when_and_where_and_links_only_what_is_there(
    tmp_path: Path,
) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    tubes = [left_then_right(4), tube_of(np.ones((4, 2, 2)))]
    times = [0.0, 0.1, 0.2, 0.3]
    one = explanation(clip, times, tubes, ["archery", "yoga"], problems=("1 frame was lost",))
    folder = written(tmp_path / "out", one, "gif", "video", "png", command="lookhear <explain>")
    page = Page(shown(folder))
    assert not page.open
    assert "mean probability of archery, strongest at 0:00.3 in the upper right" in page.text
    assert "yoga, seen everywhere alike" in page.text
    assert "1 frame was lost" in page.text
    assert "lookhear <explain>" in page.text
    assert "nan" not in page.text.lower()
    linked = [v for _, name, v in page.attributes if name in ("href", "src") and v[:5] != "data:"]
    assert {unquote(address) for address in linked} == {
        f"./{path.name}" for path in folder.iterdir() if path.name != "report.html"
    }
    for address in linked:
        assert (folder / unquote(address)).exists()


def test_names_of_any_kind_do_no_harm(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "<b>&amp; é.mp4")
    count = len(HOSTILE)
    one = explanation(
        clip,
        [0, 0.4],
        [left_then_right(2)] * count,
        HOSTILE,
        [[0.1] * count],
        [faithful()] * count,
    )
    folder = written(tmp_path / "out", one, "video", command="\udcff")
    page = Page(shown(folder))
    assert not page.open
    assert not [tag for tag, *_ in page.attributes if tag == "script"]
    assert "<script>alert(1)</script>" in page.text
    assert "<b>&amp; é.mp4" in page.text
    for name in ("scores.svg", "faithfulness.svg"):
        assert "<script>" in "".join(ElementTree.parse(folder / name).getroot().itertext())
    named = json.loads((folder / "explanation.json").read_text(encoding="utf-8"))["labels"]
    assert [label["name"] for label in named[:2]] == HOSTILE[:2]
    with np.load(folder / "tube.npz") as saved:
        assert saved["labels"].tolist()[:5] == HOSTILE[:5]


@pytest.mark.parametrize("end", [0.0, 0.5, 1.0])
def test_plots_have_only_numbers_and_names_that_do_not_overlap(end: float) -> None:
    names = [f"label {index}" for index in range(9)]
    scores = [[0.01 * index for index in range(9)], [math.nan] * 9, [end] * 9]
    one = explanation(Path("a"), [0, 70.0], [left_then_right(2)] * 9, names, scores)
    drawn = scores_plot(one)
    assert "nan" not in drawn.lower()
    texts = [of for of in ElementTree.fromstring(drawn) if of.text in names]
    heights = sorted(float(of.get("y", "")) for of in texts)
    assert len(heights) == 9
    assert np.diff(heights).min() >= 14
    assert 0 < heights[0] < heights[-1] < float(ElementTree.fromstring(drawn).get("height", ""))
    colours = {of.get("fill") for of in texts}
    assert len(colours) == 6


@pytest.mark.parametrize("scores", [[[1.0]], [[0.0]], [[math.nan]], [[0.002], [0.004]]])
def test_any_probabilities_can_be_drawn(scores: list[list[float]]) -> None:
    one = explanation(Path("a"), [0.0], [left_then_right(1)], ["x"], scores, [faithful()])
    for drawn in (scores_plot(one), faithfulness_plot(one)):
        assert not {"nan", "inf"} & set(drawn.lower().replace('"', " ").split())
        ElementTree.fromstring(drawn)


def test_letters_fit_their_width_whatever_the_text() -> None:
    for text in HOSTILE:
        for width in (1, 40, 400):
            assert lettered(text, 20, width).shape[1] <= width
    whole, small = lettered("archery", 20, 400), lettered("archery", 20, 60)
    assert small.shape[0] < whole.shape[0], "it becomes smaller before it is cut"
    assert lettered("long " * 80, 30, 100).shape[0] == 25


def test_key_moments_are_even_but_for_the_peaks() -> None:
    assert key_moments(71, [10]) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert key_moments(71, [33, 69]) == [0, 10, 20, 33, 40, 50, 60, 69]
    assert key_moments(3, [1]) == [0, 1, 2]
    assert key_moments(1, [0]) == [0]
    assert key_moments(100, list(range(40, 52))) == list(range(40, 52))


def strip_of(path: Path, tubes: list[TubeInTime], names: list[str]) -> Pixels:
    clip = open_clip(path)
    strip = Strip(clip, tubes, names)
    for frame in clip.frames():
        strip.add(frame)
    return strip.picture()


def test_the_strip_shows_the_frames_of_its_moments_and_marks_the_peaks(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", counting_frames(16, (90, 160), 14))
    times = np.arange(16) / 25
    nowhere = np.zeros((16, 2, 2))
    nowhere[10, 1, 1] = 1
    strip = strip_of(clip, [TubeInTime(tube_of(nowhere), times)], ["archery"])
    marked = np.all(strip == ACCENT, axis=-1)
    columns = np.flatnonzero(marked.any(0))
    rows = np.flatnonzero(marked.any(1))
    assert np.ptp(columns) == pytest.approx(320 + 12, abs=3), "one frame is outlined"
    assert np.ptp(rows) == pytest.approx(2 * 180 + 3 * 12, abs=16), "in both rows"
    left = strip.shape[1] - 8 * 332 + 12 - 16
    brightness = [strip[100, left + 332 * column + 20].mean() for column in range(8)]
    expected = [16 + 14 * index for index in key_moments(16, [10])]
    assert brightness == pytest.approx(expected, abs=6)
    assert np.all(strip[[0, -1]] == 255)
    assert strip[180:220, :40].min() < 60, "the label is named"


def test_the_strip_marks_each_labels_own_peak_and_fits_portraits(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", counting_frames(12, (160, 90)))
    times = np.arange(12) / 25
    tubes = []
    for peak in (2, 9):
        maps = np.zeros((12, 2, 2))
        maps[peak, 0, 0] = 1
        tubes.append(TubeInTime(tube_of(maps), times))
    strip = strip_of(clip, tubes, ["archery", "yoga"])
    marked = np.all(strip == ACCENT, axis=-1)
    between = 16 + 2 * 332 + 4
    first, second = (np.flatnonzero(part.any(0)) for part in (marked[:between], marked[between:]))
    assert first.max() < second.min()
    assert np.ptp(first) == np.ptp(second) == pytest.approx(180 + 12, abs=3)
    assert cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)[:, :50].min() < 60
