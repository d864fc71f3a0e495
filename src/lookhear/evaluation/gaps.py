"""Frames of clips that a model has no map of: scored as chance, or left out of its means.

As chance, no model gains by leaving out what it finds hard. STAViS's code scores the maps that it
finds in a folder and knows of no others. STANet's released test writes one of every 30 frames (2,
32, 62, ...), which chance on all others would bury. So where a model has few maps and cannot have
picked them, as they come at even steps through each clip, the other frames are left out, unless the
user says what becomes of them.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from lookhear.evaluation.from_files import OfFolder
from lookhear.evaluation.models import Model
from lookhear.evaluation.stimuli import StimulusSet

Missing: TypeAlias = Literal["chance", "skip"]
"""What becomes of frames without a map: scored as chance, or left out."""

FEW = 10  # one map of so many frames; fewer maps are few
NO_MAP = "no map, scored as chance"
LEFT_OUT = "no map, left out of its means"
AT_STEPS = f"{LEFT_OUT}, as it has maps at even steps, of fewer than one frame in {FEW}"
IN_WORDS: Mapping[Missing | None, str] = {
    "chance": "scored as chance",
    "skip": "left out of a model's means, as STAViS has it",
    None: "scored as chance; left out where a model has maps at even steps, of fewer than one "
    f"frame in {FEW}",
}


class Given(NamedTuple):
    """Of a clip, the frames that have a map, counted from 0, ascending, and how many it has."""

    frames: Sequence[int]
    frame_count: int


def left_out(
    models: Mapping[str, Model | None], stimuli: StimulusSet, missing: Missing | None
) -> dict[str, str]:
    """The models whose frames without a map are left out.

    Args:
        models: Name -> what gives its maps; None for people.
        stimuli: What they are scored on; of pictures each must have a map.
        missing: What the user wants; None decides by the maps that are there.

    Returns:
        Name -> what is said of such a frame.

    Raises:
        LookhearError: A folder has no maps of a clip.
    """
    if stimuli.kind == "pictures" or missing == "chance":
        return {}
    if missing == "skip":
        return dict.fromkeys((name for name, model in models.items() if model), LEFT_OUT)
    chosen = {}
    for name, model in models.items():
        if isinstance(model, OfFolder):
            clips = [Given(model.frames(of), of.frame_count) for of in stimuli.subjects]
            if are_few_at_even_steps(clips):
                chosen[name] = AT_STEPS
    return chosen


def are_few_at_even_steps(clips: Sequence[Given]) -> bool:
    """Whether maps are of fewer than a tenth of all frames and go evenly through each clip.

    Steps are even if no two of a clip differ by more than a frame, as those of a second may, and if
    less than two of them lie before its first map and after its last. The step of a clip with one
    map is the longest of all others; without any other, nobody can tell.
    """
    given, total = sum(len(of.frames) for of in clips), sum(of.frame_count for of in clips)
    if FEW * given >= total or not all(of.frames for of in clips):
        return False
    steps = [np.diff(frames) for frames, _ in clips]
    longest = max((int(of_clip.max()) for of_clip in steps if of_clip.size), default=0)
    for (frames, count), of_clip in zip(clips, steps, strict=True):
        step = int(of_clip.max()) if of_clip.size else longest
        if of_clip.size and step - int(of_clip.min()) > 1:
            return False
        if max(frames[0], count - 1 - frames[-1]) >= 2 * step:
            return False
    return True
