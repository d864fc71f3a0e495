"""Maps made elsewhere: what is wrong with them is named, and nobody gains by it."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drawn_maps import COUNT, all_good, draw, good, good_scores, of_folder, watched
from looked_at import HEIGHT, WIDTH, scored, write_watched
from lookhear.data.readers.stavis import write_gaze
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import BEYOND, IN_COLOUR, STRETCHED, OfArchive, OfFolder
from lookhear.evaluation.gaps import LEFT_OUT, NO_MAP
from lookhear.evaluation.scoring import BROKEN, FLAT, Choices, score_models
from lookhear.evaluation.stimuli import StimulusSet, read_stimuli
from lookhear.maps import resize
from osie_layout import make_osie, write_osie


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
    ("path", "name"),
    [
        ("db/a", "img_{:05d}.png"),
        ("a", "a-2nd-take_{}.PNG"),
        ("a", "{:03d}.npy"),
        ("a", "000{}.png"),
    ],
)
def test_files_are_found_by_the_last_number_of_their_names(
    clip: StimulusSet, expected: Any, tmp_path: Path, path: str, name: str
) -> None:
    draw(tmp_path / path, all_good(clip), name)
    (tmp_path / path / "README.txt").write_text("of 2024")
    (tmp_path / path / "mean.png").write_bytes(b"no number, so no frame's")
    assert of_folder(clip, tmp_path) == (expected, ())


def test_frames_may_be_counted_from_nought(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    draw(tmp_path / "a", {number - 1: values for number, values in all_good(clip).items()})
    assert of_folder(clip, tmp_path) == (expected, ())


def test_maps_as_jpeg_are_good_enough(clip: StimulusSet, expected: Any, tmp_path: Path) -> None:
    draw(tmp_path / "a", all_good(clip), "{}.jpg")
    values, notes = of_folder(clip, tmp_path)
    assert notes == ()
    assert values["NSS"][0] == pytest.approx(expected["NSS"][0], rel=0.02)


def test_another_size_is_resized_without_a_word(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    large = {of: np.repeat(np.repeat(x, 5, 0), 5, 1) for of, x in all_good(clip).items()}
    draw(tmp_path / "a", large)
    values, notes = of_folder(clip, tmp_path)
    assert notes == ()
    assert values["CC"][0] == pytest.approx(expected["CC"][0], abs=0.15)


def test_another_shape_is_stretched_and_named(clip: StimulusSet, tmp_path: Path) -> None:
    maps = all_good(clip)
    maps[2] = cv2.resize(maps[2], (WIDTH, WIDTH))
    maps[3] = cv2.resize(maps[3], (WIDTH + 2, HEIGHT))  # by less than one sees
    draw(tmp_path / "a", maps)
    values, notes = of_folder(clip, tmp_path)
    assert notes == (f"model: a: frame 2: {STRETCHED}",)
    assert values["NSS"][0][1] > 1.5


def test_a_missing_frame_is_chance_and_named(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    maps = all_good(clip)
    del maps[2], maps[COUNT]
    draw(tmp_path / "a", maps)
    values, notes = of_folder(clip, tmp_path)
    assert notes == (f"model: a: frames 2, 6: {NO_MAP}",)
    assert values["NSS"][0][1] == values["NSS"][0][5] == values["CC"][0][1] == 0
    assert values["AUC-J"][0][1] == 0.5
    assert values["NSS"][0][2:5] == expected["NSS"][0][2:5]


def test_a_missing_frame_is_left_out_if_wanted_as_stavis_has_it(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    maps = all_good(clip)
    del maps[2], maps[COUNT]
    draw(tmp_path / "a", maps)
    values, notes = scored(clip, OfFolder(tmp_path), missing="skip")
    assert notes == (f"model: a: frames 2, 6: {LEFT_OUT}",)
    for metric, ((*of_frames,),) in values.items():
        assert np.isnan([of_frames[1], of_frames[5]]).all(), metric
        assert of_frames[2:5] == [*expected[metric][0][2:5]]
    assert scored(clip, OfFolder(tmp_path), missing="chance") == of_folder(clip, tmp_path)


def test_a_broken_map_is_chance_even_if_missing_ones_are_left_out(
    clip: StimulusSet, tmp_path: Path
) -> None:
    maps: dict[int, NDArray[Any]] = {of: x.astype(np.float64) for of, x in all_good(clip).items()}
    maps[4][5, 5] = np.nan
    draw(tmp_path / "a", maps, "{}.npy")
    values, notes = scored(clip, OfFolder(tmp_path), missing="skip")
    assert notes == (f"model: a: frame 4: {BROKEN}",)
    assert values["NSS"][0][3] == 0


def test_a_frame_nobody_looked_at_without_a_map_has_no_sim(tmp_path: Path) -> None:
    root = write_watched(tmp_path / "gaze", {"a": COUNT})
    write_gaze(root, "db", "a", 1, np.zeros((HEIGHT, WIDTH, 3), np.uint8), [])
    stimuli = read_stimuli(root)
    maps = all_good(stimuli)
    draw(tmp_path / "whole" / "a", maps)
    del maps[2]
    draw(tmp_path / "fewer" / "a", maps)
    sims = [
        scored(stimuli, OfFolder(tmp_path / name), missing="skip")[0]["SIM"][0][1]
        for name in ("whole", "fewer")
    ]
    assert sims == pytest.approx([0, np.nan], nan_ok=True)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e300])
def test_a_map_with_nan_or_infinity_is_chance_and_named(
    clip: StimulusSet, expected: Any, tmp_path: Path, broken: float
) -> None:
    maps: dict[int, NDArray[Any]] = {of: x.astype(np.float64) for of, x in all_good(clip).items()}
    maps[4][5, 5] = broken
    draw(tmp_path / "a", maps, "{}.npy")
    values, notes = of_folder(clip, tmp_path)
    assert notes == (f"model: a: frame 4: {BROKEN}",)
    assert (values["NSS"][0][3], values["AUC-J"][0][3]) == (0, 0.5)
    assert values["NSS"][0][4:] == expected["NSS"][0][4:]


@pytest.mark.parametrize("value", [0, 255, 128])
def test_a_map_of_one_value_is_chance_and_named(
    clip: StimulusSet, tmp_path: Path, value: int
) -> None:
    draw(tmp_path / "a", all_good(clip) | {1: np.full((HEIGHT, WIDTH), value, np.uint8)})
    values, notes = of_folder(clip, tmp_path)
    assert notes == (f"model: a: frame 1: {FLAT}",)
    assert (values["NSS"][0][0], values["CC"][0][0], values["AUC-J"][0][0]) == (0, 0, 0.5)


def test_of_a_map_in_colour_the_luminance_counts_and_it_is_named(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    maps: dict[int, NDArray[Any]] = dict(all_good(clip))
    green = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    green[..., 1] = maps[1]
    maps |= {1: green, 5: cv2.applyColorMap(maps[5], cv2.COLORMAP_JET)}
    maps[3] = cv2.cvtColor(maps[3], cv2.COLOR_GRAY2BGR)  # three channels, but grey
    maps[4] = cv2.cvtColor(maps[4], cv2.COLOR_GRAY2BGRA)
    draw(tmp_path / "a", maps)
    values, notes = of_folder(clip, tmp_path)
    assert notes == (f"model: a: frames 1, 5: {IN_COLOUR}",)
    # One channel is grey but for its scale, which changes none of these.
    for frame in (0, 2, 3):
        assert values["NSS"][0][frame] == pytest.approx(expected["NSS"][0][frame], rel=1e-4)


def test_a_model_cannot_gain_by_leaving_out_hard_frames(clip: StimulusSet, tmp_path: Path) -> None:
    """What is left out or broken takes it towards chance, which these maps are above."""
    maps: dict[int, NDArray[Any]] = {of: x.astype(np.float32) for of, x in all_good(clip).items()}
    models = {"whole": OfFolder(draw(tmp_path / "whole" / "a", maps, "{}.npy").parent)}
    fewer = dict(maps)
    del fewer[3]
    models["fewer"] = OfFolder(draw(tmp_path / "fewer" / "a", fewer, "{}.npy").parent)
    broken = maps | {3: np.full_like(maps[3], np.nan)}
    models["broken"] = OfFolder(draw(tmp_path / "broken" / "a", broken, "{}.npy").parent)
    scores = score_models(clip, models, Choices.of(clip))
    assert len(scores.notes) == 2
    means = scores.means()
    for metric in ("AUC-J", "SIM", "CC", "NSS"):
        assert means["fewer"][metric] == means["broken"][metric] < means["whole"][metric]
    assert means["fewer"]["KL"] == means["broken"]["KL"] > means["whole"]["KL"]
    assert all(np.isfinite(scores.values["fewer"]["NSS"][0]))


@pytest.mark.parametrize("names", [("x_1.png", "x_01.png"), ("1.png", "1.npy")])
def test_two_files_of_one_number_are_an_error(
    clip: StimulusSet, tmp_path: Path, names: tuple[str, str]
) -> None:
    for name in names:
        draw(tmp_path / "a", {1: good(clip, 0)}, name)
    with pytest.raises(
        LookhearError, match=r"(?s)^.*a: .* and .* are maps of one frame; leave one\Z"
    ):
        of_folder(clip, tmp_path)


def test_no_map_of_a_clip_is_an_error(clip: StimulusSet, tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="has no folder db/a; add its maps or leave the clip"):
        of_folder(clip, tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(LookhearError, match=r"a: holds no maps \(\.png.*\.npy\) of a"):
        of_folder(clip, tmp_path)
    with pytest.raises(LookhearError, match="no such folder of maps; check the name"):
        OfFolder(tmp_path / "nowhere")


def test_files_that_a_mac_puts_beside_maps_are_passed_over(
    clip: StimulusSet, expected: Any, tmp_path: Path
) -> None:
    draw(tmp_path / "a", all_good(clip))
    for file in [*(tmp_path / "a").iterdir()]:
        file.with_name(f"._{file.name}").write_bytes(b"of a Mac")
    assert of_folder(clip, tmp_path) == (expected, ())


@pytest.mark.parametrize("first", [0, 1])
def test_maps_of_frames_that_are_not_there_are_named(
    clip: StimulusSet, expected: Any, tmp_path: Path, first: int
) -> None:
    maps = {number - 1 + first: of for number, of in all_good(clip).items()}
    draw(tmp_path / "a", maps | {COUNT + first: maps[1]})
    assert of_folder(clip, tmp_path) == (expected, (f"model: a: frame {COUNT}: {BEYOND}",))


def test_clips_of_one_name_do_not_share_their_maps(tmp_path: Path) -> None:
    """The name alone will do for a clip that no other database has."""
    write_watched(tmp_path, {"a": COUNT, "b": COUNT})
    stimuli = read_stimuli(write_watched(tmp_path, {"a": COUNT}, database="other"))
    maps = tmp_path / "maps"
    for name in ("a", "b", "db/a"):
        draw(maps / name, all_good(stimuli))
    with pytest.raises(LookhearError, match="maps: has no folder other/a; add its maps"):
        of_folder(stimuli, maps)
    draw(maps / "other" / "a", all_good(stimuli))
    assert of_folder(stimuli, maps)[1] == ()


def test_pictures_that_differ_in_their_suffix_do_not_share_a_map(tmp_path: Path) -> None:
    looks = {name: [[(5.5, 5.5)]] for name in ("a.jpg", "a.png", "b.jpg")}
    stimuli = read_stimuli(write_osie(tmp_path, looks))
    maps = {"a": np.eye(30, 40), "b": np.eye(30, 40)}
    np.savez(tmp_path / "maps.npz", **maps)
    drawn = draw(tmp_path / "drawn", maps, "{}.npy")
    with pytest.raises(LookhearError, match=r"has no map of a\.jpg, such as a\.jpg\.png; add"):
        of_folder(stimuli, drawn)
    with pytest.raises(LookhearError, match=r"maps\.npz: has no map a\.jpg; add it"):
        scored(stimuli, OfArchive(tmp_path / "maps.npz"))
    whole = {"a.jpg": np.eye(30, 40), "a.png": np.eye(30, 40), "b": np.eye(30, 40)}
    np.savez(tmp_path / "maps.npz", **whole)
    assert of_folder(stimuli, draw(drawn, whole, "{}.npy"))[1] == ()
    assert scored(stimuli, OfArchive(tmp_path / "maps.npz"))[1] == ()


def test_an_archive_of_pictures_maps_has_none_of_clips(clip: StimulusSet, tmp_path: Path) -> None:
    np.savez(tmp_path / "clips.npz", **{"db/a": np.eye(3)})
    with pytest.raises(
        LookhearError, match=r"clips\.npz: an \.npz file holds maps of pictures; for"
    ):
        scored(clip, OfArchive(tmp_path / "clips.npz"))


def of_pictures(stimuli: StimulusSet) -> dict[str, NDArray[np.uint8]]:
    return {
        subject.paths[0].name: good(stimuli, 0, at) for at, subject in enumerate(stimuli.subjects)
    }


def test_maps_of_pictures_score_alike_however_they_are_kept(
    pictures: StimulusSet, tmp_path: Path
) -> None:
    maps: dict[str, Any] = of_pictures(pictures)
    np.savez(tmp_path / "maps.npz", **maps)
    np.savez(tmp_path / "two.npz", **{f"bright/{name}": of for name, of in maps.items()})
    wide = {name: of.astype(np.uint16) * 256 for name, of in maps.items()}
    models = {
        "png": OfFolder(draw(tmp_path / "png", maps, "{}.png")),
        "PNG, 16 bit": OfFolder(draw(tmp_path / "PNG", wide, "{}.PNG")),
        "npy": OfFolder(draw(tmp_path / "npy", maps, "{}.npy")),
        "npz": OfArchive(tmp_path / "maps.npz"),
        "prefix": OfArchive(tmp_path / "two.npz", "bright/"),
    }
    scores = score_models(pictures, models, Choices.of(pictures))
    assert scores.notes == ()
    first, *others = scores.means().values()
    assert first["NSS"] > 2
    assert all(means == pytest.approx(first, rel=1e-9) for means in others)


def test_what_is_odd_about_maps_of_pictures_is_named(pictures: StimulusSet, tmp_path: Path) -> None:
    maps: dict[str, Any] = of_pictures(pictures)
    first, second, third = maps
    maps[first] = cv2.applyColorMap(maps[first], cv2.COLORMAP_JET)
    maps[second] = np.zeros((9, 3), np.uint8)
    _, notes = of_folder(pictures, draw(tmp_path / "drawn", maps, "{}.png"))
    assert sorted(notes) == [
        f"model: {first}.jpg: {IN_COLOUR}",
        f"model: {second}.jpg: {STRETCHED}",
        f"model: {second}.jpg: {FLAT}",
    ]
    maps = {name: resize(np.float32(of), (6, 8)) for name, of in of_pictures(pictures).items()}
    maps[third][0, 0] = np.nan
    np.savez(tmp_path / "maps.npz", **maps)
    _, notes = scored(pictures, OfArchive(tmp_path / "maps.npz"))
    assert notes == (f"model: {third}.jpg: {BROKEN}",)


def test_a_picture_without_a_map_or_with_two_is_an_error(
    pictures: StimulusSet, tmp_path: Path
) -> None:
    maps = of_pictures(pictures)
    first, second, _ = maps
    draw(tmp_path, {first: maps[first]}, "{}.png")
    with pytest.raises(
        LookhearError, match=rf"has no map of {second}\.jpg, such as {second}\.png;"
    ):
        of_folder(pictures, tmp_path)
    draw(tmp_path, {first: maps[first]}, "{}.jpg")
    with pytest.raises(LookhearError, match=rf"{first}\.jpg and {first}\.png are maps of one"):
        of_folder(pictures, tmp_path)
    np.savez(tmp_path / "maps.npz", **{f"gbvs/{first}": maps[first], "gbvs/7": maps[first]})
    with pytest.raises(LookhearError, match=rf"maps\.npz: has no map gbvs/{second}; add it"):
        scored(pictures, OfArchive(tmp_path / "maps.npz", "gbvs/"))
    with pytest.raises(LookhearError, match="has no map under itti/; check"):
        OfArchive(tmp_path / "maps.npz", "itti/")
