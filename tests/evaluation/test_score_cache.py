"""An evaluation that was stopped goes on to the same end, and mixes nothing up."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from looked_at import Film
from lookhear.evaluation import score_cache
from lookhear.evaluation.score_cache import Done, ScoreCache, stamp
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.scoring import Choices, score_models
from lookhear.evaluation.stimuli import Stimulus, StimulusSet
from lookhear.maps import Maps


class Noise:
    """A model that gives noise, is broken on the first frame of `odd` and stops at `last`."""

    def __init__(self, last: str | None = None, odd: str = "one") -> None:
        self.last, self.odd = last, odd

    def maps(self, subject: Stimulus, indices: Sequence[int], note: object) -> Iterator[Maps]:
        del note
        if subject.name == self.last:
            raise KeyboardInterrupt
        for index in indices:
            pixels = subject.pixels(index)[..., 0].astype(np.float32)
            yield np.full_like(pixels, np.nan) if (subject.name, index) == (self.odd, 0) else pixels


def films() -> StimulusSet:
    looks = [[(5.5, 5.5), (40.5, 30.5)], [(20.5, 10.5)], []]
    return StimulusSet(
        "films", "clips", [Film(3, looks=looks, name=n) for n in ("one", "two", "three")]
    )


def score(stimuli: StimulusSet, model: Noise, cache: ScoreCache | None) -> Scores:
    return score_models(stimuli, {"noise": model}, Choices.of(stimuli), cache=cache)


def stopped(folder: Path, settings: dict[str, int]) -> ScoreCache:
    """What a run keeps that is stopped at the third clip."""
    kept = ScoreCache(folder, settings)
    with pytest.raises(KeyboardInterrupt):
        score(films(), Noise(last="three"), kept)
    return kept


def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path: Path) -> None:
    kept = stopped(tmp_path / "out", {"every": 1})
    assert not (tmp_path / "out").exists()
    stimuli = films()
    resumed = score(stimuli, Noise(), kept)
    assert [of.looked_at == [] for of in stimuli.subjects] == [True, True, False]
    at_once = score(films(), Noise(), None)
    # As text, since NaN is not equal to itself.
    assert str(resumed) == str(at_once)
    assert resumed.notes
    kept.clear()
    assert [*tmp_path.iterdir()] == []


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    stopped(tmp_path / "out", {"every": 1})
    stimuli = films()
    score(stimuli, Noise(), ScoreCache(tmp_path / "out", {"every": 2}))
    assert all(of.looked_at for of in stimuli.subjects)


def test_what_another_version_of_the_protocol_kept_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(score_cache, "FORMAT", score_cache.FORMAT - 1)
        stopped(tmp_path / "out", {})
    stimuli = films()
    score(stimuli, Noise(), ScoreCache(tmp_path / "out", {}))
    assert all(of.looked_at for of in stimuli.subjects)


def test_what_was_kept_of_other_settings_goes_with_the_rest_but_not_of_other_results(
    tmp_path: Path,
) -> None:
    kept = stopped(tmp_path / "out[1]", {"every": 1})
    stopped(tmp_path / "out[1]", {"every": 2})
    stopped(tmp_path / "out[1].v2", {})
    stopped(tmp_path / "out1", {})
    assert len([*tmp_path.iterdir()]) == 4
    kept.clear()
    assert sorted(path.name.rsplit(".", 2)[0] for path in tmp_path.iterdir()) == [
        ".out1",
        ".out[1].v2",
    ]


@pytest.mark.parametrize("cut", [1, 40])
def test_a_line_that_is_cut_short_is_scored_again(tmp_path: Path, cut: int) -> None:
    kept = stopped(tmp_path / "out", {})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    stimuli = films()
    assert str(score(stimuli, Noise(), kept)) == str(score(films(), Noise(), None))
    assert stimuli.subjects[0].looked_at == []
    assert stimuli.subjects[2].looked_at


@pytest.mark.parametrize("name", ["model.safetensors", "db/clip/0001.png"])
def test_what_has_changed_has_another_stamp_however_deep_it_lies(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    stamps = set()
    for content, changed in ((b"1", 1), (b"2", 2), (b"12", 2)):
        file.write_bytes(content)
        os.utime(file, ns=(changed, changed))
        stamps.add(stamp([tmp_path]))
        assert stamp([tmp_path]) in stamps
    file.rename(file.with_name("0002.png"))
    assert len(stamps | {stamp([tmp_path])}) == 4


def test_links_that_lead_nowhere_or_round_do_not_stop_a_stamp(tmp_path: Path) -> None:
    elsewhere, maps = tmp_path / "elsewhere", tmp_path / "maps"
    elsewhere.mkdir()
    maps.mkdir()
    (maps / "round").symlink_to(maps)
    (maps / "gone.png").symlink_to(tmp_path / "nothing")
    (maps / "clip").symlink_to(elsewhere)
    before = stamp([maps])
    (elsewhere / "1.png").write_bytes(b"1")
    assert stamp([maps]) != before
    assert stamp([tmp_path / "nothing"]) == stamp([])


def test_what_is_kept_in_a_folder_of_maps_does_not_change_its_stamp(tmp_path: Path) -> None:
    before = stamp([tmp_path])
    ScoreCache(tmp_path / "scores", {}).add("one", Done({}, []))
    assert [*tmp_path.iterdir()]
    assert stamp([tmp_path]) == before
