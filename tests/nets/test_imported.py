"""A network of the user's own gives its logits, whatever else it gives beside them."""

import pytest
import torch

from frame_nets import FRAMES, SIDE, PerFrame
from lookhear.errors import LookhearError
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


@pytest.mark.parametrize("how", ["parallel", "averaged", "compiled", "compiled_in_place", "part"])
def test_wrappers_are_looked_through(how: str) -> None:
    net = imported_network(f"wrapped_nets:{how}", "cpu")
    assert type(net).__name__ == "PerFrame"
    assert net.frames == FRAMES
    names = {name for name, _ in net.named_modules()}
    assert names == {name for name, _ in PerFrame().named_modules()}
    seen: list[torch.Tensor] = []
    net.cnn.register_forward_hook(lambda _module, _args, output: seen.append(output))
    with torch.no_grad():
        net(torch.zeros(1, 3, FRAMES, SIDE, SIDE))
    assert len(seen) == 1


@pytest.mark.filterwarnings("ignore:.*deprecated", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("how", ["scripted", "traced", "scripted_part"])
def test_a_script_is_refused_in_a_line(how: str) -> None:
    with pytest.raises(LookhearError, match="a TorchScript network") as caught:
        imported_network(f"wrapped_nets:{how}", "cpu")
    assert len(str(caught.value)) < 200


def test_what_a_factory_raises_is_one_short_line() -> None:
    with pytest.raises(LookhearError) as caught:
        imported_network("wrapped_nets:wordy", "cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
