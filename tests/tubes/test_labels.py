"""Labels that are asked for are found by name, number or rank, and wrong ones known beforehand."""

import pytest
import torch

from lookhear.errors import LookhearError
from lookhear.tubes.labels import Label, ask

NAMES = ("playing guitar", "Playing Drums", "jump-rope", "7", "bark", "Bark")
DRUMS, ROPE = Label(1, "Playing Drums"), Label(2, "jump-rope")
SCORES = torch.tensor([0.1, 0.2, 0.3, 0.05, 0.25, 0.1])


def labels(*asked: str, names: tuple[str, ...] = NAMES) -> tuple[Label, ...]:
    return ask(asked, names, len(SCORES)).labels(SCORES)


@pytest.mark.parametrize(
    "name", ["Playing Drums", "playing drums", "PLAYING_drums", "playing-drums"]
)
def test_a_name_is_known_in_any_case_and_spelling(name: str) -> None:
    assert labels(name) == (DRUMS,)


def test_names_come_before_numbers_and_exact_names_before_others() -> None:
    assert labels("7", "Bark", "bark", "BARK") == (
        Label(3, "7"),
        Label(5, "Bark"),
        Label(4, "bark"),
    )


def test_a_number_is_a_class() -> None:
    assert labels("0", "02") == (Label(0, "playing guitar"), ROPE)
    assert labels("5", names=()) == (Label(5, "5"),)


def test_the_most_probable_are_known_once_there_are_probabilities() -> None:
    asked = ask(["top-3"], NAMES, len(SCORES))
    assert asked.labels(SCORES) == (ROPE, Label(4, "bark"), DRUMS)
    assert asked.labels(-SCORES)[0] == Label(3, "7")
    assert [label.name for label in labels("TOP-2", names=())] == ["2", "4"]


def test_each_class_comes_once_in_the_order_asked_for() -> None:
    assert labels("playing drums", "top-2", "1", "2", "0") == (
        DRUMS,
        ROPE,
        Label(4, "bark"),
        Label(0, "playing guitar"),
    )


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("guitar", r"label 'guitar': .*; try playing guitar, top-1 to top-6"),
        ("playing drum", "try Playing Drums"),
        ("plying gitar", "try playing guitar"),
        ("zzz", "try top-1 to top-6, or a number from 0 to 5"),
        ("", "label ''"),
        ("6", "from 0 to 5"),
        ("-1", "label '-1': .* from 0 to 5"),
        ("top-0", "top-1 to top-6"),
        ("top-7", "top-1 to top-6"),
        ("top-", "top-1 to top-6"),
        ("9" * 5000, "from 0 to 5"),
    ],
)
def test_what_is_no_class_is_named_with_the_choices(asked: str, complaint: str) -> None:
    with pytest.raises(LookhearError, match=complaint):
        ask(["top-1", asked], NAMES, len(NAMES))


def test_numbers_are_not_misread_where_classes_have_no_names() -> None:
    for asked in ("-1", "1.5", "guitar"):
        with pytest.raises(LookhearError, match="from 0 to 5"):
            ask([asked], (), 6)


def test_there_are_not_more_labels_than_a_page_shows():
    assert ask(["top-20"], (), 400)
    for asked in (["top-300"], ["top-15", "top-6"], [*map(str, range(21))]):
        with pytest.raises(LookhearError, match="at most 20"):
            ask(asked, (), 400)
