"""What is true of a clip of the world, and the file that says so.

Places are in pixels of the picture, the centre of the first being (0, 0).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

from lookhear.errors import LookhearError

Scenario: TypeAlias = Literal[
    "sounding", "offscreen", "unsynchronised", "actions", "moving", "pausing", "busy"
]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
Kind: TypeAlias = Literal["sight", "sound", "action"]
Role: TypeAlias = Literal["target", "other"]

_MAX_BYTES = 2**28


class Box(NamedTuple):
    """An upright rectangle."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Segment:
    """Something that is to be seen or heard in one stretch of a clip."""

    what: Kind  # of which kind it is
    category: str  # of which category, or which action
    start: float  # seconds
    end: float  # seconds


@dataclass(frozen=True)
class Course:
    """Where a thing is throughout a clip."""

    category: str  # what it is
    role: Role  # whether true attention is on it at some time
    boxes: tuple[Box | None, ...]  # in each frame; None is not in the picture


@dataclass(frozen=True)
class Truth:
    """All that is true of a clip."""

    scenario: str  # which kind of clip it is
    tag: str  # what it is tagged with
    frames_per_second: float  # of its picture
    segments: tuple[Segment, ...]  # when what is to be seen and heard
    things: tuple[Course, ...]  # where what is to be seen

    def to_json(self) -> str:
        """Write it as `read_truth` reads it."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


def read_truth(path: Path | str) -> Truth:
    """Read what is true of a clip: a file of `OUT/truth/`.

    Raises:
        LookhearError: the file cannot be read, or holds something else.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("far too long")
        read = json.loads(path.read_text(encoding="utf-8"))
        return Truth(
            str(read["scenario"]),
            str(read["tag"]),
            float(read["frames_per_second"]),
            tuple(_segment(**segment) for segment in read["segments"]),
            tuple(_course(**thing) for thing in read["things"]),
        )
    except OSError as error:
        raise LookhearError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise LookhearError(
            f"{path}: not the truth of a world's clip, or damaged; make the world again"
        ) from error


def _segment(what: Kind, category: str, start: float, end: float) -> Segment:
    if what not in get_args(Kind):
        raise ValueError(what)
    return Segment(what, str(category), float(start), float(end))


def _course(category: str, role: Role, boxes: list[list[float] | None]) -> Course:
    if role not in get_args(Role):
        raise ValueError(role)
    places = tuple(None if box is None else Box(*map(float, box)) for box in boxes)
    return Course(str(category), role, places)
