"""Archives of maps, and damaged or hostile files: nothing is believed, nothing is held."""

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_maps import (
    COUNT,
    MAPS,
    TIMES,
    Trap,
    all_good,
    archive,
    draw,
    good_scores,
    huge_png,
    npy,
    of_folder,
    trap,
    watched,
)
from looked_at import RATE, Film, unheard
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import FAR, STRETCHED, OfArchive, OfFolder
from lookhear.evaluation.scoring import BROKEN, FLAT
from lookhear.evaluation.stimuli import Stimulus, StimulusSet, read_stimuli
from lookhear.prediction.maps_files import open_archive
from osie_layout import make_osie


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> StimulusSet:
    return watched(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> StimulusSet:
    return read_stimuli(make_osie(tmp_path_factory.mktemp("pictures"), count=3))


@pytest.fixture(scope="module")
def expected(clip: StimulusSet, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The scores of good maps."""
    return good_scores(clip, tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("1.png", b""),
        ("1.png", b"text"),
        ("1.png", huge_png()),
        ("1.jpg", b"\xff\xd8\xff"),
        ("1.npy", b""),
        ("1.npy", b"text"),
        ("1.npy", pickle.dumps(Trap())),
        ("1.npy", trap()),
        ("1.npy", npy(np.zeros((4, 5)))[:-8]),
        ("1.npy", npy(np.zeros((4, 5)), shape=(2**40, 2**40))),
        ("1.npy", npy(np.zeros((4, 5, 3)))),
        ("1.npy", npy(np.zeros((0, 5)))),
        ("1.npy", npy(np.zeros((4, 5), complex))),
        ("1.npy", npy(np.array([["a", "b"]]))),
    ],
)
def test_a_damaged_or_hostile_map_is_one_line(
    clip: StimulusSet, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / name).write_bytes(content)
    with pytest.raises(LookhearError, match=rf"(?s)^[^\n]*{name}[^\n]*\Z"):
        of_folder(clip, tmp_path)


def test_of_maps_in_time_the_nearest_counts(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    """Frames are an eighth of a second apart."""
    maps = np.stack([*all_good(clip).values()])
    times = np.arange(COUNT) / RATE
    (tmp_path / "a").mkdir()
    np.savez(tmp_path / "a" / "maps.npz", maps=maps, times=times + 0.01)
    assert of_folder(clip, tmp_path) == (expected, ())
    np.savez(tmp_path / "a" / "maps.npz", maps=maps[::2], times=times[::2] + 0.01)
    values, notes = of_folder(clip, tmp_path)
    assert notes == ()
    for frame, nearest in enumerate((0, 0, 2, 2, 4, 4)):
        single = draw(tmp_path / f"{frame}" / "a", {of + 1: maps[nearest] for of in range(COUNT)})
        alone, _ = of_folder(clip, single.parent)
        assert values["NSS"][0][frame] == alone["NSS"][0][frame]


def test_maps_of_another_time_are_named(clip: StimulusSet, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    maps = np.stack([*all_good(clip).values()])[:1]
    for time, far in ((COUNT / RATE, False), (5.0, True)):
        np.savez(tmp_path / "a" / "maps.npz", maps=maps, times=[time])
        _, notes = of_folder(clip, tmp_path)
        assert bool(notes) == far
    assert notes[0].endswith(FAR)


def test_maps_in_time_that_are_broken_or_flat_are_named(clip: StimulusSet, tmp_path: Path) -> None:
    maps = np.stack([*all_good(clip).values()]).astype(np.float16)
    maps[1, 0, 0], maps[4] = np.nan, 0
    (tmp_path / "a").mkdir()
    np.savez(tmp_path / "a" / "maps.npz", maps=maps[..., :30], times=np.arange(COUNT) / RATE)
    _, notes = of_folder(clip, tmp_path)
    assert sorted(notes) == [
        f"model: a: frame 2: {BROKEN}",
        f"model: a: frame 5: {FLAT}",
        f"model: a: frames 1, 2, 3 and 3 more: {STRETCHED}",
    ]


def test_the_maps_of_an_archive_are_never_all_in_memory(tmp_path: Path) -> None:
    count, size = 100, (60, 80)
    film = Film(count, size=size)
    (tmp_path / "film").mkdir()
    maps = np.random.default_rng(0).random((count, *size)).astype(np.float32)
    np.savez_compressed(tmp_path / "film" / "maps.npz", maps=maps, times=np.arange(count) / RATE)
    tracemalloc.start()
    for index, found in enumerate(OfFolder(tmp_path).maps(film, range(count), unheard)):
        assert found is not None
        assert found[3, 5] == maps[index, 3, 5]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < maps.nbytes / 4


def test_what_lookhear_predicts_is_read_as_it_was_written(
    clip: StimulusSet, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    maps = np.random.default_rng(0).random((COUNT, 6, 8)).astype(np.float16)
    with open_archive(tmp_path / "a") as keep:
        for index, of_frame in enumerate(maps.astype(np.float32)):
            keep(of_frame, index / RATE)
    read = [*OfFolder(tmp_path).maps(clip.subjects[0], range(COUNT), unheard)]
    np.testing.assert_array_equal(read, maps)


@pytest.mark.parametrize(
    "members",
    [
        {"maps": MAPS},
        {"times": TIMES},
        {"maps": MAPS, "times": npy(np.array([0.0, 1.0, 2.0]))},
        {"maps": MAPS, "times": npy(np.array([1.0, 0.0]))},
        {"maps": MAPS, "times": npy(np.array([0.0, np.nan]))},
        {"maps": MAPS, "times": npy(np.array([2, 1], np.uint8))},
        {"maps": npy(np.zeros((1, 6, 8))), "times": npy(np.array([np.nan]))},
        {"maps": npy(np.zeros((1, 6, 8))), "times": npy(np.array([np.inf]))},
        {"maps": MAPS, "times": npy(np.array(["a", "b"]))},
        {"maps": MAPS, "times": npy(np.array([]))},
        {"maps": MAPS, "times": npy(np.zeros((2, 1)))},
        {"maps": MAPS, "times": trap()},
        {"maps": trap(), "times": npy(np.array([0.0]))},
        {"maps": b"text", "times": TIMES},
        {"maps": b"\x93NUMPY\x01\x00\x08\x00{'a': (\n", "times": TIMES},
        {"maps": MAPS[:-20], "times": TIMES},
        {"maps": npy(np.zeros((2, 6))), "times": TIMES},
        {"maps": npy(np.zeros((2, 0, 8))), "times": TIMES},
        {"maps": npy(np.asfortranarray(np.zeros((2, 6, 8)))), "times": TIMES},
        {"maps": npy(np.zeros((2, 6, 8), complex)), "times": TIMES},
        {"maps": npy(np.zeros((2, 6, 8)), shape=(2, 2**31, 2**31)), "times": TIMES},
        {"maps": npy(np.zeros((2, 6, 8)), shape=(2, -6, -8)), "times": TIMES},
    ],
)
def test_an_archive_that_holds_something_else_is_one_line(
    clip: StimulusSet, tmp_path: Path, members: dict[str, bytes]
) -> None:
    archive(tmp_path / "a" / "maps.npz", **members)
    with pytest.raises(LookhearError, match=r"^[^\n]*maps\.npz: [^\n]*write it again\Z"):
        of_folder(clip, tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "turned", "unknown packing", "locked"])
def test_a_damaged_archive_is_one_line(clip: StimulusSet, tmp_path: Path, damage: str) -> None:
    path = archive(tmp_path / "a" / "maps.npz", maps=MAPS, times=TIMES)
    raw = bytearray(path.read_bytes())
    begin = raw.index(b"maps.npy") + len("maps.npy")
    listed = raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"maps.npy"))
    if damage == "empty":
        raw = bytearray()
    elif damage == "cut":
        del raw[-40:]
    elif damage == "turned":
        raw[begin + 200 : begin + 300] = raw[begin + 200 : begin + 300][::-1]
    elif damage == "unknown packing":
        raw[listed + 10] = 99
        raw[8] = 99
    else:
        raw[listed + 8] |= 1
        raw[6] |= 1
    path.write_bytes(raw)
    with pytest.raises(LookhearError, match=r"^[^\n]*maps\.npz: [^\n]*write it again\Z"):
        of_folder(clip, tmp_path)


@pytest.mark.parametrize(
    "content", [None, b"", b"text", b"PK\x03\x04 cut short", pickle.dumps(Trap())]
)
def test_what_is_no_archive_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "maps.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LookhearError, match=r"^[^\n]*maps\.npz: not an \.npz file [^\n]*\Z"):
        OfArchive(path)


@pytest.mark.parametrize(
    "content",
    [
        trap(),
        b"text",
        MAPS,
        npy(np.zeros((0, 4))),
        npy(np.array([["a"]])),
        npy(np.zeros((4, 5)), shape=(2**40, 2**40)),
        npy(np.zeros((4, 5)))[:-8],
    ],
)
def test_a_member_that_is_no_map_is_one_line(
    pictures: StimulusSet, tmp_path: Path, content: bytes
) -> None:
    first: Stimulus = pictures.subjects[0]
    path = archive(tmp_path / "maps.npz", **{first.paths[0].name: content})
    with pytest.raises(
        LookhearError, match=rf"^[^\n]*maps\.npz: [^\n]*{first.paths[0].name}[^\n]*\Z"
    ):
        [*OfArchive(path).maps(first, [0], unheard)]
