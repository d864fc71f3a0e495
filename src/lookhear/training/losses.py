"""What networks that predict fixations are trained on."""

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-8


def fixation_losses(logits: Tensor, density: Tensor) -> dict[str, Tensor]:
    """Compare predicted attention with a density of fixations.

    Args:
        logits: (B, h, w); upsampled here to the density's size.
        density: (B, H, W), not negative, of any scale.

    Returns:
        Scalars, smaller is better, and means over the batch but for one: ``bce``, binary
        cross-entropy with the density scaled to a maximum of 1; ``kl``, Kullback-Leibler divergence
        of the maps as distributions; ``batch kl``, that of the whole batch as one distribution,
        which is the released loss, and in which a map counts by its sum; ``cc``, one minus their
        correlation; ``nss``, minus the mean, over the density, of the attention in standard
        deviations from its mean.
    """
    logits = F.interpolate(logits[:, None], density.shape[-2:], mode="bilinear")[:, 0]
    attention = torch.sigmoid(logits)
    peak = density.amax((1, 2), keepdim=True).clamp(min=EPSILON)
    wanted = _distribution(density)
    of_batch = (_distribution(x.flatten(0, 1)[None]) for x in (attention, density))
    centred = _centred(attention)
    correlation = F.cosine_similarity(centred, _centred(density), eps=EPSILON)
    deviations = centred / centred.std(1, keepdim=True).clamp(min=1e-4)
    return {
        "bce": F.binary_cross_entropy_with_logits(logits, density / peak),
        "kl": _divergence(_distribution(attention), wanted).mean(),
        "batch kl": _divergence(*of_batch).sum(),
        "cc": 1 - correlation.mean(),
        "nss": -(deviations * wanted.flatten(1)).sum(1).mean(),
    }


def _divergence(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of distributions (B, h, w): (B,)."""
    return (wanted * ((wanted + EPSILON).log() - (predicted + EPSILON).log())).sum((1, 2))


def _distribution(x: Tensor) -> Tensor:
    return x / x.sum((1, 2), keepdim=True).clamp(min=EPSILON)


def _centred(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    return flat - flat.mean(1, keepdim=True)
