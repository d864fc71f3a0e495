"""Several sets of pictures are several groups, each scored as it is alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_maps import draw, of_folder
from looked_at import scored, write_watched
from lookhear.baselines import BASELINES
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import OfArchive
from lookhear.evaluation.models import OfBaseline, OfFittedCentre
from lookhear.evaluation.scores import Scores
from lookhear.evaluation.scoring import Choices, score_models
from lookhear.evaluation.statistics import analyse
from lookhear.evaluation.stimuli import StimulusSet, read_sets, read_stimuli
from osie_layout import make_osie


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sets of three and of four pictures, which have the same names."""
    root = tmp_path_factory.mktemp("sets")
    return [
        make_osie(root / "crowd", count=3),
        make_osie(root / "scene", count=4, size=(48, 80), seed=1),
    ]


@pytest.fixture(scope="module")
def both(folders: list[Path]) -> StimulusSet:
    return read_sets(folders)


def test_pictures_of_one_name_in_two_sets_are_told_apart(both: StimulusSet) -> None:
    assert (both.name, both.kind) == ("crowd, scene", "pictures")
    assert [(of.name, of.group) for of in both.subjects] == [
        ("crowd/1001.jpg", "crowd"),
        ("crowd/1002.jpg", "crowd"),
        ("crowd/1003.jpg", "crowd"),
        ("scene/1001.jpg", "scene"),
        ("scene/1002.jpg", "scene"),
        ("scene/1003.jpg", "scene"),
        ("scene/1004.jpg", "scene"),
    ]


def test_one_set_is_read_as_ever(folders: list[Path]) -> None:
    (one, alone) = read_sets(folders[:1]), read_stimuli(folders[0])
    assert (one.name, one.kind) == (alone.name, alone.kind)
    for of in (one, alone):
        assert [(picture.name, picture.paths) for picture in of.subjects] == [
            (f"{number}.jpg", (Path(str(number)),)) for number in (1001, 1002, 1003)
        ]


def test_each_set_is_scored_as_it_is_alone(folders: list[Path], both: StimulusSet) -> None:
    """Other fixations of s-AUC and the fitted centre, too, are those of the set alone."""

    def scores_of(stimuli: StimulusSet) -> Scores:
        fitted = OfFittedCentre(stimuli.subjects)
        models = {"centre": OfBaseline(BASELINES["centre"]), "fitted": fitted, "people": None}
        return score_models(stimuli, models, Choices.of(stimuli))

    together = scores_of(both)
    crowd, scene, whole = analyse(together)
    assert (crowd.group, scene.group, whole.group) == ("crowd", "scene", None)
    assert (crowd.subjects, scene.subjects, whole.subjects) == (3, 4, 7)
    at = 0
    for folder, found in zip(folders, (crowd, scene), strict=True):
        alone = scores_of(read_stimuli(folder))
        end = at + len(alone.subjects)
        for model, metrics in alone.values.items():
            for metric, values in metrics.items():
                assert together.values[model][metric][at:end] == values
        assert [found.as_json()] == [of.as_json() for of in analyse(alone)]
        at = end


def test_names_are_those_of_the_sets_in_their_order(folders: list[Path], tmp_path: Path) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("1003.jpg\n1001.jpg")
    second.write_text("1002.jpg\n1004.jpg")
    stimuli = read_sets(folders, [first, second])
    assert [of.name for of in stimuli.subjects] == [
        "crowd/1003.jpg",
        "crowd/1001.jpg",
        "scene/1002.jpg",
        "scene/1004.jpg",
    ]
    with pytest.raises(LookhearError, match=r"crowd.*fixations\.mat: has no 1004\.jpg"):
        read_sets(folders, [second, first])


@pytest.fixture
def maps(both: StimulusSet) -> dict[str, Any]:
    """A map of each picture, by its set and name; of the one that no other set has, by its name."""
    chance = np.random.default_rng(0)
    return {
        str(of.paths[-1]): chance.integers(0, 255, of.size).astype(np.uint8) for of in both.subjects
    }


def test_maps_are_found_by_set_and_name_or_by_a_name_that_no_other_set_has(
    both: StimulusSet, maps: dict[str, Any], tmp_path: Path
) -> None:
    assert [*maps] == [
        *(f"crowd/{name}" for name in (1001, 1002, 1003)),
        *(f"scene/{name}" for name in (1001, 1002, 1003)),
        "1004",
    ]
    for name in ("crowd", "scene"):
        (tmp_path / "drawn" / name).mkdir(parents=True)
    drawn = draw(tmp_path / "drawn", maps, "{}.png")
    np.savez(tmp_path / "maps.npz", **{f"ours/{name}": of for name, of in maps.items()})
    values, notes = of_folder(both, drawn)
    assert notes == ()
    assert len({*values["NSS"]}) == len(both.subjects)
    assert scored(both, OfArchive(tmp_path / "maps.npz", "ours/")) == (values, ())
    # What lies with its set comes first.
    (drawn / "1004.png").rename(drawn / "scene" / "1004.png")
    draw(drawn, {"1004": np.zeros((48, 80), np.uint8)}, "{}.png")
    assert of_folder(both, drawn) == (values, ())


def test_a_map_that_may_be_of_another_sets_picture_is_not_taken(
    folders: list[Path], maps: dict[str, Any], tmp_path: Path
) -> None:
    """Not even if the other set's picture does not count."""
    (tmp_path / "crowd.txt").write_text("1001.jpg\n1002.jpg")
    (tmp_path / "scene.txt").write_text("1003.jpg\n1004.jpg")
    stimuli = read_sets(folders, [tmp_path / "crowd.txt", tmp_path / "scene.txt"])
    flat = {Path(name).name: of for name, of in maps.items()}
    np.savez(tmp_path / "maps.npz", **flat)
    drawn = draw(tmp_path / "drawn", flat, "{}.png")
    with pytest.raises(
        LookhearError, match=r"has no map of crowd/1001\.jpg, such as crowd/1001\.png; add it"
    ):
        of_folder(stimuli, drawn)
    with pytest.raises(LookhearError, match=r"maps\.npz: has no map crowd/1001; add it"):
        scored(stimuli, OfArchive(tmp_path / "maps.npz"))


def test_sets_that_do_not_fit_together_are_one_line(folders: list[Path], tmp_path: Path) -> None:
    crowd, scene = folders
    clips = write_watched(tmp_path / "clips", {"a": 2})
    namesake = make_osie(tmp_path / "crowd", count=2)
    names = tmp_path / "names.txt"
    names.write_text("1001.jpg\n1002.jpg")
    alone = "clips: holds clips, which are scored alone; of several --data all must hold pictures"
    for complaint, data, lists in (
        (alone, [crowd, clips], []),
        (alone, [clips, crowd], []),
        ("1 file for 2 folders of --data; give none, or one for each", folders, [names]),
        ("2 files for 1 folder of --data", [crowd], [names, names]),
        ("3 files for 2 folders of --data", folders, [names] * 3),
        (f"{crowd} and {namesake}: two sets of one name", [crowd, scene, namesake], []),
        (f"{crowd} and {crowd}: two sets of one name", [crowd, crowd], []),
        ("nowhere: no such folder", [crowd, tmp_path / "nowhere"], []),
    ):
        with pytest.raises(LookhearError, match=complaint) as caught:
            read_sets(data, lists)
        assert "\n" not in str(caught.value)
    with pytest.raises(LookhearError, match="so it has no --database"):
        read_sets(folders, database="db")
