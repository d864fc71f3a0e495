"""Sound: mono 16 kHz on the clip's clock, whatever the file makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clips import beep, counting_frames, make_clip, onsets
from lookhear.media import SAMPLE_RATE, Clip, SoundWindows, open_clip

FRAMES = counting_frames(50, step=4)


def heard(clip: Clip) -> NDArray[np.float32]:
    return np.concatenate(list(clip.sound()))


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        (".mp4", "aac", 44_100),
        (".mp4", "aac", 16_000),
        (".mp4", "libmp3lame", 44_100),
        (".webm", "libopus", 48_000),
        (".mkv", "pcm_s16le", 16_000),
        (".mkv", "flac", 48_000),
        (".ts", "aac", 48_000),
    ],
)
def test_sound_is_heard_when_the_file_says(
    tmp_path: Path, suffix: str, codec: str, rate: int
) -> None:
    path = tmp_path / f"beeps{suffix}"
    video = "libvpx-vp9" if suffix == ".webm" else "libx264"
    make_clip(path, FRAMES, codec=video, sound=beep(2, [0.5, 1.25], rate), sound_codec=codec)
    clip = open_clip(path)
    assert clip.has_sound
    first_frame = next(clip.frames()).time
    samples = heard(clip)
    assert samples.dtype == np.float32
    assert [at - first_frame for at in onsets(samples)] == pytest.approx([0.5, 1.25], abs=0.012)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.1)
    assert clip.problems == []


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_sound_that_starts_late_is_preceded_by_silence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"late{suffix}"
    make_clip(path, FRAMES, sound=beep(1, [0.25], 48_000), sound_start=0.5)
    assert onsets(heard(open_clip(path))) == pytest.approx([0.75], abs=0.012)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_picture_that_starts_late_leaves_the_sound_in_place(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"late{suffix}"
    times = [0.5 + index / 25 for index in range(50)]
    make_clip(path, FRAMES, times=times, sound=beep(2, [0.25], 48_000))
    clip = open_clip(path)
    # The encoder's run-in may lie before time 0; what counts is picture against sound.
    assert next(clip.frames()).time - onsets(heard(clip))[0] == pytest.approx(0.25, abs=0.012)


def test_a_pause_between_packets_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "pause.mkv"
    whole = make_clip(
        tmp_path / "whole.mkv", FRAMES, sound=beep(2, [0.1, 1.5]), sound_codec="pcm_s16le"
    )
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        copies = {
            stream.index: target.add_stream_from_template(stream, opaque=True)
            for stream in source.streams
        }
        for packet in source.demux():
            paused = packet.stream.type == "audio" and packet.size and 0.5 <= packet.pts / 1000 < 1
            if packet.size and not paused:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    samples = heard(open_clip(path))
    assert samples.size == pytest.approx(2 * SAMPLE_RATE, abs=100)
    assert onsets(samples) == pytest.approx([0.1, 1.5], abs=0.005)


def test_sound_that_fails_part_way_goes_on_as_silence_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.mkv"
    make_clip(path, FRAMES, sound=beep(2, [0.1, 0.9, 1.7]), sound_codec="flac")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        spans = [(packet.pos, packet.size) for packet in packets if 0.7 <= packet.pts / 1000 < 1.2]
    content = bytearray(path.read_bytes())
    for position, size in spans:
        block = content.find(b"\xff\xf8", position, position + 32)
        content[block : position + size] = bytes(position + size - block)
    path.write_bytes(content)
    clip = open_clip(path)
    samples = heard(clip)
    assert onsets(samples) == pytest.approx([0.1, 1.7], abs=0.01)
    assert len(clip.problems) == 1
    assert "of the sound could not be decoded" in clip.problems[0]
    assert len(list(clip.frames())) == len(FRAMES)


def blocks_of(samples: NDArray[np.float32], size: int) -> Iterator[NDArray[np.float32]]:
    return (samples[start : start + size] for start in range(0, samples.size, size))


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 5 * SAMPLE_RATE),
    block=st.integers(200, 40_000),
    centres=st.lists(st.floats(0, 8), min_size=1, max_size=8),
    seconds=st.sampled_from([0.5, 1.0]),
)
def test_windows_are_what_slicing_the_whole_sound_would_give(
    length: int, block: int, centres: list[float], seconds: float
) -> None:
    sound = np.linspace(-1.5, 1.5, length).astype(np.float32)
    size = round(seconds * SAMPLE_RATE)
    padded = np.pad(np.clip(sound, -1, 1), (size, 10 * SAMPLE_RATE))
    windows = SoundWindows(blocks_of(sound, block), seconds)
    for centre in sorted(centres):
        start = size + round(centre * SAMPLE_RATE) - size // 2
        np.testing.assert_array_equal(windows.window(centre), padded[start : start + size])


def test_windows_hold_no_more_than_they_need() -> None:
    passed = 0

    def endless() -> Iterator[NDArray[np.float32]]:
        nonlocal passed
        while True:
            passed += 1
            yield np.full(1600, 0.5, np.float32)

    windows = SoundWindows(endless())
    assert windows.window(100.0).all()
    assert passed == pytest.approx(1005, abs=1), "reads up to the window's end, no further"
    assert sum(block.size for block in windows._held) <= SAMPLE_RATE + 1600


def test_windows_do_not_go_back() -> None:
    windows = SoundWindows(iter([np.zeros(SAMPLE_RATE, np.float32)] * 10))
    windows.window(5.0)
    with pytest.raises(ValueError, match="order"):
        windows.window(1.0)


def test_a_silent_clip_gives_silent_windows(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "silent.mp4", FRAMES))
    window = SoundWindows(clip.sound()).window(1.0)
    assert window.shape == (SAMPLE_RATE,)
    assert not window.any()
