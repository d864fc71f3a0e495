"""Any source of maps is scored by one protocol; what is wrong with a map is said in one line."""

import io
import json
import math
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from lookhear.annotation import METRIC_NAMES
from lookhear.baselines import centre_prior
from lookhear.data.osie import FixatedPicture, read_osie
from lookhear.errors import LookhearError
from lookhear.evaluate import Scores, evaluate_pictures, find_map_source, of_model, table
from lookhear.metrics import density, kl, nss
from osie_layout import make_osie, write_osie


@pytest.fixture
def pictures(tmp_path: Path) -> list[FixatedPicture]:
    return read_osie(make_osie(tmp_path / "osie", count=4))


def bright(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(pixels[..., 0].astype(np.float32), (0, 0), 3))


def source(name: str | Path):
    found = find_map_source(str(name))
    assert found is not None
    return found


def test_a_model_that_finds_what_people_look_at_beats_the_centre(pictures):
    scores = evaluate_pictures(pictures, {"centre": source("centre"), "bright": of_model(bright)})
    means = scores.means()
    assert set(means["bright"]) == set(METRIC_NAMES)
    for metric in ("AUC-J", "SIM", "s-AUC", "CC", "NSS"):
        assert means["bright"][metric] > means["centre"][metric]
    assert means["bright"]["KL"] < means["centre"]["KL"]


def test_values_are_those_of_the_metrics_at_the_size_of_the_picture(pictures):
    scores = evaluate_pictures(pictures, {"bright": of_model(bright)})
    picture = pictures[2]
    maps = torch.from_numpy(bright(picture.pixels()))[None]
    counts = torch.from_numpy(picture.fixation_map())[None]
    values = scores.values["bright"]
    assert scores.pictures[2] == picture.name
    assert values["NSS"][2] == pytest.approx(nss(maps, counts).item())
    # One degree of visual angle is 24 of OSIE's 800 columns.
    target = density(counts.double(), 0.03 * picture.width)
    assert values["KL"][2] == pytest.approx(kl(maps, target).item())


def test_the_other_fixations_are_those_of_all_other_pictures(tmp_path):
    """A map that is high at this picture's fixations, or everyone's, tells s-AUC what is what."""
    root = write_osie(
        tmp_path, {"a.jpg": [[(5.5, 5.5)]], "b.jpg": [[(30.5, 5.5)]], "c.jpg": [[(30.5, 20.5)]]}
    )
    pictures = read_osie(root)
    places = np.zeros((30, 40), np.float32)
    places[5, 5] = places[5, 30] = places[20, 30] = 1
    own = {p.name: p.fixation_map().astype(np.float32) for p in pictures}
    scores = evaluate_pictures(
        pictures, {"own": lambda p: own[p.name], "all": of_model(lambda _: places)}
    )
    assert scores.values["own"]["s-AUC"] == (1, 1, 1)
    assert scores.values["all"]["s-AUC"] == (0.5, 0.5, 0.5)


SIZES = [("a.png", 30, 40), ("b.png", 24, 20), ("c.png", 30, 40), ("d.png", 12, 50)]


def test_pictures_of_different_sizes_keep_their_order(tmp_path):
    rgb = {name: np.zeros((h, w, 3), np.uint8) for name, h, w in SIZES}
    root = write_osie(
        tmp_path, {name: [[(w * 0.3, h * 0.6), (w * 0.5, h * 0.2)]] for name, h, w in SIZES}, rgb
    )
    pictures = read_osie(root)
    together = evaluate_pictures(pictures, {"centre": source("centre")}).values["centre"]
    for i, picture in enumerate(pictures):
        maps = torch.from_numpy(centre_prior(picture.height, picture.width))[None]
        expected = nss(maps, torch.from_numpy(picture.fixation_map())[None])
        assert together["NSS"][i] == pytest.approx(expected.item())


def test_a_picture_nobody_looked_at_is_left_out_of_the_means(tmp_path):
    root = write_osie(tmp_path, {"a.jpg": [[(5, 5)]], "b.jpg": [[]], "c.jpg": [[(20, 15)]]})
    scores = evaluate_pictures(read_osie(root), {"centre": source("centre")})
    values = scores.values["centre"]["NSS"]
    assert math.isnan(values[1])
    assert scores.means()["centre"]["NSS"] == pytest.approx((values[0] + values[2]) / 2)
    assert (
        json.loads(json.dumps(scores.as_json(), allow_nan=False))["values"]["centre"]["NSS"][1]
        is None
    )


def test_scores_are_json(pictures):
    scores = evaluate_pictures(pictures, {"bright": of_model(bright)})
    read = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert read["pictures"] == [p.name for p in pictures]
    assert read["means"]["bright"]["NSS"] == pytest.approx(np.mean(read["values"]["bright"]["NSS"]))


def test_progress_is_told_of_every_map(pictures):
    calls = []
    models = {"a": source("centre"), "b": of_model(bright)}
    evaluate_pictures(pictures, models, progress=lambda: calls.append(1))
    assert len(calls) == 8


def test_table_gives_nss_relative_to_the_first_model():
    one = dict.fromkeys(METRIC_NAMES, (0.5, 1.5))
    two = dict.fromkeys(METRIC_NAMES, (2.0, 3.0))
    console = Console(file=io.StringIO(), width=120)
    console.print(table(Scores(("a.jpg", "b.jpg"), {"first": one, "second": two})))
    text = console.file.getvalue()
    (second,) = [line for line in text.splitlines() if "second" in line]
    assert second.count("2.500") == len(METRIC_NAMES)
    assert "2.50 " in second
    assert "2 pictures" in text


def test_stored_maps_score_as_the_model_that_made_them(pictures, tmp_path):
    maps = {p.path.stem: bright(p.pixels()) for p in pictures}
    np.savez(tmp_path / "maps.npz", **maps)
    np.savez(tmp_path / "two.npz", **{f"bright/{k}": v for k, v in maps.items()})
    (tmp_path / "drawn").mkdir()
    for stem, values in maps.items():
        cv2.imwrite(str(tmp_path / "drawn" / f"{stem}.PNG"), (values * 256).astype(np.uint16))
    scores = evaluate_pictures(
        pictures,
        {
            "model": of_model(bright),
            "npz": source(tmp_path / "maps.npz"),
            "prefix": source(f"{tmp_path / 'two.npz'}:bright"),
            "folder": source(tmp_path / "drawn"),
        },
    ).means()
    assert scores["npz"] == scores["prefix"] == scores["model"]
    assert scores["folder"] == pytest.approx(scores["model"], abs=1e-3)


def test_what_is_no_source_of_maps_may_be_a_trained_model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    (tmp_path / "model" / "example.png").write_bytes(b"")
    for name in ("small", str(tmp_path / "model"), str(tmp_path / "nowhere")):
        assert find_map_source(name) is None


@pytest.mark.parametrize(
    ("maps", "complaint"),
    [
        (np.full((4, 5), np.nan), "NaN"),
        (np.full((4, 5), np.inf), "infinity"),
        (np.zeros((4, 5, 3)), r"\(4, 5, 3\)"),
        (np.zeros((0, 5)), r"\(0, 5\)"),
        (np.array([["a", "b"]]), "<U1"),
        (np.zeros((4, 5), complex), "complex"),
    ],
)
def test_a_map_that_cannot_be_scored_is_named(pictures, maps, complaint):
    models = {"bad": of_model(lambda _: maps)}
    with pytest.raises(LookhearError, match=rf"bad: the map of 1001\.jpg .*{complaint}"):
        evaluate_pictures(pictures, models)


def test_a_missing_map_is_named(pictures, tmp_path):
    np.savez(tmp_path / "maps.npz", **{"gbvs/1001": np.ones((3, 3)), "gbvs/7": np.ones((3, 3))})
    with pytest.raises(LookhearError, match=r"maps\.npz: has no map gbvs/1002"):
        evaluate_pictures(pictures, {"m": source(f"{tmp_path / 'maps.npz'}:gbvs")})
    with pytest.raises(LookhearError, match="has no map under itti/"):
        find_map_source(f"{tmp_path / 'maps.npz'}:itti")
    cv2.imwrite(str(tmp_path / "1001.png"), np.ones((3, 3)))
    with pytest.raises(LookhearError, match=r"has no map of 1002\.jpg"):
        evaluate_pictures(pictures, {"m": source(tmp_path)})


@pytest.mark.parametrize("content", [None, b"", b"text", b"PK\x03\x04 cut short"])
def test_a_damaged_archive_is_one_line(tmp_path, content):
    path = tmp_path / "maps.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LookhearError, match=r"maps\.npz: not an \.npz"):
        find_map_source(str(path))


def test_a_damaged_member_is_one_line(pictures, tmp_path):
    path = tmp_path / "maps.npz"
    np.savez_compressed(path, **{p.path.stem: np.random.default_rng(0).random((40, 40)) for p in pictures})  # fmt: skip  # noqa: E501
    content = bytearray(path.read_bytes())
    content[200:600] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(LookhearError, match="the map 1001 cannot be read"):
        evaluate_pictures(pictures, {"m": source(path)})


def test_pickles_are_never_opened(pictures, tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    np.savez(tmp_path / "trap.npz", **{"1001": np.array([Trap()], dtype=object)})
    with pytest.raises(LookhearError, match="1001 cannot be read"):
        evaluate_pictures(pictures, {"m": source(tmp_path / "trap.npz")})
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(LookhearError, match="not an"):
        find_map_source(str(tmp_path / "bare.npz"))


def test_one_picture_is_too_few(pictures):
    with pytest.raises(LookhearError, match="at least two"):
        evaluate_pictures(pictures[:1], {"centre": source("centre")})


def test_the_centre_prior_is_highest_at_the_centre_and_stretches_with_the_picture():
    prior = centre_prior(31, 61)
    assert prior.shape == (31, 61)
    assert prior.dtype == np.float32
    assert np.unravel_index(prior.argmax(), prior.shape) == (15, 30)
    np.testing.assert_allclose(prior, prior[::-1, ::-1], rtol=1e-6)
    np.testing.assert_allclose(centre_prior(40, 80)[:, 20], centre_prior(80, 40)[20], rtol=1e-6)
