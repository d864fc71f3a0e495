"""The summary gathered while maps stream by, and the page made from it."""

import math
from pathlib import Path

import numpy as np
import pytest

from lookhear import maps
from lookhear.maps import Maps, Peak
from lookhear.prediction.page import ClipFacts, ModelNotes, ReportData, render
from lookhear.prediction.summary import AttentionSummary, Collector, stays
from lookhear.show.heat import Pixels
from pages import Page, addresses, points

CLIP = ClipFacts("clip.mp4", 160, 90, 12.5, 25.0, has_sound=True)
MODEL = ModelNotes("small", (("Trained on", "Pictures.\n\n- one\n- two"), ("Limits", "Many.")))


def blob(x: float, y: float) -> Maps:
    rows, columns = np.mgrid[:36, :64].astype(np.float32) + 0.5
    squared = (columns / 64 - x) ** 2 + (rows / 36 - y) ** 2
    return np.exp(-squared / 0.01).astype(np.float32)


def collected(
    count: int, step: float = 0.2, picture: Pixels | None = None, attention: Maps | None = None
) -> AttentionSummary:
    """Attention that goes once around the picture."""
    collector = Collector()
    shown = np.full((90, 160, 3), 80, np.uint8) if picture is None else picture
    for index in range(count):
        angle = 2 * math.pi * index / count
        here = blob(0.5 + 0.3 * math.cos(angle), 0.5 + 0.3 * math.sin(angle))
        here = here if attention is None else attention
        collector.add(
            index * step, here, maps.peaks(here), shown if collector.wants_picture else None
        )
    return collector.summary()


def test_the_summary_has_the_numbers_of_every_map() -> None:
    summary = collected(40)
    np.testing.assert_allclose(summary.times, np.arange(40) * 0.2)
    assert summary.step == pytest.approx(0.2)
    assert (summary.x[0], summary.y[0]) == pytest.approx((0.8, 0.5), abs=0.01)
    assert (summary.x[10], summary.y[10]) == pytest.approx((0.5, 0.8), abs=0.01)
    np.testing.assert_allclose(summary.half_area[0], maps.half_area(blob(0.8, 0.5)), rtol=1e-4)
    assert summary.columns.shape == summary.rows.shape == (40, 64)
    assert abs(summary.columns.argmax(axis=1) / 64 - summary.x).max() < 0.03
    assert abs(summary.rows.argmax(axis=1) / 64 - summary.y).max() < 0.03


def test_half_areas_of_large_maps_are_measured_on_smaller_ones_to_the_same_answer() -> None:
    large = maps.resize(blob(0.4, 0.6), (288, 512))
    measured = collected(1, attention=large).half_area[0]
    assert measured == pytest.approx(float(maps.half_area(large)), rel=0.02)


@pytest.mark.parametrize("count", [1, 24, 25, 500, 3000])
def test_stills_are_few_and_evenly_spaced_however_long_the_clip(count: int) -> None:
    summary = collected(count, step=1, attention=blob(0.5, 0.5))
    times = [still.time for still in summary.stills]
    assert min(count, 13) <= len(times) <= 24
    assert len(set(np.diff(times))) <= 1
    assert times[0] == 0
    assert count - times[-1] <= 2 * count / len(times)


def test_stills_are_small_and_keep_their_shape() -> None:
    picture = np.zeros((1920, 1080, 3), np.uint8)
    still = collected(1, picture=picture).stills[0].picture
    height, width = still.shape[:2]
    assert height * width < 120_000
    assert height / width == pytest.approx(1920 / 1080, rel=0.01)


def test_maps_without_a_peak_have_no_place() -> None:
    summary = collected(3, attention=np.zeros((9, 16), np.float32))
    assert np.isnan([summary.x, summary.y]).all()
    np.testing.assert_array_equal(summary.half_area, 0.5)
    assert stays(summary) == []


def test_stays_end_where_attention_moves_on_or_vanishes() -> None:
    collector = Collector()
    dark = np.zeros((9, 16), np.float32)
    places = [(0.2, 0.2), (0.25, 0.2), (0.8, 0.7), None, (0.8, 0.7), (0.8, 0.75), (0.8, 0.7)]
    for time, place in enumerate(places):
        collector.add(time, dark, [Peak(*place, 1)] if place else [])
    found = stays(collector.summary())
    assert [(stay.start, stay.end) for stay in found] == [(0, 2), (2, 3), (4, 7)]
    assert [round(stay.x, 3) for stay in found] == [0.225, 0.8, 0.8]
    assert found[-1].length == 3


def test_the_page_says_what_was_found() -> None:
    page = Page(render(ReportData(CLIP, collected(40), MODEL, ("Sound ends at 3 s.",))))
    assert page.open == []
    for said in (
        "clip.mp4",
        "160 by 90 pixels",
        "0:12.5 long",
        "25 frames a second",
        "with sound",
        "40 attention maps",
        "Sound ends at 3 s.",
        "of the picture holds half of the attention",
        "middle right",
        "Trained on",
        "small",
    ):
        assert said in page.text
    assert len(page.values("img", "alt")) == 12
    assert all(page.values("img", "alt"))


def test_the_plots_follow_the_series() -> None:
    summary = collected(40)
    paths = Page(render(ReportData(CLIP, summary, MODEL))).paths()
    assert len(paths["peak"]) == 2
    for line, places in zip(paths["peak"], (summary.x, summary.y), strict=True):
        dashes = [dash.replace("H", " ").split() for dash in line.split("M")[1:]]
        assert [(int(start), int(end)) for start, _, end in dashes] == [
            (index, index + 1) for index in range(40)
        ]
        np.testing.assert_allclose([float(y) for _, y, _ in dashes], 100 * places, atol=0.06)
    (curve,), (level,) = paths["line"], paths["mean"]
    heights = [y for _, y in points(curve)]
    top = 0.02 if summary.half_area.max() <= 0.02 else 0.05
    np.testing.assert_allclose(heights, 100 * (1 - summary.half_area / top), atol=0.06)
    assert points(level)[0][1] == pytest.approx(np.mean(heights), abs=0.1)


def test_the_page_needs_nothing_but_itself() -> None:
    data = ReportData(CLIP, collected(40), MODEL, (), "overlay.mp4", "fixations.csv", "maps.npz")
    html = render(data)
    beside = {"./overlay.mp4", "./fixations.csv", "./maps.npz"}
    assert {address for address in addresses(Page(html)) if address[:5] != "data:"} == beside
    assert "<script" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_whatever_names_hold_is_shown_as_text() -> None:
    hostile = "<script>alert('x')</script> & \"$name\" #1?.mp4"
    clip = ClipFacts(hostile, 160, 90, None, None, has_sound=False)
    model = ModelNotes(hostile, ((hostile, f"{hostile}\n\n- {hostile}"),))
    data = ReportData(clip, collected(3), model, (hostile,), hostile, hostile, hostile)
    html = render(data)
    page = Page(html)
    assert "<script" not in html
    assert page.text.count(hostile) >= 8
    assert page.open == []
    source = "./%3Cscript%3Ealert%28%27x%27%29%3C/script%3E%20%26%20%22%24name%22%20%231%3F.mp4"
    assert page.values("video", "src") == [source]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("attention", [None, np.zeros((9, 16), np.float32)])
def test_stills_and_flat_maps_make_a_page_too(count: int, attention: Maps | None) -> None:
    clip = ClipFacts("still.png", 160, 90, None, None, has_sound=False)
    page = Page(render(ReportData(clip, collected(count, attention=attention), MODEL)))
    assert page.open == []
    assert "nan" not in page.text.lower()
    if count == 1:
        lone = "It is strongest in the middle right" if attention is None else "spread evenly over"
        assert lone in page.text
    assert "The files beside this page" not in page.text


def test_a_long_clip_of_noise_stays_light() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    html = render(ReportData(CLIP, collected(3000, picture=noise), MODEL))
    assert len(html) < 1_500_000
    plots = [value for value in Page(html).values("svg", "viewbox") if value.endswith(" 100")]
    assert plots == ["0 0 600 100"] * 3


def test_the_code_on_the_page_reads_the_files_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "m.npz", maps=np.ones((2, 3, 4), np.float32), times=np.arange(2.0))
    (tmp_path / "f.csv").write_text("time,rank,x,y,strength\n0.0,1,0.5,0.5,1.0\n")
    data = ReportData(CLIP, collected(2), MODEL, (), None, "f.csv", "m.npz")
    code = render(data).split("<pre><code>")[1].split("</code>")[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(Page(code).text, names)
    assert np.shape(names["maps"]) == (2, 3, 4)
    assert names["peaks"] == [
        {"time": "0.0", "rank": "1", "x": "0.5", "y": "0.5", "strength": "1.0"}
    ]


def test_a_models_card_is_markdown_without_html_or_pictures_from_elsewhere() -> None:
    hostile = "<script>alert(1)</script> ![x](https://a.b/c.png) [y](javascript:alert(1))"
    card = f"Means:\n\n| model | NSS |\n| --- | --- |\n| **small** | 2.4 |\n\n- one\n\n{hostile}"
    page = render(ReportData(CLIP, collected(2), ModelNotes("m", (("How good", card),))))
    assert "<td><strong>small</strong></td>" in page
    assert "<li>one</li>" in page
    assert "<script" not in page
    assert 'src="https' not in page
    assert 'href="javascript' not in page
