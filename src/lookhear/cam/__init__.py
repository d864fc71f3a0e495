"""Class activation maps: where a classifier of pictures or clips sees a class."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookhear.cam.layers import find_layer
    from lookhear.cam.methods import class_activation, prediction_layer
    from lookhear.cam.watched import layer_named

__all__ = [
    "METHODS",
    "class_activation",
    "find_layer",
    "layer_named",
    "prediction_layer",
]

METHODS = (
    "CAM",
    "GradCAM",
    "GradCAM++",
    "SmoothGradCAM++",
    "XGradCAM",
    "SSCAM",
    "ScoreCAM",
    "LayerCAM",
    "ISCAM",
    "AblationCAM",
    "EigenGradCAM",
    "EigenCAM",
)
"""Names of the methods of `class_activation`."""

_HOMES = {
    "class_activation": "lookhear.cam.methods",
    "find_layer": "lookhear.cam.layers",
    "layer_named": "lookhear.cam.watched",
    "prediction_layer": "lookhear.cam.methods",
}


def __getattr__(name: str) -> Any:
    # The names of the methods are known where PyTorch is not.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
