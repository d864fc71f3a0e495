"""A network of the user's own gives its logits, whatever else it gives beside them."""

import pytest
import torch

from lookhear.nets.imported import imported_network
from tube_nets import CLASSES


def test_logits_come_alone_and_a_line_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    net = imported_network("tube_nets:Tupled", "cpu")
    for _ in range(2):
        with torch.no_grad():
            assert net(torch.zeros(1, 3, 16, 224, 224)).shape == (1, CLASSES)
    assert caplog.messages == [
        f"tube_nets:Tupled: gives a tuple; its first part, (1, {CLASSES}), is taken for the logits"
    ]


def test_a_tuple_that_begins_with_something_else_stays(caplog: pytest.LogCaptureFixture) -> None:
    net = imported_network("tube_nets:features_first", "cpu")
    with torch.no_grad():
        features, _ = net(torch.zeros(1, 3, 16, 224, 224))
    assert features.ndim == 5
    assert not caplog.messages
