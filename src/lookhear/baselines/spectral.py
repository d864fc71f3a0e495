"""Spectral residual: Hou and Zhang, "Saliency detection: a spectral residual approach", CVPR 2007.

Pictures have much the same spectrum; where one departs from the smooth course that all share,
something is unusual in it.
"""

import numpy as np
from scipy.ndimage import uniform_filter

from lookhear.baselines.pictures import FLAT_BELOW, Pictures, checked, fitted_size
from lookhear.baselines.pyramids import blurred
from lookhear.maps import Maps
from lookhear.metrics import resize_to

_LONGEST_SIDE = 64
_LUMA = (0.299, 0.587, 0.114)
# Amplitudes of a picture of 0 to 1 that are lower come from rounding.
_LEAST_AMPLITUDE = 1e-6
_BLUR_SIGMA = 2.5
_NO_SPAN = 1e-12


def spectral_residual(pictures: Pictures, previous: Pictures | None = None) -> Maps:
    """Saliency of pictures by what is unusual about their spectra.

    Exponential of the log-amplitude less its mean over 3 x 3 frequencies, with the phase as it was,
    back in the picture, squared and blurred. As in the authors' code the picture is 64 pixels wide
    and the blur 2.5 pixels; here a picture higher than wide is 64 high, and the blur repeats the
    border where theirs assumes nothing beyond it.

    Args:
        pictures: See `lookhear.baselines.Baseline`.
        previous: Of no effect: the method knows nothing of motion.

    Returns:
        `(B, h, w)` float32, 0 to 1, the longer side 64; 0 throughout where a picture is flat.

    Raises:
        ValueError: If the pictures are not such, or `previous` has another shape.
    """
    shown, _ = checked(pictures, previous)
    grey = np.einsum("c,bhwc->bhw", np.array(_LUMA, shown.dtype), shown)
    size = fitted_size(grey.shape[1], grey.shape[2], _LONGEST_SIDE)
    light = resize_to(grey, *size)
    spectrum = np.fft.fft2(light)
    logarithm = np.log(np.maximum(np.abs(spectrum), _LEAST_AMPLITUDE))
    course = uniform_filter(logarithm, 3, mode="nearest", axes=(1, 2))
    # exp(log |z| - course) with the phase of z is z exp(-course).
    unusual = blurred(np.abs(np.fft.ifft2(spectrum * np.exp(-course))) ** 2, _BLUR_SIGMA)
    low, span = unusual.min((1, 2), keepdims=True), np.ptp(unusual, (1, 2), keepdims=True)
    varies = (np.ptp(light, (1, 2), keepdims=True) > FLAT_BELOW) & (span > _NO_SPAN)
    return np.where(varies, (unusual - low) / np.maximum(span, _NO_SPAN), 0).astype(np.float32)
