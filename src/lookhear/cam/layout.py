"""Where in a layer's output its places are: maps, maps with channels last, or tokens.

Networks that look at each frame by itself, as a CNN before an LSTM, fold the frames of a clip into
the batch: (B, C, T, H, W) goes in, and a layer gives (B * T, C, h, w), the frames of a clip one
after the other or those of all clips at a time.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from torch import Tensor

Grid: TypeAlias = tuple[int, ...]
"""Height and width of the places, or times, height and width."""
MOST_PREFIX_TOKENS = 5  # a class token and four registers


@dataclass(frozen=True)
class Layout:
    """How the output of a layer is laid out.

    Attributes:
        kind: channels first (B, C, *grid), channels last (B, *grid, C), or tokens
            (B, prefix + places, C).
        grid: of the places.
        prefix: how many tokens come before those of the places, such as a class token.
        index: where in a tuple of outputs the features are; None if the output is a tensor.
        frames: how many frames of each clip are folded into the batch; None if they are not.
        times_first: whether the batch then has the first frames of all clips first.
    """

    kind: Literal["channels first", "channels last", "tokens"]
    grid: Grid
    prefix: int = 0
    index: int | None = None
    frames: int | None = None
    times_first: bool = False

    def pick(self, output: Any) -> Tensor:
        """Return the tensor with the features."""
        tensor: Tensor = output if self.index is None else output[self.index]
        return tensor

    def maps(self, tensor: Tensor) -> Tensor:
        """Return the features of the places, (B, C, *grid)."""
        if self.frames is not None:
            of_frames = self._of_a_frame.maps(tensor)
            sides = of_frames.shape[1:]
            if self.times_first:
                return of_frames.reshape(self.frames, -1, *sides).permute(1, 2, 0, 3, 4)
            return of_frames.reshape(-1, self.frames, *sides).transpose(1, 2)
        if self.kind == "channels first":
            return tensor
        if self.kind == "channels last":
            return tensor.movedim(-1, 1)
        channels_first = tensor[:, self.prefix :].transpose(1, 2)
        return channels_first.reshape(*channels_first.shape[:2], *self.grid)

    def put(self, maps: Tensor, output: Any) -> Any:
        """Return the output with other features (B, C, *grid) at its places."""
        if self.frames is not None:
            order = (2, 0, 1, 3, 4) if self.times_first else (0, 2, 1, 3, 4)
            return self._of_a_frame.put(maps.permute(order).flatten(0, 1), output)
        tensor = self.pick(output)
        if self.kind == "channels first":
            changed = maps
        elif self.kind == "channels last":
            changed = maps.movedim(1, -1)
        else:
            changed = tensor.detach().clone()  # gradients begin at the places
            changed[:, self.prefix :] = maps.flatten(2).transpose(1, 2)
        if self.index is None:
            return changed
        parts = [*output[: self.index], changed, *output[self.index + 1 :]]
        return output._make(parts) if hasattr(output, "_make") else type(output)(parts)

    @property
    def _of_a_frame(self) -> "Layout":
        return replace(self, grid=self.grid[1:], frames=None)


def layout_of(output: Any, batch: int, size: Grid, patches: Grid) -> Layout | None:
    """Find the places in an output.

    Args:
        output: of a layer.
        batch: how many inputs the network got.
        size: height and width of the inputs, or times, height and width.
        patches: the grid that tokens were cut from, or one of its shape.

    Returns:
        None if there are no places, or but one, or several tensors have some.
    """
    if isinstance(output, Tensor):
        return _layout_of_tensor(output, batch, size, patches)
    if not isinstance(output, tuple | list):
        return None
    # Blocks of torchvision's MViT tell the grid of their tokens.
    grids = [part for part in output if _is_grid(part, len(size))]
    told = tuple(grids[0]) if grids else patches
    found = [
        Layout(layout.kind, layout.grid, layout.prefix, index)
        for index, part in enumerate(output)
        if isinstance(part, Tensor) and (layout := _layout_of_tensor(part, batch, size, told))
    ]
    return found[0] if len(found) == 1 else None


def _is_grid(part: Any, axes: int) -> bool:
    return (
        isinstance(part, tuple | list)
        and len(part) == axes
        and all(isinstance(side, int) for side in part)
    )


def _layout_of_tensor(tensor: Tensor, batch: int, size: Grid, patches: Grid) -> Layout | None:
    if tensor.ndim < 3 or not tensor.is_floating_point():
        return None
    folded = len(size) == 3 and tensor.ndim < 5 and not tensor.shape[0] % batch
    if folded and (tensor.shape[0] > batch or tensor.ndim == 4):
        frames = tensor.shape[0] // batch
        of_frame = _layout_of_tensor(tensor, len(tensor), size[1:], patches[-2:])
        if of_frame is None or frames > size[0]:
            return None
        return replace(of_frame, grid=(frames, *of_frame.grid), frames=frames)
    if tensor.shape[0] != batch:
        return None
    if tensor.ndim == len(size) + 2:
        first = Layout("channels first", tuple(tensor.shape[2:]))
        last = Layout("channels last", tuple(tensor.shape[1:-1]))
        fitting = [layout for layout in (first, last) if _fits(layout.grid, size)]
        likely = min(fitting, key=lambda layout: _distortion(layout.grid, size), default=None)
        return likely if likely and math.prod(likely.grid) > 1 else None
    return _layout_of_tokens(tensor.shape[1], patches) if tensor.ndim == 3 else None


def _fits(grid: Grid, size: Grid) -> bool:
    return all(side <= whole for side, whole in zip(grid, size, strict=True))


def _distortion(grid: Grid, size: Grid) -> float:
    """How far the places are from being as wide as high, in the input; 0 if they are."""
    *_, rows, columns = grid
    *_, height, width = size
    return abs(math.log(height * columns / (width * rows)))


def _layout_of_tokens(tokens: int, patches: Grid) -> Layout | None:
    """The grid of the patches, or one of as many times and as wide for its height."""
    prefixes = range(min(MOST_PREFIX_TOKENS, tokens - 2) + 1)
    if tokens - math.prod(patches) in prefixes:
        return Layout("tokens", patches, tokens - math.prod(patches))
    *times, rows, columns = patches
    for prefix in prefixes:
        places, rest = divmod(tokens - prefix, math.prod(times))
        height = round(math.sqrt(places * rows / columns))
        if rest or not height or places % height:
            continue
        width = places // height
        if abs(height * columns - width * rows) < max(rows, columns):
            return Layout("tokens", (*times, height, width), prefix)
    return None
