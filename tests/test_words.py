import pytest

from lookhear.words import count, counted, named, sides


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"], "1 picture (a)"),
        (["a", "b", "c"], "3 pictures (a, b, c)"),
        (
            [f"{number}.jpg" for number in range(98)],
            "98 pictures (0.jpg, 1.jpg, 2.jpg and 95 more)",
        ),
    ],
)
def test_many_are_counted_and_the_first_three_named(names: list[object], said: str) -> None:
    assert counted("picture", names) == said


def test_names_may_be_any_collection() -> None:
    assert named(dict.fromkeys([4, 5])) == "4, 5"


def test_thousands_are_parted() -> None:
    assert count(1000, "clip") == "1,000 clips"


def test_a_size_is_width_by_height() -> None:
    assert sides((480, 640)) == sides((480, 640, 3)) == "640 x 480"
