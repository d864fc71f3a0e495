"""Several sets and shapes in one training: none drowns another, and every batch has one shape."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.training.mixing import Mixture

KINDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["wide", "high"])), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(KINDS, st.integers(1, 5), st.integers(0, 3), st.integers(0, 3))
def test_batches_are_full_of_one_shape_and_told_beforehand(
    kinds: list[tuple[str, str]], batch_size: int, seed: int, epoch: int
) -> None:
    sets, shapes = zip(*kinds, strict=True)
    mixture = Mixture(sets, shapes, batch_size, seed)
    mixture.set_epoch(epoch)
    batches = list(mixture)
    assert len(batches) == len(mixture)
    for batch in batches:
        assert len(batch) == batch_size
        assert len({shapes[index] for index in batch}) == 1


@settings(max_examples=60, deadline=None)
@given(KINDS, st.integers(0, 3))
def test_sets_count_alike_and_shapes_as_in_their_set(
    kinds: list[tuple[str, str]], seed: int
) -> None:
    sets, shapes = zip(*kinds, strict=True)
    drawn = [index for batch in Mixture(sets, shapes, 1, seed) for index in batch]
    of_set = Counter(sets[index] for index in drawn)
    for name, count in Counter(sets).items():
        assert abs(of_set[name] - len(sets) / len(set(sets))) <= 1  # by a half for each shape
        share = sum(of == (name, "wide") for of in kinds) / count
        got = sum((sets[i], shapes[i]) == (name, "wide") for i in drawn)
        assert abs(got - share * len(sets) / len(set(sets))) <= 0.5


def test_a_small_set_comes_again_and_a_large_one_in_part() -> None:
    mixture = Mixture(["small"] * 10 + ["large"] * 50, ["wide"] * 60, 4, seed=0)
    drawn = Counter(index for batch in mixture for index in batch)
    assert sum(drawn.values()) == 60
    assert all(drawn[index] == 3 for index in range(10))
    assert max(drawn[index] for index in range(10, 60)) == 1


def test_each_epoch_and_seed_has_its_own_order_and_the_same_again() -> None:
    def drawn(seed: int, epoch: int) -> list[list[int]]:
        mixture = Mixture("aabbbb" * 5, ["wide"] * 30, 4, seed)
        mixture.set_epoch(epoch)
        return list(mixture)

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2)
    assert drawn(0, 1) != drawn(1, 1)
