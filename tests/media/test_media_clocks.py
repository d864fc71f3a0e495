"""Time stamps that are not what they seem: frames and sound follow one another all the same."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.packet import Packet

from clips import beep, counting_frames, make_clip, onsets
from lookhear.media import VideoWriter, open_clip
from lookhear.media.clip import Clip
from lookhear.media.clock import Clock

CODECS = {".ts": ("libx264", "aac"), ".mpg": ("mpeg2video", "mp2"), ".vob": ("mpeg2video", "ac3")}


def recording(path: Path, first: float = 0.0) -> bytes:
    """Two seconds with B-frames and a beep at 0.5 s, on a clock that starts at ``first``."""
    video, sound = CODECS[path.suffix]
    make_clip(
        path,
        counting_frames(50, step=4),
        times=[first + index / 25 for index in range(50)],
        codec=video,
        options={"bf": "2", "g": "12"},
        sound=beep(2, [0.5], 48_000),
        sound_codec=sound,
        sound_start=first,
    )
    return path.read_bytes()


def times(clip: Clip) -> list[float]:
    return [frame.time for frame in clip.frames()]


def heard(clip: Clip) -> list[float]:
    return onsets(np.concatenate(list(clip.sound())))


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("parts", [2, 3])
def test_joined_recordings_follow_one_another(tmp_path: Path, suffix: str, parts: int) -> None:
    content = recording(tmp_path / f"one{suffix}")
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(parts * content)
    clip, alone = open_clip(joined), open_clip(tmp_path / f"one{suffix}")
    steps = np.diff(times(clip))
    assert len(steps) == parts * 50 - 1
    assert steps.min() == pytest.approx(0.04, abs=0.002)
    assert steps.max() < 0.2
    offsets = np.subtract(heard(clip), heard(alone)[0])
    assert offsets == pytest.approx(np.arange(parts) * 2, abs=0.2)
    # A part's sound keeps step with its own picture.
    shift = times(clip)[(parts - 1) * 50] - times(alone)[0]
    assert offsets[-1] == pytest.approx(shift, abs=0.02)
    assert len(clip.problems) == 1
    assert "its clock begins again" in clip.problems[0]
    assert ("2 times, first at 2." in clip.problems[0]) == (parts == 3)


@pytest.mark.parametrize("first", [10.0, 1000.0])
def test_a_later_recording_may_be_the_first(tmp_path: Path, first: float) -> None:
    later, earlier = recording(tmp_path / "later.ts", first), recording(tmp_path / "earlier.ts")
    (tmp_path / "joined.ts").write_bytes(later + earlier)
    shown = times(open_clip(tmp_path / "joined.ts"))
    assert len(shown) == 100
    assert np.diff(shown).max() < 0.2
    assert shown[-1] == pytest.approx(4, abs=0.2)


def test_an_overlay_of_joined_recordings_has_all_their_sound(tmp_path: Path) -> None:
    (tmp_path / "joined.ts").write_bytes(2 * recording(tmp_path / "one.ts"))
    clip = open_clip(tmp_path / "joined.ts")
    with VideoWriter(
        tmp_path / "copy.mp4", clip.width, clip.height, frame_rate=25, sound=clip
    ) as writer:
        for frame in clip.frames():
            writer.write_yuv420(frame.yuv420(), frame.time, frame.duration)
    copy = open_clip(tmp_path / "copy.mp4")
    assert heard(copy) == pytest.approx(heard(clip), abs=0.01)
    assert times(copy) == pytest.approx(times(clip), abs=0.001)


def test_one_wrong_time_stamp_is_no_restart() -> None:
    packets = [Packet(b"picture") for _ in range(50)]
    for number, packet in enumerate(packets):
        packet.time_base = Fraction(1, 25)
        packet.pts = packet.dts = number + (-1000 if number == 20 else 500)
    clock = Clock()
    stamps = [packet.pts for packet in clock.mended(packets)]
    assert clock.restarts == []
    assert [stamp for stamp in stamps if stamp > 0] == [500 + n for n in range(50) if n != 20]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "msmpeg4"])
def test_frames_of_packets_without_presentation_times_are_spaced_evenly(
    tmp_path: Path, codec: str
) -> None:
    options = {
        "libx264": {"bf": "2", "b_strategy": "0", "qp": "10"},
        "mpeg4": {"bf": "2", "g": "12", "qmax": "2"},
        "msmpeg4": {"qmax": "2"},
    }
    frames = counting_frames(45, step=5)
    path = make_clip(tmp_path / "direct.avi", frames, codec=codec, options=options.get(codec))
    clip = open_clip(path)
    seen = [(frame.time, float(frame.rgb().mean())) for frame in clip.frames()]
    shown = [time for time, _ in seen]
    assert shown[0] <= 0.041
    assert np.subtract(shown, shown[0]) == pytest.approx(np.arange(45) / 25, abs=0.001)
    assert np.all(np.diff([level for _, level in seen]) > -2), "in the order of showing"
    assert clip.problems == []
