"""Heat and focus as the published script of Saliency Tubes draws and names them.

The script is ``heat_tubes_mfnet_pytorch.py`` of the authors' repository
(Saliency-Tubes-Visual-Explanations-for-Spatio-Temporal-Convolutions). It draws on what the network
saw of a frame, not on the whole of it.
"""

from pathlib import Path

import cv2
import numpy as np

from lookhear.maps import Maps
from lookhear.media import Frame
from lookhear.media.stills import encode_png
from lookhear.show.heat import Pixels
from lookhear.tubes.explanation import Explanation

HEAT, FOCUS = "heatmap", "focusmap"
FAINTEST = 20  # of 255: the alpha of focus in the weakest place of a frame


class ScriptPictures:
    """Writes ``<label>/heatmap/000.png``, ``<label>/focusmap/000.png`` and so on.

    A label goes by its number; there is a picture for each frame of its tube.
    """

    def __init__(self, folder: Path, explained: Explanation) -> None:
        """Make a folder for each label in a folder."""
        self._folders = [folder / name for name in folders_of(explained)]
        self._tubes, self._times = explained.tubes, explained.times
        for of_label in self._folders:
            for name in (HEAT, FOCUS):
                (of_label / name).mkdir(parents=True)

    def add(self, frame: Frame) -> None:
        """Take the next frame of the clip, of which the network may have seen nothing."""
        indices = np.flatnonzero(self._times == frame.time).tolist()
        if not indices:
            return
        picture = self._tubes[0].framing.picture(frame)
        for of_label, tube in zip(self._folders, self._tubes, strict=True):
            for index in indices:
                attention, name = tube.frame(index), f"{index:03d}.png"
                (of_label / HEAT / name).write_bytes(encode_png(jet(picture, attention)))
                (of_label / FOCUS / name).write_bytes(encode_png(focus(picture, attention)))


def jet(picture: Pixels, attention: Maps) -> Pixels:
    """Lay a map over a picture as half of either, in OpenCV's colours JET: (H, W, 3) uint8 RGB.

    Args:
        picture: (H, W, 3) uint8 RGB.
        attention: (H, W) float32 from 0 to 1, cut down to whole levels of 255.
    """
    levels = (255 * attention).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    return np.asarray(colours // 2 + picture // 2, np.uint8)


def focus(picture: Pixels, attention: Maps) -> Pixels:
    """Give a picture a map as alpha: (H, W, 4) uint8 RGBA.

    In each frame it reaches from `FAINTEST` to 255 (everywhere `FAINTEST` if the map is flat), so
    frames cannot be compared by it.

    Args:
        picture: (H, W, 3) uint8 RGB.
        attention: (H, W) float32.
    """
    alpha = np.empty(attention.shape, np.uint8)
    cv2.normalize(attention, alpha, FAINTEST, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    return np.dstack([picture, alpha])


def folders_of(explained: Explanation) -> list[str]:
    """Name the folders of the labels of an explanation: by their numbers."""
    return [str(label.index) for label in explained.labels]


def folders_in(folder: Path) -> set[str]:
    """Name the folders of labels that are in a folder of results, if it is there."""
    return {path.parent.name for path in folder.glob(f"*/{HEAT}") if path.parent.name.isdecimal()}
