"""What is in a file decides what it is, and what FFmpeg cannot read another library does."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clips import counting_frames, make_clip, quadrants
from lookhear.errors import LookhearError
from lookhear.media import open_clip

LEVELS = [40, 90, 140, 190]
SHOWN = [0.0, 0.25, 0.5, 0.75]


def animation(path: Path, form: str, **settings: Any) -> Path:
    frames = [Image.new("RGB", (64, 48), (level, level, level)) for level in LEVELS]
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=250, **settings)
    return path


@pytest.mark.parametrize(
    ("form", "settings"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("AVIF", {"quality": 100}), ("GIF", {})],
)
@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif", ".jpg", ".mp4"])
def test_animations_are_animations_whatever_their_name(
    tmp_path: Path, form: str, settings: dict[str, Any], suffix: str
) -> None:
    clip = open_clip(animation(tmp_path / f"moving{suffix}", form, **settings))
    assert not clip.is_still
    frames = list(clip.frames())
    assert [frame.time for frame in frames] == pytest.approx(SHOWN, abs=0.001)
    assert frames[-1].duration == pytest.approx(0.25, abs=0.011)
    assert [frame.rgb().mean() for frame in frames] == pytest.approx(LEVELS, abs=3)
    assert clip.problems == []


def test_an_animation_with_a_broken_frame_gives_what_comes_before(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    frames = [Image.fromarray(picture) for picture in noise]
    path = tmp_path / "broken.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    content = bytearray(path.read_bytes())
    middle = content.rfind(b"ANMF", 0, len(content) * 2 // 3)
    content[middle + 40 : middle + 4000] = bytes(3960)
    path.write_bytes(content)
    clip = open_clip(path)
    assert 0 < len(list(clip.frames())) < 6
    assert "the picture stops after" in clip.problems[0]


FORMS = (
    "PNG",
    "JPEG",
    "BMP",
    "WEBP",
    "TIFF",
    "PPM",
    "TGA",
    "SGI",
    "PCX",
    "JPEG2000",
    "AVIF",
    "QOI",
)


def saved(form: str) -> bytes:
    file = io.BytesIO()
    settings = {"quality": 95} if form in ("JPEG", "WEBP", "AVIF") else {}
    Image.fromarray(quadrants()).save(file, form, **settings)
    return file.getvalue()


def shows_quadrants(picture: NDArray[np.uint8], tolerance: int = 12) -> bool:
    height, width = picture.shape[:2]
    expected = quadrants((height, width))
    places = np.ix_((height // 4, 3 * height // 4), (width // 4, 3 * width // 4))
    off = picture[places].astype(int) - expected[places].astype(int)
    return bool(np.abs(off).max() <= tolerance)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".dat", ""])
@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_read_by_what_is_in_it(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"picture{'.tga' if form == 'TGA' else suffix}"
    path.write_bytes(saved(form))
    clip = open_clip(path)
    assert clip.is_still
    assert shows_quadrants(next(clip.frames()).rgb())
    assert clip.problems == []


def test_pictures_of_a_folder_may_have_each_others_names(tmp_path: Path) -> None:
    for number, form in enumerate(("PNG", "JPEG", "WEBP", "GIF")):
        content = saved(form) if form != "GIF" else b"no picture"
        (tmp_path / f"{number}.jpg").write_bytes(content)
    clip = open_clip(tmp_path)
    assert all(shows_quadrants(frame.rgb()) for frame in clip.frames())
    assert clip.problems == [
        "left out: 1 picture (3.jpg): not a picture of a format that is taken; leave it out"
    ]


def test_a_video_may_be_named_like_a_picture(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", counting_frames(5)).rename(tmp_path / "clip.jpg")
    assert len(list(open_clip(path).frames())) == 5


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "tiff_adobe_deflate", None])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_tiff_is_not_black_whatever_its_compression(
    tmp_path: Path, compression: str | None, mode: str
) -> None:
    picture = Image.fromarray(quadrants()).convert(mode)
    picture.save(tmp_path / "scan.tif", compression=compression)
    found = next(open_clip(tmp_path / "scan.tif").frames()).rgb()
    np.testing.assert_allclose(found.astype(int), np.asarray(picture.convert("RGB")), atol=40)
    assert found.max() > 100


def test_a_black_picture_stays_black(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "night.png")
    assert next(open_clip(tmp_path / "night.png").frames()).rgb().max() == 0


@pytest.mark.parametrize("suffix", [".heic", ".jpg"])
@pytest.mark.parametrize("side", [300, 1100])
def test_heic_is_whole_and_upright(tmp_path: Path, side: int, suffix: str) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.options.GRID_TILE_SIZE = 512  # as phones have it
    upright = quadrants((side, side + 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to stand upright
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    path = tmp_path / f"phone{suffix}"
    heif.from_pillow(stored).save(path, quality=90, exif=exif.tobytes(), save_as_grid=side > 1000)
    clip = open_clip(path)
    assert clip.is_still
    assert (clip.height, clip.width) == upright.shape[:2]
    assert shows_quadrants(next(clip.frames()).rgb())


@pytest.mark.parametrize("alpha", [None, 0, 255])
def test_avif_is_upright_and_over_black(tmp_path: Path, alpha: int | None) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(quadrants())))
    if alpha is not None:
        stored.putalpha(alpha)
    stored.save(tmp_path / "a.avif", exif=exif, quality=100)
    clip = open_clip(tmp_path / "a.avif")
    assert (clip.is_still, clip.height, clip.width) == (True, 48, 64)
    picture = next(clip.frames()).rgb()
    assert picture.max() <= 4 if alpha == 0 else shows_quadrants(picture)


def recording_of_jpegs(count: int, size: tuple[int, int] = (48, 64)) -> bytes:
    content = b""
    for level in range(count):
        file = io.BytesIO()
        Image.new("RGB", size[::-1], (40 * level,) * 3).save(file, "JPEG")
        content += file.getvalue()
    return content


@pytest.mark.parametrize("suffix", [".mjpeg", ".jpg"])
def test_one_jpeg_after_the_other_is_a_recording(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"camera{suffix}").write_bytes(recording_of_jpegs(5))
    clip = open_clip(tmp_path / f"camera{suffix}")
    levels = [frame.rgb().mean() for frame in clip.frames()]
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=3)


def test_a_jpeg_with_a_preview_behind_it_is_a_picture(tmp_path: Path) -> None:
    preview = recording_of_jpegs(1, (12, 16))
    (tmp_path / "phone.jpg").write_bytes(recording_of_jpegs(1) + preview + preview)
    clip = open_clip(tmp_path / "phone.jpg")
    assert (clip.is_still, clip.width) == (True, 64)


@pytest.mark.parametrize(
    ("suffix", "codec", "size"),
    [(".h261", "h261", (144, 176)), (".swf", "flv", (48, 64)), (".gxf", "mpeg2video", (576, 720))],
)
def test_recordings_of_further_kinds_are_read(
    tmp_path: Path, suffix: str, codec: str, size: tuple[int, int]
) -> None:
    path = tmp_path / f"clip{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv422p" if suffix == ".gxf" else "yuv420p"
        stream.codec_context.bit_rate = 30_000_000
        for picture in counting_frames(5, size):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=stream.pix_fmt)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert len(list(open_clip(path).frames())) == 5


def test_a_format_that_is_not_taken_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"ffconcat version 1.0\nfile 'other.mp4'\n")
    with pytest.raises(LookhearError, match="not a media file of a format that is taken"):
        open_clip(tmp_path / "clip.mp4")


def test_an_encrypted_clip_is_said_to_be_so(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", counting_frames(5))
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 32}
    key["encryption_kid"] = "1" * 32
    with (
        av.open(str(plain)) as source,
        av.open(str(tmp_path / "c.mp4"), "w", options=key) as target,
    ):
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    with pytest.raises(LookhearError, match="encrypted"):
        open_clip(tmp_path / "c.mp4")
