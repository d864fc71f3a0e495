"""Densities of one spot."""

import torch
from torch import Tensor


def blob(height: int, width: int, y: float, x: float, size: float = 3) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * size**2))
