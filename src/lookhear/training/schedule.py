"""How weights are learnt and on what machine, told without what learns them."""

from dataclasses import dataclass, field
from typing import Literal

from lookhear.errors import LookhearError, named_by
from lookhear.resume import LATER

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class Machine:
    """What a training runs on: no part of its recipe, and another one may go on with it.

    Attributes:
        devices: how many GPUs, or processes where there is none, share each step's samples. Each
            has chances of its own, and batch norms see its share alone.
        precision: one of :data:`PRECISIONS`, Lightning's names: all in 32 bits; or what bears it
            in 16, as bfloat16 or, for GPUs without it, float16. Weights are 32 bits in any case.
    """

    devices: int = 1
    precision: str = "32-true"


ONE_DEVICE = Machine()


@dataclass(frozen=True)
class Schedule:
    """How weights are learnt, whatever the network.

    Attributes:
        epochs: passes over the data.
        batch_size: samples a step, of all processes together.
        optimizer: ``"adamw"`` with a one-cycle schedule; or ``"sgd"``, the published one: momentum
            0.9 (Nesterov), twice the rate for biases, and ten times for what is neither the
            backbone nor the sound encoder; or ``"adam"``, at one rate, its decay added to slopes.
        learning_rate: the highest; for ``"sgd"`` that of the backbone's weights.
        weight_decay: for ``"adamw"`` of weights only; biases and norms have none.
        average: decay per step of the moving average of the weights, which is what is kept then;
            None keeps the last.
        falls: for ``"sgd"``, the epochs from which on the rate is a tenth of what it was before.
        backbone_rate: for ``"adamw"``, the highest of a backbone that knows something already; None
            for that of all else.
        frozen: parts of the network that stay as they begin, such as ``"backbone"``; an ``average``
            of them is the same but for what is rounded.
    """

    epochs: int
    batch_size: int = 16
    optimizer: Literal["adamw", "sgd", "adam"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    average: float | None = 0.995
    falls: tuple[int, ...] = field(default=(), metadata=LATER)
    frozen: tuple[str, ...] = field(default=(), metadata=LATER)
    backbone_rate: float | None = field(default=None, metadata=LATER)


def check_machine(machine: Machine, schedule: Schedule) -> None:
    """Refuse what no machine can do.

    Raises:
        LookhearError: the devices or the precision are not to be had, or do not fit the batches.
    """
    devices = machine.devices
    if devices < 1:
        raise LookhearError(f"--devices {devices}: too few; give 1 or more")
    if schedule.batch_size % devices:
        raise LookhearError(
            f"--devices {devices}: a batch of {schedule.batch_size} cannot be shared evenly; "
            "give a number that divides it"
        )
    named_by("precision", machine.precision, dict.fromkeys(PRECISIONS))
