"""The baselines find what stands out, moves or lies in the middle, and keep their promises."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from lookhear.baselines import (
    BASELINES,
    CENTRE_SIGMA,
    Centre,
    centre_prior,
    fitted_centre,
    spectral_residual,
)
from lookhear.baselines.channels import ANGLES, dkl_colours, motion, opponent_colours, orientations
from lookhear.baselines.gbvs import activity
from lookhear.baselines.itti import weighted_by_peaks
from lookhear.baselines.pictures import Pictures
from lookhear.baselines.pyramids import blurred, faded, halved
from lookhear.errors import LookhearError
from lookhear.maps import Maps
from lookhear.metrics import cc

LOOKING = {name: BASELINES[name] for name in ("spectral-residual", "itti-koch", "gbvs")}
MOVING = {name: BASELINES[name] for name in ("itti-koch", "gbvs")}
GREY, RED, GREEN = (0.4, 0.4, 0.4), (0.8, 0.2, 0.2), (0.2, 0.8, 0.2)
SIZE = (192, 256)
# The middles of a grid's cells.
PLACES = [(y, x) for y in (32, 96, 160) for x in (32, 96, 160, 224)]


def discs(places: list[tuple[int, int]], colours: list[tuple[float, ...]]) -> Pictures:
    """A picture `(1, *SIZE, 3)` of discs on grey, which they fade into on their left."""
    picture = np.broadcast_to(np.array(GREY, np.float32), (*SIZE, 3)).copy()
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for (row, column), colour in zip(places, colours, strict=True):
        inside = (y - row) ** 2 + (x - column) ** 2 < 144
        opaque = ((x - column + 12) / 24)[inside][:, None]
        picture[inside] += opaque * (np.array(colour) - picture[inside])
    return picture[None]


def bars(odd: int) -> Pictures:
    """A picture of upright bars, but for one that lies."""
    picture = np.full((1, *SIZE, 3), 0.3, np.float32)
    for index, (y, x) in enumerate(PLACES):
        tall, wide = (4, 16) if index == odd else (16, 4)
        picture[:, y - tall : y + tall, x - wide : x + wide] = 0.8
    return picture


def noise(batch: int = 1, size: tuple[int, int] = (128, 160), seed: int = 0) -> Pictures:
    """Pictures of coarse and fine noise."""
    random = np.random.default_rng(seed)
    coarse = random.random((batch, 8, 10, 3), np.float32)
    enlarged = np.stack([cv2.resize(of, size[::-1]) for of in coarse])
    return 0.7 * enlarged + np.float32(0.3) * random.random((batch, *size, 3), np.float32)


def lead(attention: Maps, place: int) -> float:
    """How many times as high one map `(1, h, w)` is around a place as around any other."""
    bands = np.array_split(attention[0], 3, axis=0)
    heights = np.array([part.max() for band in bands for part in np.array_split(band, 4, axis=1)])
    return float(heights[place] / np.delete(heights, place).max())


@pytest.mark.parametrize("baseline", LOOKING.values(), ids=LOOKING)
@pytest.mark.parametrize("odd", [0, 3, 6])
def test_the_only_thing_is_found(baseline, odd):
    assert lead(baseline(discs([PLACES[odd]], [RED]), None), odd) > 2


@pytest.mark.parametrize("baseline", MOVING.values(), ids=MOVING)
@pytest.mark.parametrize("odd", [5, 6])
def test_the_one_of_another_colour_is_found(baseline, odd):
    colours = [GREEN if index == odd else RED for index in range(len(PLACES))]
    assert lead(baseline(discs(PLACES, colours), None), odd) > 1.1


@pytest.mark.parametrize("baseline", MOVING.values(), ids=MOVING)
@pytest.mark.parametrize("odd", [5, 6])
def test_the_one_that_lies_is_found_among_upright_ones(baseline, odd):
    assert lead(baseline(bars(odd), None), odd) > 1.3


@pytest.mark.parametrize("baseline", MOVING.values(), ids=MOVING)
@pytest.mark.parametrize("mover", [5, 6])
def test_what_moves_is_found_only_with_the_frame_before(baseline, mover):
    colours = [GREEN] * len(PLACES)
    before = [(y, x - 6 * (i == mover)) for i, (y, x) in enumerate(PLACES)]
    now, then = discs(PLACES, colours), discs(before, colours)
    assert lead(baseline(now, None), mover) < 1.1
    assert lead(baseline(now, then), mover) > 4


@pytest.mark.parametrize("baseline", MOVING.values(), ids=MOVING)
def test_a_frame_before_that_is_the_same_adds_nothing_that_stands_out(baseline):
    picture = noise()
    assert cc(baseline(picture, picture), baseline(picture, None)).item() > 0.98


def test_the_spectral_residual_knows_nothing_of_motion():
    picture, other = noise(), noise(seed=1)
    np.testing.assert_array_equal(spectral_residual(picture, other), spectral_residual(picture))


@pytest.mark.parametrize("baseline", LOOKING.values(), ids=LOOKING)
@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (0.3, 0.5, 0.7), (102 / 255,) * 3])
@pytest.mark.parametrize("size", [(150, 211), (40, 53)])
def test_a_flat_picture_gives_a_flat_map(baseline, colour, size):
    flat = np.broadcast_to(np.array(colour, np.float32), (1, *size, 3))
    pictures = np.concatenate([flat, noise(1, size)])
    both = baseline(pictures, pictures)
    assert not both[0].any()
    assert both[1].any()


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
def test_a_batch_gives_what_its_pictures_give_one_by_one(baseline):
    pictures, before = noise(3, seed=1), noise(3, seed=2)
    for previous in (None, before):
        together = baseline(pictures, previous)
        for index in range(3):
            one = slice(index, index + 1)
            alone = baseline(pictures[one], None if previous is None else previous[one])
            np.testing.assert_allclose(together[one], alone, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("gbvs", (300, 400), (24, 32)),
        ("gbvs", (400, 300), (32, 24)),
        ("gbvs", (160, 284), (18, 32)),
        ("gbvs", (16, 16), (32, 32)),
        ("itti-koch", (300, 400), (38, 50)),
        ("itti-koch", (400, 300), (50, 38)),
        ("itti-koch", (16, 24), (16, 24)),
        ("spectral-residual", (300, 400), (48, 64)),
        ("spectral-residual", (400, 300), (64, 48)),
        ("spectral-residual", (16, 24), (43, 64)),
        ("centre", (30, 40), (30, 40)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_are_float32_from_0_to_1_of_the_promised_size(name, size, expected, dtype):
    pictures = noise(2, size).astype(dtype)
    given = pictures.copy()
    maps = BASELINES[name](pictures, None)
    assert maps.dtype == np.float32
    assert maps.shape == (2, *expected)
    assert maps.min() >= 0
    assert 0.99 < maps.max() <= 1
    assert np.array_equal(pictures, given)


@pytest.mark.parametrize("name", ["centre", "itti-koch", "gbvs"])
def test_a_mirrored_picture_gives_the_mirrored_map(name):
    picture = noise(seed=3)
    for axis in (1, 2):
        mirrored = BASELINES[name](np.flip(picture, axis), None)
        expected = np.flip(BASELINES[name](picture, None), axis)
        np.testing.assert_allclose(mirrored, expected, atol=1e-3)


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
def test_pictures_of_8_bits_are_taken_as_they_are(baseline):
    pictures = (noise(2, seed=4) * 255).astype(np.uint8)
    shares = pictures.astype(np.float32) / 255
    np.testing.assert_array_equal(baseline(pictures, pictures), baseline(shares, shares))


def test_no_baseline_needs_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy, lookhear.baselines\n"
        "picture = numpy.random.default_rng(0).random((1, 32, 32, 3))\n"
        "for baseline in lookhear.baselines.BASELINES.values():\n"
        "    assert baseline(picture, picture).any()"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
@pytest.mark.parametrize(
    ("pictures", "previous"),
    [
        (np.zeros((64, 64, 3)), None),
        (np.zeros((1, 64, 64, 1)), None),
        (np.zeros((1, 3, 64, 64)), None),
        (np.zeros((1, 64, 15, 3)), None),
        (np.zeros((1, 64, 64, 3), np.int64), None),
        (np.full((1, 64, 64, 3), 255.0), None),
        (np.full((1, 64, 64, 3), np.nan), None),
        (np.zeros((1, 64, 64, 3)), np.zeros((1, 64, 65, 3))),
        (np.zeros((2, 64, 64, 3)), np.zeros((1, 64, 64, 3))),
        (np.zeros((1, 64, 64, 3)), np.full((1, 64, 64, 3), np.nan)),
    ],
)
def test_what_is_no_picture_is_refused(baseline, pictures, previous):
    with pytest.raises(ValueError, match="must"):
        baseline(pictures, previous)


def test_the_walk_settles_where_its_steps_leave_it():
    height, width = 4, 5
    values = np.random.default_rng(0).random((2, 3, height, width), np.float32)
    sigma = 0.15 * (height + width) / 2
    for of_one, often in zip(
        values.reshape(6, height, width), activity(values).reshape(6, height, width), strict=True
    ):
        steps = np.empty((height * width, height * width))
        for here, (y, x) in enumerate(np.ndindex(height, width)):
            for there, (v, u) in enumerate(np.ndindex(height, width)):
                nearness = np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * sigma**2))
                steps[there, here] = nearness * abs(of_one[y, x] - of_one[v, u])
        steps /= steps.sum(0)
        np.testing.assert_allclose(steps @ often.ravel(), often.ravel(), atol=1e-6)
        assert often.sum() == pytest.approx(1, abs=1e-5)


def test_the_walk_over_a_flat_map_is_everywhere_alike():
    flat = activity(np.full((1, 2, 6, 8), 0.4, np.float32))
    np.testing.assert_array_equal(flat, np.full((1, 2, 6, 8), 1 / 48, np.float32))


@pytest.mark.parametrize("size", [12, 13])
def test_halving_counts_only_taps_inside_the_picture(size):
    line = np.random.default_rng(0).random(size, np.float32)
    weights = (1, 5, 10, 10, 5, 1)
    expected = []
    for start in range(-2, 2 * (size // 2) - 2, 2):
        inside = [(start + i, weights[i]) for i in range(6) if 0 <= start + i < size]
        total = sum(weight * float(line[place]) for place, weight in inside)
        expected.append(total / sum(weight for _, weight in inside))
    rows = halved(np.broadcast_to(line, (1, 1, 14, size)))
    columns = halved(np.broadcast_to(line[:, None], (1, 1, size, 14)))
    assert rows.shape == (1, 1, 7, size // 2)
    np.testing.assert_allclose(rows[0, 0, 3], expected, rtol=1e-6)
    np.testing.assert_allclose(columns[0, 0, :, 3], expected, rtol=1e-6)
    assert halved(np.zeros((1, 1, 10, 40), np.float32)).shape == (1, 1, 10, 40)


def test_borders_fade_linearly_and_overlap_at_most_half():
    line = [0.2, 0.4, 0.6, 0.8, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert faded(np.ones((10, 40)), 4)[:, 20] == pytest.approx(line)
    assert faded(np.ones((4, 40)), 13)[:, 20] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1 / 3])


def test_blurring_keeps_what_is_flat_and_spreads_a_dot_evenly():
    np.testing.assert_allclose(blurred(np.full((1, 9, 12), 0.3, np.float32), 1.5), 0.3, rtol=1e-6)
    dot = np.zeros((1, 9, 9), np.float32)
    dot[0, 4, 4] = 1
    spread = blurred(dot, 1.0)
    assert spread.sum().item() == pytest.approx(1)
    assert (spread[0, 4, 5] / spread[0, 4, 4]).item() == pytest.approx(np.exp(-0.5))
    assert np.flatnonzero(spread[0, 4]).tolist() == [2, 3, 4, 5, 6]
    np.testing.assert_allclose(spread, spread.swapaxes(1, 2), rtol=1e-6)


def test_one_high_peak_counts_for_more_than_many():
    one, many, lone = np.zeros((3, 1, 12, 12))
    one[0, 3, 3], one[0, 8, 8] = 1, 0.2
    many[0, 2:10:2, 2:10:2] = 0.9
    many[0, 3, 3] = 1
    lone[0, 5, 5] = 1
    heights = [weighted_by_peaks(maps).max() for maps in (one, lone)]
    assert heights == pytest.approx([10 * (10 - 6) ** 2, 10 * 100])
    assert weighted_by_peaks(many).max() < heights[0]
    assert not weighted_by_peaks(np.full((1, 12, 12), 0.5)).any()


@pytest.mark.parametrize("index", range(4))
def test_each_orientation_answers_to_its_own_stripes(index):
    y, x = np.mgrid[:60, :60]
    angle = np.deg2rad(ANGLES[index])
    stripes = 0.5 + 0.5 * np.cos(2 * (y * np.cos(angle) - x * np.sin(angle)))
    level = np.broadcast_to(stripes.astype(np.float32), (1, 4, 60, 60))
    answers = orientations(level)[0, :, 20:40, 20:40].mean((1, 2))
    assert answers.argmax() == index
    assert answers[index] > 3 * answers.sum() - 3 * answers[index]


def test_what_is_flat_has_no_orientation_beyond_rounding():
    assert orientations(np.full((1, 4, 20, 30), 0.9, np.float32)).max() < 1e-7


@pytest.mark.parametrize(("index", "step"), list(enumerate([(0, 1), (-1, 1), (-1, 0), (-1, -1)])))
def test_each_direction_of_motion_answers_to_its_own_motion(index, step):
    then, now = np.zeros((2, 1, 4, 20, 20), np.float32)
    then[..., 10, 10] = 1
    now[..., 10 + step[0], 10 + step[1]] = 1
    for earlier, later in ((then, now), (now, then)):
        answers = motion(later, earlier)[0].sum((1, 2))
        assert answers.argmax() == index
    assert not motion(now, now).any()


def test_colours_are_told_apart_along_the_axes_of_dkl():
    swatches = np.array([GREY, (0.8, 0.4, 0.4), (0.4, 0.8, 0.4), (0.4, 0.4, 0.8), (0.8,) * 3])
    luminance, red_green, blue_yellow = dkl_colours(swatches.T.reshape(1, 3, 1, 5))[0, :, 0]
    assert luminance.argmax() == 4
    assert red_green.argmax() == 1
    assert red_green.argmin() == 2
    assert blue_yellow.argmax() == 3
    assert abs(red_green[4] - red_green[0]) < 0.1 * (red_green[1] - red_green[2])


def test_opponent_colours_are_relative_to_the_light():
    colours = np.array([[0.8, 0.4, 0.2, 0.8], [0.08, 0.04, 0.02, 0.08], [0.0, 0.0, 0.0, 0.0]])
    blue_yellow, red_green = opponent_colours(colours.T.reshape(1, 4, 1, 3))[0, :, 0]
    assert blue_yellow == pytest.approx([0.25, 0.25, 0])
    assert red_green == pytest.approx([0.5, 0.5, 0])


def test_the_centre_is_the_centre_prior_whatever_the_picture():
    maps = BASELINES["centre"](noise(2, (30, 40)), None)
    for of_one in maps:
        np.testing.assert_array_equal(of_one, centre_prior(30, 40))


def test_the_centre_prior_falls_by_its_sigma_along_each_side():
    prior = centre_prior(201, 401)
    assert prior.shape == (201, 401)
    assert prior.dtype == np.float32
    assert prior[100, 200] == 1
    below, beside = prior[100 + 50, 200], prior[100, 200 + 100]
    for value, side in ((below, 50 / 201), (beside, 100 / 401)):
        assert value == pytest.approx(np.exp(-0.5 * (side / CENTRE_SIGMA) ** 2), rel=1e-4)


def test_a_fitted_centre_is_where_and_as_wide_as_people_looked():
    places = np.random.default_rng(0).normal((0.4, 0.6), (0.08, 0.05), (20_000, 2))
    centre = fitted_centre(places)
    assert (centre.x, centre.y) == pytest.approx((0.4, 0.6), abs=0.005)
    assert (centre.sigma_x, centre.sigma_y) == pytest.approx((0.08, 0.05), rel=0.03)
    prior = centre.prior(50, 100)
    assert divmod(int(prior.argmax()), 100) in [(29, 39), (29, 40), (30, 39), (30, 40)]
    assert Centre().prior(50, 100).tolist() == centre_prior(50, 100).tolist()


@pytest.mark.parametrize("places", [np.zeros((0, 2)), [[0.5, 0.5]], [[0.2, 0.5], [0.4, 0.5]]])
def test_a_centre_cannot_be_fitted_to_what_does_not_spread(places):
    with pytest.raises(LookhearError, match="more fixations"):
        fitted_centre(np.array(places))


@pytest.mark.parametrize("places", [np.zeros(4), np.zeros((4, 3)), [[1.2, 0.5], [0.4, 0.2]]])
def test_places_must_be_shares_of_the_sides(places):
    with pytest.raises(ValueError, match="from 0 to 1"):
        fitted_centre(np.array(places))


def test_places_with_nan_are_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        fitted_centre(np.array([[np.nan, 0.5], [0.4, 0.2]]))
