"""How well models predict the fixations on a set of still pictures.

The protocol: a prediction is resized to the picture it is of; each metric of
`lookhear.metrics` is taken per picture, then averaged over the pictures. The density is that
of the fixations of all observers, blurred by a degree of visual angle
(`DENSITY_SIGMA_PER_WIDTH`). For s-AUC the other fixations are those of all other pictures of the
set, at the same place relative to the picture's sides, and the thresholds are 0.1 apart. No
smoothing and no centre bias is added to a prediction.

A model is anything that gives a map: a `MapSource`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor

from lookhear.annotation import METRIC_NAMES, Annotation
from lookhear.baselines import centre_prior
from lookhear.data.fixated import DENSITY_SIGMA_PER_WIDTH
from lookhear.data.osie import FixatedPicture
from lookhear.errors import LookhearError
from lookhear.metrics import density, resize_to
from lookhear.tally import mean_of_defined, means_table, without_nan

MapSource = Callable[[FixatedPicture], NDArray[np.float32]]
"""Gives the map of a picture: `(h, w)` float32 of any size, higher where more attention is."""

PictureModel = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Gives the map, `(h, w)` float32, of pixels `(H, W, 3)` uint8 RGB."""

_MAP_SUFFIXES = (".png", ".jpg", ".jpeg")
_BATCH = 16


@dataclass(frozen=True)
class Scores:
    """Every model's metrics on every picture.

    Attributes:
        pictures: Names of the pictures.
        values: Model name -> metric name -> value of each picture, in the order of `pictures`;
            NaN where the metric is not defined (a picture nobody looked at).
    """

    pictures: tuple[str, ...]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]

    def means(self) -> dict[str, dict[str, float]]:
        """Model name -> metric name -> mean over the pictures where the metric is defined."""
        return {
            model: {metric: mean_of_defined(values) for metric, values in metrics.items()}
            for model, metrics in self.values.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Names, means and values for `json.dump`; a metric that is not defined is null."""
        return {
            "pictures": list(self.pictures),
            "means": without_nan(self.means()),
            "values": without_nan(self.values),
        }


def evaluate_pictures(
    pictures: Sequence[FixatedPicture],
    models: Mapping[str, MapSource],
    progress: Callable[[], object] | None = None,
) -> Scores:
    """Score models on pictures, by the protocol at the head of this module.

    Args:
        pictures: At least two, as s-AUC compares each with the others.
        models: Model name -> source of its maps.
        progress: Called after each map, `len(models) * len(pictures)` times.

    Returns:
        The scores, the pictures in the order given.

    Raises:
        LookhearError: If there are fewer than two pictures, or if a map is missing, is not of
            numbers `(h, w)` or is not finite.
    """
    if len(pictures) < 2:
        raise LookhearError("s-AUC compares pictures with one another; give at least two")
    scores = {
        model: {metric: [math.nan] * len(pictures) for metric in METRIC_NAMES} for model in models
    }
    for indices, annotation in _annotations(pictures):
        for model, source in models.items():
            maps = []
            for index in indices:
                maps.append(_map_of(pictures[index], model, source))
                if progress is not None:
                    progress()
            for metric, values in annotation.score(torch.stack(maps)).items():
                for index, value in zip(indices, values.tolist(), strict=True):
                    scores[model][metric][index] = value
    return Scores(
        tuple(picture.name for picture in pictures),
        {
            model: {metric: tuple(values) for metric, values in metrics.items()}
            for model, metrics in scores.items()
        },
    )


def table(scores: Scores) -> Table:
    """The means as a table for the terminal; see `means_table`."""
    return means_table(f"Mean over {len(scores.pictures)} pictures", scores.means())


def of_model(model: PictureModel) -> MapSource:
    """The maps that a model predicts from a picture's pixels."""
    return lambda picture: model(picture.pixels())


def find_map_source(name: str) -> MapSource | None:
    """Find what a name of maps stands for.

    Args:
        name: `centre`, the centre prior; `FILE.npz`, an archive whose keys are picture names
            without suffix; `FILE.npz:PREFIX`, one whose keys are `PREFIX/<picture>`; or a
            folder of pictures (PNG, JPEG) that are maps, of the same names.

    Returns:
        The source, or None if the name is none of these: it may be that of a trained model.

    Raises:
        LookhearError: If it is an archive that is missing, is not one or has no such prefix.
    """
    if name == "centre":
        return lambda picture: centre_prior(picture.height, picture.width)
    if name.endswith(".npz"):
        return _archived_maps(Path(name), "")
    if ".npz:" in name:
        path, _, prefix = name.rpartition(":")
        return _archived_maps(Path(path), f"{prefix}/")
    folder = Path(name)
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return None
    files = {f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in _MAP_SUFFIXES}
    return _drawn_maps(folder, files) if files else None


def _annotations(pictures: Sequence[FixatedPicture]) -> Iterator[tuple[list[int], Annotation]]:
    """Batches of pictures of one size: their indices and annotation."""

    def size(index: int) -> tuple[int, int]:
        return pictures[index].height, pictures[index].width

    for (height, width), group in groupby(sorted(range(len(pictures)), key=size), key=size):
        total = np.zeros((height, width), dtype=np.int64)
        for picture in pictures:
            total += picture.fixation_map(height, width)
        indices = list(group)
        for start in range(0, len(indices), _BATCH):
            batch = indices[start : start + _BATCH]
            counts = torch.from_numpy(np.stack([pictures[i].fixation_map() for i in batch]))
            yield (
                batch,
                Annotation(
                    fixations=counts,
                    density=density(counts.double(), DENSITY_SIGMA_PER_WIDTH * width),
                    other_fixations=torch.from_numpy(total) - counts,
                ),
            )


def _map_of(picture: FixatedPicture, model: str, source: MapSource) -> Tensor:
    """The model's map at the picture's size, `(H, W)` float64."""
    values = np.asarray(source(picture))
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiub":
        raise LookhearError(
            f"{model}: the map of {picture.name} is {values.dtype} {values.shape}; "
            "it must be numbers (height, width)"
        )
    if not np.isfinite(values).all():
        raise LookhearError(f"{model}: the map of {picture.name} has NaN or infinity in it")
    return resize_to(torch.tensor(values, dtype=torch.float64), picture.height, picture.width)


def _archived_maps(path: Path, prefix: str) -> MapSource:
    """Maps of an .npz file, each read when asked for."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = {key for key in archive.files if key.startswith(prefix)}
    # A damaged file makes NumPy raise a dozen unrelated kinds of error, here and below.
    except Exception as error:
        raise LookhearError(
            f"{path}: not an .npz file that can be read ({type(error).__name__}); check the path"
        ) from error
    if not keys:
        raise LookhearError(f"{path}: has no map under {prefix}; check the part after the colon")

    def source(picture: FixatedPicture) -> NDArray[np.float32]:
        key = prefix + picture.path.stem
        if key not in keys:
            raise LookhearError(f"{path}: has no map {key}; add it or leave {picture.name} out")
        try:
            with np.load(path, allow_pickle=False) as archive:
                values: NDArray[np.float32] = archive[key]
        except Exception as error:
            raise LookhearError(
                f"{path}: the map {key} cannot be read ({type(error).__name__}); write it again"
            ) from error
        return values

    return source


def _drawn_maps(folder: Path, files: Mapping[str, Path]) -> MapSource:
    """Maps drawn as grey pictures, found by stem."""

    def source(picture: FixatedPicture) -> NDArray[np.float32]:
        file = files.get(picture.path.stem)
        if file is None:
            raise LookhearError(f"{folder}: has no map of {picture.name}; add it or leave it out")
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        if grey is None:
            raise LookhearError(f"{file}: not a picture that can be read; replace it")
        return np.asarray(grey, dtype=np.float32)

    return source
