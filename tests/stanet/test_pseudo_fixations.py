"""What sources see becomes crops and pseudo-fixations: of the right class, clip and place."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from conftest import Run
from little_world import COLOURS, write_little_world
from lookhear.data.derived import BOXES, FIXATIONS
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.tagged import Split
from lookhear.errors import LookhearError
from lookhear.media.spectrogram import VGGSOUND
from lookhear.stanet import ScamRules, Source
from lookhear.stanet.pseudo_fixations import (
    CONFIDENCES,
    FUSED,
    NAMED,
    SINGLE,
    Looks,
    Sources,
    make_maps,
    map_moments,
)
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.stanet.sources import SA, ST, S

GRID = (8, 12)
CLASSES = len(COLOURS)
TINY = {"backbone": "resnet10t", "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4}}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards to train on: of sixteen clips, and of one; a clip is silent."""
    root = tmp_path_factory.mktemp("sets")
    prepare(
        read_tagged(write_little_world(root / "ave", (17, 1, 0), seconds=2, silent=[1])),
        root / "moments",
    )
    return root / "moments"


class Told:
    """Stands in for sources: sees what it is told, and counts how often it looks."""

    def __init__(self, looks: Looks, rules: ScamRules = "clean") -> None:
        self.looks = looks
        self.rules = rules
        self.looked = 0

    def moments(self, prepared: Path, split: Split, crops: Path | None = None) -> Moments:
        return Moments(prepared, split, crops=crops)

    def tags(self, data: Moments, indices: range) -> NDArray[np.int64]:
        return np.array([data.tag(index) for index in indices])

    def look(self, _: Moments, indices: range) -> Looks:
        self.looked += 1
        rows = slice(indices.start, indices.stop)
        plain, fused, probabilities = self.looks
        return Looks(
            tuple(of_one[rows] for of_one in plain),
            tuple(of_one[rows] for of_one in fused),
            probabilities[rows],
        )


def spots(count: int) -> NDArray[np.float32]:
    """Maps (N, classes, h, w) of three sources: of each a spot, for every class elsewhere."""
    maps = np.zeros((3, count, CLASSES, *GRID), np.float32)
    for source in range(3):
        for named in range(CLASSES):
            maps[source, :, named, source, named] = 1
    return maps


def told(
    probabilities: Any, maps: NDArray[np.float32] | None = None, rules: ScamRules = "clean"
) -> Told:
    probabilities = np.asarray(probabilities, np.float32)
    seen = spots(len(probabilities)) if maps is None else maps
    return Told(Looks(tuple(seen), tuple(seen), probabilities), rules)


def sure_of(classes: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Probabilities (N, 3, classes), of each source 0.6 for the class given, (N, 3)."""
    chosen = np.eye(CLASSES, dtype=np.float32)[np.array(classes)]
    return 0.2 + np.float32(0.4) * chosen


def made(
    sources: Any, prepared: Path, out: Path, crops: Path | None = None, *, knows_tags: bool = True
) -> dict[str, NDArray[Any]]:
    """Map the moments; return the arrays of the shards to train on."""
    make_maps(sources, prepared, out, GRID, crops=crops, knows_tags=knows_tags)
    *shards, validation = sorted(out.iterdir())
    assert [shard.name for shard in shards] == ["train-00000", "train-00001"]
    assert validation.name == "val-00000"
    names = {path.stem for path in shards[0].iterdir()}
    return {name: np.concatenate([np.load(s / f"{name}.npy") for s in shards]) for name in names}


def tags_of(prepared: Path) -> NDArray[np.int64]:
    data = Moments(prepared, "train")
    return np.array([data.tag(index) for index in range(len(data))])


def spots_in(maps: NDArray[Any]) -> set[tuple[int, int]]:
    """The (source, class) whose spots are in a map (h, w)."""
    return {(int(source), int(named)) for source, named in np.argwhere(maps > 0)}


def test_every_source_is_mapped_for_the_class_asked_of_it() -> None:
    chance = np.random.default_rng(0)
    grids = ((4, 6), (2, 3), (2, 3))  # of strides 16, 32 and 32
    plain = tuple(chance.normal(size=(5, CLASSES, *grid)).astype(np.float32) for grid in grids)
    fused = tuple(chance.normal(size=(5, CLASSES, *grid)).astype(np.float32) for grid in grids)
    looks = Looks(plain, fused, np.zeros((5, 3, CLASSES), np.float32))
    wanted = chance.integers(0, CLASSES, (5, 3))
    for moment in range(5):
        for source, size in enumerate(grids):
            maps = looks.maps(wanted, size)
            assert maps.shape == (5, 3, *size)
            named = wanted[moment, source]
            mean = (plain[source][moment, named] + fused[source][moment, named]) / 2
            np.testing.assert_allclose(maps[moment, source], np.maximum(mean, 0), atol=1e-6)
    of_all = looks.maps(wanted[:, 1], GRID)
    np.testing.assert_array_equal(of_all[:, 1], looks.maps(wanted, GRID)[:, 1])
    repeated = np.repeat(wanted[:, 1:2], 3, axis=1)
    np.testing.assert_array_equal(of_all, looks.maps(repeated, GRID))


def test_where_tags_are_known_a_source_counts_only_where_it_names_the_tag(
    prepared: Path, tmp_path: Path
) -> None:
    tags = tags_of(prepared)
    other = (tags + 1) % CLASSES
    named = np.stack([tags, other, np.where(np.arange(len(tags)) % 2, tags, other)], 1)
    named[5] = other[5]
    maps = made(told(sure_of(named)), prepared, tmp_path / "maps")
    np.testing.assert_array_equal(maps[NAMED], tags)
    expected = np.where(named == tags[:, None], np.float32(0.6), 0)
    np.testing.assert_allclose(maps[CONFIDENCES], expected, atol=1e-6)
    for moment, tag in enumerate(tags):
        counting = {(source, tag) for source in range(3) if named[moment, source] == tag}
        assert spots_in(maps[FUSED][moment]) == counting
        for source in range(3):
            assert spots_in(maps[SINGLE][moment, source]) == {(source, tag)}
    assert maps[FUSED][4].max() == 1
    # Where no source counts, all of the frame is looked at again.
    assert not maps[FUSED][5].any()


def test_without_tags_the_class_is_the_one_most_probable_to_all_sources_together(
    prepared: Path, tmp_path: Path
) -> None:
    """And each source counts by how probable it finds it, whatever it names itself."""
    count = len(tags_of(prepared))
    probabilities = sure_of(np.tile([0, 1, 1], (count, 1)))
    probabilities[0] = [[0.9, 0.1, 0], [0, 0.4, 0.6], [0.3, 0.5, 0.2]]  # two name another than 0
    probabilities[1] = [[0.5, 0, 0.45], [0, 0.55, 0.45], [0.5, 0.05, 0.45]]  # none names 2
    maps = made(told(probabilities), prepared, tmp_path / "maps", knows_tags=False)
    assert maps[NAMED].tolist() == [0, 2, *[1] * (count - 2)]
    np.testing.assert_allclose(maps[CONFIDENCES][0], [0.9, 0, 0.3])
    np.testing.assert_allclose(maps[CONFIDENCES][1], [0.45, 0.45, 0.45])
    np.testing.assert_allclose(maps[CONFIDENCES][2], [0.2, 0.6, 0.6])
    assert spots_in(maps[FUSED][0]) == {(0, 0), (2, 0)}
    assert maps[FUSED][0][2, 0] == pytest.approx(0.3 / 0.9, abs=1e-3)
    assert spots_in(maps[FUSED][1]) == {(0, 2), (1, 2), (2, 2)}
    # Each source by itself maps what it finds most probable.
    singles = [[spots_in(maps[SINGLE][n, source]) for source in range(3)] for n in (0, 2)]
    assert singles[0] == [{(0, 0)}, {(1, 2)}, {(2, 1)}]
    assert singles[1] == [{(0, 0)}, {(1, 1)}, {(2, 1)}]


def blocks(lefts: Sequence[int]) -> NDArray[np.float32]:
    """Maps of all sources and classes of a block four cells square, so far from the left."""
    maps = np.zeros((3, len(lefts), CLASSES, *GRID), np.float32)
    for moment, left in enumerate(lefts):
        maps[:, moment, :, 2:6, left : left + 4] = 1
    return maps


def test_boxes_are_shares_of_the_frame_smooth_over_each_clip_and_not_over_two(
    prepared: Path, tmp_path: Path
) -> None:
    """Of two moments in each clip: in the first clip it moves, from the second on it stays."""
    count = len(tags_of(prepared))
    lefts = [0, 6, *(clip % 2 * 8 for clip in range(count // 2 - 1) for _ in range(2))]
    sure = np.full((count, 3, CLASSES), 0.5, np.float32)
    maps = made(told(sure, blocks(lefts)), prepared, tmp_path / "maps", knows_tags=False)
    boxes = maps[BOXES]
    assert boxes.dtype == np.float32
    in_cells = boxes * np.array([12, 8, 12, 8])
    np.testing.assert_allclose(in_cells[:2], [[2, 2, 6, 6], [4, 2, 8, 6]], atol=1e-5)
    expected = [[left, 2, left + 4, 6] for left in lefts[2:]]
    np.testing.assert_allclose(in_cells[2:], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("clean", [[2, 2, 6, 6], [4, 2, 8, 6]]),  # smooth over the clip's two moments
        ("report", [[0, 0, 12, 8], [0, 0, 12, 8]]),  # a cell too narrow
        ("released", [[0, 2, 4, 6], [6, 2, 10, 6]]),
    ],
)
def test_boxes_go_by_the_rules(
    prepared: Path, tmp_path: Path, rules: ScamRules, expected: list[list[int]]
) -> None:
    count = len(tags_of(prepared))
    sure = np.full((count, 3, CLASSES), 0.5, np.float32)
    sources = told(sure, blocks([0, 6] * (count // 2)), rules)
    boxes = made(sources, prepared, tmp_path / "maps", knows_tags=False)[BOXES]
    np.testing.assert_allclose(boxes[:2] * np.array([12, 8, 12, 8]), expected, atol=1e-5)


@pytest.mark.parametrize(("rules", "expected"), [("clean", 2), ("released", 36)])
def test_moments_without_pseudo_fixations_are_counted(
    prepared: Path, tmp_path: Path, rules: ScamRules, expected: int
) -> None:
    """A clip whose tag no source names has none, by the released rules no clip of two moments."""
    tags = tags_of(prepared)  # which the clip held out does not share
    seen: Any = told(sure_of(np.repeat(tags[:, None], 3, 1)), rules=rules)
    assert make_maps(seen, prepared, tmp_path / "coarse", GRID) == 0
    for _ in range(2):  # the second time, all maps are there
        assert make_maps(seen, prepared, tmp_path / "fine", GRID, tmp_path / "coarse") == expected
    maps = np.concatenate([np.load(path) for path in tmp_path.glob("fine/*/fixations.npy")])
    assert np.count_nonzero(~maps.any((1, 2))) == expected


def test_fine_maps_lie_in_the_box_and_nowhere_else(prepared: Path, tmp_path: Path) -> None:
    tags = tags_of(prepared)
    count = len(tags)
    lefts = [clip % 3 * 4 for clip in range(count // 2) for _ in range(2)]
    sure = sure_of(np.repeat(tags[:, None], 3, 1))
    coarse = made(told(sure, blocks(lefts)), prepared, tmp_path / "coarse")
    corner = np.zeros((3, count, CLASSES, *GRID), np.float32)
    corner[..., :4, :6] = 1  # the upper left of each box
    maps = made(told(sure, corner), prepared, tmp_path / "fine", tmp_path / "coarse")
    assert maps.keys() == {FIXATIONS, FUSED, NAMED, CONFIDENCES}
    assert coarse.keys() == {BOXES, FUSED, SINGLE, NAMED, CONFIDENCES}
    for moment, left in enumerate(lefts):
        expected = np.zeros(GRID)
        expected[2:4, left : left + 2] = 1
        np.testing.assert_allclose(maps[FUSED][moment], expected, atol=1e-3)
        np.testing.assert_allclose(maps[FIXATIONS][moment], expected, atol=1e-3)


def test_pseudo_fixations_are_smoothed_over_each_clip_and_not_over_two(
    prepared: Path, tmp_path: Path
) -> None:
    tags = tags_of(prepared)
    sure = sure_of(np.repeat(tags[:, None], 3, 1))
    flat = np.ones((3, len(tags), CLASSES, *GRID), np.float32)
    made(told(sure, flat), prepared, tmp_path / "coarse")  # nothing stands out: whole frames
    seen = np.zeros((3, len(tags), CLASSES, *GRID), np.float32)
    for moment in range(len(tags)):
        seen[:, moment, :, 1, moment % 12] = 1
    maps = made(told(sure, seen), prepared, tmp_path / "fine", tmp_path / "coarse")
    for moment in range(0, len(tags), 2):
        # Of five held over two moments, the nearer one has three.
        ahead, behind = moment % 12, (moment + 1) % 12
        first, second = maps[FIXATIONS][moment : moment + 2]
        assert {*np.flatnonzero(first.any(0))} == {*np.flatnonzero(second.any(0))}
        assert {*np.flatnonzero(first.any(0))} == {ahead, behind}
        assert first[1, ahead] == second[1, behind] == 1
        assert first[1, behind] == second[1, ahead] == pytest.approx(2 / 3, abs=1e-3)


def test_maps_that_were_stopped_between_shards_go_on_and_end_the_same(
    prepared: Path, tmp_path: Path
) -> None:
    probabilities = np.random.default_rng(1).dirichlet(np.ones(CLASSES), (34, 3))
    whole = told(probabilities)
    expected = made(whole, prepared, tmp_path / "whole")
    assert whole.looked == 3

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    stopped = told(probabilities)
    with pytest.raises(KeyboardInterrupt):
        make_maps(stopped, prepared, tmp_path / "maps", GRID, progress=stop)  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["train-00000"]
    again = made(stopped, prepared, tmp_path / "maps")
    assert stopped.looked == 3
    for name, array in expected.items():
        np.testing.assert_array_equal(again[name], array)
    for path in (tmp_path / "whole").rglob("*.npy"):
        other = tmp_path / "maps" / path.relative_to(tmp_path / "whole")
        assert other.read_bytes() == path.read_bytes()


def test_every_moment_is_counted_once_also_of_shards_that_are_there(
    prepared: Path, tmp_path: Path
) -> None:
    sources = told(sure_of(np.zeros((34, 3), int)))
    for _ in range(2):
        done: list[int] = []
        make_maps(
            sources,  # type: ignore[arg-type]
            prepared,
            tmp_path,
            GRID,
            knows_tags=False,
            progress=done.append,
        )
        assert done == [32, 2, 2]


def saved_sources(folder: Path) -> dict[Source, Path]:
    """Untrained S, SA and ST with strides and sizes as different as the paper's."""
    torch.manual_seed(0)
    nets = {
        "S": S([*COLOURS], **TINY, input_size=(64, 96)),
        "SA": SA(
            [*COLOURS],
            **TINY,
            sound_encoder="light",
            sound_gate="matching",
            sound_votes=True,
            width=8,
            input_size=(64, 64),
        ),
        "ST": ST([*COLOURS], **TINY, width=8, input_size=(96, 96)),
    }
    for name, net in nets.items():
        net.save_pretrained(folder / name)
    return {"S": folder / "S", "SA": folder / "SA", "ST": folder / "ST"}


def resized(frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return torch.nn.functional.interpolate(frames, size, mode="bilinear", antialias=True)


@torch.inference_mode()
def test_sources_of_other_strides_and_sizes_see_what_they_see_alone(
    prepared: Path, tmp_path: Path
) -> None:
    sources = Sources.load(saved_sources(tmp_path), "cross-entropy", "cpu")
    data = sources.moments(prepared, "train")
    looks = sources.look(data, range(1, 20))
    assert [maps.shape[2:] for maps in looks.plain] == [(4, 6), (2, 2), (3, 3)]
    assert looks.probabilities.shape == (19, 3, CLASSES)
    plain_data = Moments(prepared, "train", size=(64, 96), frames=3, windows=VGGSOUND)
    for index in (1, 2, 17, 19):  # the second clip, moments 2 and 3, is silent
        sample = plain_data[index]
        frames = sample["frames"][0].float() / 255
        middle = frames[1:2]
        is_silent = index == 2
        heard = None if is_silent else sample["sound"][:1, 1]
        assert bool(sample["has_sound"][0]) is not is_silent
        seen = sources.st.see(resized(frames, (96, 96)))
        expected = (
            sources.s(middle),
            sources.sa(resized(middle, (64, 64)), heard),
            sources.st.attend(*(seen.at(slice(time, time + 1)) for time in range(3))),
        )
        row = index - 1
        for source, maps in enumerate(expected):
            np.testing.assert_allclose(looks.plain[source][row], maps.plain[0], atol=1e-5)
            np.testing.assert_allclose(looks.fused[source][row], maps.fused[0], atol=1e-5)
            probable = torch.softmax(maps.scores()[1][0], 0)
            np.testing.assert_allclose(looks.probabilities[row, source], probable, atol=1e-5)


def test_probabilities_are_those_of_the_loss_that_sources_learnt_by(
    prepared: Path, tmp_path: Path
) -> None:
    folders = saved_sources(tmp_path)
    soft = Sources.load(folders, "soft margin", "cpu")
    data = soft.moments(prepared, "val")
    of_each = soft.look(data, range(2)).probabilities
    among_all = Sources.load(folders, "cross-entropy", "cpu").look(data, range(2)).probabilities
    np.testing.assert_allclose(among_all.sum(-1), 1, atol=1e-5)
    logits = np.log(of_each / (1 - of_each))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(among_all, shares, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("rules", "asked"), [("clean", (1, 1, 1)), ("report", (0, 0, 0)), ("released", (0, 1, 1))]
)
def test_the_rules_say_which_scores_are_asked(
    prepared: Path, tmp_path: Path, rules: ScamRules, asked: tuple[int, ...]
) -> None:
    """The report asks those of map 1, the release of S, too; both ask a softmax in any case."""
    sources = Sources.load(saved_sources(tmp_path), "soft margin", "cpu", rules)
    data = sources.moments(prepared, "train")
    looks = sources.look(data, range(4))
    for source, which in enumerate(asked):
        if source == 1 and which == 1:
            continue  # the sound votes, too
        scores = torch.from_numpy((looks.plain, looks.fused)[which][source]).mean((-2, -1))
        expected = torch.sigmoid(scores) if rules == "clean" else torch.softmax(scores, -1)
        np.testing.assert_allclose(looks.probabilities[:, source], expected, atol=1e-5)
    if rules != "clean":
        np.testing.assert_allclose(looks.probabilities.sum(-1), 1, atol=1e-5)


def test_maps_note_their_rules_and_those_of_old_are_clean(prepared: Path, tmp_path: Path) -> None:
    runs = tmp_path / "nets"
    for source, folder in saved_sources(tmp_path / "saved").items():
        shutil.copytree(folder, runs / source / "model")
    options: dict[str, Any] = {"grid": GRID, "loss": "cross-entropy", "device": "cpu"}
    assert map_moments(prepared, runs, tmp_path / "maps", **options) == (36, 0)
    note = json.loads((tmp_path / "maps" / "made.json").read_text())
    assert note.keys() == {"grid", "tags", "moments", "crops", "S", "SA", "ST"}
    with pytest.raises(LookhearError, match="made by another recipe"):
        map_moments(prepared, runs, tmp_path / "maps", rules="report", **options)
    map_moments(prepared, runs, tmp_path / "other", rules="report", **options)
    assert json.loads((tmp_path / "other" / "made.json").read_text())["rules"] == "report"


def test_train_maps_takes_rules_and_grid_from_the_preset_and_counts_what_is_empty(
    run: Run, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "paper", replace(PRESETS["paper"], grid=GRID))
    for source, folder in saved_sources(tmp_path / "saved").items():
        shutil.copytree(folder, tmp_path / "nets" / source / "model")
    given = ("--data", prepared, "--sources", tmp_path / "nets", "--preset", "paper")
    coarse, fine = tmp_path / "coarse", tmp_path / "fine"
    code, out, _ = run("train", "maps", *given, "--out", coarse)
    assert (code, out) == (0, f"{coarse}: maps of 36 moments\n")
    code, out, _ = run("train", "maps", *given, "--out", fine, "--stage", "fine", "--crops", coarse)
    assert code == 0
    assert out == f"{fine}: maps of 36 moments, 36 of them without pseudo-fixations\n"
    note = json.loads((fine / "made.json").read_text())
    assert (note["grid"], note["rules"]) == ([*GRID], "released")


def test_real_sources_map_coarse_and_fine(prepared: Path, tmp_path: Path) -> None:
    sources = Sources.load(saved_sources(tmp_path / "nets"), "cross-entropy", "cpu")
    coarse = made(sources, prepared, tmp_path / "coarse", knows_tags=False)
    assert ((coarse[BOXES] >= 0) & (coarse[BOXES] <= 1)).all()
    assert (coarse[BOXES][:, :2] < coarse[BOXES][:, 2:]).all()
    assert coarse[SINGLE].shape == (34, 3, *GRID)
    fine = made(sources, prepared, tmp_path / "fine", tmp_path / "coarse", knows_tags=False)
    assert fine[FIXATIONS].shape == fine[FUSED].shape == (34, *GRID)
    for name in (FIXATIONS, FUSED):
        assert fine[name].dtype == np.float16
        assert np.isfinite(fine[name]).all()
    shutil.rmtree(tmp_path / "coarse" / "train-00001")
    with pytest.raises(LookhearError, match=r"boxes\.npy: missing or damaged; make "):
        made(sources, prepared, tmp_path / "other", tmp_path / "coarse")


def test_a_source_in_anothers_place_is_one_line(tmp_path: Path) -> None:
    folders = saved_sources(tmp_path)
    with pytest.raises(LookhearError, match=f"model {tmp_path / 'S'}: its network is S, not SA"):
        Sources.load(folders | {"SA": folders["S"]}, "cross-entropy", "cpu")
    with pytest.raises(LookhearError, match="nowhere"):
        Sources.load(folders | {"ST": tmp_path / "nowhere"}, "cross-entropy", "cpu")


def test_a_tag_is_the_class_of_its_name_whatever_number_the_moments_give_it(
    tmp_path: Path,
) -> None:
    """A test set may have fewer tags than were learnt."""
    root = write_little_world(tmp_path / "ave", (2, 0, 0), seconds=2, tags=["Horn"])
    prepare(read_tagged(root), tmp_path / "moments")
    sources = Sources.load(saved_sources(tmp_path / "nets"), "cross-entropy", "cpu")
    make_maps(sources, tmp_path / "moments", tmp_path / "maps", GRID)
    named = np.load(tmp_path / "maps" / "train-00000" / f"{NAMED}.npy")
    assert named.tolist() == [[*COLOURS].index("Horn")] * 4
