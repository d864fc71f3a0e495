"""Predict where people look in a video, from what they see and what they hear."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookhear.errors import LookhearError
    from lookhear.explanation.explained import Explanation
    from lookhear.explanation.explaining import explain
    from lookhear.models import load_model
    from lookhear.prediction import Glimpse, Prediction, predict, stream

__all__ = [
    "Explanation",
    "Glimpse",
    "LookhearError",
    "Prediction",
    "explain",
    "load_model",
    "predict",
    "stream",
]
__version__ = "0.1.0"

_HOMES = {
    "Explanation": "lookhear.explanation.explained",
    "Glimpse": "lookhear.prediction",
    "LookhearError": "lookhear.errors",
    "Prediction": "lookhear.prediction",
    "explain": "lookhear.explanation.explaining",
    "load_model": "lookhear.models",
    "predict": "lookhear.prediction",
    "stream": "lookhear.prediction",
}


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import; ``lookhear --help`` need not wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
