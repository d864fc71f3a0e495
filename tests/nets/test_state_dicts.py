"""State dicts are found in whatever checkpoints wrap them in, and get a network's own names."""

import contextlib
import shlex
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lookhear.errors import LookhearError
from lookhear.nets.state_dicts import fitted, misfit, read_state

State = Mapping[str, Tensor]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


def named(state: State, prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


OPTIMISER = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]}
WRAPPED: dict[str, Callable[[State], Any]] = {
    "plain": dict,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": OPTIMISER},
    "net": lambda state: {"net": state, "acc": 0.5},
    "another name": lambda state: {"encoder": state, "optim": OPTIMISER, "epoch": 1},
    "nested": lambda state: {"model": {"state_dict": state}, "args": {"lr": 0.1}},
    "with an average": lambda state: {"weights": state, "model_ema": dict(state)},
    "parallel": lambda state: named(state, "module."),
    "compiled": lambda state: named(state, "_orig_mod."),
    "both": lambda state: named(state, "module._orig_mod."),
    "compiled in parts": lambda state: {
        k.replace("0.", "0._orig_mod."): v for k, v in state.items()
    },
    "Lightning": lambda state: {"state_dict": named(state, "model."), "loops": {"a": {}}},
    "with a loss beside": lambda state: {**named(state, "net."), "loss.weight": torch.ones(2)},
    "old": lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    "a part": lambda state: named(state, "a.b."),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_weights_are_found_and_fit(tmp_path: Path, how: str) -> None:
    own = net().state_dict()
    learnt = {key: torch.full_like(tensor, 7) for key, tensor in own.items()}
    torch.save(WRAPPED[how](learnt), tmp_path / "weights.pth")
    state = fitted(read_state(tmp_path / "weights.pth"), own)
    assert misfit({key: state[key] for key in own}, own) is None
    assert all((state[key] == 7).all() for key in own if "num_batches" not in key)


def test_a_network_that_wraps_takes_the_weights_of_what_it_wraps() -> None:
    own = named(net().state_dict(), "model.")
    assert misfit(fitted(net().state_dict(), own), own) is None


def test_weights_of_another_network_still_do_not_fit() -> None:
    own = net().state_dict()
    other = nn.Sequential(nn.Conv2d(3, 5, 3)).state_dict()
    said = misfit(fitted(other, own), own)
    assert said is not None
    assert "missing (1.weight" in said


@pytest.mark.parametrize(
    "held", [{"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}, {"epoch": 1}, {}, [1]]
)
def test_what_holds_no_weights_or_two_sets_is_refused(tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "none.pth")
    with pytest.raises(LookhearError, match="holds no state dict"):
        read_state(tmp_path / "none.pth")


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_a_script_is_named_as_one(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(net()), str(tmp_path / "script.pt"))
    with pytest.raises(LookhearError, match="is TorchScript") as caught:
        read_state(tmp_path / "script.pt")
    assert "\n" not in str(caught.value)


def test_the_command_that_saves_a_module_holds_for_any_name(tmp_path: Path) -> None:
    file = tmp_path / "it's $HOME.pth"
    torch.save(net(), file)
    with pytest.raises(LookhearError) as caught:
        read_state(file)
    command = str(caught.value).partition("made it: ")[2]
    program, option, code = shlex.split(command)
    assert (program, option) == ("python", "-c")
    compile(code, "told", "exec")
    assert repr(str(file)) in code


def test_a_damaged_file_is_one_line_and_no_warning(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    content = bytearray((tmp_path / "old.pth").read_bytes())
    content[1] = 6  # the protocol of its pickle
    (tmp_path / "old.pth").write_bytes(content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with contextlib.suppress(LookhearError):
            read_state(tmp_path / "old.pth")
    assert not warned
