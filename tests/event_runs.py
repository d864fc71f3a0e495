"""A network of events, trained for a moment on a little world, and what it was trained on."""

from pathlib import Path
from typing import NamedTuple

import pytest

from little_world import write_little_world
from lookhear.events.run import RunSettings, train_events


class EventRun(NamedTuple):
    """Folders of clips, and of a run on them; and what the run said."""

    data: Path
    out: Path
    said: tuple[str, ...]


def event_run(factory: pytest.TempPathFactory) -> EventRun:
    """Do a run, once for all modules of tests, which leave it as it is."""
    root = factory.getbasetemp() / "events"
    run = EventRun(root / "data", root / "run", ())
    if not root.exists():
        write_little_world(run.data, (9, 3, 3), silent=[2], seconds=2)
        said: list[str] = []
        train_events(RunSettings(run.data, run.out, "tiny", workers=1), said.append)
        (root / "said.txt").write_text("\n".join(said))
    return run._replace(said=tuple((root / "said.txt").read_text().splitlines()))
