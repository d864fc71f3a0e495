"""Picture files."""

import cv2
import numpy as np

from lookhear.media.stills import encode_jpeg, encode_png


def test_encoded_pictures_keep_their_colours() -> None:
    picture = np.full((32, 48, 3), (200, 60, 20), np.uint8)
    for encoded, tolerance in (
        (encode_png(picture), 0),
        (encode_jpeg(picture, 82, optimize=True), 6),
    ):
        read = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_allclose(read.astype(int), picture, atol=tolerance)
