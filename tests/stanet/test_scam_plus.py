"""SCAM+: eleven maps become one, whoever is told the tags, and going on after a stop."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from little_world import COLOURS, write_little_world
from lookhear.data.derived import BOXES, FIXATIONS, write_derived
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.maps import Maps, resize
from lookhear.stanet import PLUS_SOURCES, ScamRules, scam
from lookhear.stanet.pseudo_fixations import Looks
from lookhear.stanet.run_folder import CONFIDENCES, FUSED, NAMED, SINGLE
from lookhear.stanet.scam_plus import AT_ONCE, make_maps, map_moments

GRID = (8, 12)
CLASSES = len(COLOURS)
SHARDS = ("train-00000", "train-00001")
STRIDES = ((4, 6), (2, 3), (2, 3), *[(6, 9)] * 8)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards to train on: of sixteen clips, and of one."""
    root = tmp_path_factory.mktemp("sets")
    prepare(read_tagged(write_little_world(root / "ave", (17, 0, 0), seconds=2)), root / "moments")
    return root / "moments"


@pytest.fixture(scope="module")
def crops(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boxes of chance, by name of the shard."""
    folder, chance = tmp_path_factory.mktemp("crops"), np.random.default_rng(1)
    for shard, indices in Moments(prepared, "train").shards.items():
        corner = chance.uniform(0, 0.5, (len(indices), 2))
        boxes = np.concatenate([corner, corner + 0.5], 1).astype(np.float32)
        write_derived(folder, shard, {BOXES: boxes})
    return folder


class Told:
    """Stands in for sources of both kinds: sees what it is told, and notes what it is asked.

    Args:
        looks: of all eleven on every moment.
        rules: of the fine ones.
        stops_at: the moment at whose look the work is stopped.
    """

    def __init__(
        self, looks: Looks, rules: ScamRules = "clean", stops_at: int | None = None
    ) -> None:
        self._looks = looks
        self.rules = rules
        self.stops_at = stops_at
        self.looked: list[int] = []
        self.asked_for_tags = False
        self.of_one_clip: set[bool] = set()

    def moments(self, prepared: Path, split: Split, crops: Path | None = None) -> Moments:
        return Moments(prepared, split, crops=crops)

    def tags(self, data: Moments, indices: Sequence[int]) -> NDArray[np.int64]:
        self.asked_for_tags = True
        return np.array([data.tag(index) for index in indices])

    def graphs(self, _: Path, __: Split, *, of_one_clip: bool) -> "TheOthers":
        self.of_one_clip.add(of_one_clip)
        return TheOthers(self)

    def look(self, _: Moments, indices: Sequence[int]) -> Looks:
        assert len(indices) <= AT_ONCE
        if self.stops_at in indices:
            raise KeyboardInterrupt
        self.looked += indices
        return self.seen(indices, slice(0, 3))

    def seen(self, indices: Sequence[int], sources: slice) -> Looks:
        rows, (plain, fused, probabilities) = list(indices), self._looks
        return Looks(
            tuple(of_one[rows] for of_one in plain[sources]),
            tuple(of_one[rows] for of_one in fused[sources]),
            probabilities[rows, sources],
        )


class TheOthers:
    def __init__(self, told: Told) -> None:
        self._told = told

    def look(self, indices: Sequence[int]) -> Looks:
        return self._told.seen(indices, slice(3, 11))


def chance_looks(prepared: Path) -> Looks:
    """Most sources name the tag of most moments; all that of some, none that of one."""
    data, chance = Moments(prepared, "train"), np.random.default_rng(0)
    count = len(data)
    plain, fused = (
        tuple(chance.normal(size=(count, CLASSES, *g)).astype(np.float32) for g in STRIDES)
        for _ in range(2)
    )
    tags = np.array([data.tag(index) for index in range(count)])
    named = np.where(chance.random((count, 11)) < 0.8, tags[:, None], (tags[:, None] + 1) % CLASSES)
    named[::3] = tags[::3, None]
    named[1] = (tags[1] + 1) % CLASSES
    others = chance.uniform(0, 0.2, (count, 11, CLASSES))
    of_named = np.eye(CLASSES)[named] * chance.uniform(0.3, 0.8, (count, 11, 1))
    return Looks(plain, fused, (others + of_named).astype(np.float32))


def made(
    told: Told, prepared: Path, out: Path, crops: Path, knows_tags: bool = True
) -> dict[str, NDArray[Any]]:
    without = make_maps(told, told, prepared, out, GRID, crops, knows_tags)  # type: ignore[arg-type]
    names = {path.stem for path in (out / SHARDS[0]).iterdir()}
    arrays = {
        name: np.concatenate([np.load(out / shard / f"{name}.npy") for shard in SHARDS])
        for name in names
    }
    assert without == np.count_nonzero(~arrays[FIXATIONS].any((1, 2)))
    return arrays


def stretched(one: Maps) -> Maps:
    span = one.max() - one.min()
    return (one - one.min()) / span if span > 0 else np.zeros_like(one)


def fused_by_hand(
    looks: Looks,
    index: int,
    named: int,
    confidences: Sequence[float],
    box: NDArray[np.float32],
) -> Maps:
    """Eleven maps of a class, three of which are of a box; each stretched, weighed, summed."""
    total = np.zeros(GRID, np.float64)
    for source in range(11):
        mean = (looks.plain[source][index, named] + looks.fused[source][index, named]) / 2
        seen = np.maximum(mean, 0)
        if source < 3:
            (left, top), (right, bottom) = np.rint(box * (GRID[1], GRID[0])).astype(int)
            frame = np.zeros(GRID, np.float32)
            inside = resize(resize(seen, GRID), (bottom - top, right - left))
            frame[top:bottom, left:right] = inside
        else:
            frame = resize(seen, GRID)
        total += confidences[source] * stretched(frame)
    return stretched(total)


@pytest.mark.parametrize("rules", ["clean", "released"])
def test_eleven_maps_are_fused_by_how_probable_each_finds_the_tag(
    prepared: Path, crops: Path, tmp_path: Path, rules: ScamRules
) -> None:
    """By the released rules a moment counts only where all eleven name its tag."""
    looks, data = chance_looks(prepared), Moments(prepared, "train")
    told = Told(looks, rules)
    maps = made(told, prepared, tmp_path / "maps", crops)
    assert told.of_one_clip == {False}
    assert maps.keys() == {FIXATIONS, FUSED, NAMED, CONFIDENCES}
    assert maps[CONFIDENCES].shape == (len(data), 11)
    none, some, every = 0, 0, 0
    for index in range(len(data)):
        tag, probabilities = data.tag(index), looks.probabilities[index]
        assert maps[NAMED][index] == tag
        right = [int(of_one.argmax()) == tag for of_one in probabilities]
        counts = right if rules == "clean" or all(right) else [False] * 11
        confidences = [
            float(of_one[tag]) if yes else 0.0
            for of_one, yes in zip(probabilities, counts, strict=True)
        ]
        np.testing.assert_allclose(maps[CONFIDENCES][index], confidences, atol=1e-6)
        box = data.derived(crops, BOXES, index).reshape(2, 2)
        expected = fused_by_hand(looks, index, tag, confidences, box)
        np.testing.assert_allclose(maps[FUSED][index], expected, atol=1e-3)
        none += not any(right)
        some += any(right) and not all(right)
        every += all(right)
    assert min(none, some, every) > 0


def test_fixations_are_those_of_scam_over_each_clip(
    prepared: Path, crops: Path, tmp_path: Path
) -> None:
    looks, data = chance_looks(prepared), Moments(prepared, "train")
    maps = made(Told(looks), prepared, tmp_path / "maps", crops)
    for indices in data.clip_moments().values():
        expected = scam.pseudo_fixations(maps[FUSED][indices].astype(np.float32))
        given = maps[FIXATIONS][indices].astype(np.float32)
        np.testing.assert_allclose(given, expected, atol=2e-3)


def test_without_tags_the_class_is_what_all_eleven_find_most_probable(
    prepared: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, data = chance_looks(prepared), Moments(prepared, "train")
    boxes = [data.derived(crops, BOXES, index).reshape(2, 2) for index in range(len(data))]

    def told_tags(*_: Any) -> int:
        raise AssertionError("tags were asked for")

    monkeypatch.setattr(Moments, "tag", told_tags)
    told = Told(looks)
    maps = made(told, prepared, tmp_path / "maps", crops, knows_tags=False)
    assert not told.asked_for_tags
    assert told.of_one_clip == {True}  # no partner of another clip tells the tag
    assert maps[SINGLE].shape == (len(data), 8, *GRID)
    for index, box in enumerate(boxes):
        probabilities = looks.probabilities[index]
        named = int(probabilities.mean(0).argmax())
        assert maps[NAMED][index] == named
        np.testing.assert_allclose(maps[CONFIDENCES][index], probabilities[:, named], atol=1e-6)
        expected = fused_by_hand(looks, index, named, probabilities[:, named].tolist(), box)
        np.testing.assert_allclose(maps[FUSED][index], expected, atol=1e-3)
        for at in range(8):  # each of the others by itself
            own = int(probabilities[3 + at].argmax())
            mean = (looks.plain[3 + at][index, own] + looks.fused[3 + at][index, own]) / 2
            seen = stretched(resize(np.maximum(mean, 0), GRID))
            np.testing.assert_allclose(maps[SINGLE][index, at], seen, atol=1e-3)


def test_it_goes_on_where_it_was_stopped(prepared: Path, crops: Path, tmp_path: Path) -> None:
    looks = chance_looks(prepared)
    whole = made(Told(looks), prepared, tmp_path / "whole", crops)
    first, second = Moments(prepared, "train").shards.values()
    stopped = Told(looks, stops_at=second[0])
    with pytest.raises(KeyboardInterrupt):
        made(stopped, prepared, tmp_path / "maps", crops)
    assert stopped.looked == [*first]
    assert [path.name for path in (tmp_path / "maps").iterdir()] == [SHARDS[0]]
    rest, done = Told(looks), list[int]()
    make_maps(rest, rest, prepared, tmp_path / "maps", GRID, crops, True, done.append)  # type: ignore[arg-type]
    assert rest.looked == [*second]
    assert sum(done) == len(first) + len(second)
    for name, array in made(rest, prepared, tmp_path / "maps", crops).items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


def test_boxes_that_are_missing_are_one_line(prepared: Path, crops: Path, tmp_path: Path) -> None:
    shutil.copytree(crops, tmp_path / "crops")
    shutil.rmtree(tmp_path / "crops" / SHARDS[1])
    told = Told(chance_looks(prepared))
    with pytest.raises(LookhearError, match=r"boxes\.npy: missing or damaged; make [^\n]*\Z"):
        made(told, prepared, tmp_path / "maps", tmp_path / "crops")


def test_maps_note_from_what_they_are(
    prepared: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(chance_looks(prepared))
    asked: list[dict[str, Path]] = []

    def load(folders: dict[str, Path], *_: Any) -> Told:
        asked.append(folders)
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(folder.parts[-2])
        return told

    monkeypatch.setattr("lookhear.stanet.scam_plus.Sources.load", load)
    monkeypatch.setattr("lookhear.stanet.scam_plus.PlusSources.load", load)
    paths = prepared, tmp_path / "fine", tmp_path / "maps"
    options: dict[str, Any] = {"grid": GRID, "loss": "cross-entropy", "crops": crops}
    count, _ = map_moments(*paths, **options, plus=tmp_path / "plus")
    assert count == 34
    names = [f"{source}/{partners}" for source, partners in PLUS_SOURCES]
    assert [[*folders] for folders in asked] == [["S", "SA", "ST"], names]
    assert asked[1]["S+/short"] == tmp_path / "plus" / "S+/short" / "model"
    note = json.loads((tmp_path / "maps" / "made.json").read_text())
    assert note.keys() == {"grid", "tags", "moments", "crops", "S", "SA", "ST", *names}
    with pytest.raises(LookhearError, match="made by another recipe"):
        map_moments(*paths, **options, plus=tmp_path / "plus", knows_tags=False)
