"""STANet: from category tags to a network that predicts fixations (CVPR 2021)."""

from typing import Literal, TypeAlias

from lookhear.data import Partners

Source: TypeAlias = Literal["S", "SA", "ST"]
"""A source of class maps: one of the classifiers of `lookhear.stanet.sources`."""

PlusSource: TypeAlias = Literal["S+", "SA+", "ST+"]
"""A source that knows other moments: one of `lookhear.stanet.sources_plus`."""

PLUS_SOURCES: tuple[tuple[PlusSource, Partners], ...] = (
    ("S+", "short"),
    ("S+", "long"),
    ("S+", "cross"),
    ("SA+", "long"),
    ("SA+", "cross"),
    ("ST+", "short"),
    ("ST+", "long"),
    ("ST+", "cross"),
)
"""Those that are trained, each with its partners."""

Stage: TypeAlias = Literal["coarse", "fine"]
"""What sources see: whole frames, or crops of them."""

Loss: TypeAlias = Literal["soft margin", "cross-entropy"]
"""By which sources learn: over the categories each by itself, as published, or all together."""

ScamRules: TypeAlias = Literal["clean", "report", "released"]
"""Whose rules SCAM goes by where publications differ; see `lookhear.stanet.scam`."""
