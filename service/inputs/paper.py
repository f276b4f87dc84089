"""The brightness of the paper behind a drawing, also under uneven light."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

SAMPLES = 48
"""Pixels per side from which the light is estimated."""
ROUNDS = 12
"""Rounds of reweighting. After these, the estimate changes by less than a grey level."""
NORMAL = 1.4826
"""Standard deviation of normal noise divided by its median absolute deviation."""


class Paper(NamedTuple):
    """Brightness of the paper (height, width), and the standard deviation of its noise."""

    level: Grey
    noise: float


def uneven_paper(grey: Grey) -> Paper:
    """Fit a smooth surface to the paper of a drawing (height, width).

    The surface has degree two in x and y. It minimises the absolute deviation, so ink that covers less than half of
    the sheet hardly moves it, whether it is dark or light.
    """
    height, width = grey.shape
    every = -(-max(height, width) // SAMPLES)
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    sampled, seen = _basis(y[::every], x[::every]), grey[::every, ::every].ravel()
    weights = np.ones(len(seen))
    for _ in range(ROUNDS):
        weighted = sampled.T * weights
        coefficients = np.linalg.solve(weighted @ sampled + 1e-6 * np.eye(len(weighted)), weighted @ seen)
        residuals = np.abs(seen - sampled @ coefficients)
        weights = 1 / np.maximum(residuals, 1)
    constant, of_x, of_y, of_xy, of_xx, of_yy = coefficients
    level = (constant + y * (of_y + of_yy * y)) + x * ((of_x + of_xy * y) + of_xx * x)
    return Paper(level.astype(np.float32).clip(0, 255), NORMAL * float(np.median(residuals)))


def _basis(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The monomials of degree up to two at each pixel of a grid, y (h, 1) and x (w,): (h * w, 6)."""
    monomials = np.broadcast_arrays(1.0, x, y, x * y, x * x, y * y)
    return np.stack(monomials, -1).reshape(-1, len(monomials))
