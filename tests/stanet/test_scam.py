"""SCAM: from class maps to pseudo-fixations, by the published code's figures and in general."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lookhear.maps import Maps, normalise
from lookhear.stanet import ScamRules, scam
from lookhear.stanet.scam import Boxes

GOLDEN = Path(__file__).parents[1] / "golden"

cells = st.floats(0, 1, width=32, allow_subnormal=False)
frames = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=12)  # N, h, w


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.generic]]:
    """The maps of two moments of the published figures, and the boxes of all four."""
    with np.load(GOLDEN / "scam_fusion.npz") as arrays_:
        return {key: arrays_[key] for key in arrays_.files}


@pytest.fixture(scope="module")
def edges() -> dict[str, NDArray[Any]]:
    """What both published versions make of maps at their edges."""
    with np.load(GOLDEN / "scam_edges.npz") as arrays_:
        return {key: arrays_[key] for key in arrays_.files}


def fused_by_the_report(edges: dict[str, NDArray[Any]]) -> Maps:
    return scam.fuse(edges["report/maps"].astype(np.float32), edges["report/confidences"])


def from_published(boxes: NDArray[np.generic]) -> Boxes:
    """From first and last row, first and last column."""
    top, last_row, left, last_column = boxes.astype(np.int64).T
    return np.stack([left, top, last_column + 1, last_row + 1], axis=-1)


def blobs(count: int, size: tuple[int, int], sigma: float, seed: int = 0) -> Maps:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    y, x = rng.uniform(0, 1, (2, count, 1, 1)).astype(np.float32)
    squared = (rows - y * size[0]) ** 2 + (columns - x * size[1]) ** 2
    return np.exp(-squared / (2 * sigma**2)).astype(np.float32)


def test_fused_maps_equal_the_published_ones(golden: dict[str, NDArray[np.generic]]) -> None:
    sources = golden["input/maps_s_sa_st"].astype(np.float32)
    fused = scam.fuse(sources, golden["input/confidences_s_sa_st"].astype(np.float64))
    expected = golden["output/fused"].astype(np.float32)
    np.testing.assert_allclose(fused, expected, atol=2**-12)  # half of float16's step below 1


@pytest.mark.parametrize("rules", get_args(ScamRules))
def test_crop_boxes_equal_the_published_ones(
    golden: dict[str, NDArray[np.generic]], rules: ScamRules
) -> None:
    sources = golden["input/maps_s_sa_st"].astype(np.float32)
    fused = scam.fuse(sources, golden["input/confidences_s_sa_st"].astype(np.float64))
    boxes, alphas = scam.crop_boxes(fused, rules)
    expected = from_published(golden["output/boxes_rowmin_rowmax_colmin_colmax"])[:2]
    np.testing.assert_array_equal(boxes, expected)
    np.testing.assert_array_equal(alphas, golden["output/alpha"])


def test_smoothed_boxes_equal_the_published_ones(golden: dict[str, NDArray[np.generic]]) -> None:
    boxes = from_published(golden["output/boxes_rowmin_rowmax_colmin_colmax"])
    expected = from_published(golden["output/boxes_smoothed_3"])
    np.testing.assert_array_equal(scam.smooth_boxes(boxes), expected)


def test_the_reports_boxes_and_alphas_equal_its_own_at_the_edges(
    edges: dict[str, NDArray[Any]],
) -> None:
    """Among them an empty map, a box of 100 pixels, and one small thing on nothing."""
    boxes, alphas = scam.crop_boxes(fused_by_the_report(edges), "report")
    np.testing.assert_array_equal(boxes, edges["report/boxes"])
    np.testing.assert_array_equal(alphas, edges["report/alphas"])
    np.testing.assert_array_equal(scam.smooth_boxes(boxes), edges["report/smoothed"])


def test_the_three_differ_just_where_boxes_are_small(edges: dict[str, NDArray[Any]]) -> None:
    fused = fused_by_the_report(edges)
    clean, _ = scam.crop_boxes(fused)
    released, alphas = scam.crop_boxes(fused, "released")
    others = [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(clean[others], edges["report/boxes"][others])
    np.testing.assert_array_equal(released[others], edges["report/boxes"][others])
    # The third spans 100 pixels and the last is 55 square: enough for the clean rules, and a thing
    # that they widen; as it is for the released ones.
    assert clean[[3, 6]].tolist() == [[60, 50, 160, 150], [178, 78, 278, 178]]
    assert released[[3, 6]].tolist() == [[60, 50, 160, 150], [200, 100, 255, 155]]
    np.testing.assert_array_equal(alphas, 2)


@pytest.mark.parametrize("clip", ["changing", "drifting"])
def test_released_fixations_equal_the_published_ones(
    edges: dict[str, NDArray[Any]], clip: str
) -> None:
    fused, expected, written = (
        edges[f"released/smooth/{clip}/{part}"] for part in ("input", "output", "frames")
    )
    fixated = scam.pseudo_fixations(fused.astype(np.float32), "released")
    of_written = fixated[written - 1]
    np.testing.assert_array_equal(of_written > 0, expected > 0)
    half_a_step = 2**-12 + 1e-7  # of float16 below 1
    np.testing.assert_allclose(of_written, expected.astype(np.float32), atol=half_a_step, rtol=0)
    assert not np.delete(fixated, written - 1, axis=0).any()


@pytest.mark.parametrize(("moments", "written"), [(7, []), (8, [3]), (10, [3, 4, 5])])
def test_released_fixations_are_of_moments_4_to_n_less_4(moments: int, written: list[int]) -> None:
    fixated = scam.pseudo_fixations(blobs(moments, (40, 40), 3), "released")
    assert np.flatnonzero(fixated.any(axis=(1, 2))).tolist() == written


@pytest.mark.parametrize("rules", get_args(ScamRules))
def test_a_map_that_says_nothing_is_kept_whole(rules: ScamRules) -> None:
    for level in (0, 0.3):
        even = np.full((36, 72), level, np.float32)
        assert scam.crop_boxes(even, rules)[0].tolist() == [0, 0, 72, 36]
        assert not scam.pseudo_fixations(np.tile(even, (9, 1, 1)), rules).any()


def test_the_reports_least_box_is_a_cell_larger_on_any_grid() -> None:
    """Last less first of 356 cells must be 100; of 178, 50."""
    fused = np.zeros((2, 178, 178), np.float32)
    fused[0, 10:60, 10:61] = fused[1, 10:61, 10:61] = 1
    boxes, _ = scam.crop_boxes(fused, "report")
    assert boxes.tolist() == [[0, 0, 178, 178], [10, 10, 61, 61]]


def test_a_class_map_is_the_mean_of_the_tags_two_maps_without_negatives() -> None:
    plain, fused = np.zeros((2, 2, 3, 1, 2), np.float32)
    plain[0, 2], fused[0, 2] = [[1, -4]], [[2, 1]]
    plain[1, 0], fused[1, 0] = [[-1, 0]], [[3, -1]]
    of_tags = scam.class_map(plain, fused, np.array([2, 0]))
    np.testing.assert_array_equal(of_tags, [[[1.5, 0]], [[1, 0]]])
    assert of_tags.dtype == np.float32


def test_a_source_counts_only_where_its_top_class_is_the_tag() -> None:
    probabilities = np.array(
        [
            [[0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.9, 0.95, 0.1]],
            [[0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.1]],
        ]
    )
    counted = scam.confidences(probabilities, np.array([1, 0]))
    np.testing.assert_allclose(counted, [[0.7, 0, 0.95], [0, 0.5, 0.1]])


@given(st.data(), frames, st.integers(1, 4))
def test_fusing_stays_in_range_and_knows_no_order(
    data: st.DataObject, shape: tuple[int, ...], count: int
) -> None:
    moments, height, width = shape
    sources = data.draw(arrays(np.float32, (moments, count, height, width), elements=cells))
    # As probabilities are; a ratio beyond float32's precision would be lost in the sum.
    confidence = st.sampled_from([0.0, 0.01, 0.3, 0.5, 1.0])
    weights = data.draw(arrays(np.float64, (moments, count), elements=confidence))
    fused = scam.fuse(sources, weights)
    assert fused.shape == shape
    assert fused.dtype == np.float32
    assert np.all((fused >= 0) & (fused <= 1))
    assert np.all(fused[~weights.any(axis=1)] == 0)
    averages = np.einsum("ns,nshw->nhw", weights, normalise(sources))
    assume(np.all((np.ptp(averages, axis=(1, 2)) > 1e-4) | (np.ptp(averages, axis=(1, 2)) == 0)))
    order = data.draw(st.permutations(range(count)))
    np.testing.assert_allclose(scam.fuse(sources[:, order], weights[:, order]), fused, atol=1e-3)


def test_a_source_that_does_not_count_leaves_no_trace() -> None:
    sources = blobs(6, (20, 30), 3).reshape(2, 3, 20, 30)
    one = scam.fuse(sources, np.array([[0, 0.2, 0], [0.7, 0, 0]]))
    np.testing.assert_allclose(one, normalise(sources[[0, 1], [1, 0]]), atol=1e-6)


def box_by_lowering_alpha(fused: Maps) -> tuple[list[int], float]:
    """The rule as the paper words it, one alpha after the other; no box is widened."""
    least = [-(-side * 100 // 356) for side in fused.shape]
    for step in range(41):
        alpha = (40 - step) / 20
        rows, columns = np.nonzero(fused > alpha * fused.mean(dtype=np.float64))
        if len(rows) and np.ptp(rows) + 1 >= least[0] and np.ptp(columns) + 1 >= least[1]:
            break
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], alpha


@pytest.mark.parametrize("sigma", [2.5, 4, 30])
def test_alpha_falls_until_the_box_is_large_enough(sigma: float) -> None:
    fused = normalise(blobs(20, (40, 64), sigma, seed=3))
    boxes, alphas = scam.crop_boxes(fused)
    for index, box in enumerate(boxes):
        expected, alpha = box_by_lowering_alpha(fused[index])
        assert (box.tolist(), alphas[index]) == (expected, alpha)
    assert alphas.min() < 2  # else the case would show nothing


@given(st.data(), frames)
def test_a_crop_box_holds_the_maximum_and_is_large_enough(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    fused = data.draw(arrays(np.float32, shape, elements=cells))
    boxes, alphas = scam.crop_boxes(fused)
    height, width = shape[1:]
    for attention, (left, top, right, bottom) in zip(fused, boxes, strict=True):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left) * 356 >= width * 100
        assert (bottom - top) * 356 >= height * 100
        assert attention[top:bottom, left:right].max() == attention.max()
    assert np.all((alphas >= 0) & (alphas <= 2))


def test_a_box_around_a_single_cell_is_widened_within_the_frame() -> None:
    fused = np.zeros((3, 36, 72), np.float32)
    fused[0, 18, 36] = fused[1, 0, 71] = 1
    boxes, alphas = scam.crop_boxes(fused)
    assert boxes.tolist() == [[26, 13, 47, 24], [51, 0, 72, 11], [0, 0, 72, 36]]
    np.testing.assert_array_equal(alphas, 0)


def test_one_map_has_one_box() -> None:
    fused = blobs(1, (36, 72), 8)
    boxes, _ = scam.crop_boxes(fused)
    box, alpha = scam.crop_boxes(fused[0])
    np.testing.assert_array_equal(box, boxes[0])
    assert alpha.shape == ()


def test_boxes_of_a_still_clip_stay_and_those_of_one_moment_too() -> None:
    box = np.array([3, 4, 50, 60])
    for count in (1, 2, 7):
        np.testing.assert_array_equal(scam.smooth_boxes(np.tile(box, (count, 1))), [box] * count)


@given(st.data(), frames)
def test_what_is_cropped_and_pasted_back_is_as_it_was(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    fused = data.draw(arrays(np.float32, shape, elements=cells))
    left = data.draw(st.integers(0, shape[2] - 1))
    top = data.draw(st.integers(0, shape[1] - 1))
    right = data.draw(st.integers(left + 1, shape[2]))
    bottom = data.draw(st.integers(top + 1, shape[1]))
    boxes = np.tile(np.array([left, top, right, bottom]), (shape[0], 1))
    cropped = scam.crop(fused, boxes, (bottom - top, right - left))
    pasted = scam.paste(cropped, boxes, shape[1:])
    inside = np.s_[:, top:bottom, left:right]
    np.testing.assert_array_equal(pasted[inside], fused[inside])
    pasted[inside] = 0
    assert not pasted.any()


def test_a_thing_found_in_an_enlarged_crop_is_back_in_its_place() -> None:
    pictures = blobs(6, (60, 80), 4).reshape(2, 3, 60, 80)
    boxes = np.array([[30, 10, 60, 40], [0, 0, 80, 30]])
    enlarged = scam.crop(pictures, boxes, (120, 150))
    assert enlarged.shape == (2, 3, 120, 150)
    back = scam.paste(enlarged, boxes, (60, 80))
    for picture, pasted, (left, top, right, bottom) in zip(pictures, back, boxes, strict=True):
        inside = np.s_[:, top:bottom, left:right]
        np.testing.assert_allclose(pasted[inside], picture[inside], atol=0.03)


@given(arrays(np.float32, frames, elements=cells))
def test_pseudo_fixations_reach_three_times_the_mean_or_are_0(fused: Maps) -> None:
    fixated = scam.pseudo_fixations(fused)
    assert fixated.shape == fused.shape
    assert fixated.dtype == np.float32
    assert np.all((fixated >= 0) & (fixated <= 1))
    peaks = fixated.max(axis=(1, 2))
    assert np.all((peaks == 0) | (peaks == 1))
    # No more than a third of the cells can reach three times the mean.
    assert np.all(np.count_nonzero(fixated, axis=(1, 2)) <= fixated[0].size / 3)


def test_pseudo_fixations_are_smooth_over_five_moments() -> None:
    fused = np.zeros((9, 20, 20), np.float32)
    fused[4, 3, 3] = 7  # whose scale does not matter
    fused[6:, 15, 15] = 0.2
    fixated = scam.pseudo_fixations(fused)
    np.testing.assert_allclose(fixated[:, 3, 3], [0, 0, 1, 1, 1, 0.5, 1 / 3, 0, 0], atol=1e-6)
    # The last moment is held beyond the end, so that there the three of five are five of five.
    np.testing.assert_allclose(fixated[:, 15, 15], [0, 0, 0, 0, 1, 1, 1, 1, 1], atol=1e-6)


def test_where_the_smoothed_map_is_below_three_times_its_mean_nobody_looks() -> None:
    attention = np.full((1, 10, 10), 0.1, np.float32)
    attention[0, 0, 0], attention[0, 5, 5], attention[0, 2, 2] = 0, 1, 0.32
    assert attention.mean() * 3 > 0.32
    fixated = scam.pseudo_fixations(attention)
    assert np.argwhere(fixated[0]).tolist() == [[5, 5]]


def test_a_map_spread_all_over_says_nothing() -> None:
    even = np.linspace(0, 1, 100, dtype=np.float32).reshape(1, 10, 10)
    assert not scam.pseudo_fixations(even).any()
