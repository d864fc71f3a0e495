"""A second of sound as the log-spectrogram that the sound encoders read."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lookhear.media.sound import SAMPLE_RATE


class Stft(NamedTuple):
    """How a short-time Fourier transform cuts the sound up."""

    window: int  # samples of a window; `window // 2 + 1` frequencies
    overlap: int  # samples that two windows share, fewer than `window`


REPORT = Stft(160, 80)  # 10 ms every 5 ms: 81 x 199 a second (the reimplementation report)
VGGSOUND = Stft(512, 353)  # 32 ms every 10 ms: 257 x 98 a second (VGGSound's own network)


def log_spectrogram(
    waveform: NDArray[np.float32], window: int, overlap: int
) -> NDArray[np.float32]:
    """Log-spectrogram, standardised over the whole.

    `log(spectrogram + 1e-7)` of the sound clipped to -1 to 1, less its mean, over its deviation
    (Chen et al., "VGGSound", ICASSP 2020). The spectrogram is `scipy.signal.spectrogram`'s
    power density: Tukey window of shape 0.25, each window less its mean, nothing padded.

    Args:
        waveform: `(samples,)` float32 mono at 16 kHz; 16,000 are a second.
        window: See `Stft`; at most the samples of the waveform.
        overlap: See `Stft`.

    Returns:
        `(window // 2 + 1, (samples - overlap) // (window - overlap))` float32, of mean 0 and
        deviation 1. Silence, having no deviation, gives zeros (to 1e-5).

    Raises:
        ValueError: If the waveform is not `(samples,)` or is shorter than a window.
    """
    if waveform.ndim != 1 or len(waveform) < window:
        raise ValueError(
            f"waveform must be (samples,) of at least {window} samples, not {waveform.shape}"
        )
    import scipy.signal  # takes a second, and most of what predicts does not hear

    # In float64: in float32 the logarithms of quiet bins are good to 1e-5 only.
    _, _, power = scipy.signal.spectrogram(
        np.clip(waveform, -1, 1).astype(np.float64), SAMPLE_RATE, nperseg=window, noverlap=overlap
    )
    log_power = np.log(power + 1e-7)
    deviation = log_power.std() + 1e-9
    return np.asarray((log_power - log_power.mean()) / deviation, dtype=np.float32)
