"""Sound as the log-spectrograms that networks read: of a second, or in bands as wide as we hear."""

from functools import cache
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


MEL_BANDS = 64
MEL_WINDOW, MEL_HOP = 400, 160  # samples: 25 ms every 10 ms
MEL_ROWS_A_SECOND = SAMPLE_RATE // MEL_HOP
_MEL_FFT = 512  # samples
_MEL_RANGE = (125.0, 7500.0)  # Hz
_MEL_OFFSET = 0.01


def log_mel(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel spectrogram as VGGish hears it.

    `log(mel + 0.01)` of the magnitudes of windows of 25 ms every 10 ms (periodic Hann, Fourier
    transform of 512), in 64 bands from 125 to 7,500 Hz (Hershey et al., "CNN Architectures for
    Large-Scale Audio Classification", ICASSP 2017, and the released VGGish).

    Args:
        waveform: `(samples,)` float32 mono at 16 kHz in [-1, 1].

    Returns:
        `(1 + (samples - 400) // 160, 64)` float32, a row for each window; -4.605 is silence.

    Raises:
        ValueError: If the waveform is not `(samples,)` or is shorter than a window.
    """
    if waveform.ndim != 1 or len(waveform) < MEL_WINDOW:
        raise ValueError(
            f"waveform must be (samples,) of at least {MEL_WINDOW} samples, not {waveform.shape}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), MEL_WINDOW)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / MEL_WINDOW * np.arange(MEL_WINDOW))
    magnitudes = np.abs(np.fft.rfft(windows[::MEL_HOP] * hann, _MEL_FFT))
    return np.log(magnitudes @ _mel_bands() + _MEL_OFFSET).astype(np.float32)


@cache
def _mel_bands() -> NDArray[np.float64]:
    """How much each frequency counts in each band, `(257, 64)`: triangles on the mel scale."""
    frequencies = _mel(np.linspace(0, SAMPLE_RATE / 2, _MEL_FFT // 2 + 1))[:, None]
    lowest, highest = _mel(np.array(_MEL_RANGE)).tolist()
    edges = np.linspace(lowest, highest, MEL_BANDS + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    bands: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    bands[0] = 0  # what is constant is no sound
    return bands


def _mel(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    mels: NDArray[np.float64] = 1127 * np.log1p(frequencies / 700)
    return mels
