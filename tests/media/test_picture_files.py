"""Picture files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lookhear.errors import LookhearError
from lookhear.media.stills import encode_jpeg, encode_png, read_still


def test_encoded_pictures_keep_their_colours() -> None:
    picture = np.full((32, 48, 3), (200, 60, 20), np.uint8)
    for encoded, tolerance in (
        (encode_png(picture), 0),
        (encode_jpeg(picture, 82, optimize=True), 6),
    ):
        read = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_allclose(read.astype(int), picture, atol=tolerance)


def test_a_jpeg_that_is_cut_short_is_refused_without_a_word_beside(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = tmp_path / "cut.jpg"
    path.write_bytes(encode_jpeg(picture, 90)[:-500])
    with pytest.raises(LookhearError, match="cut short"):
        read_still(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LookhearError, match="not a picture that can be read"):
        read_still(path)
