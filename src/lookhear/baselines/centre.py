"""People look at the middle of a picture, whatever it shows.

Tatler, "The central fixation bias in scene viewing", Journal of Vision 7(14):4, 2007.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookhear.errors import LookhearError

# Of each side of the picture, so that the prior stretches with it. Of the multiples of 0.05 the
# one of the highest mean NSS on OSIE's training pictures, where looks spread by 0.2 of each side.
CENTRE_SIGMA = 0.25


@dataclass(frozen=True)
class Centre:
    """A Gaussian over a picture, in shares of its sides.

    Attributes:
        x: Its middle, 0 the left edge and 1 the right one.
        y: Its middle, 0 the upper edge and 1 the lower one.
        sigma_x: Its standard deviation along x.
        sigma_y: Its standard deviation along y.
    """

    x: float = 0.5
    y: float = 0.5
    sigma_x: float = CENTRE_SIGMA
    sigma_y: float = CENTRE_SIGMA

    def prior(self, height: int, width: int) -> NDArray[np.float32]:
        """Lay the Gaussian over a picture: `(height, width)` float32, at most 1."""
        y = ((np.arange(height) + 0.5) / height - self.y) / self.sigma_y
        x = ((np.arange(width) + 0.5) / width - self.x) / self.sigma_x
        return np.exp(-0.5 * (y[:, None] ** 2 + x**2)).astype(np.float32)


def centre_prior(height: int, width: int) -> NDArray[np.float32]:
    """A Gaussian at the picture's centre: `(height, width)` float32, above 0, at most 1."""
    return Centre().prior(height, width)


def fitted_centre(places: NDArray[np.float64]) -> Centre:
    """The Gaussian under which places that people looked at are likeliest.

    Args:
        places: `(N, 2)` x and y, from 0 to 1 across the picture they were looked at in.

    Returns:
        The Gaussian of the places' mean and standard deviation along each axis.

    Raises:
        LookhearError: If the places do not spread along both axes.
        ValueError: If they are not `(N, 2)` from 0 to 1.
    """
    if places.ndim != 2 or places.shape[1] != 2 or not ((places >= 0) & (places <= 1)).all():
        raise ValueError(f"places must be (N, 2) from 0 to 1, not {places.shape}")
    if not len(places) or (np.ptp(places, axis=0) == 0).any():
        raise LookhearError(
            f"the {len(places)} places looked at do not spread; fit the centre to more fixations"
        )
    (x, y), (sigma_x, sigma_y) = places.mean(0).tolist(), places.std(0).tolist()
    return Centre(x, y, sigma_x, sigma_y)
