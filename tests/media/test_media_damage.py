"""What decoders conceal, and what is not as it seems, is said in a line."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clips import counting_frames, make_clip, quadrants
from lookhear.errors import LookhearError
from lookhear.media import Clip, VideoWriter, open_clip

NOISE = np.random.default_rng(0)


def moving(count: int = 60, size: tuple[int, int] = (96, 128)) -> list[NDArray[np.uint8]]:
    """Noise that wanders, of which a codec keeps much."""
    wide = NOISE.integers(0, 255, (*size, 3), np.uint8)
    return [np.roll(wide, (index, 2 * index), (0, 1)) for index in range(count)]


def shown(clip: Clip) -> list[float]:
    return [frame.time for frame in clip.frames()]


CODECS = {
    ".ts": ("libx264", {"g": "20", "qp": "25"}),
    ".mkv": ("libx264", {"g": "20", "qp": "25"}),
    ".mpg": ("mpeg2video", {"g": "20"}),
    ".avi": ("mpeg4", {"g": "20"}),
    ".mp4": ("libx265", {"x265-params": "log-level=none:keyint=20"}),
}


def noisy(path: Path, start: float = 0.4, end: float = 0.6, share: float = 0.01) -> Path:
    """Change some of the bytes in the middle of a file."""
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    chosen = np.arange(round(start * content.size), round(end * content.size))
    chosen = chosen[NOISE.random(chosen.size) < share]
    content[chosen] = NOISE.integers(0, 255, chosen.size, np.uint8)
    path.write_bytes(content.tobytes())
    return path


@pytest.mark.parametrize("suffix", CODECS)
def test_concealed_damage_is_told_and_where(tmp_path: Path, suffix: str) -> None:
    codec, options = CODECS[suffix]
    path = make_clip(tmp_path / f"clip{suffix}", moving(), codec=codec, options=options)
    sound = open_clip(path)
    assert len(shown(sound)) == 60
    assert sound.problems == []
    clip = open_clip(noisy(path))
    assert len(shown(clip)) > 20
    told = [line for line in clip.problems if "damaged" in line or "could not be decoded" in line]
    assert told, clip.problems
    assert all("\n" not in line for line in told)


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_a_stream_that_begins_between_key_frames_says_what_is_missing(
    tmp_path: Path, suffix: str
) -> None:
    source = make_clip(tmp_path / "whole.mkv", moving(), options={"g": "40", "qp": "25"})
    path = tmp_path / f"begun{suffix}"
    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        copy = after.add_stream_from_template(before.streams.video[0])
        for number, packet in enumerate(p for p in before.demux(video=0) if p.size):
            if number >= 10:
                packet.stream = copy
                after.mux(packet)
    clip = open_clip(path)
    assert len(shown(clip)) == 20
    assert any("30 frames of 50 could not be decoded" in line for line in clip.problems)


def test_lost_frames_are_never_more_than_there_are(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mkv", moving(), options={"g": "1", "qp": "25"})
    clip = open_clip(noisy(path, 0.1, 0.9, 0.02))
    frames = len(shown(clip))
    (lost,) = (line for line in clip.problems if "could not be decoded" in line)
    assert int(lost.split()[0]) + frames <= 60


def test_fields_and_frames_that_show_nothing_new_are_no_loss(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "hidden.webm",
        moving(80),
        codec="libvpx",
        options={"auto-alt-ref": "1", "lag-in-frames": "16", "crf": "30", "b": "400k"},
    )
    clip = open_clip(path)
    assert len(shown(clip)) == 80
    assert clip.problems == []


def picture(form: str) -> bytes:
    file = io.BytesIO()
    wide = Image.fromarray(moving(1, (200, 300))[0])
    wide.save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "QOI", "GIF", "PPM"])
def test_a_picture_cut_short_is_told_or_refused(tmp_path: Path, form: str) -> None:
    content = picture(form)
    path = tmp_path / "cut.dat"
    path.write_bytes(content[: len(content) * 6 // 10])
    try:
        clip = open_clip(path)
        list(clip.frames())
    except LookhearError as error:
        problems = [str(error)]
    else:
        problems = clip.problems
    assert len(problems) == 1
    assert "damaged" in problems[0]


def test_a_jpeg_with_damage_in_the_middle_is_shown_and_told(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(picture("JPEG"))
    clip = open_clip(noisy(path))
    assert len(list(clip.frames())) == 1
    assert len(clip.problems) == 1
    assert "the picture is damaged, and shown as far as it can be decoded" in clip.problems[0]


@pytest.mark.parametrize("number", [8, 10, 11, 14, 15])
def test_colours_of_an_unknown_matrix_are_shown_by_the_nearest_and_told(
    tmp_path: Path, number: int
) -> None:
    path = tmp_path / "odd.mkv"
    stored = make_clip(
        tmp_path / "plain.mkv", [quadrants()] * 3, codec="libx264", colours={"colorspace": 5}
    )
    # The matrix lies in the container, by its number in ITU-T H.273, and in the stream.
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = number
        for frame in frames_of(stored):
            frame.colorspace = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = open_clip(path)
    frame = next(clip.frames())
    assert frame.rgb().std() > 20
    assert frame.rgb((24, 32)).shape == (24, 32, 3)
    assert frame.yuv420(clip.matrix)[0].shape == (48, 64)
    (line,) = clip.problems
    assert "matrix" in line
    assert "the nearest is taken" in line


def frames_of(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frame.pts = None
            yield frame


def changing(path: Path) -> Path:
    """Two frames that are wide and two that are high, as of a phone that turns."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number, size in enumerate([(48, 64), (48, 64), (64, 48), (96, 128)]):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height = size[1], size[0]
            encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
            picture = np.full((*size, 3), 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuvj420p")
            if number == 0:
                container.mux(stream.encode(frame))
                continue
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.stream, packet.pts, packet.dts = stream, number, number
                container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_frame_of_another_shape_keeps_it(tmp_path: Path, suffix: str) -> None:
    clip = open_clip(changing(tmp_path / f"turning{suffix}"))
    frames = list(clip.frames())
    assert [line for line in clip.problems if "its size changes" in line] == clip.problems[:1]
    assert "from 64 x 48 to 48 x 64 at 0.1 s" in clip.problems[0]
    for frame, width in zip(frames, [64, 64, 36, 64], strict=True):
        lit = frame.rgb().mean(2) > 100
        assert lit.any(0).sum() == pytest.approx(width, abs=2)
        assert lit.any(1).sum() == 48
        small = frame.rgb((24, 24)).mean(2) > 100
        assert small.any(0).sum() == pytest.approx(width * 24 / 64, abs=2)
        y, u, v = frame.yuv420(clip.matrix)
        assert (y.shape, u.shape, v.shape) == ((48, 64), (24, 32), (24, 32))
        assert (y > 100).any(0).sum() == pytest.approx(width, abs=2)
    with VideoWriter(tmp_path / "copy.mp4", 64, 48, frame_rate=25) as writer:
        for frame in frames:
            writer.write_yuv420(frame.yuv420(), frame.time)


def folder(tmp_path: Path, names: list[str], size: tuple[int, int] = (48, 64)) -> Path:
    for name in names:
        Image.fromarray(quadrants(size)).save(tmp_path / name)
    return tmp_path


def test_frames_keep_their_times_where_some_are_missing(tmp_path: Path) -> None:
    numbers = [*range(1, 6), *range(31, 36)]
    clip = open_clip(folder(tmp_path, [f"frame_{number:04d}.png" for number in numbers]))
    assert shown(clip) == pytest.approx([(number - 1) / 25 for number in numbers])
    assert clip.duration == pytest.approx(35 / 25)
    assert clip.problems == [
        "25 frames missing, first after frame_0005.png; the others keep their times"
    ]


@pytest.mark.parametrize("step", [10, 40_000])
def test_every_so_many_frames_are_taken_one_by_one(tmp_path: Path, step: int) -> None:
    clip = open_clip(folder(tmp_path, [f"{step * n}.png" for n in range(5)]))
    assert shown(clip) == pytest.approx(np.arange(5) / 25)
    assert clip.problems == []


def test_times_as_names_are_no_numbers_of_frames(tmp_path: Path) -> None:
    stamps = [1000, 1033, 1067, 1100, 1134]
    clip = open_clip(folder(tmp_path, [f"{stamp}.png" for stamp in stamps]))
    assert shown(clip) == pytest.approx(np.arange(5) / 25)
    assert clip.problems == []


def test_strangers_in_a_folder_of_frames_are_left_out_and_told(tmp_path: Path) -> None:
    folder(tmp_path, [f"{number}.jpg" for number in range(1, 11)])
    folder(tmp_path, ["cover.jpg", "5_thumb.jpg", "3.png"], (80, 80))
    clip = open_clip(tmp_path)
    assert (clip.width, clip.height) == (64, 48)
    assert shown(clip) == pytest.approx(np.arange(10) / 25)
    (line,) = clip.problems
    assert line.startswith("left out: 3 pictures (")
    assert "not numbered as the others are" in line


def test_pictures_of_any_names_are_all_taken(tmp_path: Path) -> None:
    clip = open_clip(folder(tmp_path, ["a.png", "b.png", "c10.png", "c9.png"]))
    assert len(shown(clip)) == 4
    assert clip.problems == []


def test_frames_between_other_numbers_are_found(tmp_path: Path) -> None:
    names = [f"take2_{number:03d}_1920x1080.png" for number in range(6)]
    clip = open_clip(folder(tmp_path, [*names, "take1_000_1920x1080.png"]))
    assert len(shown(clip)) == 6
    assert len(clip.problems) == 1


def test_a_sound_clip_has_no_problems(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "clip.mp4", counting_frames(10)))
    assert len(shown(clip)) == 10
    assert clip.problems == []


def test_an_animation_that_is_damaged_at_its_start_is_refused_in_a_line(tmp_path: Path) -> None:
    frames = [Image.fromarray(picture) for picture in moving(3)]
    path = tmp_path / "moving.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=90)
    path.write_bytes(path.read_bytes().replace(b"\0\0\0\x1afcTL", b"\xff" * 8, 1))
    with pytest.raises(LookhearError) as caught:
        list(open_clip(path).frames())
    assert "\n" not in str(caught.value)


def test_nothing_is_written_on_the_terminal_about_a_damaged_picture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(moving(1)[0]).save(tmp_path / "whole.tif", compression="jpeg")
    content = (tmp_path / "whole.tif").read_bytes()
    for _ in range(30):
        (tmp_path / "a.tif").write_bytes(content)
        noisy(tmp_path / "a.tif", 0.0, 1.0, 0.005)
        with contextlib.suppress(LookhearError):
            list(open_clip(tmp_path / "a.tif").frames())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("boxes", [(b"stco", b"iloc"), (b"stsz", b"mdhd")])
def test_an_animation_that_does_not_say_where_its_frames_lie_is_one_line(
    boxes: tuple[bytes, ...], tmp_path: Path
) -> None:
    path = tmp_path / "moving.avif"
    first, *others = (Image.fromarray(np.full((48, 64, 3), 40 * i, np.uint8)) for i in range(4))
    first.save(path, save_all=True, append_images=others, duration=100)
    content = path.read_bytes()
    for box in boxes:
        content = content.replace(box, b"xxxx", 1)
    path.write_bytes(content)
    with pytest.raises(LookhearError, match="no frame of its picture can be decoded"):
        open_clip(path)
