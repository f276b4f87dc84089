"""Views: the same drawing, a little moved. For adaptation and prediction, so without chance."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

VIEWS = (
    # turn in degrees, width, height, shear
    (0.0, 1.0, 1.0, 0.0),
    (10.0, 1.0, 1.0, 0.0),
    (-10.0, 1.0, 1.0, 0.0),
    (0.0, 1.15, 0.9, 0.0),
    (0.0, 0.9, 1.15, 0.0),
    (0.0, 1.0, 1.0, 0.2),
    (0.0, 1.0, 1.0, -0.2),
    (0.0, 1.12, 1.12, 0.0),
    (0.0, 0.9, 0.9, 0.0),
)
"""In the order in which they are taken: those that change a drawing least come first."""


def augmented_views(images: Tensor, count: int) -> Tensor:
    """The first `count` views (count, n, channels, h, w) of images (n, channels, h, w); the first is the image."""
    if count == 1:
        return images.unsqueeze(0)
    return torch.stack([images, *(_moved(images, *VIEWS[i]) for i in range(1, count))])


def _moved(images: Tensor, turn: float, wide: float, high: float, shear: float) -> Tensor:
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    rows = [[wide * cos, shear * cos - high * sin, 0.0], [wide * sin, shear * sin + high * cos, 0.0]]
    matrix = torch.tensor([rows], dtype=images.dtype, device=images.device).expand(len(images), 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
