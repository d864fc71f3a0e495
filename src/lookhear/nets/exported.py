"""Networks in ONNX files, run over clips by ONNX Runtime: PyTorch is not needed.

A file is two graphs, so that a frame's features are computed once. *see* is the file's own: from
``pictures`` (N, h, w, 3), uint8 RGB, and, of a network that hears, ``spectrograms``
(N, frequencies, times) and ``audible`` (N,), to the parts of what is seen, of N frames each.
*attend* is among the metadata: from parts of the frames around a moment, each named
``PART@SHIFT``, to maps (B, h, w) from 0 to 1. A network of several that see at sizes of their own
also takes ``pictures.1`` and so on, float32 from 0 to 1. :mod:`lookhear.nets.export` writes them.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lookhear.errors import LookhearError, one_line
from lookhear.maps import Maps, highest
from lookhear.media import SAMPLE_RATE
from lookhear.media.picture import resampled
from lookhear.media.spectrogram import Stft
from lookhear.nets.devices import CPU, CUDA, has_cuda
from lookhear.nets.watching import Eye
from lookhear.parallel import cores

FACTS, ATTEND = "lookhear", "attend"
"""Keys of the metadata: what there is to know, as JSON, and the graph in base 64."""
FORMAT = 1
PICTURES, SPECTROGRAMS, AUDIBLE = "pictures", "spectrograms", "audible"
MOST_BYTES = 2**31  # of a file, as ONNX has it
MOST_REACH = 200  # frames
CPU_PROVIDER = ["CPUExecutionProvider"]
SIDE_BY_SIDE = 2  # frames, each on its share of the cores: within one, cores wait for each other


@dataclass(frozen=True)
class Facts:
    """What there is to know of a network beside its graphs.

    Attributes:
        network: its name in :data:`~lookhear.nets.saved.NETWORKS`.
        version: of lookhear, which wrote the file.
        reach: see :class:`~lookhear.nets.watching.Watcher`.
        eyes: how large it sees pictures; the first is of ``pictures``.
        mean, std: by which the graph scales red, green and blue from 0 to 1.
        windows: of the spectrogram that it hears; None if it is deaf.
        stretched: where the maps are several, whose highest counts: whether each is stretched to
            run from 0 to 1 first; None where there is one.
    """

    network: str
    version: str
    reach: int
    eyes: tuple[Eye, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    windows: Stft | None = None
    stretched: bool | None = None

    def to_json(self) -> str:
        """Write them as :meth:`from_json` reads them."""
        return json.dumps({"format": FORMAT} | asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Facts":
        """Read and check them.

        Raises:
            ValueError: they are no facts.
        """
        told = json.loads(text)
        if not isinstance(told, dict) or told.pop("format", None) != FORMAT:
            raise ValueError("is of another version of lookhear; export it again")
        try:
            eyes = tuple(Eye.checked(**eye) for eye in told.pop("eyes"))
            windows = told.pop("windows")
            told["mean"], told["std"] = (tuple(map(float, told[of])) for of in ("mean", "std"))
            facts = cls(**told, eyes=eyes, windows=None if windows is None else _stft(*windows))
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"its facts are damaged: {one_line(error)}") from error
        if not (isinstance(facts.reach, int) and 0 <= facts.reach <= MOST_REACH and eyes):
            raise ValueError("its facts are damaged: reach and eyes are none")
        return facts


def _stft(window: int, overlap: int) -> Stft:
    if not 0 <= overlap < window <= 16_000:
        raise ValueError("its facts are damaged: windows of sound are none")
    return Stft(int(window), int(overlap))


class Look(NamedTuple):
    """What is kept of a frame: its height and width in pixels, and each part that is seen."""

    size: tuple[int, int]
    parts: dict[str, NDArray[np.float32]]


class ExportedWatcher:
    """A network in an ONNX file as a :class:`~lookhear.nets.watching.Watcher`.

    Args:
        file: as :func:`~lookhear.nets.export.export` writes it.
        device: ``"cpu"``; or ``"cuda"``, ``"cuda:1"``, where ONNX Runtime can; None for CUDA where
            it can, else the CPU.

    Raises:
        LookhearError: the file cannot be read or is none of lookhear's, or there is no such device.
    """

    def __init__(self, file: Path, device: str | None = None) -> None:
        self._file = file
        self._providers = _providers(device)
        with self._readable():
            self._see = self._graph(self._content())
            self._attend = self._graph(
                base64.b64decode(_metadata(self._see, ATTEND), validate=True)
            )
            self.facts = Facts.from_json(_metadata(self._see, FACTS))
            self.reach, self.windows = self.facts.reach, self.facts.windows
            self.size_for = self.facts.eyes[0].size_for
            self._parts = [part.name for part in self._see.get_outputs()]
            self._asked = [part.name for part in self._see.get_inputs()]
            if PICTURES not in self._asked or not self._given >= {*self._asked}:
                raise ValueError("its graphs are of another program's")
            asked = [look.name for look in self._attend.get_inputs()]
            self._looks = [_placed(name, self._parts, self.reach) for name in asked]

    def see(
        self,
        pictures: NDArray[np.uint8],
        spectrograms: NDArray[np.float32] | None = None,
        audible: NDArray[np.float32] | None = None,
    ) -> list[Look]:
        """See :meth:`~lookhear.nets.watching.Watcher.see`."""
        count, *size = pictures.shape[:3]
        given: dict[str, NDArray[Any]] = {PICTURES: pictures}
        for at, eye in enumerate(self.facts.eyes[1:], 1):
            given[f"{PICTURES}.{at}"] = resampled(pictures, eye.size_for(*size)) / 255
        if self.windows is not None:
            if spectrograms is None:
                spectrograms = np.zeros((count, *spectrogram_size(self.windows)), np.float32)
                audible = np.zeros(count, np.float32)
            given[SPECTROGRAMS] = spectrograms
            given[AUDIBLE] = np.ones(count, np.float32) if audible is None else audible
        given = {name: array for name, array in given.items() if name in self._asked}
        step = 1 if self._providers == CPU_PROVIDER else count

        def looks(start: int) -> list[Look]:
            some = {name: array[start : start + step] for name, array in given.items()}
            with self._readable("fails"):
                seen = self._see.run(None, some)
            return [
                Look((size[0], size[1]), dict(zip(self._parts, parts, strict=True)))
                for parts in zip(*seen, strict=True)
            ]

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return [*chain.from_iterable(pool.map(looks, range(0, count, step)))]

    def attend(self, moments: Sequence[tuple[Look, ...]]) -> Maps:
        """See :meth:`~lookhear.nets.watching.Watcher.attend`."""
        given = {
            name: np.stack([looks[at].parts[part] for looks in moments])
            for name, part, at in self._looks
        }
        with self._readable("fails"):
            maps: list[Maps] = self._attend.run(None, given)
            if any(of.ndim != 3 or len(of) != len(moments) for of in maps):
                raise ValueError("what it gives are no maps")
        if self.facts.stretched is None:
            return maps[0]
        return highest(maps, moments[0][0].size, stretched=self.facts.stretched)

    def half_the_cores(self) -> AbstractContextManager[None]:
        """Do nothing: threads that do not spin while they wait leave cores to others as it is."""
        return nullcontext()

    def _graph(self, content: bytes) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.log_severity_level = 4  # what is wrong is said by the exception, too
        options.intra_op_num_threads = max(1, cores() // SIDE_BY_SIDE)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Weights may lie in this folder, and, as ONNX Runtime sees to, nowhere else.
        folder = str(self._file.resolve().parent)
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", folder
        )
        return ort.InferenceSession(content, options, providers=self._providers)

    def _content(self) -> bytes:
        if self._file.stat().st_size > MOST_BYTES:
            raise ValueError("is larger than ONNX files can be")
        return self._file.read_bytes()

    @property
    def _given(self) -> set[str]:
        """What *see* can be given."""
        pictures = {PICTURES, *(f"{PICTURES}.{at}" for at in range(1, len(self.facts.eyes)))}
        return pictures | ({SPECTROGRAMS, AUDIBLE} if self.windows is not None else set())

    @contextmanager
    def _readable(self, said: str = "cannot be used") -> Iterator[None]:
        """Say in one line what is wrong with a file, which may be anything."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:  # ONNX Runtime has a dozen kinds without a common one
            raise LookhearError(f"model {self._file}: {said}: {_reason(error)}") from error


def _metadata(see: ort.InferenceSession, key: str) -> str:
    told: dict[str, str] = see.get_modelmeta().custom_metadata_map
    if key not in told:
        raise ValueError("was not written by lookhear export")
    return told[key]


def _placed(name: str, parts: Sequence[str], reach: int) -> tuple[str, str, int]:
    """Of what *attend* asks for: its name, which part, and of which frame of a moment."""
    part, _, shift = name.rpartition("@")
    if part in parts and shift.removeprefix("-").isdigit() and abs(int(shift)) <= reach:
        return name, part, reach + int(shift)
    raise ValueError(f"attends to {name}, which nothing sees")


def spectrogram_size(windows: Stft) -> tuple[int, int]:
    """How many frequencies and times a spectrogram of a second has."""
    step = windows.window - windows.overlap
    return windows.window // 2 + 1, (SAMPLE_RATE - windows.overlap) // step


def _providers(device: str | None) -> list[Any]:
    default = CUDA if has_cuda() and has_cuda_provider() else CPU
    name, _, number = (device or default).partition(":")
    if name == CPU:
        return CPU_PROVIDER
    if name == CUDA and has_cuda_provider() and (number or "0").isdigit():
        return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), *CPU_PROVIDER]
    raise LookhearError(
        f"device {device}: ONNX Runtime cannot use it here; give cpu, or install onnxruntime-gpu "
        "or lookhear[torch]"
    )


def has_cuda_provider() -> bool:
    """Say whether the ONNX Runtime that is installed is one for CUDA."""
    return "CUDAExecutionProvider" in ort.get_available_providers()


def _reason(error: Exception) -> str:
    """What ONNX Runtime says, less its codes and places in its source."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return one_line(error).rpartition("] : ")[2].partition(" : ")[2] or one_line(error)
