"""Heads of networks with the weights of the goldens."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lookhear.stanet.published import PUBLISHED, renamed

GOLDEN = Path(__file__).parent / "golden"


def load_golden(name: str, kind: str, head: nn.Module) -> dict[str, Tensor]:
    """Give ``head`` the golden's weights, none left over and none missing; return all arrays.

    Args:
        name: of the golden.
        kind: by whose names of weights, of `PUBLISHED`.
        head: of that network.
    """
    with np.load(GOLDEN / f"{name}.npz") as golden:
        arrays = {key: torch.from_numpy(golden[key]) for key in golden.files}
    weights = {
        key.removeprefix("weight/"): array
        for key, array in arrays.items()
        if key.startswith("weight/")
    }
    ours = renamed(weights, PUBLISHED[kind].names)
    head.load_state_dict({key.removeprefix("head."): array for key, array in ours.items()})
    return arrays
