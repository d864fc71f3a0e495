"""Moments of a clip side by side."""

import numpy as np

from lookhear.maps import Peak
from lookhear.show.panels import contact_sheet


def test_a_contact_sheet_shows_every_moment_in_its_tile() -> None:
    pictures = [np.full((45, 80, 3), level, np.uint8) for level in (40, 90, 140, 190, 240)]
    nowhere = [np.zeros((9, 16), np.float32)] * 5
    sheet = contact_sheet(pictures, nowhere, range(5), [None] * 5, columns=3, tile_width=100)
    tile_height, gutter, caption = 56, 4, 10
    assert sheet.shape == (2 * (tile_height + caption) + gutter, 3 * 104 + gutter, 3)
    for index, picture in enumerate(pictures):
        top = gutter + index // 3 * (tile_height + caption)
        left = gutter + index % 3 * 104
        assert np.all(sheet[top : top + tile_height, left : left + 100] == picture[0, 0])
        captions = sheet[top + tile_height : top + tile_height + caption, left : left + 100]
        assert captions.max() > 100, "the time is written below"


def test_a_contact_sheet_is_no_wider_than_its_pictures() -> None:
    picture, attention = np.zeros((90, 160, 3), np.uint8), np.full((9, 16), 0.5, np.float32)
    sheet = contact_sheet([picture], [attention], [0], [Peak(0.5, 0.5, 1)], tile_width=100)
    assert sheet.shape[1] == 108
