"""Spectral residual: Hou and Zhang, "Saliency detection: a spectral residual approach", CVPR 2007.

Pictures have much the same spectrum; where one departs from the smooth course that all share,
something is unusual in it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lookhear.baselines.pyramids import FLAT_BELOW, blurred, checked, fitted_size, stretched
from lookhear.metrics import resize_to

_LONGEST_SIDE = 64
_LUMA = (0.299, 0.587, 0.114)
# Amplitudes of a picture of 0 to 1 that are lower come from rounding.
_LEAST_AMPLITUDE = 1e-6
_BLUR_SIGMA = 2.5


def spectral_residual(pictures: Tensor, previous: Tensor | None = None) -> Tensor:
    """Saliency of pictures by what is unusual about their spectra.

    Exponential of the log-amplitude less its mean over 3 x 3 frequencies, with the phase as it was,
    back in the picture, squared and blurred. As in the authors' code the picture is 64 pixels wide
    and the blur 2.5 pixels; here a picture higher than wide is 64 high, and the blur repeats the
    border where theirs assumes nothing beyond it.

    Args:
        pictures: `(B, 3, H, W)` floating-point RGB from 0 to 1, 16 pixels a side or more.
        previous: Of no effect: the method knows nothing of motion.

    Returns:
        `(B, h, w)` float32, 0 to 1, the longer side 64; 0 throughout where a picture is flat.

    Raises:
        ValueError: If the pictures are not such, or `previous` has another shape.
    """
    height, width = checked(pictures, previous).shape[2:]
    grey = torch.einsum("c,bchw->bhw", torch.tensor(_LUMA).to(pictures), pictures)
    light = resize_to(grey, *fitted_size(height, width, _LONGEST_SIDE))
    spectrum = torch.fft.fft2(light)
    logarithm = spectrum.abs().clamp(min=_LEAST_AMPLITUDE).log()
    course = F.avg_pool2d(F.pad(logarithm.unsqueeze(1), [1] * 4, mode="replicate"), 3, 1).squeeze(1)
    # exp(log |z| - course) with the phase of z is z exp(-course).
    unusual = torch.fft.ifft2(spectrum * torch.exp(-course)).abs() ** 2
    is_varied = stretched(light, FLAT_BELOW).flatten(1).any(1).view(-1, 1, 1)
    return (stretched(blurred(unusual, _BLUR_SIGMA)) * is_varied).float()
