"""Writing: the same frames at the same times, the same sound, and a file whole or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import beep, counting_frames, make_clip, onsets, quadrants
from lookhear.errors import LookhearError
from lookhear.media import Clip, Matrix, VideoWriter, open_clip
from lookhear.media.write import encoding

FRAMES = counting_frames(50, step=4)


def rewrite(source: Path, target: Path) -> tuple[Clip, Clip]:
    """Copy a clip frame by frame with its sound; the source and the opened copy."""
    clip = open_clip(source)
    with VideoWriter(
        target,
        clip.width,
        clip.height,
        frame_rate=clip.frame_rate,
        sample_aspect_ratio=clip.sample_aspect_ratio,
        matrix=clip.matrix,
        sound=clip,
    ) as writer:
        for frame in clip.frames():
            writer.write_yuv420(frame.yuv420(clip.matrix), frame.time, frame.duration)
    return clip, open_clip(target)


def times(clip: Clip) -> list[float]:
    return [frame.time for frame in clip.frames()]


def sound_codec(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.codec.canonical_name


@pytest.mark.parametrize(
    ("suffix", "codec", "kept_as"),
    [
        (".mp4", "aac", "aac"),
        (".ts", "aac", "aac"),
        (".mkv", "libmp3lame", "mp3"),
        (".mkv", "libopus", "opus"),
        (".mkv", "ac3", "ac3"),
        (".mkv", "flac", "flac"),
        (".mp4", "alac", "alac"),
        (".mkv", "pcm_s16le", "aac"),
        (".mkv", "vorbis", "aac"),
    ],
)
def test_sound_is_kept_in_step(tmp_path: Path, suffix: str, codec: str, kept_as: str) -> None:
    stereo_only = codec == "vorbis"
    source = make_clip(
        tmp_path / f"in{suffix}",
        FRAMES,
        sound=beep(2, [0.5, 1.25], 48_000),
        sound_codec=codec,
        layout="stereo" if stereo_only else "mono",
    )
    clip, copy = rewrite(source, tmp_path / "out.mp4")
    assert sound_codec(copy.path) == kept_as
    assert times(copy) == pytest.approx(times(clip), abs=0.001)
    before = np.concatenate(list(clip.sound()))
    after = np.concatenate(list(copy.sound()))
    assert len(onsets(after)) == 2
    assert onsets(after) == pytest.approx(onsets(before), abs=0.006)
    assert after.size / 16_000 == pytest.approx(before.size / 16_000, abs=0.06)
    assert clip.problems == copy.problems == []


@pytest.mark.parametrize("sound_start", [0.0, 0.5])
@pytest.mark.parametrize("first", [0.0, 0.3, 100.0])
def test_picture_against_sound_survives_any_start(
    tmp_path: Path, sound_start: float, first: float
) -> None:
    source = make_clip(
        tmp_path / "in.ts",
        FRAMES,
        times=[first + index / 25 for index in range(50)],
        sound=beep(1, [0.25], 48_000),
        sound_start=first + sound_start,
    )
    clip, copy = rewrite(source, tmp_path / "out.mp4")
    assert times(copy) == pytest.approx(times(clip), abs=0.0001)
    before, after = (onsets(np.concatenate(list(c.sound()))) for c in (clip, copy))
    assert after == pytest.approx(before, abs=0.003)


@settings(max_examples=12, deadline=None)
@given(gaps=st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_any_times_are_kept_and_so_is_the_duration(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int]
) -> None:
    shown = (np.cumsum([0, *gaps]) / 120).tolist()
    target = tmp_path_factory.mktemp("any") / "out.mp4"
    with VideoWriter(target, 64, 48, frame_rate=25) as writer:
        for time, frame in zip(shown, counting_frames(len(shown), step=4), strict=True):
            writer.write_rgb(frame, time, duration=0.5)
    copy = open_clip(target)
    assert times(copy) == pytest.approx(shown, abs=0.0001)
    assert copy.duration == pytest.approx(shown[-1] + 0.5, abs=0.002)


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1)])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_rgb_comes_back_as_it_was_and_odd_sizes_are_padded(
    tmp_path: Path, size: tuple[int, int], matrix: Matrix
) -> None:
    picture = quadrants((48, 64))[: size[0], : size[1]]
    target = tmp_path / "out.mp4"
    with VideoWriter(target, size[1], size[0], frame_rate=25, matrix=matrix) as writer:
        writer.write_rgb(picture, 0.0)
    copy = open_clip(target)
    assert (copy.height, copy.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert copy.matrix == matrix
    shown = next(copy.frames()).rgb()[: size[0], : size[1]]
    middle = slice(size[0] // 4, size[0] // 4 + 1), slice(size[1] // 4, size[1] // 4 + 1)
    assert np.abs(shown[middle].astype(int) - picture[middle]).max() <= 10


def test_planes_and_rgb_give_the_same_picture(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "in.mp4", [quadrants()]))
    frame = next(clip.frames())
    for name, matrix in (("a.mp4", "bt709"), ("b.mp4", "bt601")):
        with VideoWriter(tmp_path / name, 64, 48, frame_rate=25, matrix=matrix) as writer:
            writer.write_yuv420(frame.yuv420(matrix), 0.0)
    with VideoWriter(tmp_path / "c.mp4", 64, 48, frame_rate=25) as writer:
        writer.write_rgb(frame.rgb(), 0.0)
    a, b, c = (next(open_clip(tmp_path / n).frames()).rgb() for n in ("a.mp4", "b.mp4", "c.mp4"))
    for other in (b, c):
        assert np.abs(a.astype(int) - other).mean() < 4


def test_the_file_is_tagged_and_starts_fast(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with VideoWriter(target, 64, 48, frame_rate=25, sample_aspect_ratio=Fraction(4, 3)) as writer:
        writer.write_rgb(quadrants(), 0.0)
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        tags = (context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1)
        assert context.color_range == 1
        assert stream.sample_aspect_ratio == Fraction(4, 3)


def test_generated_sound_is_encoded(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    sound = beep(2, [0.5, 1.25], 22_050)
    with VideoWriter(target, 64, 48, frame_rate=25, sound=sound) as writer:
        for index, frame in enumerate(FRAMES):
            writer.write_rgb(frame, index / 25)
    copy = open_clip(target)
    assert sound_codec(target) == "aac"
    assert onsets(np.concatenate(list(copy.sound()))) == pytest.approx([0.5, 1.25], abs=0.006)
    assert copy.duration == pytest.approx(2.0, abs=0.05)


def test_sound_longer_than_the_picture_is_kept_whole(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", FRAMES[:5], sound=beep(2, [1.5], 48_000))
    _, copy = rewrite(source, tmp_path / "out.mp4")
    assert onsets(np.concatenate(list(copy.sound()))) == pytest.approx([1.5], abs=0.012)


def write_and_fail(target: Path, source: Path, error: type[BaseException]) -> None:
    with VideoWriter(target, 64, 48, frame_rate=25, sound=open_clip(source)) as writer:
        writer.write_rgb(FRAMES[0], 0.0)
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_behind_and_an_older_file_alone(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"older")
    source = make_clip(tmp_path / "in.mp4", FRAMES, sound=beep(2, [0.5]))
    with pytest.raises(error):
        write_and_fail(target, source, error)
    assert target.read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_the_target_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with VideoWriter(target, 64, 48, frame_rate=25) as writer:
        writer.write_rgb(FRAMES[0], 0.0)
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match=r"out\.mp4: cannot be written: No such file"):
        VideoWriter(tmp_path / "nowhere" / "out.mp4", 64, 48, frame_rate=25).__enter__()
    with (
        pytest.raises(LookhearError, match="no frame to write"),
        VideoWriter(tmp_path / "out.mp4", 64, 48, frame_rate=25),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_misuse_is_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 48, frame_rate=25) as writer:
        writer.write_rgb(FRAMES[0], 1.0)
        with pytest.raises(ValueError, match="does not come after"):
            writer.write_rgb(FRAMES[0], 1.0)
        with pytest.raises(ValueError, match="64x48"):
            writer.write_rgb(quadrants((32, 32)), 2.0)
        y = np.zeros((32, 32), np.uint8)
        with pytest.raises(ValueError, match="64x48"):
            writer.write_yuv420((y, y[::2, ::2], y[::2, ::2]), 2.0)


@pytest.mark.parametrize("frames", [1, 12])
def test_what_fails_while_encoding_is_told_and_leaves_nothing(tmp_path: Path, frames: int) -> None:
    small = tuple(np.zeros(size, np.uint8) for size in ((2, 2), (1, 1), (1, 1)))
    writer = VideoWriter(tmp_path / "a.mp4", 64, 48, frame_rate=25)

    def encode() -> None:
        with encoding(writer) as write:
            for index in range(frames):
                write(small, index / 25, 1 / 25)

    with pytest.raises(ValueError, match="64x48 video"):
        encode()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [(".avi", "libmp3lame", 11_025), (".mkv", "libmp3lame", 8_000), (".flv", "libmp3lame", 11_025)],
)
def test_sound_that_mp4_does_not_take_is_encoded_anew(
    tmp_path: Path, suffix: str, codec: str, rate: int
) -> None:
    source = make_clip(
        tmp_path / f"in{suffix}",
        FRAMES,
        codec="flv" if suffix == ".flv" else "libx264",
        sound=beep(2, [0.5, 1.25], rate),
        sound_codec=codec,
    )
    clip, copy = rewrite(source, tmp_path / "out.mp4")
    assert sound_codec(copy.path) == "aac"
    before, after = (onsets(np.concatenate(list(of.sound()))) for of in (clip, copy))
    assert after == pytest.approx(before, abs=0.02)
    assert clip.problems == []
