"""What STANet trains: a file a training, and the presets of whole runs."""

from lookhear.stanet.recipes.attending import STATask
from lookhear.stanet.recipes.classifying import SourceTask
from lookhear.stanet.recipes.hearing import HearingTask
from lookhear.stanet.recipes.matching import SwitchTask, save_joined
from lookhear.stanet.recipes.presets import preset_named
from lookhear.stanet.recipes.stills import recipe_named, train_fixations

__all__ = [
    "HearingTask",
    "STATask",
    "SourceTask",
    "SwitchTask",
    "preset_named",
    "recipe_named",
    "save_joined",
    "train_fixations",
]
