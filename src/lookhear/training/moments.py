"""Prepared moments as trainings take them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lookhear.data.loader import Moments
from lookhear.data.readers.tagged import Split
from lookhear.data.shards import read_complete
from lookhear.errors import LookhearError
from lookhear.media.spectrogram import Stft
from lookhear.nets.sound import SOUND_ENCODERS


def train_and_val(
    prepared: Path, moments: Callable[[Split], Moments], batch_size: int
) -> tuple[Moments, Moments | None]:
    """Open the moments to train on and, where there are any, those to validate on.

    Args:
        prepared: what :func:`~lookhear.data.prepare.prepare` made.
        moments: opens those of a split.
        batch_size: how many there must be at least.

    Raises:
        LookhearError: they cannot be read, or are too few.
    """
    data = moments("train")
    if len(data) < batch_size:
        raise LookhearError(
            f"{prepared}: its {len(data)} moments are fewer than a batch of {batch_size}; "
            "prepare more clips"
        )
    return data, moments("val") if read_complete(prepared).moments["val"] else None


def require_categories(data: Moments, prepared: Path) -> None:
    """Refuse moments that are all of one category.

    Raises:
        LookhearError: so it is.
    """
    if len(data.tags) < 2:
        raise LookhearError(f"{prepared}: has one category only; classifiers need two at least")


def require_sound(data: Moments, prepared: Path) -> None:
    """Refuse moments of which none has sound.

    Raises:
        LookhearError: so it is.
    """
    if not any(data.has_sound(index) for index in range(len(data))):
        raise LookhearError(f"{prepared}: none of its clips has sound, which STANet learns from")


def windows_of(net: Mapping[str, Any]) -> Stft:
    """The windows of the spectrograms that a network with these arguments hears."""
    return SOUND_ENCODERS[net.get("sound_encoder", "vggsound")].windows
