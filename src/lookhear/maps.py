"""What is done to attention maps, whichever network or baseline made them.

A map is a float32 array (h, w); leading axes are a batch, commonly time: (T, h, w).
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
"""Maps (..., h, w), float32."""

LEAST_ATTENTION = np.float32(2**-24)
"""1 less this is the largest float32 below 1."""


class Peak(NamedTuple):
    """A local maximum of an attention map.

    Attributes:
        x: Place from the left edge (0) to the right edge (1) of the picture.
        y: Place from the top edge (0) to the bottom edge (1) of the picture.
        strength: Value of the map there.
    """

    x: float
    y: float
    strength: float

    def in_pixels(self, width: int, height: int) -> tuple[float, float]:
        """The place in a picture of that size; the centre of its first pixel is (0, 0)."""
        return self.x * width - 0.5, self.y * height - 0.5


def normalise(maps: Maps) -> Maps:
    """Stretch each of finite maps to run from 0 to 1; a flat map becomes all 0."""
    low = maps.min(axis=(-2, -1), keepdims=True)
    span = maps.max(axis=(-2, -1), keepdims=True) - low
    return np.asarray((maps - low) / np.where(span > 0, span, 1), dtype=np.float32)


def between(before: Maps, after: Maps, weight: float) -> Maps:
    """Attention at a time t between two maps at times a < b, by linear interpolation.

    The weight is (t - a) / (b - a); beyond [0, 1] the nearer map is held.
    """
    weight = min(max(weight, 0.0), 1.0)
    return np.asarray(cv2.addWeighted(before, 1 - weight, after, weight, 0), dtype=np.float32)


def resize(maps: Maps, size: tuple[int, int]) -> Maps:
    """Resize maps to a height and width: (..., *size).

    Area averages along an axis that shrinks, bilinear along one that grows: neither leaves the
    range of the values given, as bicubic would.
    """
    height, width = min(size[0], maps.shape[-2]), min(size[1], maps.shape[-1])
    resized = np.empty((*maps.shape[:-2], *size), dtype=np.float32)
    for index in np.ndindex(maps.shape[:-2]):
        shrunk = cv2.resize(maps[index], (width, height), interpolation=cv2.INTER_AREA)
        resized[index] = cv2.resize(shrunk, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resized


def enlarge(attention: Maps, size: tuple[int, int]) -> Maps:
    """Bring what a network predicts to a height and width: (..., *size).

    The published STA enlarges logits, bilinearly, and takes the sigmoid of them at the size of the
    picture; so an axis that grows grows through the log-odds. One that shrinks is averaged. Maps
    that are no probabilities, such as a baseline's or a class map, are for `resize`.

    Args:
        attention: Maps, 0 to 1, as a `lookhear.nets.watching.Watcher` gives them; float16, as
            `maps.npz` holds them, is taken, too.
        size: Height and width.
    """
    attention = attention.astype(np.float32, copy=False)
    height, width = min(size[0], attention.shape[-2]), min(size[1], attention.shape[-1])
    return through_log_odds(resize(attention, (height, width)), partial(resize, size=size))


def highest(attention: Iterable[Maps], size: tuple[int, int], *, stretched: bool = False) -> Maps:
    """The highest of several networks' attention at each place: (..., *size).

    Args:
        attention: of each network (..., h, w), on grids of their own.
        size: height and width that all are enlarged to.
        stretched: whether each is made to run from 0 to 1 first, and what comes out, too.
    """
    enlarged = [enlarge(of_one, size) for of_one in attention]
    if stretched:
        enlarged = [normalise(of_one) for of_one in enlarged]
    most: Maps = np.maximum.reduce(enlarged)
    return normalise(most) if stretched else most


def through_log_odds(attention: Maps, change: Callable[[Maps], Maps]) -> Maps:
    """Change attention, from 0 to 1, by what changes its log-odds, log(p / (1 - p)).

    Attention of 0 and 1, of which they are infinite, counts as `LEAST_ATTENTION` and as 1 less it:
    log-odds of 16.6 either way.
    """
    odds = np.clip(attention, LEAST_ATTENTION, 1 - LEAST_ATTENTION, dtype=np.float32)
    changed = change(np.log(odds) - np.log1p(-odds))
    return np.asarray(1 / (1 + np.exp(-changed)), dtype=np.float32)


def peaks(attention: Maps, count: int = 5, radius: float = 0.1) -> list[Peak]:
    """The strongest local maxima of one map, strongest first.

    A local maximum is above the map's minimum and no lower than its eight neighbours. Each one
    found rules out the others within `radius` (greedy non-maximum suppression); of equals, the
    upper, then the left one wins. Places are refined below one cell by the parabola through
    the neighbours. Cells count as square.

    Args:
        attention: One map (h, w), float32.
        count: How many to return at most.
        radius: Least distance between two peaks, as a share of the picture's width.

    Returns:
        At most `count` peaks; none for a flat map.
    """
    width = attention.shape[1]
    is_peak = (attention >= cv2.dilate(attention, np.ones((3, 3)))) & (attention > attention.min())
    candidates = np.where(is_peak, attention, -np.inf)
    found: list[Peak] = []
    while len(found) < count:
        row, column = divmod(int(candidates.argmax()), width)
        if candidates[row, column] == -np.inf:
            break
        found.append(_refined(attention, row, column))
        cv2.circle(candidates, (column, row), max(1, round(radius * width)), -np.inf, cv2.FILLED)
    return found


def _refined(attention: Maps, row: int, column: int) -> Peak:
    height, width = attention.shape
    x = column + 0.5 + _parabola_offset(attention[row], column)
    y = row + 0.5 + _parabola_offset(attention[:, column], row)
    return Peak(x / width, y / height, float(attention[row, column]))


def _parabola_offset(line: Maps, index: int) -> float:
    """Where, from -0.5 to 0.5 around a maximum, the parabola through three values is highest."""
    if not 0 < index < len(line) - 1:
        return 0.0
    left, middle, right = (float(value) for value in line[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return (left - right) / (2 * bend) if bend < 0 else 0.0


def half_area(maps: Maps) -> Maps:
    """Share of the picture that holds half of the attention: how concentrated each map is.

    The smallest share of the cells, the last one counted in part, whose values sum to half of
    the map's sum. 0.5 is attention spread evenly; near 0, all of it in one place.

    Returns:
        (...), float32, in (0, 0.5], of maps that are not negative; 0.5 where one is all 0.
    """
    cells = np.sort(maps.reshape(*maps.shape[:-2], -1), axis=-1)[..., ::-1]
    held = np.cumsum(cells, axis=-1, dtype=np.float64)
    half = held[..., -1:] / 2
    last = np.argmax(held >= half, axis=-1, keepdims=True)
    value = np.take_along_axis(cells, last, axis=-1)
    surplus = np.take_along_axis(held, last, axis=-1) - half
    whole = last + 1 - surplus / np.where(value > 0, value, 1)
    share = np.where(half > 0, whole / cells.shape[-1], 0.5)
    return np.asarray(share[..., 0], dtype=np.float32)
