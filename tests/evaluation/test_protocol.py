"""Maps of frames are scored against all that people did in the clip, as STAViS's code does."""

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from lookhear.data.readers.fixated import FixatedClip, density_of
from lookhear.data.readers.stavis import EyeTrackedClip, read_stavis, write_fold, write_gaze
from lookhear.errors import LookhearError
from lookhear.evaluation.protocol import Annotation, annotate, ever_fixated, protocol
from lookhear.maps import resize
from lookhear.metrics import METRIC_NAMES, auc_shuffled, resize_to

HEIGHT, WIDTH, FRAMES = 54, 96, 8
NOBODY = 5  # the frame that nobody looked at


def looks(frame: int) -> NDArray[np.float64]:
    """Where fifteen people look: at a thing that wanders to the right, and some stay."""
    if frame == NOBODY:
        return np.empty((0, 2))
    chance = np.random.default_rng(frame)
    thing = chance.normal((15 + 6 * frame, 15 + 2 * frame), 2, (12, 2))
    return np.concatenate([thing, [(80.5, 40.5), (81.5, 40.5), (81.5, 40.5)]])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> EyeTrackedClip:
    root = tmp_path_factory.mktemp("gaze")
    write_clip(root)
    ((clip,),) = (of_one.clips for of_one in read_stavis(root))
    return clip


def write_clip(root: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for frame in range(FRAMES):
        write_gaze(root, "db", "a", frame, picture, looks(frame))
    write_fold(root, "db", "test", 1, [("a", FRAMES, 25)])


def annotated(clip: FixatedClip, indices: list[int]) -> Annotation:
    return annotate(clip, indices, ever_fixated(clip))


def test_fixations_and_densities_are_those_of_the_frames_asked_for(clip):
    annotation = annotated(clip, [6, 0, 3])
    for row, frame in enumerate([6, 0, 3]):
        np.testing.assert_array_equal(annotation.fixations[row], clip.fixation_map(frame))
        np.testing.assert_array_equal(annotation.density[row], clip.density(frame))
    assert annotation.fixations.shape == annotation.other_fixations.shape == (3, HEIGHT, WIDTH)


def test_other_fixations_are_the_clips_less_the_frames_own(clip):
    indices = [6, 0, NOBODY]
    others = annotated(clip, indices).other_fixations
    looked_at = [{(int(y), int(x)) for x, y in looks(frame)} for frame in range(FRAMES)]
    for row, frame in enumerate(indices):
        expected = set().union(*looked_at) - looked_at[frame]
        assert set(map(tuple, np.argwhere(others[row]).tolist())) == expected
    # These two pixels are looked at in every frame but one.
    assert not others[:2, 40, 80:82].any()
    assert others[2, 40, 80:82].all()


def test_a_density_predicts_itself(clip):
    annotation = annotated(clip, [0, 3])
    scores = annotation.score(annotation.density)
    assert tuple(scores) == METRIC_NAMES
    for metric in ("CC", "SIM"):
        assert scores[metric].tolist() == pytest.approx([1, 1])
    assert np.abs(scores["KL"]).max() < 1e-9
    assert scores["AUC-J"].min() > 0.98


def test_the_true_frame_beats_its_mirror_image_and_another_frame(clip):
    annotation = annotated(clip, [0, 3])
    true = annotation.score(protocol(annotation.density, HEIGHT, WIDTH))
    for wrong in (annotation.density[:, :, ::-1], annotation.density[::-1]):
        scores = annotation.score(protocol(wrong, HEIGHT, WIDTH))
        for metric in METRIC_NAMES:
            sign = -1 if metric == "KL" else 1
            assert (sign * (true[metric] - scores[metric]) > 0).all(), metric


def test_shuffled_auc_is_that_against_the_other_fixations(clip):
    annotation = annotated(clip, [0, 3])
    score = annotation.score(annotation.density)["s-AUC"]
    expected = auc_shuffled(annotation.density, annotation.fixations, annotation.other_fixations)
    np.testing.assert_array_equal(score, expected)
    no_others = Annotation(
        annotation.fixations, annotation.density, np.zeros_like(annotation.other_fixations)
    )
    assert np.isnan(no_others.score(annotation.density)["s-AUC"]).all()


def test_a_frame_nobody_looked_at_has_no_score(clip):
    annotation = annotated(clip, [0, NOBODY])
    maps = np.random.default_rng(0).random((2, HEIGHT, WIDTH))
    for metric, values in annotation.score(maps).items():
        assert np.isnan(values).tolist() == [False, True], metric


def test_predictions_are_smoothed_by_a_gaussian_of_sigma_2():
    impulses = np.zeros((2, 112, 130), np.float32)
    impulses[0, 15, 20] = impulses[1, 90, 118] = 1
    smoothed = protocol(impulses, 112, 130)
    y, x = np.mgrid[:112, :130]
    for of_one, (row, column) in zip(smoothed, [(15, 20), (90, 118)], strict=True):
        gaussian = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
        gaussian[np.maximum(abs(y - row), abs(x - column)) > 6] = 0  # MATLAB's fspecial, 13 x 13
        np.testing.assert_allclose(of_one, gaussian / gaussian.sum(), atol=1e-12)


def test_smoothing_reflects_at_the_edges_so_that_a_flat_map_stays_flat():
    flat = np.full((1, 9, 5), 0.3, np.float32)
    np.testing.assert_allclose(protocol(flat, 18, 10), np.full((1, 18, 10), 0.3), rtol=1e-7)
    corner = np.zeros((1, 112, 112), np.float32)
    corner[0, 0, 0] = 1
    # What leaves at an edge comes back: nothing is lost, and the edge's two pixels differ.
    smoothed = protocol(corner, 112, 112)[0]
    assert smoothed.sum().item() == pytest.approx(1)
    weights = np.exp(-(np.arange(-6, 7) ** 2) / 8)
    of_edge = (weights[6] + weights[7]) / weights.sum()
    assert smoothed[0, 0].item() == pytest.approx(of_edge**2)


def test_sigma_counts_in_the_predictions_own_pixels():
    """Smoothed first, resized after: an impulse twice as large is as wide, relative to the map."""
    small, large = np.zeros((1, 120, 120), np.float32), np.zeros((1, 240, 240), np.float32)
    small[0, 60, 60] = large[0, 120, 120] = 1
    for maps, sigma in ((small, 4), (large, 2)):
        resized = protocol(maps, 240, 240)[0].clip(min=0)
        columns = resized.sum(0) / resized.sum()
        x = np.arange(240.0)
        mean = (columns * x).sum()
        # The kernel is cut at three sigma and bicubic resizing adds a little.
        assert np.sqrt((columns * (x - mean) ** 2).sum()) == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("size", [(7, 10), (20, 200), (111, 112)])
def test_a_coarse_prediction_is_brought_to_112_pixels_a_side_before_it_is_smoothed(
    size: tuple[int, int],
) -> None:
    coarse = np.random.default_rng(0).random((2, *size)).astype(np.float32)
    height, width = (max(side, 112) for side in size)
    brought = resize(coarse, (height, width))
    np.testing.assert_array_equal(protocol(coarse, 54, 96), protocol(brought, 54, 96))
    # Else sigma 2 would wipe out what is a few cells wide.
    spot = np.zeros((1, 7, 10), np.float32)
    spot[0, 3, 4] = 1
    assert protocol(spot, 70, 100)[0, 34, 44] > 0.7


def test_a_map_that_is_not_smoothed_is_only_resized() -> None:
    maps = np.random.default_rng(0).random((2, 20, 30)).astype(np.float32)
    np.testing.assert_array_equal(protocol(maps, 20, 30, 0), maps.astype(np.float64))
    np.testing.assert_array_equal(protocol(maps, 54, 96, 0), resize_to(maps, 54, 96))


def test_a_broken_prediction_is_an_error_not_a_frame_left_out():
    for broken in (np.nan, np.inf):
        with pytest.raises(LookhearError, match="NaN or infinity"):
            protocol(np.array([[[0.5, broken]]], np.float32), 4, 4)


def test_a_missing_annotation_is_one_line(tmp_path, capfd):
    write_clip(tmp_path)
    own = EyeTrackedClip(tmp_path, "db", "a", FRAMES, 25)
    own.density_path(2).unlink()
    annotated(own, [0])
    with pytest.raises(LookhearError, match=r"^.*eyeMap_00003\.jpg: not a picture.*\Z"):
        annotated(own, [0, 2])
    assert capfd.readouterr() == ("", "")
    # Of a frame that is not asked for, the fixations are among the others'.
    own.fixation_path(7).unlink()
    with pytest.raises(LookhearError, match=r"^.*fixMap_00008\.mat: no such file; copy.*\Z"):
        annotated(own, [0])


def test_maps_of_different_sizes_are_one_line(tmp_path):
    write_clip(tmp_path)
    own = EyeTrackedClip(tmp_path, "db", "a", FRAMES, 25)
    cv2.imwrite(str(own.density_path(1)), np.ones((20, 30), np.uint8))
    annotated(own, [0, 2])
    with pytest.raises(LookhearError, match=r"a: a map of frame 2 is 30 x 20 .* 96 x 54; copy"):
        annotated(own, [0, 1])
    scipy.io.savemat(own.fixation_path(3), {"eyeMap": np.ones((HEIGHT, 1), np.uint8)})
    with pytest.raises(LookhearError, match="a: a map of frame 4 is 1 x 54 "):
        annotated(own, [0, 2])


class LongClip:
    """A clip of many frames, each of whose maps takes 10 kB."""

    name, frame_count, frame_rate = "long", 300, 25.0

    def fixation_map(self, index: int) -> NDArray[np.uint8]:
        counts = np.zeros((100, 100), np.uint8)
        counts[index % 100, index // 100] = 1
        return counts

    def density(self, index: int) -> NDArray[np.float32]:
        return density_of(self.fixation_map(index))


def test_a_long_clip_takes_no_more_memory():
    annotated(LongClip(), [0])
    tracemalloc.start()
    others = annotated(LongClip(), [7]).other_fixations
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert others.sum() == 299
    assert peak < 100 * 10_000
