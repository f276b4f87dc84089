"""The brightness of the paper behind a drawing, also under uneven light."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]

SAMPLES = 48
"""Pixels per side from which the light is estimated."""
ROUNDS = 12
"""Rounds of reweighting. After these, the estimate changes by less than a grey level."""
NORMAL = 1.4826
"""Standard deviation of normal noise divided by its median absolute deviation."""


class Paper(NamedTuple):
    """Brightness of the paper (n, height, width), and the standard deviation of its noise (n,)."""

    level: Grey
    noise: Grey


def uneven_paper(grey: Grey) -> Paper:
    """Fit a smooth surface to the paper of each drawing (n, height, width).

    The surface has degree two in x and y. It minimises the absolute deviation, so ink that covers less than half of
    the sheet hardly moves it, whether it is dark or light.
    """
    count, height, width = grey.shape
    every = -(-max(height, width) // SAMPLES)
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    sampled, seen = _basis(y[::every], x[::every]), grey[:, ::every, ::every].reshape(count, -1).astype(np.float64)
    coefficients, residuals = _least_absolute(sampled, seen)
    constant, of_x, of_y, of_xy, of_xx, of_yy = coefficients.T[:, :, None, None]
    level = (constant + y * (of_y + of_yy * y)) + x * ((of_x + of_xy * y) + of_xx * x)
    noise = NORMAL * np.median(residuals, axis=1)
    return Paper(level.astype(np.float32).clip(0, 255), noise.astype(np.float32))


def _least_absolute(basis: Numbers, seen: Numbers) -> tuple[Numbers, Numbers]:
    """Coefficients (n, k) of the basis (m, k) with the least absolute residuals (n, m), by reweighted least squares."""
    squares = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)
    ridge = 1e-6 * np.eye(basis.shape[1])
    weights = np.ones_like(seen)
    for _ in range(ROUNDS):
        normal = (weights @ squares).reshape(-1, *ridge.shape) + ridge
        coefficients = np.linalg.solve(normal, ((weights * seen) @ basis)[:, :, None])[:, :, 0]
        residuals = np.abs(seen - coefficients @ basis.T)
        weights = 1 / np.maximum(residuals, 1)
    return coefficients, residuals


def _basis(y: Numbers, x: Numbers) -> Numbers:
    """The monomials of degree up to two at each pixel of a grid, y (h, 1) and x (w,): (h * w, 6)."""
    monomials = np.broadcast_arrays(1.0, x, y, x * y, x * x, y * y)
    return np.stack(monomials, -1).reshape(-1, len(monomials))
