"""By what the network of events is taught, beside the tags of clips."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lookhear.events.net import Heard, Seen
from lookhear.events.recipe import RECIPES, EventTask, multi_label_loss


def task(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> EventTask:
    """A task whose network has no batch norm that moves, and which keeps no log."""
    made = EventTask(replace(RECIPES["tiny"], **changes)).begin(0, ("a", "b", "c"))
    monkeypatch.setattr(made, "log_loss", lambda loss: loss)
    for module in made.net.modules():
        module.train(not isinstance(module, torch.nn.BatchNorm2d))
    return made


def bags(of: EventTask) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(1)
    return {
        "pooled": torch.rand(4, 200, of.net.pooled_size, generator=chance),
        "there": torch.rand(4, 200, generator=chance) < 0.8,
        "windows": torch.randn(4, 3, 96, 64, generator=chance),
        "audible": torch.ones(4, 3, dtype=torch.bool),
        "tags": torch.eye(4, 3, dtype=torch.bool),
    }


def test_boxes_are_hidden_while_it_learns_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    learning = task(monkeypatch, hidden=0.5)
    batch, shown = bags(learning), list[Tensor]()
    learning.net.sight.register_forward_pre_hook(lambda _, given: shown.append(given[1]))
    learning.train()
    learning.training_step(batch, 0)
    learning.eval()
    learning.validation_step(batch, 0)
    while_learning, afterwards = shown
    assert not (while_learning & ~batch["there"]).any()
    assert 0.4 < while_learning.sum() / batch["there"].sum() < 0.6
    assert torch.equal(afterwards, batch["there"])


def test_each_sense_is_taught_by_itself_as_far_as_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = {}
    for alone in (0.0, 0.5):
        learning = task(monkeypatch, alone=alone)
        batch = bags(learning)
        losses[alone] = learning.training_step(batch, 0).item()
    found = learning.net(
        Seen(batch["pooled"], batch["there"]), Heard(batch["windows"], batch["audible"])
    )
    each = [multi_label_loss(of.scores, batch["tags"], "hinge") for of in (found.seen, found.heard)]
    assert losses[0.5] - losses[0.0] == pytest.approx(0.5 * sum(each).item(), abs=1e-5)
