"""What fixation networks are trained on is least for the truth, and never undefined."""

import math

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


def test_kl_is_of_each_map_or_of_the_batch_as_one() -> None:
    """By hand: logits of 0 are even; all that is looked at lies in one of four cells."""
    logits = torch.zeros(2, 2, 2)
    density = torch.zeros(2, 2, 2)
    density[0, 0, 0] = 1
    density[1] = 3  # even
    terms = fixation_losses(logits, density)
    assert terms["kl"].item() == pytest.approx((math.log(4) + 0) / 2, abs=1e-5)
    shares = [1 / 13, *[3 / 13] * 4]
    expected = sum(share * math.log(share * 8) for share in shares)
    assert terms["batch kl"].item() == pytest.approx(expected, abs=1e-5)


def test_by_batch_a_map_counts_by_its_sum() -> None:
    torch.manual_seed(0)
    logits, density = torch.randn(1, 6, 8), torch.rand(1, 6, 8)
    alone = fixation_losses(logits, density)
    assert alone["kl"].item() == pytest.approx(alone["batch kl"].item(), abs=1e-6)
    other = torch.rand(1, 6, 8)
    both = [torch.cat([density, scale * other]) for scale in (1, 100)]
    once, often = (fixation_losses(logits.repeat(2, 1, 1), of_both) for of_both in both)
    assert once["kl"].item() == pytest.approx(often["kl"].item(), abs=1e-5)
    assert abs(once["batch kl"] - often["batch kl"]) > 0.1
