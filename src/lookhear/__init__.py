"""Predict where people look in a video, from what they see and what they hear."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookhear.errors import LookhearError
    from lookhear.events.finding import Events, find_events
    from lookhear.nets.export import export
    from lookhear.nets.saved import load_model
    from lookhear.prediction.stream import Glimpse, Prediction, predict, stream
    from lookhear.tubes.explanation import Explanation, explain

__all__ = [
    "Events",
    "Explanation",
    "Glimpse",
    "LookhearError",
    "Prediction",
    "explain",
    "export",
    "find_events",
    "load_model",
    "predict",
    "stream",
]
__version__ = "0.1.0"

_HOMES = {
    "Events": "lookhear.events.finding",
    "Explanation": "lookhear.tubes.explanation",
    "Glimpse": "lookhear.prediction.stream",
    "LookhearError": "lookhear.errors",
    "Prediction": "lookhear.prediction.stream",
    "explain": "lookhear.tubes.explanation",
    "export": "lookhear.nets.export",
    "find_events": "lookhear.events.finding",
    "load_model": "lookhear.nets.saved",
    "predict": "lookhear.prediction.stream",
    "stream": "lookhear.prediction.stream",
}


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, if it is there; ``lookhear --help`` need not wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from lookhear.errors import lacking

        raise lacking(error, f"lookhear.{name}") from error
