"""The world's things and stages: drawn by chance, yet recognisable, placed and lit as they say."""

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.data.world.canvas import (
    Canvas,
    Floats,
    Pose,
    Sprite,
    checks,
    dots,
    placed,
    shadow_on_wall,
    stamp,
    stripes,
    zigzag,
)
from lookhear.data.world.categories import CATEGORIES
from lookhear.data.world.looks import LOOKS, paint
from lookhear.data.world.stage import GROUNDS, LYING, MARGIN, Stage, strew

FRAME_SECONDS = 1 / 25
WIDTH, HEIGHT = 480, 270


def chance(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def silhouette(look: str, seed: int) -> np.ndarray:
    """What a thing covers, cut out and scaled to 48 x 48."""
    covered = paint(look, 0.3, 25, chance(seed)).rgba[..., 3] > 0.5
    rows, columns = np.nonzero(covered)
    cut = covered[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return cv2.resize(cut.astype(np.float32), (48, 48), interpolation=cv2.INTER_AREA) > 0.5


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def hue_shares(picture: np.ndarray, bins: int) -> np.ndarray:
    """How much of the strongly coloured part of an RGB uint8 picture is of which hue."""
    hue, saturation, value = np.moveaxis(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL), -1, 0)
    coloured = hue[(saturation > 90) & (value > 70)]
    return np.bincount(coloured.astype(int) * bins // 256, minlength=bins) / max(coloured.size, 1)


def colourfulness(rgb: np.ndarray) -> float:
    """Mean distance of a colour's channels, of pixels (..., 3), as a share of the lightest."""
    return float((np.ptp(rgb, axis=-1) / rgb.max()).mean())


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return [Stage(chance(seed), WIDTH, HEIGHT) for seed in range(6)]


def test_looks_are_those_of_the_categories() -> None:
    assert {category.look for category in CATEGORIES} == set(LOOKS)


@pytest.mark.parametrize("look", LOOKS)
def test_look_is_premultiplied_inside_its_canvas_and_as_large_as_asked(look: str) -> None:
    for radius, seed in itertools.product((25, 50), range(2)):
        sprite = paint(look, 0.1, radius, chance(seed))
        assert sprite.rgba.dtype == np.float32
        assert sprite.rgba.min() >= 0
        assert sprite.rgba.max() <= 1 + 1e-6
        assert (sprite.rgba[..., :3] <= sprite.rgba[..., 3:] + 1e-6).all()
        border = sprite.rgba.copy()
        border[2:-2, 2:-2] = 0
        assert border[..., 3].max() == 0
        longest = np.ptp(sprite.outline(), axis=0).max() / 2
        assert 0.85 * radius < longest < 1.5 * radius


@pytest.mark.parametrize("look", LOOKS)
def test_outline_holds_all_that_is_opaque_and_is_convex(look: str) -> None:
    sprite = paint(look, 0.6, 30, chance(1))
    rows, columns = np.nonzero(sprite.rgba[..., 3] > 0.5)
    places = (np.column_stack([columns, rows]) - (sprite.x, sprite.y)) / 2
    corners = sprite.outline()
    sides = np.roll(corners, -1, axis=0) - corners
    away = places[:, np.newaxis] - corners
    turns = sides[:, 0] * away[..., 1] - sides[:, 1] * away[..., 0]
    assert (turns >= -1e-6).all() or (turns <= 1e-6).all()
    assert corners.min(0) == pytest.approx(places.min(0))
    assert corners.max(0) == pytest.approx(places.max(0))


@pytest.mark.parametrize("look", LOOKS)
def test_chance_and_hue_decide_what_is_painted(look: str) -> None:
    one, same = (paint(look, 0.2, 25, chance(3)) for _ in range(2))
    other, another_hue = paint(look, 0.2, 25, chance(4)), paint(look, 0.5, 25, chance(3))
    assert np.array_equal(one.rgba, same.rgba)
    assert np.abs(one.rgba - other.rgba).mean() > 0.005
    assert np.array_equal(one.rgba[..., 3], another_hue.rgba[..., 3])
    assert np.abs(one.rgba - another_hue.rgba).mean() > 0.005


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("hue", [0.1, 0.3, 0.7])
def test_more_of_a_thing_is_of_its_hue_than_of_any_other(look: str, hue: float) -> None:
    shares = np.zeros(5)
    for seed in range(3):
        rgb = paint(look, hue, 25, chance(seed)).rgba[..., :3]
        shares += hue_shares((255 * rgb).astype(np.uint8), 5)
    assert shares.argmax() == int(5 * hue)


def test_things_of_a_look_are_more_alike_in_shape_than_those_of_two() -> None:
    drawn = {look: [silhouette(look, seed) for seed in range(3)] for look in LOOKS}
    nearest_other = []
    for look, shapes in drawn.items():
        within = np.mean([overlap(a, b) for a, b in itertools.combinations(shapes, 2)])
        between = {
            other: np.mean([overlap(a, b) for a in shapes for b in drawn[other]])
            for other in LOOKS
            if other != look
        }
        assert within > np.mean(list(between.values())) + 0.15
        nearest_other.append(within - max(between.values()))
    assert np.mean(nearest_other) > 0.05


@given(
    look=st.sampled_from(list(LOOKS)),
    angle=st.floats(-3.2, 3.2),
    stretch=st.floats(0.75, 1.3),
    scale=st.floats(0.7, 2),
    x=st.floats(100, 140),
    y=st.floats(100, 140),
)
@settings(max_examples=60, deadline=None)
def test_outline_is_placed_where_the_thing_is_stamped(
    look: str, angle: float, stretch: float, scale: float, x: float, y: float
) -> None:
    sprite = paint(look, 0.5, 25, chance(0))
    black = Sprite(sprite.rgba * np.float32([0, 0, 0, 1]), sprite.x, sprite.y)
    frame = np.full((240, 240, 3), 255, np.uint8)
    pose = Pose(x, y, angle, stretch, scale)
    stamp(frame, black, pose)
    rows, columns = np.nonzero(frame[..., 0] < 128)
    corners = placed(sprite.outline(), pose)
    tolerance = 1.5 * max(scale, 1)
    assert corners.min(0) == pytest.approx([columns.min(), rows.min()], abs=tolerance)
    assert corners.max(0) == pytest.approx([columns.max(), rows.max()], abs=tolerance)


def test_stamping_outside_the_frame_changes_nothing_and_across_its_edge_only_part() -> None:
    sprite = paint("blob", 0.5, 25, chance(0))
    frame = np.full((60, 80, 3), 90, np.uint8)
    stamp(frame, sprite, Pose(300, 20))
    assert (frame == 90).all()
    stamp(frame, sprite, Pose(80, 30))
    assert (frame[:, :40] == 90).all()
    assert (frame[30, 70:] != 90).any()


def test_shadow_is_dark_soft_and_no_larger_than_the_canvas() -> None:
    sprite = paint("disc", 0.5, 30, chance(0))
    shadow = shadow_on_wall(sprite)
    assert shadow.rgba.shape == sprite.rgba.shape
    assert shadow.rgba[..., :3].max() == 0
    assert 0.3 < shadow.rgba[..., 3].max() < 0.5
    assert np.abs(np.diff(shadow.rgba[..., 3], axis=0)).max() < 0.02


def test_box_and_polygon_are_the_same_square() -> None:
    canvas = Canvas(20, 1)
    box = canvas.box(0.1, 0, 0.5, 0.4)
    polygon = canvas.polygon((-0.4, -0.4), (0.6, -0.4), (0.6, 0.4), (-0.4, 0.4))
    assert np.allclose(box[box < 0], polygon[box < 0])
    assert ((box < 0) == (polygon < 0)).all()


def test_a_solid_is_lit_from_above_left() -> None:
    canvas = Canvas(20, 1)
    canvas.solid(canvas.disc(0, 0, 0.9), (0.5, 0.5, 0.5), bevel=0.9, shine=0)
    red = canvas.rgba[..., 0]
    assert red[26, 26] > 0.5 > red[54, 54] > 0


PATTERNS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "stripes": lambda u, _: stripes(u),
    "checks": checks,
    "zigzag": zigzag,
    "dots": lambda u, v: dots(u, v, 0.3),
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_textures_repeat_and_stay_between_0_and_1(
    pattern: Callable[[Floats, Floats], Floats],
) -> None:
    u, v = np.meshgrid(np.linspace(0.013, 1.013, 50), np.linspace(0.017, 2.017, 50))
    once, again = pattern(u, v), pattern(u + 1, v + 2)
    assert once.min() == 0
    assert once.max() == 1
    assert np.allclose(once, again, atol=1e-6)


@pytest.mark.parametrize("name", GROUNDS)
def test_ground_is_a_textured_picture_of_its_own_by_chance(name: str) -> None:
    x, y = np.meshgrid(np.arange(160.0), np.arange(90.0))
    one, same, other = (GROUNDS[name].paint(x, y, chance(seed)) for seed in (0, 0, 1))
    assert one.shape == (90, 160, 3)
    assert np.isfinite(one).all()
    assert 0.05 < one.mean() < 0.9
    assert (one.reshape(-1, 3).std(0) > 0.015).all()
    assert np.array_equal(one, same)
    assert np.abs(one - other).mean() > 0.01


def test_clutter_lies_below_the_top_only() -> None:
    picture = np.full((200, 300, 3), 120, np.uint8)
    strew(picture, LYING, 20, 150, chance(0))
    assert (picture[:100] == 120).all()
    assert (picture[150:] != 120).any()


def test_same_chance_gives_the_same_stage_and_another_another(stages: list[Stage]) -> None:
    again = Stage(chance(2), WIDTH, HEIGHT)
    assert np.array_equal(again.view(3.2), stages[2].view(3.2))
    assert again.camera(3.2) == stages[2].camera(3.2)
    dark = np.full((2, 2, 3), 100, np.uint8)
    assert np.array_equal(again.light(dark, 3.2), stages[2].light(dark, 3.2))
    for one, other in itertools.combinations(stages, 2):
        difference = np.abs(one.view(0).astype(float) - other.view(0))
        assert difference.mean() > 10


@given(seed=st.integers(0, 5), time=st.floats(0, 3600))
@settings(deadline=None)
def test_camera_stays_in_its_margin_and_drifts_smoothly(
    stages: list[Stage], seed: int, time: float
) -> None:
    x, y = stages[seed].camera(time)
    assert abs(x) <= MARGIN[0]
    assert abs(y) <= MARGIN[1]
    later = stages[seed].camera(time + FRAME_SECONDS)
    assert np.hypot(later[0] - x, later[1] - y) < 1.5


def test_camera_moves(stages: list[Stage]) -> None:
    for stage in stages:
        places = np.array([stage.camera(time) for time in np.arange(0, 10, 0.2)])
        assert (np.ptp(places, axis=0) > (10, 5)).all()


def test_what_stands_on_the_stage_is_seen_less_the_camera(stages: list[Stage]) -> None:
    for stage in stages:
        before, after = stage.view(0), stage.view(4.3)
        assert before.shape == after.shape == (HEIGHT, WIDTH, 3)
        assert before.dtype == after.dtype == np.uint8
        x, y = np.subtract(stage.camera(4.3), stage.camera(0))
        moved = cv2.warpAffine(before, np.float64([[1, 0, -x], [0, 1, -y]]), (WIDTH, HEIGHT))
        inner = np.s_[30:-30, 50:-50]
        error, still = (
            np.abs(after[inner].astype(float) - picture[inner]).mean()
            for picture in (moved, before)
        )
        assert error < 0.5 * still


def test_light_changes_slowly_and_leaves_the_frame_as_it_is(stages: list[Stage]) -> None:
    grey = np.full((4, 4, 3), 150, np.uint8)
    for stage in stages:
        means = np.array([stage.light(grey, i * FRAME_SECONDS).mean((0, 1)) for i in range(250)])
        assert np.abs(np.diff(means, axis=0)).max() <= 2
        assert (np.ptp(means, axis=0) > 3).all()
    assert (grey == 150).all()


def test_things_are_more_vivid_than_any_stage(stages: list[Stage]) -> None:
    """Else a network that learns from tags alone would take very many clips to see them."""
    things = []
    for category in CATEGORIES:
        rgba = paint(category.look, category.hue, 40, chance(1)).rgba
        things.append(colourfulness(rgba[rgba[..., 3] > 0.99, :3]))
    assert np.mean(things) > 2 * max(colourfulness(stage.view(0)) for stage in stages)
