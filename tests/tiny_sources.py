from typing import Any

CATEGORIES = ("bell", "dog", "horn", "rain")
TINY: dict[str, Any] = {
    "categories": CATEGORIES,
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4, "zero_init_last": False},
    "input_size": [96, 128],
}
TINY_SA = TINY | {"sound_encoder": "light", "width": 8}
TINY_ST = TINY | {"width": 8}
# As for few clips of small pictures.
LIGHT: dict[str, Any] = {"stride": 16, "hidden": 0}
LIGHT_SA = TINY_SA | LIGHT | {"sound_gate": "matching", "sound_votes": True}
