"""What fixation networks are trained on is least for the truth, and never undefined."""

import pytest
import torch

from lookhear.training.losses import fixation_losses
from spots import blob


def test_every_loss_is_least_for_the_truth() -> None:
    density = blob(24, 32, 8, 20)[None]
    truth = torch.logit(density.clamp(1e-4, 1 - 1e-4))
    elsewhere = truth.flip(-1)
    flat = torch.zeros_like(truth)
    at_truth, wrong, even = (fixation_losses(x, density) for x in (truth, elsewhere, flat))
    for name in at_truth:
        assert at_truth[name] < wrong[name], name
        assert at_truth[name] < even[name], name
    assert at_truth["kl"] == pytest.approx(0, abs=0.01)
    assert at_truth["cc"] == pytest.approx(0, abs=0.01)
    assert even["nss"] == pytest.approx(0, abs=1e-5)


def test_losses_are_finite_where_nobody_looked_and_where_all_is_flat() -> None:
    logits = torch.zeros(2, 6, 8, requires_grad=True)
    terms = fixation_losses(logits, torch.zeros(2, 24, 32))
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    assert total.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
