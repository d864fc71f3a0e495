"""Things that are made in a thread of its own before they are asked for."""

from collections.abc import Iterator
from itertools import count, islice
from threading import enumerate as threads

import pytest

from lookhear.parallel import ahead


def test_things_made_ahead_come_in_order_and_are_few() -> None:
    begun = []

    def things() -> Iterator[int]:
        for thing in count():
            begun.append(thing)
            yield thing

    early = ahead(things(), 3)
    assert [*islice(early, 4)] == [0, 1, 2, 3]
    early.close()
    assert begun == [*range(len(begun))]
    assert 4 <= len(begun) <= 9
    assert not any(thread.name.startswith("lookhear-ahead") for thread in threads())


@pytest.mark.parametrize("number", [0, 2, 3, 7])
def test_all_things_come(number: int) -> None:
    assert [*ahead(iter(range(number)), 3)] == [*range(number)]


def test_what_fails_ahead_fails_where_it_is_asked_for() -> None:
    early = ahead((1 // left for left in (1, 1, 1, 0)), 2)
    assert [*islice(early, 2)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(early)
