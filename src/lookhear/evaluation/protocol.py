"""What people did on frames or pictures, and how well maps predict it.

Clips are scored by STAViS's protocol (Tsiami et al., CVPR 2020; `eval_code` of
https://github.com/atsiami/STAViS): a prediction goes through `protocol`, each metric is taken
per frame against what `annotate` reads, and averaged over frames, then over clips. Where that code
draws random numbers, `lookhear.metrics` gives what it gives on average. KL is this project's
addition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lookhear.data.readers.fixated import FixatedClip
from lookhear.errors import LookhearError
from lookhear.maps import Maps, resize
from lookhear.metrics import Array, Numbers, all_metrics, resize_to
from lookhear.words import sides

SMOOTHING_SIGMA = 2.0  # in pixels of the prediction
SMOOTHED_SIDE = 112  # pixels; coarser predictions are brought to this size first
# Of any map with the empty density of a frame nobody looked at: the MIT code's `similarity` gives a
# number there, which STAViS's means take in; its CC, NSS and AUCs give NaN, which they leave out.
SIM_OF_NOBODY = 0.0

_Value = TypeVar("_Value", np.uint8, np.float32)


@dataclass(frozen=True)
class Annotation:
    """What people did on a batch of frames or pictures of one size.

    Attributes:
        fixations: `(B, H, W)`, nonzero where someone looked.
        density: `(B, H, W)`, at least 0: how much each pixel was looked at.
        other_fixations: `(B, H, W)`, nonzero where someone looked in the frames or pictures that
            s-AUC compares each one with.
    """

    fixations: Numbers
    density: Numbers
    other_fixations: Numbers

    def score(self, maps: Numbers) -> dict[str, Array]:
        """Take each metric of `METRIC_NAMES` of maps `(B, H, W)`.

        Returns:
            Metric name -> `(B,)` float64; NaN where it is not defined, as where nobody looked.
        """
        return all_metrics(maps, self.fixations, self.density, self.other_fixations)


def ever_fixated(clip: FixatedClip) -> NDArray[np.bool_]:
    """Which pixels someone looked at in any frame of a clip, `(H, W)`; reads one map at a time.

    Raises:
        LookhearError: If a map is missing, damaged or of another size than the others.
    """
    ever = clip.fixation_map(0) > 0
    for index in range(1, clip.frame_count):
        ever |= _of_size(ever.shape, clip.fixation_map(index), clip, index) > 0
    return ever


def annotate(clip: FixatedClip, indices: Sequence[int], ever: NDArray[np.bool_]) -> Annotation:
    """Read what people did on some frames of a clip.

    As in STAViS's code the other fixations of a frame are the pixels that someone looked at in
    any frame of the clip, less those that someone looked at in this one.

    Args:
        clip: The clip.
        indices: B frames of it, counted from 0; at least one.
        ever: What `ever_fixated` says of the clip.

    Returns:
        The annotation, in the order of the indices; `other_fixations` are bool.

    Raises:
        LookhearError: If a map is missing, damaged or of another size than the others.
    """
    size = ever.shape
    fixations = [_of_size(size, clip.fixation_map(index), clip, index) for index in indices]
    densities = [_of_size(size, clip.density(index), clip, index) for index in indices]
    counts = np.stack(fixations)
    return Annotation(
        fixations=counts, density=np.stack(densities), other_fixations=ever & (counts == 0)
    )


def protocol(maps: Maps, height: int, width: int, sigma: float = SMOOTHING_SIGMA) -> Array:
    """Make predictions ready to be scored: smoothed by a Gaussian of sigma 2, then resized.

    Sigma counts in the prediction's own pixels. STAViS predicts 112 x 112; a coarser map, which
    sigma 2 could wipe out, is brought to that first. Edges are repeated by reflection and the
    resizing is bicubic, as MATLAB's. That STAViS's code stretches each prediction to 0 to 1 is
    left out: it changes no metric but KL.

    Args:
        maps: `(B, h, w)`, finite.
        height: Of the annotation, in pixels.
        width: Of the annotation, in pixels.
        sigma: Of the Gaussian, which is cut at three sigma; 0 smooths nothing.

    Returns:
        `(B, height, width)` float64.

    Raises:
        LookhearError: If a map has NaN or infinity in it: its frame would silently be left out.
    """
    if not np.isfinite(maps).all():
        raise LookhearError("a map to be scored has NaN or infinity in it; train its network again")
    ready: Numbers = maps
    if sigma > 0:
        if min(maps.shape[1:]) < SMOOTHED_SIDE:
            sides = [max(side, SMOOTHED_SIDE) for side in maps.shape[1:]]
            ready = resize(maps.astype(np.float32, copy=False), (sides[0], sides[1]))
        ready = gaussian_filter(
            ready.astype(np.float64), sigma, mode="reflect", truncate=3.0, axes=(-2, -1)
        )
    return resize_to(ready, height, width)


def _of_size(
    size: tuple[int, ...], values: NDArray[_Value], clip: FixatedClip, index: int
) -> NDArray[_Value]:
    """The map of a frame, which must be of the size of the clip's others."""
    if values.shape != size:
        raise LookhearError(
            f"{clip.name}: a map of frame {index + 1} is {sides(values.shape)} pixels, that "
            f"of others {sides(size)}; copy its annotations again"
        )
    return values
