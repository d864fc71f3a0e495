import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lookhear
from clips import beep, make_clip
from conftest import TINY, moving_disc
from lookhear.errors import LookhearError
from lookhear.stanet.sta import STA


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "disc.mp4"
    return make_clip(path, moving_disc(50), 25, sound=beep(2, [0.5, 1.2]))


def test_a_prediction_has_a_map_for_every_tick(clip: Path, tiny_net: STA) -> None:
    prediction = lookhear.predict(clip, tiny_net)
    np.testing.assert_allclose(prediction.times, [0, 0.36, 0.68, 1, 1.36, 1.68])
    assert prediction.maps.shape == (6, 12, 20)
    assert prediction.maps.dtype == np.float32
    assert prediction.maps.min() >= 0
    assert prediction.maps.max() <= 1
    assert prediction.problems == ()


def test_every_takes_every_nth_frame(clip: Path, tiny_net: STA) -> None:
    prediction = lookhear.predict(clip, tiny_net, every=7)
    np.testing.assert_allclose(prediction.times, np.arange(0, 50, 7) / 25)


def test_a_rate_above_the_clips_looks_at_every_frame_once(clip: Path, tiny_net: STA) -> None:
    prediction = lookhear.predict(clip, tiny_net, fps=1000)
    np.testing.assert_allclose(prediction.times, np.arange(50) / 25)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_maps_do_not_depend_on_the_batch(clip: Path, tiny_net: STA, batch_size: int) -> None:
    expected = lookhear.predict(clip, tiny_net, every=5, batch_size=4)
    prediction = lookhear.predict(clip, tiny_net, every=5, batch_size=batch_size)
    np.testing.assert_array_equal(prediction.times, expected.times)
    np.testing.assert_allclose(prediction.maps, expected.maps, atol=1e-5)


@torch.inference_mode()
def test_a_map_is_the_networks_word_on_a_moment(clip: Path, tiny_net: STA) -> None:
    glimpses = list(lookhear.stream(clip, tiny_net, every=5))
    pictures = np.stack([glimpse.picture for glimpse in glimpses])
    frames = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
    seen = tiny_net.see(frames)
    for target in (0, 4, 9):
        before, after = max(target - 1, 0), min(target + 1, 9)
        moment = (seen.at(slice(i, i + 1)) for i in (before, target, after))
        expected = tiny_net.attend(*moment)[0]
        np.testing.assert_allclose(glimpses[target].map, expected, atol=1e-5)


def test_a_hearing_network_hears(clip: Path, hearing_net: STA, tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "silent.mp4", moving_disc(50), 25)
    heard = lookhear.predict(clip, hearing_net)
    unheard = lookhear.predict(silent, hearing_net)
    # There is a beep in the second around 0.68 s.
    assert not np.allclose(heard.maps[2], unheard.maps[2], atol=1e-6)


def test_a_still_has_one_map(tmp_path: Path, tiny_net: STA) -> None:
    import cv2

    picture = moving_disc(1)[0]
    cv2.imwrite(str(tmp_path / "still.png"), picture[..., ::-1])
    prediction = lookhear.predict(tmp_path / "still.png", tiny_net)
    assert prediction.maps.shape == (1, 12, 20)
    np.testing.assert_array_equal(prediction.times, [0.0])
    height, width = tiny_net.size_for(*picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        seen = tiny_net.see(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)
        expected = tiny_net.attend(seen, seen, seen)[0]
    # Shrunk by another library.
    np.testing.assert_allclose(prediction.maps[0], expected, atol=0.02)


def test_thread_settings_are_put_back(clip: Path, tiny_net: STA) -> None:
    def threads_of_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    before = threads_of_a_new_thread()
    lookhear.predict(clip, tiny_net)
    assert threads_of_a_new_thread() == before


def test_a_stream_left_early_leaves_no_thread(clip: Path, tiny_net: STA) -> None:
    stream = lookhear.stream(clip, tiny_net, every=1)
    next(stream)
    assert any(thread.name.startswith("lookhear") for thread in threading.enumerate())
    stream.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("lookhear") for thread in threading.enumerate())


def test_a_network_that_fails_is_one_line(
    clip: Path, tiny_net: STA, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory\nat such a place")

    monkeypatch.setattr(STA, "see", fail)
    with pytest.raises(LookhearError, match="out of memory") as raised:
        lookhear.predict(clip, tiny_net)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong", [{"fps": 0}, {"fps": -1}, {"fps": float("inf")}, {"every": 0}, {"batch_size": 0}]
)
def test_numbers_out_of_range_are_refused(
    clip: Path, tiny_net: STA, wrong: dict[str, float]
) -> None:
    with pytest.raises(LookhearError, match="at least 1"):
        lookhear.predict(clip, tiny_net, **wrong)  # type: ignore[arg-type]


def test_a_network_in_training_is_refused(clip: Path) -> None:
    with pytest.raises(LookhearError, match="eval"):
        lookhear.predict(clip, STA(**TINY, sound_encoder=None))


def test_streaming_holds_the_same_memory_however_long_the_clip(
    tmp_path: Path, tiny_net: STA
) -> None:
    def peak(seconds: int) -> int:
        path = make_clip(tmp_path / f"{seconds}.mp4", moving_disc(10) * seconds, 10)
        tracemalloc.start()
        for _ in lookhear.stream(path, tiny_net):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(40) < 1.15 * peak(4) + 50_000


@pytest.mark.parametrize("name", ["nowhere.mp4", "text.mp4", "empty.mp4"])
def test_what_is_no_clip_is_one_line(tmp_path: Path, tiny_net: STA, name: str) -> None:
    (tmp_path / "text.mp4").write_text("not a film\n" * 100)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(LookhearError, match=name) as raised:
        lookhear.predict(tmp_path / name, tiny_net)
    assert "\n" not in str(raised.value)


@given(height=st.integers(1, 4000), width=st.integers(1, 4000))
@settings(max_examples=200, deadline=None)
def test_pictures_keep_their_shape_and_the_network_its_area(height: int, width: int) -> None:
    net = STA.__new__(STA)
    torch.nn.Module.__init__(net)
    net.input_size, net.keep_aspect = (192, 256), True
    rows, columns = net.size_for(height, width)
    assert rows % 32 == columns % 32 == 0
    assert 0.55 < rows * columns / (192 * 256) < 1.6
    aspect = min(max(width / height, 0.25), 4)
    assert 0.7 < columns / rows / aspect < 1.45
    net.keep_aspect = False
    assert net.size_for(height, width) == (192, 256)
