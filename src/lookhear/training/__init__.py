"""How the networks learn: losses, augmentation, recipes, and the stages of STANet."""

from typing import Literal, TypeAlias

Source: TypeAlias = Literal["S", "SA", "ST"]
"""A source of class maps: one of the classifiers of `lookhear.stanet.sources`."""

Stage: TypeAlias = Literal["coarse", "fine"]
"""What sources see: whole frames, or crops of them."""
