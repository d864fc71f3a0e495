"""Trainings small enough to be killed in; a module, as other processes must import them."""

import ast
import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from lookhear.errors import LookhearError
from lookhear.stanet.sources import S
from lookhear.training.loop import train
from lookhear.training.processes import Processes
from lookhear.training.schedule import Schedule
from lookhear.training.task import Task

SIZE = (32, 48)


class Points(Dataset[dict[str, Any]]):
    """Points to be told apart by a line; each says which it is, and the epoch it was told."""

    def __init__(self, count: int = 22) -> None:
        chance = torch.Generator().manual_seed(1)
        self.points = torch.randn(count, 4, generator=chance)
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self.points)

    def set_epoch(self, epoch: int) -> None:
        self.epoch.fill_(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        point = self.points[index]
        side = (point.sum() > 0).float()
        return {"point": point, "side": side, "index": index, "epoch": int(self.epoch)}


class Line(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.backbone = nn.Linear(4, width)
        self.head = nn.Linear(width, 1)

    def forward(self, points: Tensor) -> Tensor:
        return self.head(self.backbone(points).tanh())[:, 0]

    def save_pretrained(self, folder: Path) -> None:
        save_file(self.state_dict(), folder / "model.safetensors")


@dataclass(frozen=True)
class Recipe:
    schedule: Schedule


class LineTask(Task):
    """Learns the side of points that chance moves, and notes of each step what it saw."""

    watched = ("error", "min")

    def __init__(
        self,
        epochs: int = 4,
        average: float | None = 0.9,
        notes: Path | None = None,
        width: int = 8,
    ) -> None:
        super().__init__(Recipe(Schedule(epochs, batch_size=4, average=average)))
        self.notes = notes
        self.width = width
        self.begin(seed=3)

    def build(self, _: tuple[str, ...]) -> Line:
        return Line(self.width)

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        moved = batch["point"] + 0.1 * torch.randn_like(batch["point"])
        if self.notes is not None:
            note(self.notes, self, batch, float(moved[0, 0]))
        loss = F.binary_cross_entropy_with_logits(self.net(moved), batch["side"])
        return self.log_loss(loss)

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        wrong = (self.net(batch["point"]) > 0) != batch["side"].bool()
        self.log("error", wrong.float().mean(), batch_size=len(wrong), sync_dist=True)


def note(folder: Path, task: Task, batch: dict[str, Tensor], chance: float) -> None:
    """Append the step, the samples, their epochs and a number drawn to the rank's notes."""
    folder.mkdir(exist_ok=True)
    step = f"{task.current_epoch} {task.global_step}"
    with (folder / str(task.global_rank)).open("a") as notes:
        epochs = batch["epoch"].tolist() if "epoch" in batch else []
        notes.write(f"{step} {batch['index'].tolist()} {epochs} {chance}\n")


def train_line(out: Path, task: LineTask | None = None, **options: Any) -> Path:
    options = {"validation": Points(6)} | options
    return train(task or LineTask(), Points(), out, {"line": 1}, **options)


def train_line_alone(out: Path, epochs: int, said: Path) -> None:
    """Train in a process of its own, which says what it has to say into a file."""
    torch.set_num_threads(1)
    with said.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    train_line(out, LineTask(epochs))


class Squares(Dataset[dict[str, Any]]):
    """Still moments of a bright square on noise, whose colour is the tag."""

    def __init__(self, count: int, damage: Path) -> None:
        chance = torch.Generator().manual_seed(2)
        self.frames = torch.randint(60, 190, (count, 1, 1, 3, *SIZE), generator=chance).byte()
        for index in range(count):
            left = int(torch.randint(0, SIZE[1] - 16, (), generator=chance))
            self.frames[index, :, :, index % 2, 8:24, left : left + 16] = 250
        self.damage = damage
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.frames)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.epoch == 2 and self.damage.exists():
            raise LookhearError(f"{self.damage}: is damaged")
        return {
            "frames": self.frames[index],
            "has_sound": torch.tensor([False]),
            "tag": index % 2,
            "index": index,
        }


class DeadlySquares(Squares):
    def __getitem__(self, index: int) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


class SquareTask(Task):
    """Trains S to tell the colours, and notes of each step what it saw."""

    watched = ("accuracy", "max")

    def __init__(self, epochs: int, notes: Path) -> None:
        super().__init__(Recipe(Schedule(epochs, batch_size=8, average=0.9)))
        self.notes = notes
        self.begin(0, ("red", "green"))

    def build(self, tags: tuple[str, ...]) -> S:
        small = {"channels": [8, 8, 16, 16], "stem_width": 4}
        return S(tags, "resnet10t", backbone_args=small, input_size=SIZE)

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        note(self.notes, self, batch, float(torch.rand(())))
        scores = self._scores(batch)
        return self.log_loss(
            sum((F.cross_entropy(s, batch["tag"]) for s in scores), torch.zeros(()))
        )

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        right = self._scores(batch)[1].argmax(1) == batch["tag"]
        self.log("accuracy", right.float().mean(), batch_size=len(right), sync_dist=True)

    def _scores(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.net(batch["frames"][:, 0, 0] / 255).scores()


class ForkedProcesses(Processes):
    """As `Processes`, but forked from one that has imported everything, and so there at once.

    Only to fail in: in Lightning 2.6 they share the memory of the weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self._start_method = "forkserver"


def fresh_context() -> ForkServerContext:
    """Starts processes at once, by forking one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lookhear.stanet.sources", "lookhear.training.loop"])
    return context


class Step(NamedTuple):
    epoch: int
    samples: list[int]
    told: list[int]  # the epoch the data set was told, of each sample
    chance: float


def noted(notes: Path) -> dict[int, Step]:
    """The steps of a process by number; of one that was done again, the last time."""
    steps = {}
    for line in notes.read_text().splitlines():
        epoch, number, lists = line.split(" ", 2)
        samples, told, chance = lists.replace("] ", "]|").split("|")
        steps[int(number)] = Step(
            int(epoch), ast.literal_eval(samples), ast.literal_eval(told), float(chance)
        )
    return steps
