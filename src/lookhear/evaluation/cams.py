"""Class activation maps as models: where a classifier sees the class it finds most probable."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lookhear.cam import class_activation
from lookhear.errors import LookhearError
from lookhear.evaluation.models import Heard, Note, batches, moment_of, pixels_of
from lookhear.evaluation.stimuli import Stimulus
from lookhear.maps import Maps
from lookhear.nets.imported import is_size
from lookhear.nets.kinds import NamingNetwork


class OfSource:
    """Where S, SA or ST sees the class that it finds most probable, by a method of CAM."""

    def __init__(self, net: NamingNetwork, method: str) -> None:
        self._net = net
        self._method = method

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        net = self._net
        device = _device(net)
        heard = Heard(subject, net.windows)
        for some in batches(indices):
            frames = _pictures(subject, some, net.input_size).to(device)
            sounds, around = heard.around(some)[0], None
            if net.looks_around:
                moments = [moment_of(subject, index) for index in some]
                around = torch.stack(
                    [_pictures(subject, [m[i] for m in moments], net.input_size) for i in (0, 2)], 1
                ).to(device)
            spectrograms = None if sounds is None else torch.from_numpy(sounds).to(device)
            classifier = net.as_classifier(spectrograms, around)
            with torch.inference_mode():
                classes = classifier(frames).argmax(1)
            maps = class_activation(classifier, frames, classes.clone(), self._method)
            yield from maps.cpu().numpy()


class OfOwn:
    """Where a user's classifier sees the class that it finds most probable, by a method of CAM.

    Nobody can tell whether the code behind it has changed, so scores are not kept for another time.

    It takes pictures (B, 3, H, W), RGB in [0, 1], at the size that it has as its ``input_size``,
    or that of the frames.

    Raises:
        LookhearError: Its ``input_size`` is none.
    """

    is_foreign_code = True

    def __init__(self, net: nn.Module, method: str) -> None:
        self._net = net
        self._method = method
        self._size = getattr(net, "input_size", None)
        if self._size is not None and not is_size(self._size):
            raise LookhearError(
                f"network {type(net).__name__}: its input_size must be (height, width) in pixels, "
                f"not {self._size!r}"
            )

    def maps(self, subject: Stimulus, indices: Sequence[int], note: Note) -> Iterator[Maps]:
        """See `Model`."""
        del note
        device = _device(self._net)
        for some in batches(indices):
            frames = _pictures(subject, some, self._size).to(device)
            classes = self._logits(frames).argmax(1)
            yield from class_activation(self._net, frames, classes, self._method).cpu().numpy()

    def _logits(self, frames: Tensor) -> Tensor:
        name = type(self._net).__name__
        try:
            with torch.no_grad():
                logits = self._net(frames)
        except Exception as error:  # whatever a stranger's code raises
            raise LookhearError(
                f"network {name}: fails on pictures {tuple(frames.shape)}: {error}"
            ) from error
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise LookhearError(
                f"network {name}: gives no logits (pictures, classes); wrap it in a module"
                " that does"
            )
        return logits


def _device(net: nn.Module) -> torch.device:
    return next((of.device for of in net.parameters()), torch.device("cpu"))


def _pictures(
    subject: Stimulus, indices: Sequence[int], size: tuple[int, int] | None = None
) -> Tensor:
    """Frames as a network of PyTorch takes them, (N, 3, H, W), RGB in [0, 1]; see `pixels_of`."""
    return torch.from_numpy(pixels_of(subject, indices, size)).permute(0, 3, 1, 2).float() / 255
