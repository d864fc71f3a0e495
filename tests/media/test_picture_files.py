"""Picture files."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lookhear.errors import LookhearError
from lookhear.media.stills import decode_jpeg, encode_jpeg, encode_png, read_still


def test_encoded_pictures_keep_their_colours() -> None:
    picture = np.full((32, 48, 3), (200, 60, 20), np.uint8)
    for encoded, tolerance in (
        (encode_png(picture), 0),
        (encode_jpeg(picture, 82, optimize=True), 6),
    ):
        read = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_allclose(read.astype(int), picture, atol=tolerance)


def noise(path: Path, spoilt: Callable[[bytes], bytes]) -> Path:
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path.write_bytes(spoilt(encode_jpeg(picture, 90)))
    return path


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda whole: whole[:-500],
        lambda whole: whole[:-500] + whole[-2:],
        lambda whole: whole[:3000] + b"\xff\xd3" + whole[3002:],
    ],
    ids=["cut short", "cut, with its end", "with a marker in the middle"],
)
def test_a_damaged_jpeg_is_refused_without_a_word_beside(
    spoilt: Callable[[bytes], bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LookhearError, match=r"not a picture that can be read \(.* JPEG"):
        read_still(noise(tmp_path / "a.jpg", spoilt))
    assert capfd.readouterr() == ("", "")


def test_what_cameras_leave_in_a_jpeg_does_no_harm(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = read_still(noise(tmp_path / "whole.jpg", lambda content: content))
    left = noise(tmp_path / "left.jpg", lambda content: content[:-2] + bytes(5) + content[-2:])
    assert (read_still(left) == whole).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("flags", [cv2.IMREAD_COLOR_RGB, cv2.IMREAD_GRAYSCALE])
def test_jpegs_are_decoded_as_opencv_does(flags: int, tmp_path: Path) -> None:
    path = noise(tmp_path / "a.jpg", lambda content: content)
    assert (read_still(path, flags) == cv2.imread(str(path), flags)).all()


def test_half_a_jpeg_will_do_if_it_has_as_many_pixels_as_are_wanted(tmp_path: Path) -> None:
    content = noise(tmp_path / "a.jpg", lambda content: content).read_bytes()
    assert decode_jpeg(content, least=(32, 20)).shape == (32, 32, 3)
    assert decode_jpeg(content, least=(33, 20)).shape == (64, 64, 3)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LookhearError, match="not a picture that can be read"):
        read_still(path)
