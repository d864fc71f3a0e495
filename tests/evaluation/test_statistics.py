"""Intervals hold the truth as often as they say, and the test finds what is there and no more."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookhear.evaluation.scores import Scores, Subject
from lookhear.evaluation.statistics import Estimate, analyse, estimate, holm, sign_flip

NAN = math.nan


def scores_of(
    models: Mapping[str, Mapping[str, Sequence[float]]], groups: Sequence[str] | None = None
) -> Scores:
    """Scores on pictures, named 0, 1 and so on."""
    count = len(next(iter(next(iter(models.values())).values())))
    return Scores(
        "pictures",
        tuple(
            Subject(str(number), group, (0.0,))
            for number, group in enumerate(groups or ["OSIE"] * count)
        ),
        {
            model: {
                metric: tuple((float(value),) for value in of) for metric, of in metrics.items()
            }
            for model, metrics in models.items()
        },
    )


def random_models(names: str, subjects: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    rng = np.random.default_rng(5)
    return {name: {"NSS": rng.normal(size=subjects), "CC": rng.random(subjects)} for name in names}


def reordered(scores: Scores, order: Sequence[int], models: Sequence[str]) -> Scores:
    return Scores(
        scores.kind,
        tuple(scores.subjects[i] for i in order),
        {
            model: {
                metric: tuple(of[i] for i in order) for metric, of in scores.values[model].items()
            }
            for model in models
        },
    )


@pytest.mark.parametrize("subjects", [12, 60])
@pytest.mark.parametrize("kind", ["even", "skewed"])
def test_an_interval_holds_the_truth_about_95_times_in_100(kind, subjects):
    rng = np.random.default_rng(7)
    shape = (1500, subjects)
    data = rng.normal(size=shape) if kind == "even" else rng.gamma(4, size=shape) - 4
    held = np.mean([one.low <= 0 <= one.high for one in estimate(data)])
    assert 0.92 < held < 0.965


def test_an_interval_is_that_of_scipys_bootstrap_but_for_the_widening():
    data = np.random.default_rng(1).gamma(2, size=(1, 200))
    expected = scipy.stats.bootstrap(
        (data[0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    (found,) = estimate(data)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.01)


def test_what_all_models_find_hard_does_not_blur_their_difference():
    rng = np.random.default_rng(3)
    hard = rng.normal(size=40)
    scores = scores_of({"a": {"NSS": hard}, "b": {"NSS": hard + rng.normal(0.1, 0.02, size=40)}})
    (found,) = analyse(scores)
    mean, difference = found.estimates["b"]["NSS"], found.comparisons["b"]["NSS"].difference
    assert mean.high - mean.low > 0.4
    assert 0.09 < difference.low < difference.mean < difference.high < 0.11


@pytest.mark.parametrize("subjects", [13, 30])
def test_p_is_uniform_where_models_are_equally_good(subjects):
    p = sign_flip(np.random.default_rng(11).normal(size=(1000, subjects)))
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.03 < (p < 0.05).mean() < 0.07


@pytest.mark.parametrize("subjects", [12, 40])
def test_p_is_small_where_a_model_is_better(subjects):
    p = sign_flip(np.random.default_rng(12).normal(1.5, 1, size=(100, subjects)))
    assert (p < 0.01).mean() > 0.9
    assert (p > 0).all()


def test_p_is_the_share_of_all_ways_to_set_the_signs():
    assert sign_flip(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, -3.0]])).tolist() == [0.25, 1.0]
    # Sums that differ only by rounding are equal: 0.1 + 0.2 is not 0.3 in floating point.
    assert sign_flip(np.array([[0.1, 0.2, -0.3], [0.3, 0.3, 0.3]])).tolist() == [1.0, 0.25]


@pytest.mark.parametrize("subjects", [9, 18])
def test_p_is_that_of_scipys_permutation_test(subjects):
    data = np.random.default_rng(4).normal(0.4, 1, size=(5, subjects))
    expected = scipy.stats.permutation_test(
        (data,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
        axis=-1,
        rng=np.random.default_rng(0),
    ).pvalue
    assert sign_flip(data) == pytest.approx(expected, abs=1e-12 if subjects == 9 else 0.02)


def test_equal_models_do_not_differ():
    same = np.random.default_rng(0).normal(size=30)
    (found,) = analyse(scores_of({"a": {"NSS": same}, "b": {"NSS": same}}))
    assert found.comparisons["b"]["NSS"] == (Estimate(0, 0, 0, 30), 1, 1)


def test_holm_multiplies_by_how_many_are_left_and_never_goes_down():
    p = np.array([0.01, 0.04, NAN, 0.03, 0.005, 0.9])
    expected = [0.04, 0.09, NAN, 0.09, 0.025, 0.9]
    assert holm(p) == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(NAN)), max_size=20))
def test_holm_keeps_the_order_and_makes_no_p_smaller(given_p):
    p = np.array(given_p)
    corrected = holm(p)
    assert np.isnan(corrected).tolist() == np.isnan(p).tolist()
    p, corrected = p[~np.isnan(p)], corrected[~np.isnan(corrected)]
    assert (corrected >= p).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()


def test_all_comparisons_of_a_table_are_corrected_together():
    rng = np.random.default_rng(9)
    models = {name: {m: rng.normal(size=20) for m in ("NSS", "CC")} for name in ("a", "b", "c")}
    models["b"]["NSS"] = models["a"]["NSS"] + 1
    (found,) = analyse(scores_of(models))
    assert list(found.comparisons) == ["b", "c"]
    one = found.comparisons["b"]["NSS"]
    assert one.p_corrected == pytest.approx(4 * one.p)
    assert one.is_significant
    assert not found.comparisons["c"]["CC"].is_significant


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(17)), st.permutations("bcd"))
def test_the_order_of_subjects_and_models_does_not_matter(order, others):
    scores = scores_of(random_models("abcd", 17), ["x"] * 9 + ["y"] * 8)
    found = {of.group: of for of in analyse(scores)}
    again = {of.group: of for of in analyse(reordered(scores, order, ["a", *others]))}
    assert found.keys() == again.keys() == {"x", "y", None}
    for group, of in found.items():
        for model in "bcd":
            for metric in ("NSS", "CC"):
                one, other = (all_of.comparisons[model][metric] for all_of in (of, again[group]))
                assert other.difference == pytest.approx(one.difference, abs=1e-12)
                assert (other.p, other.p_corrected) == (one.p, one.p_corrected)
                assert again[group].estimates[model][metric] == pytest.approx(
                    of.estimates[model][metric], abs=1e-12
                )


def test_the_same_scores_give_the_same_numbers():
    scores = scores_of(random_models("ab", 25))
    assert analyse(scores) == analyse(scores)


def test_a_subject_without_a_value_is_left_out_of_that_metric_alone():
    rng = np.random.default_rng(6)
    a, b, other = rng.normal(size=(3, 10))
    gaps = b.copy()
    gaps[[2, 5]] = NAN
    (found,) = analyse(scores_of({"a": {"NSS": a, "CC": a}, "b": {"NSS": gaps, "CC": other}}))
    kept = ~np.isnan(gaps)
    estimates, compared = found.estimates["b"], found.comparisons["b"]
    assert estimates["NSS"].mean == pytest.approx(b[kept].mean())
    assert [estimates["NSS"].subjects, estimates["CC"].subjects] == [8, 10]
    assert compared["NSS"].difference.mean == pytest.approx((b - a)[kept].mean())
    assert compared["NSS"].difference.subjects == 8
    assert compared["NSS"].p == sign_flip((b - a)[None, kept])[0]
    assert estimates["NSS"].low < estimates["NSS"].mean < estimates["NSS"].high


def test_a_metric_that_is_hardly_ever_defined_has_what_it_can_have():
    rare = np.full((2, 50), NAN)
    rare[0, 3] = 2.0
    rare[1, [3, 4]] = 1.0, 3.0
    once, twice = estimate(rare)
    assert once == pytest.approx(Estimate(2, NAN, NAN, 1), nan_ok=True)
    assert twice == Estimate(2, 1, 3, 2)
    assert estimate(np.full((1, 5), NAN))[0] == pytest.approx((NAN, NAN, NAN, 0), nan_ok=True)
    assert np.isnan(sign_flip(rare)).tolist() == [True, False]


def test_one_subject_has_means_but_no_intervals_and_no_p():
    (found,) = analyse(scores_of({"a": {"NSS": [1.0]}, "b": {"NSS": [3.0]}}))
    assert found.subjects == 1
    assert found.estimates["b"]["NSS"] == pytest.approx((3, NAN, NAN, 1), nan_ok=True)
    compared = found.comparisons["b"]["NSS"]
    assert compared.difference == pytest.approx((2, NAN, NAN, 1), nan_ok=True)
    assert math.isnan(compared.p)
    assert math.isnan(compared.p_corrected)
    assert not compared.is_significant


def test_each_database_is_analysed_and_all_together_last():
    scores = scores_of({"a": {"NSS": [1, 2, 3, 10]}}, ["DIEM", "AVAD", "DIEM", "AVAD"])
    diem, avad, together = analyse(scores)
    assert [diem.group, avad.group, together.group] == ["DIEM", "AVAD", None]
    assert [of.estimates["a"]["NSS"].mean for of in (diem, avad, together)] == [2, 6, 4]
    assert [of.subjects for of in (diem, avad, together)] == [2, 2, 4]
    assert diem.comparisons == {}


@given(
    st.lists(
        st.lists(st.one_of(st.floats(-5, 5), st.just(NAN)), min_size=1, max_size=4).map(tuple),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=20, deadline=None)
def test_means_are_those_of_the_scores_over_clips_of_any_length(frames):
    scores = Scores(
        "clips",
        tuple(Subject(str(i), "", tuple(map(float, range(len(f))))) for i, f in enumerate(frames)),
        {"a": {"NSS": tuple(frames)}},
    )
    (found,) = analyse(scores)
    expected = scores.means()["a"]["NSS"]
    assert found.estimates["a"]["NSS"].mean == pytest.approx(expected, abs=0, rel=0, nan_ok=True)
