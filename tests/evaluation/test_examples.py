"""The best and worst frames of models: which are chosen, and how they are shown."""

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.evaluation.examples import Reason, choose_examples
from lookhear.evaluation.page import render
from lookhear.evaluation.scores import Scores
from lookhear.maps import Maps
from lookhear.show.heat import Pixels
from pages import Page, pictures
from scored import example_of, grey, report_of, scores_of, spot

DASH = "\N{EN DASH}"
NAN = math.nan


def chosen(scores: Scores, per_model: int = 3) -> list[tuple[int, int, str]]:
    return [
        (subject, frame, ", ".join(map(str, why)))
        for subject, frame, why in choose_examples(scores, per_model)
    ]


def test_the_best_and_worst_frames_are_chosen_each_of_another_clip() -> None:
    nss = [[1, 9, 2], [8, 0, 1], [5, 7], [3, 4], [0.5, 6], [2, 2]]
    assert chosen(scores_of({"M": nss}), 2) == [
        (0, 1, "M's best"),
        (1, 0, "M's best"),
        (4, 0, "M's worst"),
        (5, 0, "M's worst"),
    ]


def test_a_frame_chosen_for_several_models_is_given_once() -> None:
    assert chosen(scores_of({"A": [[3.0], [1.0]], "B": [[2.0], [4.0]]})) == [
        (0, 0, "A's best, B's worst"),
        (1, 0, "A's worst, B's best"),
    ]


def test_where_clips_are_few_best_and_worst_share_them() -> None:
    clips = [[5.0, 0.0], [4.0, 1.0], [3.0, 2.0], [2.9, 2.1]]
    assert chosen(scores_of({"M": clips})) == [
        (0, 0, "M's best"),
        (1, 0, "M's best"),
        (2, 1, "M's worst"),
        (3, 1, "M's worst"),
    ]
    assert chosen(scores_of({"M": [[5.0, 0.0]]})) == [(0, 0, "M's best"), (0, 1, "M's worst")]
    assert chosen(scores_of({"M": [[5.0]]})) == [(0, 0, "M's best")]


def test_frames_that_nobody_looked_at_are_never_chosen() -> None:
    assert chosen(scores_of({"M": [[NAN, 2.0], [NAN, NAN], [1.0]], "none": [[NAN] * 2] * 3})) == [
        (0, 1, "M's best"),
        (2, 0, "M's worst"),
    ]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.lists(st.sampled_from([NAN, -1.0, 0.0, 1.0, 2.5]), min_size=1, max_size=4),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 4),
)
def test_no_frame_left_out_beats_one_that_was_chosen(nss: list[list[float]], count: int) -> None:
    for which, sign in (("best", 1), ("worst", -1)):
        found = [
            c for c in choose_examples(scores_of({"M": nss}), count) if c.why[0].which == which
        ]
        taken = [c.subject for c in choose_examples(scores_of({"M": nss}), count)]
        assert len(found) == len({c.subject for c in found}) <= count
        values = [sign * nss[c.subject][c.frame] for c in found]
        assert values == sorted(values, reverse=True)
        left_out = [sign * v for i, of in enumerate(nss) if i not in taken for v in of if v == v]
        if found and left_out:
            assert min(values) >= max(left_out)


def shown(
    maps: Mapping[str, Maps],
    *,
    truth: Maps | None = None,
    fixations: Sequence[tuple[float, float]] = (),
) -> list[Pixels]:
    """The pictures of one example: frame, where people looked, and each map."""
    scores = scores_of({model: [[1.0]] for model in maps})
    first = next(iter(maps))
    seen = example_of(maps, [Reason(first, "best")], truth=truth, fixations=fixations)
    return pictures(render(report_of(scores, examples=(seen,))))


def change(picture: Pixels, plain: Pixels) -> np.ndarray:
    return np.asarray(abs(picture.astype(float) - plain).max(axis=2))


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (1e-6, 0.0), (255.0, -100.0)])
def test_heat_lies_where_a_map_of_any_range_is_strongest(factor: float, offset: float) -> None:
    plain, _, heated = shown({"M": factor * spot(14, 1) + np.float32(offset)})
    row, column = np.unravel_index(change(heated, plain).argmax(), plain.shape[:2])
    height, width = plain.shape[:2]
    assert (row / height, column / width) == pytest.approx((1.5 / 9, 14.5 / 16), abs=0.07)
    assert change(heated, plain).max() > 60
    assert change(heated, plain)[:, : width // 2].max() < 6


def test_what_is_not_a_number_in_a_map_has_no_heat() -> None:
    broken = spot(14, 1)
    broken[5:, :8] = NAN
    broken[0, 0] = math.inf
    plain, _, heated, none, flat = shown(
        {
            "M": broken,
            "none": np.full((9, 16), NAN, np.float32),
            "flat": np.ones((9, 16), np.float32),
        }
    )
    assert change(heated, plain).max() > 60
    assert change(heated, plain)[:, : plain.shape[1] // 2].max() < 6
    assert change(none, plain).max() < 6
    assert change(flat, plain).max() < 6


def test_each_fixation_is_a_dot_where_it_was() -> None:
    nowhere = np.zeros((180, 320), np.float32)
    plain, looked, _ = shown({"M": spot(1, 1)}, truth=nowhere, fixations=[(240.0, 45.0)])
    changed = np.argwhere(change(looked, plain) > 60)
    height, width = plain.shape[:2]
    assert changed.mean(axis=0) / (height, width) == pytest.approx((0.25, 0.75), abs=0.01)
    assert np.ptp(changed, axis=0).max() <= 6


def test_pictures_are_told_in_words_and_a_missing_map_is_named() -> None:
    scores = scores_of({"A": [[1.0]], "B": [[1.0]], "C": [[1.0]]})
    flat = np.zeros((9, 16), np.float32)
    seen = example_of({"A": spot(14, 1), "B": flat}, [Reason("A", "worst")], nss=-0.001)
    page = Page(render(report_of(scores, examples=(seen,))))
    assert (
        page.text.replace("\n", "").split("where people looked")[1].startswith(f"A0.00B0.00C{DASH}")
    )
    assert page.values("img", "alt") == [
        "clip 0, 0:03.5, as it was shown",
        "where people looked: attention is strongest in the centre",
        "A: attention is strongest in the upper right; NSS 0.00",
        "B: attention is even; NSS 0.00",
        "C gave no map",
    ]


def test_an_example_is_shown_once_and_linked_from_the_other_models_it_is_for() -> None:
    scores = scores_of({"A": [[1.0]], "B": [[1.0]]})
    maps = {"A": spot(1, 1), "B": spot(2, 2)}
    both = example_of(maps, [Reason("A", "best"), Reason("B", "worst")])
    page = Page(render(report_of(scores, examples=(both,))))
    assert len(page.values("img", "src")) == 4
    assert "also B's worst" in page.text
    assert "shown under A" in page.text
    links = {address.removeprefix("#") for address in page.values("a", "href")}
    assert links <= set(page.values("h3", "id") + page.values("article", "id"))
    assert "frame-0" in links
    assert page.values("li", "class").count("own") == 2


def test_of_many_maps_the_best_are_shown_with_the_one_in_question_and_the_rest_are_numbers() -> (
    None
):
    models = [f"m{i}" for i in range(8)]
    scores = scores_of({model: [[8.0 - i]] for i, model in enumerate(models)})
    maps = {model: spot(i, 1) for i, model in enumerate(models)}
    html = render(report_of(scores, examples=(example_of(maps, [Reason("m6", "worst")]),)))
    alts = Page(html).values("img", "alt")[2:]
    assert [alt.split(":")[0] for alt in alts] == ["m0", "m1", "m2", "m3", "m6"]
    assert "NSS of the other 3</summary>m4 1.50, m5 1.50, m7 1.50" in html


def test_pictures_have_no_time() -> None:
    scores = scores_of({"A": [[1.0], [2.0]]}, kind="pictures")
    html = render(
        report_of(scores, examples=(example_of({"A": spot(1, 1)}, [Reason("A", "best")]),))
    )
    assert "0:03.5" not in html
    assert "Best and worst pictures" in html
    assert "clip 0" in html


def test_six_frames_of_each_of_twenty_models_in_noise_are_less_than_five_megabytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    models = [f"model {i}" for i in range(20)]
    scores = scores_of({model: [[1.0]] * 30 for model in models})
    maps = {model: spot(8, 4) for model in models}
    examples = [
        example_of(maps, [Reason(model, which)], frame=noise, subject=f"{model} {which} {i}")
        for model in models
        for which in ("best", "worst")
        for i in range(3)
    ]
    html = render(report_of(scores, examples=examples))
    assert len(html) < 5_000_000
    for model in models:
        assert f"{model} best 0" in html
        assert f"{model} worst 0" in html


def test_large_frames_become_small_pictures_of_their_shape() -> None:
    scores = scores_of({"A": [[1.0]]})
    wide = cv2.resize(grey(), (1280, 720))
    seen = example_of({"A": spot(1, 1)}, [Reason("A", "best")], frame=np.asarray(wide, np.uint8))
    assert {p.shape for p in pictures(render(report_of(scores, examples=(seen,))))} == {
        (135, 240, 3)
    }
