"""Recipes for networks of actions: the paper's, one for a small set on two cores, one for tests.

`paper` follows the authors' code for THUMOS14 (arXiv 1810.04511): ResNet-50 with ImageNet's
weights, which stay as they are, 50 frames a clip at 224 x 224, widths of 1,024 and 512, whole
channels dropped by 0.2, Adam at 1e-4 with a decay of 1e-4, weights of 1e-5 (total variation), 1e-4
(contrast) and 1 (unimodal). Not told there, and ours: 20 epochs of batches of 16, at one rate.

What `small` does otherwise, and why:

| | paper | small | because |
| --- | --- | --- | --- |
| sight | colour | motion | of frames alone, few tell a motion |
| backbone | ResNet-50, ImageNet's | one layer, from nothing | how things move is seen after it |
| before attention | nothing | three motion blocks | they see which way things move |
| also named by | - | the strongest places | attention begins even, and they do not |
| weights of frames | additive: the state cancels | recurrent, clean | the state is to have a say |
| frames | 50, or 15 | 32 | eight a second in clips of seconds |
| batch norms | none | over what is scored and classified | from nothing, it learns too slowly |
| losses | sums, as in the code | means over clips | their weight is not the batch's size |
| total variation | 1e-5 | 1e-6 | a sum over seven times as many places |
| contrast | 1e-4 | none | it pays for masks that are open everywhere |
| optimizer | Adam at one rate | AdamW, one cycle | few epochs |
| crops | none | of many sizes, mirrored | few clips |

`light` is for clips of the real world, where a frame tells much: it sees colours by
EfficientNet-Lite0, which knows ImageNet and learns at a lower rate, its early layers not at all.
"""

from lookhear.actions.clips import ZERO
from lookhear.actions.published import RESNET50
from lookhear.actions.recipe import ActionRecipe
from lookhear.nets.backbones import ONE_LAYER
from lookhear.nets.pretrained import IMAGENET, LITE0, LITE0_EARLY
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
            "backbone": ONE_LAYER,
            "backbone_args": {"channels": 24},
            "input_size": [72, 128],
            "pixels": {"mean": [ZERO / 255] * 3, "std": [0.1] * 3},
            "stride": 4,
            "frames": 32,
            "sight": "motion",
            "blocks": 3,
            "pooled": 2,
            "temporal": "recurrent",
            "widths": [24, 24],
            "dropout": 0.0,
        },
        schedule=Schedule(epochs=20, batch_size=8, learning_rate=4e-3, average=0.98),
        augmentation=Augmentation((76, 134), 0.9, (0.0, 0.0, 0.0, 0.0)),
        total_variation=1e-6,
        contrast=0.0,
    ),
    "light": ActionRecipe(
        net=LITE0
        | {
            "input_size": [160, 288],
            "stride": 16,
            "frames": 16,
            "blocks": 1,
            "temporal": "recurrent",
            "widths": [64, 64],
        },
        schedule=Schedule(
            epochs=12,
            batch_size=8,
            learning_rate=2e-3,
            average=0.98,
            frozen=LITE0_EARLY,
            backbone_rate=3e-4,
        ),
        augmentation=Augmentation((176, 312), 0.7, (0.3, 0.3, 0.2, 0.0)),
        pretrained=IMAGENET,
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
