"""Saliency Tubes: the published values, and how windows become one tube."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import zoom

from clips import make_clip
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.tubes.tube import Tube, blended, in_time, spline
from lookhear.tubes.windows import ClipWindows, Framing, Selection

GOLDEN = Path(__file__).parents[1] / "golden/saliency_tube.npz"
SIZE = 8, 12


def windows_of(
    folder: Path, count: int, length: int, selection: Selection = "dense", rate: float = 10.0
) -> ClipWindows:
    """Windows of a clip of so many frames, ten a second, the k-th of them of grey 5 k."""
    frames = [np.full((16, 24, 3), 5 * index, np.uint8) for index in range(count)]
    clip = open_clip(make_clip(folder / "clip.mkv", frames, 10.0, codec="ffv1"))
    return ClipWindows(clip, length, Framing(SIZE), rate, selection)


def frames_in(windows: ClipWindows) -> list[list[int]]:
    """Which frames are in each window, told by their grey."""
    return [np.rint(window.frames.mean((1, 2, 3)) / 5).astype(int).tolist() for window in windows]


def saliency_tube(features, weights, size: tuple[int, int, int]) -> np.ndarray:
    """The tube, (T, H, W), of a window of features (K, t, h, w) and weights (K,) of a class."""
    maps = in_time(np.tensordot(weights, features, 1), size[0])
    return np.stack([*Tube(maps, Framing(size[1:])).frames()])


def test_the_published_tube_comes_out():
    golden = np.load(GOLDEN)
    features = golden["input/activations_thwc"].transpose(3, 0, 1, 2)
    weights = golden["input/class_weights"][:, golden["input/label"]]
    tube = saliency_tube(features, weights, (16, 224, 224))
    assert tube.shape == (16, 224, 224)
    np.testing.assert_allclose(
        tube[:, ::8, ::8], golden["output/tube_every_8th_pixel"], atol=1e-5, rtol=0
    )


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
    st.integers(0, 99),
)
def test_a_tube_is_scipys_zoom_spread_from_0_to_1(grid, more, seed):
    maps = np.random.default_rng(seed).normal(size=grid)
    size = tuple(old + new - 1 for old, new in zip(grid, more, strict=True))
    large = zoom(maps, np.divide(size, grid), order=3, output=np.float64, mode="mirror")
    spread = np.ptp(large)
    expected = (large - large.min()) / spread if spread > 1e-9 else np.zeros(size)
    tube = saliency_tube(maps[None], np.ones(1), size)
    np.testing.assert_allclose(tube, expected, atol=1e-5)


@pytest.mark.parametrize(("size", "new_size"), [(12, 168), (16, 160), (8, 26), (5, 6)])
def test_the_first_and_last_places_stay_where_they_are(size, new_size):
    matrix = spline(size, new_size)
    np.testing.assert_allclose(matrix[[0, -1]], np.eye(size)[[0, -1]], atol=1e-12)


def test_a_tube_that_is_the_same_everywhere_is_0():
    tube = Tube(np.full((3, 2, 2), 0.7, np.float32), Framing((4, 4)))
    assert all((frame == 0).all() for frame in tube.frames())


def test_the_peak_is_the_frame_in_which_the_tube_is_1():
    maps = np.random.default_rng(0).normal(size=(9, 3, 4)).astype(np.float32)
    tube = Tube(maps, Framing((30, 40)))
    frames = np.stack([*tube.frames()])
    assert frames.min() == 0
    assert frames[tube.peak()].max() == frames.max() == 1


def test_dense_windows_overlap_by_half_and_reach_the_end(tmp_path):
    windows = windows_of(tmp_path, 13, 4)
    expected = [
        [0, 1, 2, 3],
        [2, 3, 4, 5],
        [4, 5, 6, 7],
        [6, 7, 8, 9],
        [8, 9, 10, 11],
        [9, 10, 11, 12],
    ]
    assert frames_in(windows) == expected
    assert [window.start for window in windows] == [frames[0] for frames in expected]
    np.testing.assert_allclose(windows.times, np.arange(13) / 10, atol=1e-6)


def test_a_window_that_ends_the_clip_comes_once(tmp_path):
    assert frames_in(windows_of(tmp_path, 6, 4)) == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_dense_windows_skip_frames_of_a_faster_clip(tmp_path):
    windows = windows_of(tmp_path, 12, 3, rate=5.0)
    assert frames_in(windows) == [[0, 2, 4], [2, 4, 6], [4, 6, 8], [6, 8, 10]]


def test_a_clip_that_is_too_short_repeats_its_last_frame(tmp_path):
    windows = windows_of(tmp_path, 3, 5)
    assert frames_in(windows) == [[0, 1, 2, 2, 2]]
    assert len(windows.times) == 3


def test_even_windows_spread_over_the_clip(tmp_path):
    assert frames_in(windows_of(tmp_path, 31, 4, "even")) == [[0, 10, 20, 30]]


def test_even_windows_repeat_frames_of_a_short_clip(tmp_path):
    windows = windows_of(tmp_path, 3, 5, "even")
    assert frames_in(windows) == [[0, 0, 1, 2, 2]]
    assert len(windows.times) == 5


def test_pictures_are_windows_of_one_frame(tmp_path):
    assert frames_in(windows_of(tmp_path, 3, 1)) == [[0], [1], [2]]


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_are_above_0(tmp_path, rate):
    with pytest.raises(LookhearError, match="above 0"):
        windows_of(tmp_path, 3, 1, rate=rate)


def test_frames_are_dense_or_even(tmp_path):
    with pytest.raises(LookhearError, match="dense, even, script"):
        windows_of(tmp_path, 3, 1, "random")


def test_windows_that_agree_blend_to_what_they_agree_on(tmp_path):
    windows = windows_of(tmp_path, 13, 4)
    starts = [window.start for window in windows]
    truth = np.random.default_rng(0).normal(size=(2, 13, 3, 5)).astype(np.float32)
    maps = [truth[:, start : start + 4] for start in starts]
    np.testing.assert_allclose(blended(starts, maps, windows), truth, rtol=1e-5)


def test_windows_count_most_in_their_middle(tmp_path):
    windows = windows_of(tmp_path, 6, 4)
    starts = [window.start for window in windows]
    maps = [np.full((1, 2, 1, 1), value, np.float32) for value in (0, 1)]
    blend = blended(starts, maps, windows)[0, :, 0, 0]
    np.testing.assert_allclose(blend, [0, 0, 1 / 3, 2 / 3, 1, 1], atol=1e-6)


def test_a_short_clip_has_a_tube_of_its_own_length(tmp_path):
    windows = windows_of(tmp_path, 3, 5)
    starts = [window.start for window in windows]
    maps = [np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1)]
    assert blended(starts, maps, windows).ravel().tolist() == pytest.approx([0, 1, 2])
