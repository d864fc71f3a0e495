"""Maps: scaling, time, size, peaks and concentration."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from torch.nn import functional as F

from lookhear import maps
from lookhear.maps import Maps, Peak


def blob(x: float, y: float, sigma: float = 0.06, size: tuple[int, int] = (72, 128)) -> Maps:
    height, width = size
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
    squared = (columns / width - x) ** 2 + (rows / width - y * height / width) ** 2
    return np.exp(-squared / (2 * sigma**2)).astype(np.float32)


def some_maps(least: float = 0, most: float = 100) -> st.SearchStrategy[Maps]:
    values = st.floats(least, most, width=32, allow_subnormal=False)
    return arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=7), elements=values)


@given(some_maps(-100))
def test_normalised_maps_run_from_0_to_1_each(given_maps: Maps) -> None:
    normalised = maps.normalise(given_maps)
    assert normalised.dtype == np.float32
    assert normalised.shape == given_maps.shape
    flat = given_maps.max(axis=(-2, -1)) == given_maps.min(axis=(-2, -1))
    np.testing.assert_array_equal(normalised.min(axis=(-2, -1)), 0)
    np.testing.assert_array_equal(normalised.max(axis=(-2, -1)), np.where(flat, 0, 1))


def test_attention_between_two_maps_is_linear_and_held_beyond_them() -> None:
    before, after = np.zeros((4, 6), np.float32), np.full((4, 6), 0.8, np.float32)
    for weight, value in ((0, 0), (0.25, 0.2), (1, 0.8), (-3, 0), (7, 0.8)):
        np.testing.assert_allclose(maps.between(before, after, weight), value, atol=1e-7)


@given(some_maps(), st.integers(1, 20), st.integers(1, 20))
def test_resizing_stays_in_range(given_maps: Maps, height: int, width: int) -> None:
    resized = maps.resize(given_maps, (height, width))
    assert resized.shape == (*given_maps.shape[:-2], height, width)
    assert resized.dtype == np.float32
    low, high = given_maps.min(axis=(-2, -1)), given_maps.max(axis=(-2, -1))
    assert np.all(resized.min(axis=(-2, -1)) >= low - 1e-4)
    assert np.all(resized.max(axis=(-2, -1)) <= high + 1e-4)


def test_shrinking_averages_even_where_the_other_axis_grows() -> None:
    stripes = np.tile(np.array([[0], [1]], np.float32), (8, 4))
    np.testing.assert_allclose(maps.resize(stripes, (4, 9)), 0.5, atol=1e-6)


def test_a_map_of_the_wanted_size_is_kept() -> None:
    attention = blob(0.3, 0.6)[np.newaxis]
    np.testing.assert_array_equal(maps.resize(attention, attention.shape[1:]), attention)


def logits_of(*shape: int) -> torch.Tensor:
    return 1.5 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_attention_is_enlarged_as_the_sigmoid_of_bilinear_logits() -> None:
    logits = logits_of(2, 12, 9)
    for size in ((96, 72), (97, 75), (12, 30), (12, 9)):
        large = F.interpolate(logits[:, None], size, mode="bilinear", align_corners=False)[:, 0]
        enlarged = maps.enlarge(torch.sigmoid(logits).numpy(), size)
        np.testing.assert_allclose(enlarged, torch.sigmoid(large), atol=1e-5)
        assert enlarged.dtype == np.float32
    linear = maps.resize(torch.sigmoid(logits).numpy(), (96, 72))
    assert np.abs(maps.enlarge(torch.sigmoid(logits).numpy(), (96, 72)) - linear).max() > 0.1


def test_attention_that_shrinks_is_averaged() -> None:
    attention = torch.sigmoid(logits_of(3, 12, 8)).numpy()
    averaged = attention.reshape(3, 4, 3, 2, 4).mean((2, 4))
    np.testing.assert_allclose(maps.enlarge(attention, (4, 2)), averaged, atol=1e-5)


@given(arrays(np.float16, (3, 4), elements=st.floats(0, 1, width=16)))
def test_attention_of_none_and_of_all_is_enlarged_safely(attention: NDArray[np.float16]) -> None:
    enlarged = maps.enlarge(attention, (9, 17))
    assert 0 <= enlarged.min() <= enlarged.max() <= 1
    np.testing.assert_allclose(maps.enlarge(attention, (3, 4)), attention, atol=1e-6)


@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_a_peak_is_found_to_a_fraction_of_a_cell(x: float, y: float) -> None:
    found = maps.peaks(blob(x, y))
    assert len(found) == 1
    assert found[0].x == pytest.approx(x, abs=0.1 / 128)
    assert found[0].y == pytest.approx(y, abs=0.1 / 72)
    assert found[0].strength == pytest.approx(1, abs=0.01)


def test_peaks_come_strongest_first_and_no_more_than_asked_for() -> None:
    attention = 0.5 * blob(0.2, 0.3) + blob(0.8, 0.3) + 0.8 * blob(0.5, 0.8)
    found = maps.peaks(attention)
    assert [(round(peak.x, 1), round(peak.y, 1)) for peak in found] == [
        (0.8, 0.3),
        (0.5, 0.8),
        (0.2, 0.3),
    ]
    assert maps.peaks(attention, count=2) == found[:2]
    assert maps.peaks(attention, count=0) == []


def test_a_peak_rules_out_its_neighbours_within_the_radius() -> None:
    attention = np.zeros((50, 100), np.float32)
    attention[20, [30, 38, 45]] = 1, 0.9, 0.8
    columns = [round(peak.x * 100 - 0.5) for peak in maps.peaks(attention, radius=0.1)]
    assert columns == [30, 45]
    columns = [round(peak.x * 100 - 0.5) for peak in maps.peaks(attention, radius=0.05)]
    assert columns == [30, 38, 45]


def test_of_equal_peaks_the_upper_left_comes_first() -> None:
    attention = np.zeros((50, 100), np.float32)
    attention[[5, 5, 40], [80, 10, 50]] = 1
    places = [peak.in_pixels(100, 50) for peak in maps.peaks(attention)]
    assert np.allclose(places, [(10, 5), (80, 5), (50, 40)])


@pytest.mark.parametrize("value", [0, 0.7])
def test_a_flat_map_has_no_peak(value: float) -> None:
    assert maps.peaks(np.full((9, 16), value, np.float32)) == []


def test_a_peak_at_the_border_is_found_and_lies_in_the_picture() -> None:
    attention = np.zeros((9, 16), np.float32)
    attention[0, 15] = 1
    assert maps.peaks(attention) == [Peak(15.5 / 16, 0.5 / 9, 1.0)]


@given(arrays(np.float32, (6, 9), elements=st.floats(0, 1, width=32)))
def test_the_strongest_peak_is_the_maximum(attention: Maps) -> None:
    found = maps.peaks(attention)
    assert bool(found) == (attention.max() > attention.min())
    assert [peak.strength for peak in found[:1]] == [attention.max()] * len(found[:1])
    assert all(0 <= peak.x <= 1 and 0 <= peak.y <= 1 for peak in found)
    strengths = [peak.strength for peak in found]
    assert strengths == sorted(strengths, reverse=True)


def test_half_area_of_maps_known_by_hand() -> None:
    even, dark, one_cell = np.ones((4, 5)), np.zeros((4, 5)), np.zeros((4, 5))
    one_cell[1, 2] = 3
    a_quarter_holds_all = np.zeros((4, 5))
    a_quarter_holds_all[:1] = 0.2
    given_maps = np.stack([even, dark, one_cell, a_quarter_holds_all]).astype(np.float32)
    np.testing.assert_allclose(maps.half_area(given_maps), [0.5, 0.5, 0.025, 0.125], atol=1e-6)


@given(some_maps())
def test_half_area_is_a_share_of_at_most_one_half(given_maps: Maps) -> None:
    shares = maps.half_area(given_maps)
    assert shares.shape == given_maps.shape[:-2]
    assert np.all((shares > 0) & (shares <= 0.5 + 1e-6))


def test_half_area_grows_as_attention_spreads_and_ignores_its_scale() -> None:
    narrow, wide = maps.half_area(blob(0.5, 0.5, 0.03)), maps.half_area(blob(0.5, 0.5, 0.1))
    assert narrow < wide
    assert maps.half_area(7 * blob(0.5, 0.5, 0.03)) == pytest.approx(narrow, rel=1e-4)
