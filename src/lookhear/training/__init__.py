"""How the networks learn: losses, augmentation, and recipes for Lightning."""

from typing import Literal, TypeAlias

Source: TypeAlias = Literal["S", "SA", "ST"]
"""A source of class maps: one of the classifiers of `lookhear.nets.scam`."""
