"""What networks learn from and are tested on: moments, readers, the synthetic world."""

from typing import Literal, TypeAlias

Partners: TypeAlias = Literal["short", "long", "cross"]
"""Which other moments a moment is given with; see `lookhear.data.loader.Moments`."""
