"""A clip as a stream: frames with their times, 16 kHz mono sound on the same clock, and back."""

from lookhear.media.clip import TIMESTAMP_ERROR, Clip
from lookhear.media.opening import open_clip
from lookhear.media.picture import Frame, Matrix, Picture, Planes, shaped_like
from lookhear.media.sound import SAMPLE_RATE, Samples, SoundWindows, read_sound
from lookhear.media.write import VideoWriter

__all__ = [
    "SAMPLE_RATE",
    "TIMESTAMP_ERROR",
    "Clip",
    "Frame",
    "Matrix",
    "Picture",
    "Planes",
    "Samples",
    "SoundWindows",
    "VideoWriter",
    "open_clip",
    "read_sound",
    "shaped_like",
]
