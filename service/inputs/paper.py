"""The brightness of the paper behind a drawing, also where light falls unevenly."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

SAMPLES = 48
"""Pixels of each side that the light is estimated from."""
ROUNDS = 12
"""Of reweighting: enough for the estimate to move by less than a grey level."""
NORMAL = 1.4826
"""The standard deviation of normal noise, in median absolute deviations."""


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
    basis = _basis(height, width)
    sampled, seen = basis[::every, ::every].reshape(-1, basis.shape[-1]), grey[::every, ::every].ravel()
    weights = np.ones(len(seen))
    for _ in range(ROUNDS):
        weighted = sampled.T * weights
        coefficients = np.linalg.solve(weighted @ sampled + 1e-6 * np.eye(len(weighted)), weighted @ seen)
        residuals = np.abs(seen - sampled @ coefficients)
        weights = 1 / np.maximum(residuals, 1)
    level = (basis @ coefficients).astype(np.float32).clip(0, 255)
    return Paper(level, NORMAL * float(np.median(residuals)))


def _basis(height: int, width: int) -> NDArray[np.float64]:
    """The monomials of degree up to two at each pixel: (height, width, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1)
