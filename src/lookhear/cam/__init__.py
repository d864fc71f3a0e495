"""Class activation maps: where a classifier of pictures or clips sees a class."""

from lookhear.cam.layers import find_layer
from lookhear.cam.methods import METHODS, class_activation, prediction_layer
from lookhear.cam.watched import layer_named

__all__ = [
    "METHODS",
    "class_activation",
    "find_layer",
    "layer_named",
    "prediction_layer",
]
