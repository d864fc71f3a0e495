"""Selective class activation mapping: from maps of a tag to pseudo-fixations.

STANet (CVPR 2021), section 3.3, makes fixations to learn from out of the maps of networks that
know only tags (`lookhear.stanet.sources`). All is done for many moments at once, in this order:

1. Of each moment and source: `class_map` of the tag; `confidences` of the sources that count.
2. `fuse` the sources.
3. Coarse to fine: `crop_boxes`, `smooth_boxes`, and `crop` the pictures.
4. Steps 1 and 2 with the networks trained on the crops; `paste` the maps back into the frame.
5. `pseudo_fixations`.

The reimplementation report and the released MATLAB scripts differ at the edges. `ScamRules` choose:

| | clean | report | released |
| --- | --- | --- | --- |
| scores asked | fused, by the loss | plain | S: plain, SA and ST: fused |
| a box spans at least | 100 of 356 cells | 101 of 356 cells | one cell |
| alphas | 2, 1.95, ... 0 | 2, 1.95, ... just below 0 | 2 |
| a thing that is small at alpha 0 | is widened about its middle | whole frame | stays small |
| an empty map | whole frame | whole frame | whole frame here, no crop there |
| boxes | smooth over three moments | as clean | not smooth |
| fixations | smooth over five moments | as clean | of averages that are fed back |

Published confidences are softmaxes. The report's boxes and the released fixations equal published
figures. The report's fixations are not known, nor is which scores the released SA asks; and the
release keeps maps in 8 bits between the steps, which is not done here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookhear.maps import Maps, normalise, resize
from lookhear.stanet import ScamRules

Boxes = NDArray[np.int64]
"""Boxes (..., 4): left, top, right, bottom in cells of a map, right and bottom just outside."""
Lengths = NDArray[np.int64]

CROP_ALPHAS: dict[ScamRules, NDArray[np.float64]] = {
    "clean": np.arange(40, -1, -1) / 20,
    # As a loop takes 0.05 away: the last is -1e-15, and every cell is above that.
    "report": np.subtract.accumulate(np.array([2.0] + [0.05] * 40)),
    "released": np.array([2.0]),
}
"""What the mean is multiplied by until the crop is large enough."""
LEAST_CROP = (100, 356)
"""A crop takes at least 100 of 356 cells each way."""
BOX_WINDOW = 3  # moments
MAP_WINDOW = 5  # moments
RELEASED_WITHOUT = MAP_WINDOW + 2
"""A clip's moments without pseudo-fixations by the released rules: the first 3, the last 4."""
FIXATED = 3
"""How many times the mean of its map a place must reach to count as fixated."""


def class_map(plain: Maps, fused: Maps, tags: NDArray[np.integer]) -> Maps:
    """Where a network sees the tag (SCAM, step 1): the mean of its two maps, negatives to 0.

    Args:
        plain: map 1 of every class, (N, classes, h, w).
        fused: map 2 of every class, same shape.
        tags: which class each moment is tagged with, (N,).

    Returns:
        (N, h, w), float32.
    """
    moments = np.arange(len(tags))
    mean = (plain[moments, tags] + fused[moments, tags]) / 2
    return np.asarray(np.maximum(mean, 0), dtype=np.float32)


def confidences(
    probabilities: NDArray[np.floating], tags: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How much each source counts (SCAM, selection): its probability of the tag.

    A source whose most probable class, of equals the first, is not the tag does not count.

    Args:
        probabilities: of each class by each source, (N, sources, classes), in [0, 1].
        tags: which class each moment is tagged with, (N,).

    Returns:
        (N, sources), float32; 0 where the source does not count.
    """
    of_tag = np.take_along_axis(probabilities, tags[:, None, None], axis=-1)[..., 0]
    is_right = probabilities.argmax(axis=-1) == tags[:, None]
    return np.where(is_right, of_tag, 0).astype(np.float32)


def fuse(sources: Maps, confidences: NDArray[np.floating]) -> Maps:
    """Fuse maps of several sources by their confidence (SCAM, step 2).

    Each is normalised, they are averaged by confidence, and the average is normalised; so only
    the ratio of the confidences matters.

    Args:
        sources: (..., sources, h, w).
        confidences: (..., sources), not negative; 0 for a source that does not count.

    Returns:
        (..., h, w), float32, from 0 to 1; all 0 where no source counts or all that do are flat.
    """
    weighted = np.einsum("...s,...shw->...hw", confidences, normalise(sources))
    return normalise(weighted)


def crop_boxes(fused: Maps, rules: ScamRules = "clean") -> tuple[Boxes, NDArray[np.float64]]:
    """The part of the frame to look at more closely (SCAM, step 3).

    The box of all cells above alpha x mean, with the largest alpha of `CROP_ALPHAS` that makes it
    large enough. A map without any cell above is kept whole. By the clean rules, a box is large
    enough at 100 of 356 cells high and wide, and where even the cells above 0 span less, it is
    widened about its middle. By the report's, last less first cell must be 100 of 356, and else the
    frame is kept whole; a map that is 0 everywhere counts as even. By the released ones, any box is
    large enough.

    Args:
        fused: (..., h, w), not negative.
        rules: whose.

    Returns:
        boxes: (..., 4).
        alphas: (...), float64; the last where no other would do or the map is empty.
    """
    if rules == "report":  # its figures are those of a map of ones
        fused = np.where(fused.any(axis=(-2, -1), keepdims=True), fused, np.float32(1))
    alphas = CROP_ALPHAS[rules]
    thresholds = alphas * fused.mean(axis=(-2, -1), dtype=np.float64)[..., None]
    top, bottom = _spans(fused.max(axis=-1), thresholds)
    left, right = _spans(fused.max(axis=-2), thresholds)
    height, width = fused.shape[-2:]
    lowest, narrowest = _least_side(height, rules), _least_side(width, rules)
    is_large = (bottom - top >= lowest) & (right - left >= narrowest)
    is_large[..., -1] = True
    chosen = is_large.argmax(axis=-1)[..., None]
    top, bottom, left, right = (
        np.take_along_axis(side, chosen, axis=-1)[..., 0] for side in (top, bottom, left, right)
    )
    is_empty = bottom == top
    if rules == "clean":
        top, bottom = _widened(top, bottom, height)
        left, right = _widened(left, right, width)
    boxes = np.stack([left, top, right, bottom], axis=-1)
    boxes[is_empty] = 0, 0, width, height
    return boxes, alphas[chosen[..., 0]]


def _spans(profile: Maps, thresholds: NDArray[np.float64]) -> tuple[Lengths, Lengths]:
    """First index of (..., length) above each of (..., alphas), and the one after the last.

    Both are (..., alphas), and 0 where nothing is above.
    """
    is_above = profile[..., None, :] > thresholds[..., None]
    after_last = profile.shape[-1] - is_above[..., ::-1].argmax(axis=-1)
    return is_above.argmax(axis=-1), np.where(is_above.any(axis=-1), after_last, 0)


def _least_side(length: int, rules: ScamRules) -> int:
    """The least side of a large enough crop where the frame's side is that long, rounded up."""
    if rules == "released":
        return 1
    least, whole = LEAST_CROP
    return -(-length * least // whole) + (rules == "report")


def _widened(start: Lengths, end: Lengths, length: int) -> tuple[Lengths, Lengths]:
    least = _least_side(length, "clean")
    lacking = np.maximum(least - (end - start), 0)
    start = np.clip(start - lacking // 2, 0, length - (end - start) - lacking)
    return start, np.maximum(end, start + least)


def smooth_boxes(boxes: Boxes) -> Boxes:
    """Average each box with its neighbours in time, rounded down (SCAM, step 3).

    Boxes are those of one clip's moments in their order, (..., T, 4); before the first and after
    the last, theirs are held.
    """
    return _sum_over_time(boxes, BOX_WINDOW, axis=-2) // BOX_WINDOW


def crop(pictures: Maps, boxes: Boxes, size: tuple[int, int]) -> Maps:
    """Cut a box out of each picture or map and resize it (SCAM, step 3).

    Args:
        pictures: (N, ..., h, w), float32.
        boxes: (N, 4), not empty.
        size: height and width wanted.

    Returns:
        (N, ..., *size), float32.
    """
    cropped = np.empty((*pictures.shape[:-2], *size), dtype=np.float32)
    for index, (left, top, right, bottom) in enumerate(boxes):
        cropped[index] = resize(pictures[index, ..., top:bottom, left:right], size)
    return cropped


def paste(maps: Maps, boxes: Boxes, size: tuple[int, int]) -> Maps:
    """Put maps of crops back where they were cut out, 0 around them (SCAM, step 4).

    Args:
        maps: (N, ..., h, w).
        boxes: in cells of the frame, (N, 4), not empty.
        size: height and width of the frame.

    Returns:
        (N, ..., *size), float32.
    """
    pasted = np.zeros((*maps.shape[:-2], *size), dtype=np.float32)
    for index, (left, top, right, bottom) in enumerate(boxes):
        pasted[index, ..., top:bottom, left:right] = resize(
            maps[index], (bottom - top, right - left)
        )
    return pasted


def pseudo_fixations(fused: Maps, rules: ScamRules = "clean") -> Maps:
    """What stands in for people's fixations (SCAM, step 5).

    Each map is normalised and averaged with the two before and the two after it, the clip's first
    and last being held beyond its ends. The average is normalised, and 0 where it is below 3 x
    its mean. A map so even that nothing of it reaches that becomes all 0: it says nothing of
    where people look. By the released rules, averages are `_fed_back`, and the first three and last
    four moments have none.

    Args:
        fused: of one clip's moments in their order, (..., T, h, w).
        rules: whose; the report's are not known, and are as the clean ones here.

    Returns:
        (..., T, h, w), float32, in [0, 1].
    """
    if rules == "released":
        smooth = _fed_back(normalise(fused))
    else:
        smooth = normalise(_sum_over_time(normalise(fused), MAP_WINDOW, axis=-3))
    is_fixated = smooth >= FIXATED * smooth.mean(axis=(-2, -1), keepdims=True)
    return np.where(is_fixated, smooth, np.float32(0))


def _fed_back(maps: Maps) -> Maps:
    """Average five moments (..., T, h, w) as the released script does.

    The average of a window, normalised, takes the place of the window's last map in the windows
    that follow. It is that of the window's middle moment, but the first window's is of none, nor
    are the last two moments' windows looked at: moments 4 to T - 4, counted from 1, have one. The
    rest is 0.
    """
    smooth = np.zeros_like(maps)
    kept = list(np.moveaxis(maps, -3, 0))
    for last in range(MAP_WINDOW - 1, len(kept) - 2):
        window = np.array(kept[last - MAP_WINDOW + 1 : last + 1], dtype=np.float64)
        kept[last] = normalise(window.mean(0))
        if last >= MAP_WINDOW:
            smooth[..., last - MAP_WINDOW // 2, :, :] = kept[last]
    return smooth


def _sum_over_time(values: NDArray[Any], window: int, axis: int) -> NDArray[Any]:
    """Sum over an odd window along an axis; beyond the ends, the end values are held."""
    reach = window // 2
    padding = [(0, 0)] * values.ndim
    padding[axis] = (reach, reach)
    held = np.moveaxis(np.pad(values, padding, mode="edge"), axis, 0)
    count = values.shape[axis]
    total = sum(held[shift : shift + count] for shift in range(window))
    return np.moveaxis(np.asarray(total), 0, axis)
