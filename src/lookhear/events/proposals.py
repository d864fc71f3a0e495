"""Where in a picture there may be a thing, whatever it is: class-agnostic boxes, by EdgeBoxes.

EdgeBoxes counts contours that lie wholly within a box (Zitnick and Dollar, "Edge boxes: Locating
object proposals from edges", ECCV 2014; OpenCV's `ximgproc`). Theirs are found by a structured
forest, whose weights are not OpenCV's to hand out: who has them may give the file. Without, edges
are where lightness or colour changes.
"""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError, one_line
from lookhear.media.picture import Picture

BOXES = 16
"""As many are kept of a picture, at most."""
SIDE = 180  # pixels of the shorter side, at which edges are sought
BLUR = 2.0  # pixels, so that texture makes no contours
COLOUR = 2.0  # by which changes of colour count more than those of lightness
STRONGEST = 0.995  # the share of pixels with weaker edges than what counts as 1
LEAST_EDGE = 0.3
LEAST_AREA = 1 / 162  # of the picture
OVERLAP = 0.5  # of two boxes at most (beta of the paper, which has 0.75: less alike, more places)

Floats = NDArray[np.float32]


def propose(picture: Picture, count: int = BOXES, forest: Path | None = None) -> Floats:
    """Propose boxes in a picture, the most probable first.

    Args:
        picture: (H, W, 3) uint8 RGB.
        count: how many, at most.
        forest: OpenCV's model of structured edges, `model.yml.gz`; None for plain edges.

    Returns:
        (N, 5) float32: left, top, right and bottom as shares of the picture's sides, and the score.
        There is one at least: where no contour closes, the whole picture, of score 0.

    Raises:
        LookhearError: the forest cannot be read.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / min(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    edges, across = plain_edges(small) if forest is None else _forest_edges(small, forest)
    boxes, scores = _proposer(count, size[0] * size[1]).getBoundingBoxes(edges, across)
    whole = np.array([[0, 0, 1, 1, 0]], np.float32)
    if len(boxes) == 0:
        return whole
    found = np.asarray(boxes, np.float32)
    found[:, 2:] += found[:, :2]
    found = np.hstack([found / np.array([*size, *size]), np.reshape(scores, (-1, 1))])
    found = found[found[:, 4] > 0]  # of the tiniest pictures some are no number
    return np.asarray(found, np.float32) if len(found) else whole


def _proposer(count: int, area: int) -> Any:
    return cv2.ximgproc.createEdgeBoxes(
        beta=OVERLAP,
        maxBoxes=count,
        minScore=0.0,
        edgeMinMag=LEAST_EDGE,
        minBoxArea=LEAST_AREA * area,
    )


def plain_edges(picture: Picture) -> tuple[Floats, Floats]:
    """Find where lightness or colour changes, in lines one pixel wide.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        How strong the edge is, (H, W) from 0 to 1; and the direction across it, (H, W), in radians
        from 0 to pi.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = np.asarray(cv2.GaussianBlur(lab, (0, 0), BLUR), np.float32)
    lab *= np.array([1, COLOUR, COLOUR], np.float32)
    slopes = [cv2.Sobel(lab, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))]
    steepest = np.hypot(*slopes).argmax(2)[..., None]
    right, down = (np.take_along_axis(slope, steepest, 2)[..., 0] for slope in slopes)
    strength = np.hypot(right, down)
    full = max(float(np.quantile(strength, STRONGEST)), 1.0)  # of a flat picture none is an edge
    strength, across = (strength / full).clip(0, 1), np.arctan2(down, right) % np.pi
    rows, columns = np.mgrid[: strength.shape[0], : strength.shape[1]].astype(np.float32)
    is_crest = np.ones(strength.shape, bool)
    for side in (-1, 1):
        beside = columns + side * np.cos(across), rows + side * np.sin(across)
        is_crest &= strength >= cv2.remap(
            strength, *beside, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return np.where(is_crest, strength, 0).astype(np.float32), across.astype(np.float32)


def _forest_edges(picture: Picture, forest: Path) -> tuple[Floats, Floats]:
    detector = read_forest(forest)
    edges = detector.detectEdges(picture.astype(np.float32) / 255)
    across = detector.computeOrientation(edges)
    return detector.edgesNms(edges, across), across


@cache
def read_forest(path: Path) -> Any:
    """Read OpenCV's model of structured edges, once.

    Raises:
        LookhearError: it is not there, or something else.
    """
    if not path.is_file():
        raise LookhearError(f"{path}: no such file; give OpenCV's model of structured edges")
    try:
        return cv2.ximgproc.createStructuredEdgeDetection(str(path))
    except (cv2.error, SystemError) as error:
        raise LookhearError(
            f"{path}: not OpenCV's model of structured edges ({one_line(error)})"
        ) from error
