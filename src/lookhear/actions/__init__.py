"""Where and when to look (Meng et al., arXiv 1810.04511): actions, from a label a clip.

A network is shown frames spread over a clip and learns to name its action. A mask says where in
each frame it looks, weights say at which frames it does: from both comes where and when the action
is, of which nobody told it anything.
"""

from typing import Literal, TypeAlias

Temporal: TypeAlias = Literal["recurrent", "plain", "additive", "even"]
"""How frames are weighed; see :class:`lookhear.actions.net.WhereWhen`."""
Sight: TypeAlias = Literal["colour", "motion"]
"""What is seen of each of the frames; see :mod:`lookhear.actions.clips`."""
