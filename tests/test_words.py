import pytest

from lookhear.words import count, counted, named, sides, time_label


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


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0, "0:00.0"), (12.4, "0:12.4"), (59.96, "1:00.0"), (3723, "1:02:03.0"), (-0.5, "-0:00.5")],
)
def test_time_labels(seconds: float, label: str) -> None:
    assert time_label(seconds) == label


def test_a_size_is_width_by_height() -> None:
    assert sides((480, 640)) == sides((480, 640, 3)) == "640 x 480"
