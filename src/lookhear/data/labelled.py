"""Clips with a label each, in whatever layout they are: which reader is asked."""

from collections.abc import Sequence
from pathlib import Path

from lookhear.data.prepare import read_tagged
from lookhear.data.readers.activitynet import find_activitynet, read_activitynet
from lookhear.data.readers.ave import ANNOTATIONS
from lookhear.data.readers.class_folders import has_class_folders, read_class_folders
from lookhear.data.readers.hmdb51 import has_hmdb51, read_hmdb51
from lookhear.data.readers.path_label import read_path_labels, split_lists
from lookhear.data.readers.tables import CLIPS
from lookhear.data.readers.tagged import TaggedClips
from lookhear.data.readers.ucf101 import has_ucf101, read_ucf101
from lookhear.errors import LookhearError


def read_labelled(path: Path, roots: Sequence[Path] = ()) -> TaggedClips:
    """Read clips with a label each: of a folder, or of the list that a file is.

    Args:
        path: AVE's layout, a ``clips.csv``, ActivityNet's JSON, UCF101's or HMDB51's split files,
            lists of ``path label``, or a folder for each class.
        roots: folders where clips of a ``clips.csv`` may lie, beside its own.

    Raises:
        LookhearError: it is none of these, or cannot be read.
    """
    if not path.exists():
        raise LookhearError(f"{path}: no such folder or list of clips")
    if (path / ANNOTATIONS).exists() or (path / CLIPS).exists() or path.suffix == ".csv":
        return read_tagged(path, roots)
    if find_activitynet(path):
        return read_activitynet(path)
    if path.is_file():
        return read_path_labels(path)
    if has_ucf101(path):
        return read_ucf101(path)
    if has_hmdb51(path):
        return read_hmdb51(path)
    if split_lists(path):
        return read_path_labels(path)
    if has_class_folders(path):
        return read_class_folders(path)
    raise LookhearError(
        f"{path}: no labelled clips; looked for AVE's {ANNOTATIONS}, {CLIPS}, ActivityNet's JSON, "
        "UCF101's and HMDB51's splits, lists of path and label, and a folder for each class"
    )
