from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ave_layout import FPS, brightness, timed_clip
from clips import counting_frames, make_clip, onsets
from lookhear.data.moment import FRAMES_A_SECOND, REACH, cut, second_of, seconds_of
from lookhear.errors import LookhearError
from lookhear.media import open_clip

OFFSETS = range(-REACH, REACH + 1)


def shades(jpegs: tuple[bytes, ...]) -> list[int]:
    """Mean brightness of each frame."""
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in jpegs]
    return [round(float(picture.mean())) for picture in pictures]


@given(st.floats(0, 1e4), st.floats(0, 1e6))
def test_moments_are_in_the_middles_of_the_seconds_annotated(start: float, length: float) -> None:
    end = start + length
    seconds = seconds_of(start, end)
    assert not seconds or start <= seconds[0] + 0.5 < start + 1
    assert not seconds or end - 1 <= seconds[-1] + 0.5 < end
    assert seconds or length < 1


def test_an_annotation_of_whole_seconds_gives_that_many_moments() -> None:
    assert list(seconds_of(0, 10)) == list(range(10))
    assert list(seconds_of(6, 8)) == [6, 7]
    assert list(seconds_of(3, 3)) == []


def test_a_moment_has_the_frames_on_display_at_eight_a_second(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "clip.mp4"))
    moments = list(cut(clip, 1, 3))
    assert [moment.time for moment in moments] == [1.5, 2.5]
    for moment in moments:
        times = [moment.time + offset / FRAMES_A_SECOND for offset in OFFSETS]
        wanted = [brightness(min(int(time * FPS + 1e-6), 3 * FPS - 1)) for time in times]
        assert shades(moment.jpegs) == pytest.approx(wanted, abs=1)


def test_slow_and_uneven_frames_stay_on_display(tmp_path: Path) -> None:
    times = [0.0, 0.9, 1.05, 2.4]
    path = make_clip(tmp_path / "slides.mkv", counting_frames(4, step=40), times=times)
    (moment,) = cut(open_clip(path), 1, 2)
    shown = [max(i for i, t in enumerate(times) if t <= 1.5 + o / 8 + 1e-3) for o in OFFSETS]
    assert shades(moment.jpegs) == pytest.approx([16 + 40 * index for index in shown], abs=2)


def test_a_moment_hears_the_second_around_each_of_its_frames(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "clip.mp4"))
    moment = list(cut(clip, 0, 3))[1]
    for offset in OFFSETS:
        heard = onsets(second_of(moment.sound, offset))
        begins = moment.time + offset / FRAMES_A_SECOND - 0.5
        beeps = [beep - begins for beep in (0.25, 1.25, 2.25) if 0.05 < beep - begins < 0.95]
        starts = [onset for onset in heard if onset > 0.05]
        assert starts == pytest.approx(beeps, abs=0.03)


def test_without_sound_there_is_silence(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "mute.mp4", loud=False))
    assert not any(moment.sound.any() for moment in cut(clip, 0, 3))


def test_the_last_frame_stands_in_for_those_after_the_end(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "short.mp4", seconds=2.6))
    last = list(cut(clip, 0, 3))[-1]
    assert shades(last.jpegs)[-3:] == pytest.approx([brightness(64)] * 3, abs=1)


def test_a_clip_that_ends_before_its_tag_does_is_refused(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "short.mp4", seconds=2.4))
    with pytest.raises(LookhearError, match=r"ends at 2\.4 s, .* until 3 s"):
        list(cut(clip, 0, 3))


def test_a_tag_without_a_second_is_refused(tmp_path: Path) -> None:
    clip = open_clip(timed_clip(tmp_path / "clip.mp4", seconds=1))
    with pytest.raises(LookhearError, match="no middle of a second lies in 0 to 0 s"):
        list(cut(clip, 0, 0))


def test_large_frames_are_kept_at_360_pixels_and_small_ones_as_they_are(tmp_path: Path) -> None:
    for size, kept in (((720, 960), (360, 480)), ((48, 64), (48, 64)), ((800, 400), (720, 360))):
        path = make_clip(tmp_path / f"{size[0]}.mp4", counting_frames(25, size))
        (moment,) = cut(open_clip(path), 0, 1)
        encoded = np.frombuffer(moment.jpegs[0], np.uint8)
        assert cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape[:2] == kept
