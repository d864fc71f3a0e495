"""The clip under its tubes: video, GIF, numbered pictures and stills."""

import csv
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import beep, make_clip
from explained_clips import GREY, explanation, grey_clip, left_then_right, tube_of, written
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.media.gif import GifWriter, Palette
from lookhear.media.stills import encode_png
from lookhear.progress import Bars
from lookhear.show import heat
from lookhear.show.films import open_films
from lookhear.show.heat import FOCUS_LOOK, HEAT_LOOK, Pixels
from lookhear.show.panels import Board
from lookhear.tubes.results import write_explanation
from lookhear.tubes.tube import TubeInTime

TIMES = [0.0, 0.04, 0.12, 0.2, 0.24, 0.4]


def frames_of(path: Path) -> list[Pixels]:
    return [frame.rgb() for frame in open_clip(path).frames()]


def png(path: Path) -> Pixels:
    return np.asarray(cv2.imread(str(path))[..., ::-1], np.uint8)


def test_video_shows_every_frame_at_its_own_time_with_the_clips_sound(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4", times=TIMES, sound=beep(0.5, [0.2]))
    folder = written(tmp_path / "out", explanation(clip, [0, 0.2], [left_then_right(2)]), "video")
    for name in ("heat.mp4", "focus.mp4"):
        film = open_clip(folder / name)
        assert (film.height, film.width, film.has_sound) == (48, 64, True)
        assert [frame.time for frame in film.frames()] == pytest.approx(TIMES, abs=1e-3)
        loud = np.abs(np.concatenate([*film.sound()])) > 0.1
        assert loud.argmax() / 16_000 == pytest.approx(0.2, abs=0.03)


def test_heat_colours_and_focus_lights_the_place_that_the_network_sees(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4")
    folder = written(tmp_path / "out", explanation(clip, [0, 0.44], [left_then_right(2)]), "video")
    for index, hot, cold in ((0, slice(4, 16), slice(44, 60)), (-1, slice(48, 60), slice(4, 20))):
        heat, focus = (frames_of(folder / name)[index] for name in ("heat.mp4", "focus.mp4"))
        assert np.ptp(heat[20:28, hot].mean((0, 1))) > 40, "heat has a colour"
        assert np.abs(heat[20:28, cold] - float(GREY)).max() < 12, "elsewhere all stays as it is"
        assert focus[20:28, hot].mean() > 0.85 * GREY
        assert 0 < focus[20:28, cold].mean() < 0.25 * GREY


def test_each_frame_lies_under_the_map_of_its_own_time(tmp_path: Path) -> None:
    clip = open_clip(grey_clip(tmp_path / "a.mp4", times=[index / 25 for index in range(40)]))
    frames = [*clip.frames()]
    attention = np.linspace(0, 1, len(frames), dtype=np.float32)
    with open_films(tmp_path, clip, ["video"], looks={"focus": FOCUS_LOOK}) as film:
        for frame, level in zip(frames, attention, strict=True):
            film(frame, [np.full((6, 8), level, np.float32)])
    shown = [frame.mean() for frame in frames_of(tmp_path / "focus.mp4")]
    whole = frames[0].rgb().mean()
    np.testing.assert_allclose(shown, whole * (0.12 + 0.88 * attention), atol=4)


def test_between_the_frames_that_were_seen_the_tube_moves_smoothly() -> None:
    tube = TubeInTime(left_then_right(2), np.array([1.0, 3.0]))
    first, last = tube.at(1.0), tube.at(3.0)
    np.testing.assert_allclose(tube.at(1.5), 0.75 * first + 0.25 * last, atol=1e-6)
    np.testing.assert_array_equal(tube.at(0.2), first)
    np.testing.assert_array_equal(tube.at(9.0), last)


def test_a_frame_that_was_seen_again_shows_all_that_was_seen_in_it() -> None:
    maps = np.zeros((4, 2, 2))
    maps[0, 0, 0], maps[1, 1, 1], maps[2, 0, 1] = 1, 0.5, 0.25
    tube = TubeInTime(tube_of(maps, (2, 2)), np.array([0.0, 0.0, 0.0, 1.0]))
    np.testing.assert_allclose(tube.at(0.0), [[1, 0.25], [0, 0.5]], atol=1e-6)
    assert tube.peak == 0
    np.testing.assert_allclose(tube.at(1.0), 0, atol=1e-6)


def test_several_labels_stand_side_by_side_each_under_its_name(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4", (120, 160))
    tubes = [tube_of(np.ones((1, 2, 2)) * [[[0, 1], [0, 1]]]), tube_of([[[1, 0], [1, 0]]])]
    two = explanation(clip, [0.0], tubes, ["archery", "yoga"])
    folder = written(tmp_path / "out", two, "video", "png", "gif")
    film = frames_of(folder / "focus.mp4")[0]
    picture = png(folder / "focus" / "000001.png")
    assert film.shape == picture.shape
    height, width = film.shape[:2]
    assert width > 320
    band = height - 120
    assert film[:band, : width // 2].max() > 180, "the first name is written"
    assert film[:band, width // 2 :].max() > 180, "and the second"
    for shown in (film, picture):
        middle = shown[band + 50 : band + 70].mean((0, 2))
        assert middle[150:158].mean() > 2 * middle[2:10].mean(), "the first is lit at its right"
        assert middle[-158:-150].mean() > 2 * middle[-10:-2].mean(), "the second at its left"
    assert 320 < open_clip(folder / "focus.gif").width <= 480


@pytest.mark.parametrize(("size", "count"), [((1080, 1920), 3), ((271, 401), 7), ((90, 61), 2)])
def test_panels_shrink_until_they_fit_and_stay_even(size: tuple[int, int], count: int) -> None:
    board = Board(size, ["a name"] * count, 1920)
    assert board.size[1] <= 1920
    assert all(side % 2 == 0 for side in (*board.size, *board.panel))
    assert board.panel[1] / board.panel[0] == pytest.approx(size[1] / size[0], rel=0.03)
    assert board.panel[1] <= size[1]


def test_planes_and_rgb_make_the_same_board() -> None:
    board = Board((40, 60), ["one", "another"], 400)
    panels = [np.full((*board.panel, 3), level, np.uint8) for level in (60, 200)]
    half = board.panel[0] // 2, board.panel[1] // 2
    no_colour = np.full(half, 128, np.uint8)
    lumas = [(16 + panel[..., 0] * (219 / 255)).astype(np.uint8) for panel in panels]
    y, u, v = board.planes([(luma, no_colour, no_colour) for luma in lumas])
    expected = 16 + board.rgb(panels)[..., 0] * (219 / 255)
    np.testing.assert_allclose(y, expected, atol=1)
    assert np.all(u == 128)
    assert np.all(v == 128)


@pytest.mark.parametrize("look", [HEAT_LOOK, FOCUS_LOOK])
def test_looks_are_the_same_on_planes_and_in_rgb(look: heat.Look) -> None:
    attention = np.linspace(0, 1, 64, dtype=np.float32)[np.newaxis].repeat(48, 0)
    picture = np.full((48, 64, 3), GREY, np.uint8)
    planes = (
        np.full((48, 64), round(16 + GREY * 219 / 255), np.uint8),
        *(np.full((24, 32), 128, np.uint8) for _ in range(2)),
    )
    y, _, _ = heat.Overlay(48, 64, look=look).blend(*planes, attention)
    luma = heat.blend_rgb(picture, attention, look) @ [0.2126, 0.7152, 0.0722]
    np.testing.assert_allclose(y, 16 + luma * 219 / 255, atol=3)


def test_gif_is_small_slow_and_repeats(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "a.mp4", [np.full((300, 600, 3), GREY, np.uint8)] * 30, options={"qp": "30"}
    )
    one = explanation(clip, [0, 1.0], [left_then_right(2)])
    folder = written(tmp_path / "out", one, "gif")
    for name in ("heat.gif", "focus.gif"):
        content = (folder / name).read_bytes()
        film = open_clip(folder / name)
        times = [frame.time for frame in film.frames()]
        assert film.width == 480
        assert len(times) == 12, "of 1.2 seconds"
        assert np.diff(times).min() >= 0.079
        assert times[-1] == pytest.approx(1.12, abs=0.06)
        assert b"NETSCAPE2.0\x03\x01\x00\x00" in content, "for ever"
    heat = frames_of(folder / "heat.gif")
    assert np.abs(heat[0][130:150, 300:460] - float(GREY)).mean() < 4
    assert np.ptp(heat[0][130:150, 20:100].mean((0, 1))) > 40


def test_what_stands_still_does_not_shimmer_in_a_gif(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype(np.uint8)
    still = cv2.resize(noise, (300, 200), interpolation=cv2.INTER_CUBIC)
    moved = still.copy()
    moved[10:30, 10:30] = still[40:60, 40:60]
    with GifWriter(tmp_path / "a.gif", 200, 300) as gif:
        for index, picture in enumerate((still, still, moved, still)):
            gif.write(picture, index / 10)
    first, *others = frames_of(tmp_path / "a.gif")
    assert np.abs(first.astype(int) - still).mean() < 8
    for other in others:
        np.testing.assert_array_equal(other[40:], first[40:])


def test_a_new_scene_gets_new_colours() -> None:
    palette = Palette()
    _, blue = palette.indexed(np.full((48, 48, 3), (20, 30, 200), np.uint8))
    index, red = palette.indexed(np.full((48, 48, 3), (200, 30, 20), np.uint8))
    assert not np.array_equal(blue, red)
    np.testing.assert_allclose(red[index][..., 1:].mean((0, 1)), (200, 30, 20), atol=4)


def test_pictures_are_those_of_the_frames_that_the_network_saw(tmp_path: Path) -> None:
    clip = grey_clip(tmp_path / "a.mp4", times=TIMES)
    seen = [0.04, 0.2, 0.2, 0.4]
    one = explanation(clip, seen, [left_then_right(4)])
    folder = written(tmp_path / "out", one, "png")
    for kind in ("heat", "focus"):
        with (folder / kind / "times.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["time"]) for row in rows] == pytest.approx([0.04, 0.2, 0.4])
        assert sorted(path.name for path in (folder / kind).glob("*.png")) == [
            row["file"] for row in rows
        ]
        assert png(folder / kind / rows[0]["file"]).shape == (48, 64, 3)
    assert not (folder / "heat.mp4").exists()


def test_a_still_picture_gives_pictures_whatever_is_asked_for(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(encode_png(np.full((49, 65, 3), GREY, np.uint8)))
    one = explanation(picture, [0.0] * 3, [left_then_right(3)], probabilities=[[0.5]])
    folder = written(tmp_path / "out", one, "video", "gif")
    assert png(folder / "heat.png").shape == (49, 65, 3)
    assert png(folder / "focus.png").shape == (49, 65, 3)
    assert not {path.suffix for path in folder.iterdir()} & {".mp4", ".gif"}
    assert '<img src="./heat.png"' in (folder / "report.html").read_text()


@pytest.mark.parametrize("size", [(96, 54), (49, 65), (48, 200)])
def test_clips_of_any_shape_are_shown_without_sound(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = [np.full((*size, 3), GREY, np.uint8)] * 3
    clip = make_clip(tmp_path / "a.mkv", frames, codec="ffv1", pixel_format="bgr0")
    flat = tube_of(np.full((1, 2, 2), 0.3))
    one = explanation(clip, [0.0], [flat], probabilities=[[0.5]])
    folder = written(tmp_path / "out", one, "video", "gif", "png")
    film = open_clip(folder / "heat.mp4")
    assert (film.height, film.width) == tuple(side + side % 2 for side in size)
    assert not film.has_sound
    assert len(frames_of(folder / "focus.mp4")) == 3
    assert png(folder / "heat" / "000001.png").shape == (*size, 3)
    with av.open(str(folder / "heat.gif")) as gif:
        assert gif.streams.video[0].width <= size[1]


def test_every_frame_is_told_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    clip = open_clip(grey_clip(tmp_path / "a.mp4"))
    one = explanation(clip.path, [0.0, 0.2], [left_then_right(2)])
    told: list[int] = []

    def fail_at_the_fifth(more: int) -> None:
        told.append(more)
        if len(told) == 5:
            raise LookhearError("stopped")

    def bar(show: Callable[[int], None]) -> Bars:
        return lambda *_: nullcontext(show)

    with pytest.raises(LookhearError, match="stopped"):
        write_explanation(tmp_path / "out", clip, one, ["video", "gif"], "", bar(fail_at_the_fifth))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    told.clear()
    write_explanation(tmp_path / "out", clip, one, ["png"], "", bar(told.append))
    assert told == [1] * 12
