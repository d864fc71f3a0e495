"""Frames in which red, then green is seen."""

import numpy as np

RED, GREEN = (220, 30, 30), (30, 200, 30)
COUNT, RATE = 30, 10.0
RED_FRAMES, GREEN_FRAMES = range(12, 20), range(24, 30)


def scene(index: int) -> np.ndarray:
    """Grey; in some frames with red at the right, or green at the top left."""
    frame = np.full((48, 64, 3), 110, np.uint8)
    if index in RED_FRAMES:
        frame[24:40, 40:56] = RED
    if index in GREEN_FRAMES:
        frame[0:8, 0:8] = GREEN
    return frame
