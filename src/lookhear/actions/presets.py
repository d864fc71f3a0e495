"""Recipes for networks of actions: the paper's, one for a small set on two cores, one for tests.

`paper` follows the authors' code for THUMOS14 (arXiv 1810.04511): ResNet-50 with ImageNet's
weights, which stay as they are, 50 frames a clip at 224 x 224, widths of 1,024 and 512, whole
channels dropped by 0.2, Adam at 1e-4 with a decay of 1e-4, weights of 1e-5 (total variation), 1e-4
(contrast) and 1 (unimodal). Not told there, and ours: 20 epochs of batches of 16, at one rate.

What `small` does otherwise, and why:

| | paper | small | because |
| --- | --- | --- | --- |
| backbone | ResNet-50, ImageNet's | ten layers to stride 8, from nothing | two cores, no download |
| sight | colour | motion | of frames alone, few tell a motion |
| weights of frames | additive: the state cancels | recurrent, clean | the state is to have a say |
| frames | 50, or 15 | 12 | clips of seconds |
| batch norms | none | over what is scored and classified | from nothing, it learns too slowly |
| losses | sums, as in the code | means over clips | their weight is not the batch's size |
| optimizer | Adam at one rate | AdamW, one cycle | few epochs |
| crops | none | of many sizes, mirrored | few clips |

`small --pretrained imagenet` is the light one for clips of the real world, on EfficientNet-Lite0.
"""

from lookhear.actions.published import RESNET50
from lookhear.actions.recipe import ActionRecipe
from lookhear.training.augment import Augmentation
from lookhear.training.schedule import Schedule

PRESETS: dict[str, ActionRecipe] = {
    "paper": ActionRecipe(
        net={
            "backbone": "resnet50",
            "input_size": [224, 224],
            "frames": 50,
            "temporal": "additive",
            "widths": [1024, 512],
            "normalised": False,
            "dropout": 0.2,
        },
        schedule=Schedule(
            epochs=20,
            optimizer="adam",
            learning_rate=1e-4,
            weight_decay=1e-4,
            average=None,
            frozen=("backbone",),
        ),
        augmentation=Augmentation((224, 224), None, (0.0, 0.0, 0.0, 0.0)),
        released=True,
        pretrained=RESNET50,
    ),
    "small": ActionRecipe(
        net={
            "backbone": "resnet10t",
            "backbone_args": {"channels": [16, 32, 48, 64], "stem_width": 8},
            "input_size": [64, 112],
            "pixels": {"mean": [0.5, 0.5, 0.5], "std": [0.1, 0.25, 0.1]},
            "stride": 8,
            "frames": 12,
            "sight": "motion",
            "temporal": "recurrent",
            "widths": [24, 24],
            "dropout": 0.0,
        },
        schedule=Schedule(epochs=20, batch_size=8, learning_rate=1.5e-3, average=0.98),
        augmentation=Augmentation((72, 124), 0.85, (0.0, 0.0, 0.0, 0.0)),
    ),
    "tiny": ActionRecipe(
        net={
            "backbone": "resnet10t",
            "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
            "input_size": [48, 64],
            "stride": 8,
            "frames": 6,
            "temporal": "recurrent",
            "widths": [8, 8],
            "dropout": 0.0,
        },
        schedule=Schedule(epochs=2, batch_size=4),
        augmentation=Augmentation((48, 64), 0.8, (0.1, 0.1, 0.1, 0.0)),
    ),
}
