"""The metrics give the MIT benchmark's answers, and the documented ones where it has none."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookhear.metrics import (
    METRIC_NAMES,
    all_metrics,
    auc_judd,
    auc_shuffled,
    cc,
    density,
    kl,
    nss,
    resize_to,
    sim,
)

FOLDER = Path(__file__).parents[0] / "golden"
INPUTS = np.load(FOLDER / "metrics.npz")
ANSWERS = json.loads((FOLDER / "metrics.json").read_text())
FIXATION_METRICS = {
    "AUC-J": auc_judd,
    "s-AUC": lambda maps, fixations: auc_shuffled(maps, fixations, fixations[:, ::-1]),
    "NSS": nss,
}
DENSITY_METRICS = {"CC": cc, "SIM": sim, "KL": kl}


def golden(case: str, array: str) -> NDArray:
    return INPUTS[f"{case}/{array}"][None]


def scene(
    seed: int = 0, batch: int = 2, size: tuple[int, int] = (12, 16)
) -> tuple[NDArray, NDArray]:
    """Random float32 maps and fixation maps, at least one fixation in each."""
    random = np.random.default_rng(seed)
    maps = random.random((batch, *size), np.float32)
    fixations = (random.random((batch, *size)) > 0.9).astype(np.uint8)
    fixations[:, size[0] // 2, size[1] // 3] = 1
    return maps, fixations


@pytest.mark.parametrize("case", ANSWERS)
def test_equals_the_mit_code(case):
    maps, fixations = golden(case, "saliency"), golden(case, "fixations")
    target = golden(case, "density")
    ours = {
        # The golden figures were computed without the jitter.
        "auc_judd": auc_judd(maps, fixations, jitter=False),
        "sim": sim(maps, target),
        "cc": cc(maps, target),
        "nss": nss(maps, fixations),
        "kl": kl(maps, target),
    }
    assert {name: value.item() for name, value in ours.items()} == pytest.approx(
        {name: ANSWERS[case][name] for name in ours}, abs=1e-5
    )


@pytest.mark.parametrize("step", [0.1, 0.01])
@pytest.mark.parametrize("case", ANSWERS)
def test_shuffled_auc_is_what_the_mit_code_averages_to(case, step):
    others = golden(case, "other_fixations")
    ours = auc_shuffled(golden(case, "saliency"), golden(case, "fixations"), others, step=step)
    assert ours.item() == pytest.approx(ANSWERS[case][f"s_auc_step{step}"], abs=0.01)


@pytest.mark.parametrize("case", [case for case in ANSWERS if case != "ties"])
def test_jitter_changes_nothing_where_fixated_values_are_distinct(case):
    maps, fixations = golden(case, "saliency"), golden(case, "fixations")
    plain = auc_judd(maps, fixations, jitter=False)
    assert auc_judd(maps, fixations).item() == pytest.approx(plain.item(), abs=1e-6)


def swept_auc(values: np.ndarray, fixated: np.ndarray) -> float:
    """AUC-J by its definition, one threshold after the other, for distinct values."""
    thresholds = np.sort(values[fixated])[::-1]
    hits = np.arange(1, len(thresholds) + 1)
    false_alarms = np.array([(values >= t).sum() for t in thresholds]) - hits
    rates = [0, *(false_alarms / (~fixated).sum()), 1]
    return float(np.trapezoid([0, *(hits / hits[-1]), 1], rates))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_jitter_gives_the_mean_over_random_ranks_of_ties(seed, distinct):
    random = np.random.default_rng(seed)
    values = random.integers(0, distinct, (5, 6)).astype(float)
    fixated = random.random((5, 6)) < 0.3
    fixated[0, 0], fixated[0, 1] = True, False
    ranked = [swept_auc(values + random.random((5, 6)) / 1e6, fixated) for _ in range(1500)]
    ours = auc_judd(values[None], fixated[None]).item()
    deviation_of_mean = np.std(ranked) / len(ranked) ** 0.5
    assert ours == pytest.approx(np.mean(ranked), abs=5 * deviation_of_mean + 1e-9)


def mean_rank_auc(values: np.ndarray, fixated: np.ndarray) -> float:
    """AUC-J of distinct values by comparing every pair, and the curve's last piece."""
    looked, others = values[fixated], values[~fixated]
    outranked = (others[:, None] > looked).mean(0)
    return float(1 - outranked.mean() + outranked.max() / 2 / len(looked))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 30.0]), st.integers(1, 400))
def test_auc_counts_exactly_however_values_crowd(seed, crowding, fixations):
    """Values from evenly spread to almost all in one place, as a network's maps have them."""
    random = np.random.default_rng(seed)
    values = np.exp(crowding * random.standard_normal((30, 40)))
    fixated = np.zeros(values.size, bool)
    fixated[random.choice(values.size, fixations, replace=False)] = True
    fixated = fixated.reshape(values.shape)
    ours = auc_judd(values[None], fixated[None]).item()
    assert ours == pytest.approx(mean_rank_auc(values, fixated), abs=1e-12)


def test_values_that_differ_in_the_last_digit_are_told_apart():
    values = np.full((1, 4, 5), 0.5)
    values[0, 0, 0] = 0.0
    values[0, 1, 1] = np.nextafter(0.5, 1)
    fixations = np.zeros((1, 4, 5))
    fixations[0, 1, 1] = 1
    assert auc_judd(values, fixations).item() == 1
    assert auc_judd(-values, fixations).item() == 0.5  # last of all: the curve's last piece alone


def test_all_metrics_are_the_six_one_by_one():
    maps, fixations = scene(batch=5)
    maps[1] = 0.25
    maps[2, 3, 3] = np.nan
    fixations[3] = 0
    target, others = density(fixations, 1.5), fixations[:, ::-1]
    together = all_metrics(maps, fixations, target, others)
    alone = {
        "AUC-J": auc_judd(maps, fixations),
        "SIM": sim(maps, target),
        "s-AUC": auc_shuffled(maps, fixations, others),
        "CC": cc(maps, target),
        "NSS": nss(maps, fixations),
        "KL": kl(maps, target),
    }
    assert tuple(together) == METRIC_NAMES == tuple(alone)
    for name, values in together.items():
        assert values.shape == (5,)
        np.testing.assert_array_equal(values, alone[name])


def test_all_metrics_resize_maps_to_the_annotation():
    maps, fixations = scene()
    target, small = density(fixations, 1.5), resize_to(maps, 6, 8)
    resized = all_metrics(resize_to(small, 12, 16), fixations, target, fixations[:, ::-1])
    for name, values in all_metrics(small, fixations, target, fixations[:, ::-1]).items():
        assert values.tolist() == pytest.approx(resized[name].tolist())


def test_a_large_offset_costs_no_digits():
    maps, fixations = scene()
    target, maps = density(fixations.astype(float), 1.5), (maps * 2**10).round().astype(float)
    for metric, annotation in ((nss, fixations), (cc, target), (sim, target)):
        expected = pytest.approx(metric(maps, annotation).tolist(), abs=1e-12)
        assert metric(maps + 2**40, annotation).tolist() == expected


def test_a_batch_gives_what_each_of_its_maps_gives_alone():
    maps, fixations = scene(batch=3)
    fixations[1] = 0
    fixations[1, 2, 3] = 1
    maps[2, :, :6] = 0.5
    target = density(fixations, 1.0)
    for metric in FIXATION_METRICS.values():
        alone = [metric(maps[i : i + 1], fixations[i : i + 1]).item() for i in range(3)]
        assert metric(maps, fixations).tolist() == pytest.approx(alone, abs=1e-12)
    for metric in DENSITY_METRICS.values():
        alone = [metric(maps[i : i + 1], target[i : i + 1]).item() for i in range(3)]
        assert metric(maps, target).tolist() == pytest.approx(alone, abs=1e-12)


def test_returns_float64_whatever_comes_in():
    maps, fixations = scene()
    for dtype in (np.float16, np.float32, np.uint8, np.int64, bool):
        given = (maps * 255).astype(dtype)
        for metric in FIXATION_METRICS.values():
            assert metric(given, fixations).dtype == np.float64
        for metric in DENSITY_METRICS.values():
            assert metric(given, fixations.astype(np.float32)).dtype == np.float64


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(0, 50))
def test_scale_never_matters_and_offset_only_to_kl(seed, scale, offset):
    maps, fixations = scene(seed)
    maps = maps.astype(float)
    target = density(fixations.astype(float), 1.5)
    for metric in FIXATION_METRICS.values():
        # Thresholds at round values of the map may fall on either side: s-AUC moves a little.
        expected = pytest.approx(metric(maps, fixations).tolist(), abs=1e-6)
        assert metric(maps * scale + offset, fixations).tolist() == expected
    for metric in (cc, sim):
        expected = pytest.approx(metric(maps, target).tolist(), abs=1e-6)
        assert metric(maps * scale + offset, target).tolist() == expected
    assert kl(maps * scale, target).tolist() == pytest.approx(kl(maps, target).tolist(), abs=1e-9)


def test_the_density_itself_is_the_perfect_map():
    _, fixations = scene(size=(20, 30))
    target = density(fixations.astype(float), 2.0)
    assert cc(target, target).tolist() == pytest.approx([1, 1])
    assert sim(target, target).tolist() == pytest.approx([1, 1])
    assert kl(target, target).tolist() == pytest.approx([0, 0], abs=1e-9)
    assert (nss(target, fixations) > nss(-target, fixations)).all()


def test_looking_twice_at_a_pixel_counts_once():
    maps, fixations = scene()
    for metric in FIXATION_METRICS.values():
        assert metric(maps, 7 * fixations).tolist() == metric(maps, fixations).tolist()
        assert metric(maps, fixations.astype(bool)).tolist() == metric(maps, fixations).tolist()


def test_without_fixations_nothing_is_defined():
    maps, fixations = scene()
    fixations[0] = 0
    for metric in FIXATION_METRICS.values():
        assert np.isnan(metric(maps, fixations)).tolist() == [True, False]
        assert np.isnan(metric(maps, np.zeros_like(fixations))).all()
    for metric in DENSITY_METRICS.values():
        assert np.isnan(metric(maps, density(fixations, 1.0))).tolist() == [True, False]


def test_fixations_in_every_pixel():
    maps, fixations = scene()
    everywhere = np.ones_like(fixations)
    assert np.isnan(auc_judd(maps, everywhere)).all()
    assert nss(maps, everywhere).tolist() == pytest.approx([0, 0], abs=1e-9)
    assert auc_shuffled(maps, everywhere, everywhere).tolist() == pytest.approx([0.5, 0.5])


def test_without_other_fixations_shuffled_auc_is_not_defined():
    maps, fixations = scene()
    assert np.isnan(auc_shuffled(maps, fixations, np.zeros_like(fixations))).all()


def test_with_the_same_places_elsewhere_shuffled_auc_is_chance():
    maps, fixations = scene()
    assert auc_shuffled(maps, fixations, fixations).tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("level", [0.0, 1.0, -3.7])
@pytest.mark.parametrize("size", [(12, 16), (5, 7), (40, 50)])
def test_a_flat_map_scores_chance_and_counts_as_uniform(level, size):
    _, fixations = scene()
    flat = np.full((2, *size), level, np.float32)
    expected = {"AUC-J": 0.5, "s-AUC": 0.5, "NSS": 0, "CC": 0}
    target = density(fixations.astype(float), 1.5)
    for name, metric in FIXATION_METRICS.items():
        assert metric(flat, fixations).tolist() == [expected[name]] * 2
    assert cc(flat, target).tolist() == [0, 0]
    p = 1 / target[0].size
    q = target / target.sum((1, 2), keepdims=True)
    assert kl(flat, target).tolist() == pytest.approx((q * np.log(q / p)).sum((1, 2)).tolist())
    low, high = target.min((1, 2), keepdims=True), target.max((1, 2), keepdims=True)
    q = (target - low) / (target - low).sum((1, 2), keepdims=True)
    assert sim(flat, target).tolist() == pytest.approx(q.clip(max=p).sum((1, 2)).tolist())
    assert (high > low).all()


def test_a_flat_density_is_uniform_and_correlates_with_nothing():
    maps, _ = scene()
    flat = np.full_like(maps, 0.25)
    assert np.isnan(cc(maps, flat)).all()
    assert sim(flat, flat).tolist() == pytest.approx([1, 1])
    assert kl(flat, flat).tolist() == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [(12, 16), (6, 8)])
def test_a_broken_map_is_undefined_and_leaves_the_others_alone(value, size):
    maps, fixations = scene()
    maps = resize_to(maps, *size)
    maps[0, 3, 3] = value
    for metric in FIXATION_METRICS.values():
        assert np.isnan(metric(maps, fixations)).tolist() == [True, False]
    for metric in DENSITY_METRICS.values():
        assert np.isnan(metric(maps, density(fixations, 1.0))).tolist() == [True, False]


@pytest.mark.parametrize("value", [1e150, -1e150, 1e154, 1e308])
def test_what_float64_cannot_square_is_broken(value):
    maps, fixations = scene()
    maps = maps.astype(float)
    maps[0] *= value
    maps[0, 3, 3] = value
    scores = all_metrics(maps, fixations, density(fixations, 1.0), fixations[:, ::-1])
    for values in scores.values():
        assert np.isnan(values).tolist() == [True, False]


@pytest.mark.parametrize("scale", [1e-148, 1e-100, 1e90, 9e149])
def test_very_small_and_large_numbers_score_as_others(scale):
    maps, fixations = scene(size=(240, 320))
    maps, target, others = (
        maps.astype(float),
        density(fixations.astype(float), 1.5),
        fixations[:, ::-1],
    )
    expected = all_metrics(maps, fixations, target, others)
    for of_map, of_target in ((scale, scale), (scale, 1), (1, scale)):
        scaled = all_metrics(maps * of_map, fixations, target * of_target, others)
        for name, values in expected.items():
            assert scaled[name].tolist() == pytest.approx(values.tolist(), rel=1e-6), name


def test_what_is_next_to_nothing_is_nothing():
    maps, fixations = scene()
    target, nothing = density(fixations.astype(float), 1.5), np.zeros_like(maps)
    for metric in (cc, sim, kl):
        tiny = metric(maps.astype(float) * 1e-308, target)
        assert tiny.tolist() == metric(nothing, target).tolist()
        assert np.isnan(metric(maps, target * 1e-308)).all()


def test_of_no_map_there_are_no_scores():
    nothing = np.empty((0, 12, 16))
    scores = all_metrics(nothing, nothing, nothing, nothing)
    assert {name: values.shape for name, values in scores.items()} == dict.fromkeys(
        METRIC_NAMES, (0,)
    )


def test_shapes_that_do_not_belong_together_are_refused():
    maps, fixations = scene()
    for wrong in (fixations[0], fixations[:1]):
        with pytest.raises(ValueError, match="one B"):
            nss(maps, wrong)
    with pytest.raises(ValueError, match="annotations must be of one size"):
        auc_shuffled(maps, fixations, fixations[:, 1:])


@pytest.mark.parametrize("case", ["random_0", "random_2", "random_3"])
def test_density_equals_the_golden_one(case):
    ours = density(golden(case, "fixations"), sigma=3.0)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, golden(case, "density"), atol=1e-7, rtol=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0.2, 9), st.integers(0, 2**32 - 1))
def test_density_is_the_mirrored_gaussian_at_any_size(height, width, sigma, seed):
    counts = np.random.default_rng(seed).integers(0, 3, (2, height, width)).astype(float)
    expected = [scipy.ndimage.gaussian_filter(one, sigma, mode="mirror") for one in counts]
    np.testing.assert_allclose(density(counts, sigma), expected, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(*[st.integers(1, 20)] * 4, st.floats(-5, 5))
def test_resizing_keeps_a_flat_map_flat(h, w, height, width, level):
    resized = resize_to(np.full((1, h, w), level), height, width)
    assert resized.shape == (1, height, width)
    np.testing.assert_allclose(resized, level, atol=1e-12)


def test_resizing_is_bicubic():
    """Keys' kernel at a quarter and three quarters of a pixel, edges repeated."""
    impulse = np.zeros((1, 1, 6))
    impulse[..., 2] = 1
    near, far, left, right = 0.8671875, 0.2265625, -0.0703125, -0.0234375
    expected = [0, right, left, far, near, near, far, left, right, 0, 0, 0]
    assert resize_to(impulse, 1, 12)[0, 0].tolist() == pytest.approx(expected)


def test_shrinking_is_antialiased():
    stripes = np.tile([0.0, 1.0], 32)[None, None]
    assert resize_to(stripes, 1, 8)[0, 0, 2:-2].tolist() == pytest.approx([0.5] * 4, abs=0.01)
