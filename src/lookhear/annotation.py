"""What people did on frames or pictures, and how well maps predict it.

Clips are scored by STAViS's protocol (Tsiami et al., CVPR 2020; `eval_code` of
https://github.com/atsiami/STAViS): a prediction goes through `protocol`, each metric is taken
per frame against what `annotate` reads, and averaged by a `lookhear.tally.Tally`. Where that code
draws random numbers, `lookhear.metrics` gives what it gives on average. KL is this project's
addition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lookhear.data.fixated import FixatedClip
from lookhear.errors import LookhearError
from lookhear.maps import Maps
from lookhear.metrics import auc_judd, auc_shuffled, cc, kl, nss, resize_to, sim

METRIC_NAMES = ("AUC-J", "SIM", "s-AUC", "CC", "NSS", "KL")

SMOOTHING_SIGMA = 2.0  # in pixels of the prediction
SMOOTHING_RADIUS = 6  # where its Gaussian is cut: three sigma

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

    fixations: Tensor
    density: Tensor
    other_fixations: Tensor

    def score(self, maps: Tensor) -> dict[str, Tensor]:
        """Take each metric of `METRIC_NAMES`.

        Args:
            maps: `(B, H, W)`, as the annotation is.

        Returns:
            Metric name -> `(B,)` float64; NaN where it is not defined, as where nobody looked.
        """
        return {
            "AUC-J": auc_judd(maps, self.fixations),
            "SIM": sim(maps, self.density),
            "s-AUC": auc_shuffled(maps, self.fixations, self.other_fixations),
            "CC": cc(maps, self.density),
            "NSS": nss(maps, self.fixations),
            "KL": kl(maps, self.density),
        }


def annotate(clip: FixatedClip, indices: Sequence[int]) -> Annotation:
    """Read what people did on some frames of a clip.

    As in STAViS's code the other fixations of a frame are the pixels that someone looked at in
    any frame of the clip, less those that someone looked at in this one. So the fixation maps of
    all frames are read, one at a time.

    Args:
        clip: The clip.
        indices: B frames of it, counted from 0; at least one.

    Returns:
        The annotation, in the order of the indices; `other_fixations` are bool.

    Raises:
        LookhearError: If a map is missing, damaged or of another size than the others.
    """
    fixations = [clip.fixation_map(index) for index in indices]
    size = fixations[0].shape
    ever = np.zeros(size, np.bool_)
    for index in range(clip.frame_count):
        ever |= _of_size(size, clip.fixation_map(index), clip, index) > 0
    densities = [_of_size(size, clip.density(index), clip, index) for index in indices]
    counts = np.stack(fixations)
    return Annotation(
        fixations=torch.from_numpy(counts),
        density=torch.from_numpy(np.stack(densities)),
        other_fixations=torch.from_numpy(ever & (counts == 0)),
    )


def protocol(maps: Maps | Tensor, height: int, width: int) -> Tensor:
    """Make predictions ready to be scored: smoothed by a Gaussian of sigma 2, then resized.

    Sigma counts in the prediction's own pixels (STAViS predicts 112 x 112), so bring a coarse
    map, which sigma 2 would wipe out, to the size of the frames predicted from first. Edges are
    repeated by reflection and the resizing is bicubic, as MATLAB's. That STAViS's code stretches
    each prediction to 0 to 1 is left out: it changes no metric but KL.

    Args:
        maps: `(B, h, w)`, finite; a tensor must be on the CPU and without gradient.
        height: Of the annotation, in pixels.
        width: Of the annotation, in pixels.

    Returns:
        `(B, height, width)` float64.

    Raises:
        LookhearError: If a map has NaN or infinity in it: its frame would silently be left out.
    """
    predicted = np.asarray(maps, np.float64)
    if not np.isfinite(predicted).all():
        raise LookhearError("a map to be scored has NaN or infinity in it; train its network again")
    smoothed = gaussian_filter(
        predicted, SMOOTHING_SIGMA, mode="reflect", radius=SMOOTHING_RADIUS, axes=(-2, -1)
    )
    return resize_to(torch.from_numpy(smoothed), height, width)


def _of_size(
    size: tuple[int, ...], values: NDArray[_Value], clip: FixatedClip, index: int
) -> NDArray[_Value]:
    """The map of a frame, which must be of the size of the clip's others."""
    if values.shape != size:
        raise LookhearError(
            f"{clip.name}: a map of frame {index + 1} is {_in_words(values.shape)} pixels, that "
            f"of others {_in_words(size)}; copy its annotations again"
        )
    return values


def _in_words(size: tuple[int, ...]) -> str:
    height, width = size
    return f"{width} x {height}"
