"""What lies where in a run's folder, for those who read it: nothing here needs Lightning."""

from dataclasses import dataclass
from pathlib import Path

TEST_MOMENTS, TEST_COARSE, TEST_FINE = "test/moments", "test/coarse", "test/fine"
TEST_FINE_TAGGED = "test/fine-tags"

CONFIDENCES = "confidences"
"""How much each source counts, see `lookhear.stanet.scam.confidences`: (N, 3) float32."""
FUSED = "fused"
"""The fused map of each moment in its frame: (N, h, w) float16, from 0 to 1."""
NAMED = "named"
"""The class that is mapped, as the sources number it: (N,) int64."""
SINGLE = "single"
"""What each source maps, in the frame: (N, 3, h, w) float16, from 0 to 1. Where tags are known it
is the tag's map, else that of the class which the source itself finds most probable."""

PSEUDO_FIXATIONS = "pseudo-fixations (know the tag)"
"""The row of a test's table that tags were told for."""


@dataclass(frozen=True)
class MapFolders:
    """Where the maps of the test's moments are kept; see `lookhear.stanet.pseudo_fixations`.

    Attributes:
        coarse: made without tags.
        fine: made without tags.
        tagged: the fine ones made with tags.
    """

    coarse: Path
    fine: Path
    tagged: Path
