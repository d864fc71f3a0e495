"""What lies where in a run's folder, for those who read it: nothing here needs Lightning."""

from dataclasses import dataclass
from pathlib import Path

TEST_MOMENTS, TEST_COARSE, TEST_FINE = "test/moments", "test/coarse", "test/fine"
TEST_FINE_TAGGED = "test/fine-tags"

PLUS = "stanet+"
"""Where in a run's folder all that STANet+ adds is."""
TEST_PLUS, TEST_PLUS_TAGGED = f"{PLUS}/test/maps", f"{PLUS}/test/maps-tags"

CONFIDENCES = "confidences"
"""How much each source counts, see `lookhear.stanet.scam.confidences`: (N, sources) float32."""
FUSED = "fused"
"""The fused map of each moment in its frame: (N, h, w) float16, from 0 to 1."""
NAMED = "named"
"""The class that is mapped, as the sources number it: (N,) int64."""
SINGLE = "single"
"""What each source maps, in the frame: (N, sources, h, w) float16, from 0 to 1. Where tags are
known it is the tag's map, else that of the class which the source itself finds most probable."""

PSEUDO_FIXATIONS = "pseudo-fixations (know the tag)"
"""The row of a test's table that tags were told for."""
PSEUDO_FIXATIONS_PLUS = "pseudo-fixations of SCAM+ (know the tag)"
"""Likewise."""


@dataclass(frozen=True)
class MapFolders:
    """Where the maps of the test's moments are kept; see `lookhear.stanet.pseudo_fixations`.

    Attributes:
        coarse: made without tags.
        fine: made without tags.
        tagged_coarse: made with tags.
        tagged: the fine ones made with tags.
    """

    coarse: Path
    fine: Path
    tagged_coarse: Path
    tagged: Path


@dataclass(frozen=True)
class PlusMapFolders:
    """Where the maps of SCAM+ of the test's moments are kept; see `lookhear.stanet.scam_plus`.

    Attributes:
        blind: made without tags.
        tagged: made with tags.
    """

    blind: Path
    tagged: Path
