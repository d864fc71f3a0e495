"""How a training went: its curves, as TensorBoard logs."""

from pathlib import Path

from lookhear.errors import LookhearError

LOGS = "logs"


def read_curves(run: Path) -> dict[str, tuple[float, ...]]:
    """Read how a training went.

    Args:
        run: a run folder, see :func:`~lookhear.training.loop.train`.

    Returns:
        By name (``loss``; others by the training, such as ``accuracy``) a value per epoch. Of an
        epoch that was trained again after a stop the last value counts.

    Raises:
        LookhearError: the folder holds no logs.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = run / LOGS
    if not logs.is_dir():
        raise LookhearError(f"{run}: holds no curves of a training; train there first")
    events = EventAccumulator(str(logs), size_guidance={"scalars": 0})  # 0 keeps all
    events.Reload()
    curves = {}
    for name in events.Tags()["scalars"]:
        in_time = sorted(events.Scalars(name), key=lambda event: event.wall_time)
        by_epoch = {event.step: event.value for event in in_time}
        curves[name] = tuple(by_epoch[epoch] for epoch in sorted(by_epoch))
    return curves
