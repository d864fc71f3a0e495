"""What networks share: backbones, sound encoders, where they are saved, and what runs them."""

from typing import Literal, TypeAlias

Engine: TypeAlias = Literal["onnx", "torch"]
"""What runs a network: ONNX Runtime, or PyTorch."""
