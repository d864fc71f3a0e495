"""An evaluation that was stopped goes on to the same end, and mixes nothing up."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from looked_at import Film
from lookhear.evaluate.kept import Kept, stamp
from lookhear.evaluate.scores import Scores
from lookhear.evaluate.scoring import Choices, score_models
from lookhear.evaluate.viewed import Viewed, ViewedSet
from lookhear.maps import Maps


class Noise:
    """A model that gives noise, is broken on the first frame of `odd` and stops at `last`."""

    def __init__(self, last: str | None = None, odd: str = "one") -> None:
        self.last, self.odd = last, odd

    def maps(self, subject: Viewed, indices: Sequence[int], note: object) -> Iterator[Maps]:
        del note
        if subject.name == self.last:
            raise KeyboardInterrupt
        for index in indices:
            pixels = subject.pixels(index)[..., 0].astype(np.float32)
            yield np.full_like(pixels, np.nan) if (subject.name, index) == (self.odd, 0) else pixels


def films() -> ViewedSet:
    looks = [[(5.5, 5.5), (40.5, 30.5)], [(20.5, 10.5)], []]
    return ViewedSet(
        "films", "clips", [Film(3, looks=looks, name=n) for n in ("one", "two", "three")]
    )


def score(viewed: ViewedSet, model: Noise, kept: Kept | None) -> Scores:
    return score_models(viewed, {"noise": model}, Choices.of(viewed), kept=kept)


def stopped(folder: Path, settings: dict[str, int]) -> Kept:
    """What a run keeps that is stopped at the third clip."""
    kept = Kept(folder, settings)
    with pytest.raises(KeyboardInterrupt):
        score(films(), Noise(last="three"), kept)
    return kept


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    kept = stopped(tmp_path / "out", {"every": 1})
    assert not (tmp_path / "out").exists()
    viewed = films()
    resumed = score(viewed, Noise(), kept)
    assert [of.looked_at == [] for of in viewed.subjects] == [True, True, False]
    at_once = score(films(), Noise(), None)
    # As text, since NaN is not equal to itself.
    assert str(resumed) == str(at_once)
    assert resumed.notes
    kept.clear()
    assert [*tmp_path.iterdir()] == []


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    stopped(tmp_path / "out", {"every": 1})
    viewed = films()
    score(viewed, Noise(), Kept(tmp_path / "out", {"every": 2}))
    assert all(of.looked_at for of in viewed.subjects)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_line_that_is_cut_short_is_scored_again(tmp_path: Path, cut: int) -> None:
    kept = stopped(tmp_path / "out", {})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    viewed = films()
    assert str(score(viewed, Noise(), kept)) == str(score(films(), Noise(), None))
    assert viewed.subjects[0].looked_at == []
    assert viewed.subjects[2].looked_at


def test_a_model_that_has_changed_has_another_stamp(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1")
    before = stamp(tmp_path), stamp(weights)
    weights.touch()
    weights.write_bytes(b"2")
    assert (stamp(tmp_path), stamp(weights)) != before
    assert stamp(tmp_path / "nothing") == []
