"""Few maps at even steps are scored for themselves; gaps of any other kind score chance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_maps import draw, good
from looked_at import Film, scored, write_watched
from lookhear.errors import LookhearError
from lookhear.evaluation.from_files import OfFolder
from lookhear.evaluation.gaps import (
    AT_STEPS,
    LEFT_OUT,
    NO_MAP,
    Given,
    are_few_at_even_steps,
    left_out,
)
from lookhear.evaluation.stimuli import StimulusSet, read_stimuli

RELEASED = [*range(1, 100, 30)]  # of files 2, 32, 62, ... counted from 1


@pytest.mark.parametrize(
    ("clips", "are_few"),
    [
        ([Given(RELEASED, 100)], True),
        ([Given(RELEASED, 122), Given([*range(1, 900, 30)], 903)], True),
        ([Given(RELEASED, 100), Given([1], 25)], True),  # as short as a step
        ([Given(RELEASED, 100), Given([1], 600)], False),  # a map picked of many frames
        ([Given([0], 100)], False),  # nobody can tell the step
        ([Given([*range(0, 100, 10)], 100)], False),  # a tenth
        ([Given([*range(0, 110, 11)], 111)], True),
        ([Given([0, 11, 23, 34, 46], 58)], True),  # rounded
        ([Given([0, 11, 24, 35, 46], 58)], False),
        ([Given([1, 31, 61, 97], 100)], False),
        ([Given([*range(9)], 100)], False),  # the beginning alone
        ([Given([*range(91, 100)], 100)], False),
        ([Given([1, 31], 92)], False),  # two steps are left
        ([Given([1, 31], 91)], True),
        ([Given(RELEASED, 100), Given([*range(30)], 30)], False),
        ([Given(RELEASED, 100), Given([], 30)], False),
    ],
)
def test_maps_are_few_at_even_steps(clips: list[Given], are_few: bool) -> None:
    assert are_few_at_even_steps(clips) == are_few
    assert are_few_at_even_steps(clips[::-1]) == are_few


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> StimulusSet:
    return read_stimuli(write_watched(tmp_path_factory.mktemp("gaze"), {"a": 64, "b": 33}))


def sparse(folder: Path, clips: StimulusSet) -> Path:
    """Maps of files 2, 32, 62 that find what people look at."""
    for number, clip in enumerate(clips.subjects):
        frames = range(1, clip.frame_count, 30)
        draw(folder / clip.name, {frame + 1: good(clips, frame, number) for frame in frames})
    return folder


def test_of_maps_at_steps_only_those_count_and_it_is_said(
    clips: StimulusSet, tmp_path: Path
) -> None:
    """As chance, the frames between would bury them."""
    model = OfFolder(sparse(tmp_path, clips))
    values, notes = scored(clips, model)
    assert notes == (f"model: 92 frames of 2 clips (a, b): {AT_STEPS}",)
    for index, of_frame in enumerate(values["NSS"][0]):
        assert (of_frame > 2) if index in (1, 31, 61) else np.isnan(of_frame)
    skipped, notes = scored(clips, model, missing="skip")
    assert str(skipped) == str(values)
    assert notes == (f"model: 92 frames of 2 clips (a, b): {LEFT_OUT}",)
    chance, notes = scored(clips, model, missing="chance")
    assert notes == (f"model: 92 frames of 2 clips (a, b): {NO_MAP}",)
    assert np.mean(chance["NSS"][0]) == pytest.approx(np.nanmean(values["NSS"][0]) * 3 / 64)


def test_other_models_keep_all_frames(clips: StimulusSet, tmp_path: Path) -> None:
    whole, few = tmp_path / "whole", sparse(tmp_path / "few", clips)
    for clip in clips.subjects:
        draw(whole / clip.name, {i: np.eye(9, 12) for i in range(clip.frame_count)}, "{}.npy")
    models = {"whole": OfFolder(whole), "few": OfFolder(few), "people": None}
    assert left_out(models, clips, None) == {"few": AT_STEPS}
    assert left_out(models, clips, "skip") == {"whole": LEFT_OUT, "few": LEFT_OUT}
    assert left_out(models, clips, "chance") == {}


def test_pictures_have_no_gaps(tmp_path: Path) -> None:
    pictures = StimulusSet("films", "pictures", [Film(1, None, name=of) for of in "ab"])
    draw(tmp_path, {"film": np.eye(9, 12)}, "{}.npy")
    for missing in (None, "skip", "chance"):
        assert left_out({"m": OfFolder(tmp_path)}, pictures, missing) == {}
        with pytest.raises(LookhearError, match="has no map of a, such as"):
            scored(pictures, OfFolder(tmp_path), missing=missing)


def test_where_no_frame_that_is_scored_has_a_map_it_is_one_line(
    clips: StimulusSet, tmp_path: Path
) -> None:
    model: Any = OfFolder(sparse(tmp_path, clips))
    complaint = "model: has maps of a, but of no frame that is scored; choose another --every, or "
    with pytest.raises(LookhearError, match=complaint) as caught:
        scored(clips, model, every=10)
    assert "\n" not in str(caught.value)
    values, _ = scored(clips, model, every=2)
    assert np.isfinite(values["NSS"][0]).sum() == 3
