"""Reading: whatever the file is, its frames come upright, in true colour and at their times."""

from __future__ import annotations

import gc
import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clips import beep, counting_frames, make_clip, quadrants
from lookhear.errors import LookhearError
from lookhear.media import Clip, open_clip

COLOUR_TOLERANCE = 6  # of 255: chroma at half size, 8 bits, a lossy codec


def corners(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The colours in the middles of the four quadrants, clockwise from top left."""
    height, width = picture.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    places = [(0, 0), (0, 1), (1, 1), (1, 0)]
    return np.array([picture[rows[r], columns[c]] for r, c in places], np.int64)


def assert_same_colours(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    difference = np.abs(corners(found) - corners(expected)).max()
    assert difference <= COLOUR_TOLERANCE, corners(found).tolist()


def from_planes(planes: tuple[NDArray[np.uint8], ...], matrix: int) -> NDArray[np.uint8]:
    """RGB from 4:2:0 planes by FFmpeg, told the matrix and limited range."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, pixels in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : plane.width] = pixels
    frame.color_range = 1
    return frame.reformat(format="rgb24", src_colorspace=matrix).to_ndarray()


def times(clip: Clip) -> list[float]:
    return [frame.time for frame in clip.frames()]


def test_a_plain_clip_says_what_it_is_and_gives_every_frame(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "plain.mp4", counting_frames(12), fps=10)
    clip = open_clip(path)
    assert (clip.width, clip.height, clip.frame_rate, clip.frame_count) == (64, 48, 10.0, 12)
    assert clip.duration == pytest.approx(1.2)
    assert not clip.has_sound
    assert list(clip.sound()) == []
    frames = list(clip.frames())
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(12) / 10)
    levels = [frame.rgb().mean() for frame in frames]
    assert levels == pytest.approx([16 + 8 * index for index in range(12)], abs=2)
    assert clip.problems == []


def test_frames_can_be_asked_for_again_while_an_earlier_pass_runs(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "clip.mp4", counting_frames(5)))
    first = clip.frames()
    next(first)
    assert len(times(clip)) == 5
    assert len(list(first)) == 4


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    shown = [0.0, 0.04, 0.5, 0.54, 1.25, 1.5]
    path = make_clip(tmp_path / "vfr.mkv", counting_frames(6), times=shown)
    assert times(open_clip(path)) == pytest.approx(shown, abs=0.001)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
def test_the_clock_starts_at_the_first_stream(tmp_path: Path, suffix: str) -> None:
    path = make_clip(
        tmp_path / f"late{suffix}", counting_frames(5), times=[1000 + i / 25 for i in range(5)]
    )
    assert times(open_clip(path)) == pytest.approx(np.arange(5) / 25, abs=0.001)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotated_video_comes_upright(tmp_path: Path, rotation: int) -> None:
    upright = quadrants()
    # A player turns anticlockwise by `rotation`, so the file holds the picture turned clockwise.
    stored = np.rot90(upright, -rotation // 90)
    clip = open_clip(make_clip(tmp_path / "turned.mp4", [stored] * 2, rotation=rotation))
    assert (clip.height, clip.width) == upright.shape[:2]
    frame = next(clip.frames())
    assert_same_colours(frame.rgb(), upright)
    assert_same_colours(frame.rgb((24, 32)), upright)
    y, u, v = frame.yuv420(clip.matrix)
    assert y.shape == upright.shape[:2]
    assert u.shape == v.shape == (24, 32)
    assert_same_colours(from_planes((y, u, v), 5), upright)


def test_the_aspect_of_a_pixel_turns_with_the_picture(tmp_path: Path) -> None:
    wide = Fraction(4, 3)
    frames = counting_frames(2)
    plain = make_clip(tmp_path / "wide.mp4", frames, pixel_aspect=wide)
    turned = make_clip(tmp_path / "tall.mp4", frames, pixel_aspect=wide, rotation=90)
    assert open_clip(plain).sample_aspect_ratio == wide
    assert open_clip(turned).sample_aspect_ratio == 1 / wide


FORMS = {
    "bt601": ("yuv420p", {"colorspace": 5, "color_range": 1}),
    "bt709": ("yuv420p", {"colorspace": 1, "color_range": 1}),
    "unstated": ("yuv420p", {}),
    "full range": ("yuv420p", {"colorspace": 1, "color_range": 2}),
    "4:4:4": ("yuv444p", {"colorspace": 1, "color_range": 1}),
    "10 bits": ("yuv420p10le", {"colorspace": 1, "color_range": 1}),
}


@pytest.mark.parametrize("form", FORMS)
def test_colours_are_true_whatever_they_are_stored_as(tmp_path: Path, form: str) -> None:
    pixel_format, colours = FORMS[form]
    path = tmp_path / "colours.mp4"
    make_clip(path, [quadrants()], pixel_format=pixel_format, colours=colours)
    frame = next(open_clip(path).frames())
    assert_same_colours(frame.rgb(), quadrants())
    assert_same_colours(from_planes(frame.yuv420("bt709"), 1), quadrants())
    assert_same_colours(from_planes(frame.yuv420("bt601"), 5), quadrants())


def test_unstated_hd_is_read_as_bt709(tmp_path: Path) -> None:
    picture = quadrants((64, 1280))
    path = tmp_path / "hd.mp4"
    make_clip(path, [picture], colours={"colorspace": 1}, tagged=False)
    clip = open_clip(path)
    assert clip.matrix == "bt709"
    assert_same_colours(next(clip.frames()).rgb(), picture)


def test_planes_in_the_clips_own_matrix_are_not_copied(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "clip.mp4", counting_frames(1)))
    y, _, _ = next(clip.frames()).yuv420(clip.matrix)
    assert not y.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        y[0, 0] = 0


def perceptual_quantiser(nits: float) -> float:
    """SMPTE ST 2084, from luminance to code in [0, 1]."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


@pytest.mark.parametrize("transfer", [16, 18], ids=["PQ", "HLG"])
def test_hdr_is_tone_mapped(tmp_path: Path, transfer: int) -> None:
    nits = [0, 1, 10, 100, 203, 1000]
    hlg = [0, 0.04, 0.15, 0.5, 0.75, 1.0]
    codes = [perceptual_quantiser(n) for n in nits] if transfer == 16 else hlg
    frames = [np.full((48, 64, 3), round(255 * code), np.uint8) for code in codes]
    colours = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    path = tmp_path / "hdr.mp4"
    make_clip(path, frames, pixel_format="yuv420p10le", colours=colours)
    frames_read = list(open_clip(path).frames())
    levels = [float(frame.rgb().mean()) / 255 for frame in frames_read]
    assert all(b > a + 0.03 for a, b in pairwise(levels)), levels
    assert levels[0] < 0.02
    # 203 nits, or three quarters of HLG, are a sheet of white paper: bright, not the brightest.
    assert 0.5 < levels[4] < 0.95
    luma = [(float(frame.yuv420()[0].mean()) - 16) / 219 for frame in frames_read]
    assert luma == pytest.approx(levels, abs=0.02)


@pytest.mark.parametrize("size", [(47, 63), (47, 64), (48, 63), (1, 1)])
def test_odd_sizes_are_padded_in_planes_only(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 120, np.uint8)
    path = make_clip(tmp_path / "odd.mkv", [picture], codec="ffv1", pixel_format="yuv444p")
    clip = open_clip(path)
    frame = next(clip.frames())
    assert (clip.height, clip.width) == frame.rgb().shape[:2] == size
    y, u, v = frame.yuv420()
    assert y.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert u.shape == v.shape == (y.shape[0] // 2, y.shape[1] // 2)
    assert np.ptp(y) <= 1


def with_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its right half transparent."""
    alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
    alpha[:, picture.shape[1] // 2 :] = 0
    return np.concatenate([picture, alpha], axis=2)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        (".png", "png", "rgba"),
        (".mov", "prores_ks", "yuva444p10le"),
        (".webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_transparency_lies_over_black(
    tmp_path: Path, suffix: str, codec: str, pixel_format: str
) -> None:
    path = tmp_path / f"alpha{suffix}"
    rgba = av.VideoFrame.from_ndarray(with_alpha(quadrants()), "rgba")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        container.mux(stream.encode(rgba.reformat(format=pixel_format)))
        container.mux(stream.encode(None))
    expected = quadrants()
    expected[:, 32:] = 0
    frame = next(open_clip(path).frames())
    difference = np.abs(corners(frame.rgb()) - corners(expected)).max()
    assert difference <= 16, corners(frame.rgb()).tolist()
    assert frame.yuv420()[0][12, 48] <= 18


def test_the_default_picture_stream_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", 25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        streams[0].disposition = 0
        streams[1].disposition = av.stream.Disposition.default
        for stream, level in zip(streams, (50, 200), strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), "rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode(None))
    assert next(open_clip(path).frames()).rgb().mean() == pytest.approx(200, abs=3)


def test_an_animated_gif_keeps_its_times(tmp_path: Path) -> None:
    shown = [0.0, 0.1, 0.3, 0.35]
    frames = counting_frames(4, step=50)
    path = make_clip(tmp_path / "moving.gif", frames, times=shown, codec="gif", pixel_format="rgb8")
    clip = open_clip(path)
    assert times(clip) == pytest.approx(shown)
    levels = [frame.rgb().mean() for frame in clip.frames()]
    assert all(b > a for a, b in pairwise(levels))


def save_picture(path: Path, picture: NDArray[np.uint8]) -> Path:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
    frame.save(path.with_suffix(path.suffix.lower()))
    return path.with_suffix(path.suffix.lower()).rename(path)


@pytest.mark.parametrize("name", ["still.png", "still.jpg", "100%d.png", "STILL.PNG"])
def test_a_still_picture_is_a_clip_of_one_frame(tmp_path: Path, name: str) -> None:
    clip = open_clip(save_picture(tmp_path / name, quadrants()))
    frames = list(clip.frames())
    assert len(frames) == clip.frame_count == 1
    assert frames[0].time == 0
    assert_same_colours(frames[0].rgb(), quadrants())


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "phone.jpg", np.rot90(quadrants()))
    jpeg = path.read_bytes()
    # One IFD entry: tag 0x0112 (orientation), SHORT, 1 value, 6 = turn clockwise to stand upright.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + jpeg[2:])
    clip = open_clip(path)
    assert (clip.height, clip.width) == (48, 64)
    assert_same_colours(next(clip.frames()).rgb(), quadrants())


def test_a_folder_of_frames_is_in_natural_order(tmp_path: Path) -> None:
    for number, frame in enumerate(counting_frames(12)):
        save_picture(tmp_path / f"frame{number}.png", frame)
    (tmp_path / "notes.txt").write_text("not a picture")
    clip = open_clip(tmp_path, frame_rate=5)
    assert (clip.frame_count, clip.frame_rate, clip.duration) == (12, 5, 2.4)
    assert times(clip) == pytest.approx(np.arange(12) / 5)
    levels = [frame.rgb().mean() for frame in clip.frames()]
    assert levels == pytest.approx([16 + 8 * index for index in range(12)], abs=1)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ([1], "1 picture (1.png): "),
        ([1, 3, 4, 5], "4 pictures (1.png, 3.png, 4.png and 1 more): "),
    ],
)
def test_broken_pictures_of_a_folder_are_left_out_and_named_in_one_line(
    tmp_path: Path, broken: list[int], said: str
) -> None:
    for number, frame in enumerate(counting_frames(6)):
        save_picture(tmp_path / f"{number}.png", frame)
    for number in broken:
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    clip = open_clip(tmp_path)
    assert times(clip) == pytest.approx([n / 25 for n in range(6) if n not in broken])
    assert len(clip.problems) == 1
    assert clip.problems[0].startswith(f"left out: {said}")


def damaged(path: Path, *, packet: int) -> Path:
    """Overwrite the bytes of one picture packet of an .mp4 file."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        position, size = packets[packet].pos, packets[packet].size
    content = bytearray(path.read_bytes())
    content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    return path


def test_damage_costs_its_frame_and_is_told(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "damaged.mp4", counting_frames(20), options={"g": "1"}, fps=10)
    clip = open_clip(damaged(path, packet=13))
    assert times(clip) == pytest.approx([i / 10 for i in range(20) if i != 13])
    assert len(clip.problems) == 1
    assert clip.problems[0].startswith("1 frame of 20 could not be decoded, at 1.3 s")
    list(clip.frames())
    assert len(clip.problems) == 1, "a second pass tells nothing new"


def test_a_clip_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
    path = make_clip(
        tmp_path / "cut.mp4", list(noise), fps=5, container_options={"movflags": "+faststart"}
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    clip = open_clip(path)
    assert 0 < len(times(clip)) < 20
    assert any("the picture ends at" in line and "of 4.0 s" in line for line in clip.problems)


BAD_FILES = {
    "empty.mp4": (b"", "is empty"),
    "text.mp4": (b"just some words\n" * 20, "not a media file"),
    "text.png": (b"just some words\n" * 20, "picture"),
    "list.mp4": (b"ffconcat version 1.0\nfile 'plain.mp4'\n", "not a media file"),
    "list.m3u8": (b"#EXTM3U\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n", "not a media file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_no_clip_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make_clip(tmp_path / "plain.mp4", counting_frames(2))
    content, words = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, words)


def refused(path: Path, words: str) -> None:
    with pytest.raises(LookhearError) as caught:
        open_clip(path)
    message = str(caught.value)
    assert words in message
    assert path.name in message
    assert "\n" not in message


def test_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.mp4", "no such file")
    refused(tmp_path, "no pictures")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "secret.mp4", counting_frames(2))
    path.chmod(0)
    refused(path, "Permission denied")


def test_sound_without_picture_is_refused_even_with_cover_art(tmp_path: Path) -> None:
    samples, rate = beep(0.5, at=[0.1])
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        song = container.add_stream("libmp3lame", rate, layout="mono")
        cover = container.add_stream("png", 25)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        art = av.VideoFrame.from_ndarray(quadrants(), "rgb24")
        container.mux([*cover.encode(art), *cover.encode(None)])
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "fltp", "mono")
        frame.sample_rate = rate
        container.mux([*song.encode(frame), *song.encode(None)])
    refused(path, "has no picture")


@settings(max_examples=15, deadline=None)
@given(gaps=st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_times_always_increase_and_are_the_files_own(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int]
) -> None:
    shown = np.cumsum([0, *gaps]) / 100
    path = tmp_path_factory.mktemp("any") / "any.mkv"
    make_clip(path, counting_frames(len(shown), step=4), times=shown.tolist(), codec="ffv1")
    assert times(open_clip(path)) == pytest.approx(shown, abs=0.001)


@pytest.mark.parametrize("rotation", [0, 90])
def test_frames_are_let_go_without_the_garbage_collector(tmp_path: Path, rotation: int) -> None:
    path = make_clip(tmp_path / "clip.mp4", counting_frames(30, step=4), rotation=rotation)
    clip = open_clip(path)
    gc.collect()
    gc.disable()
    try:
        for frame in clip.frames():
            frame.rgb((16, 16))
            frame.yuv420(clip.matrix)
        del frame
        alive = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 3
