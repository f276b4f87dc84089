"""Slightly transformed copies of drawings, for adaptation and prediction. The transformations are fixed, not random."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

TRANSFORMATIONS = (
    # rotation in degrees, scale of the width, scale of the height, shear
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
"""In order of increasing change."""


def augmented_copies(images: Tensor, count: int) -> Tensor:
    """The first `count` copies (count, n, channels, h, w) of images (n, channels, h, w). The first copy is the image
    itself."""
    if count == 1:
        return images.unsqueeze(0)
    return torch.stack([images, *(_transformed(images, *TRANSFORMATIONS[i]) for i in range(1, count))])


def _transformed(images: Tensor, rotation: float, width: float, height: float, shear: float) -> Tensor:
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    rows = [[width * cos, shear * cos - height * sin, 0.0], [width * sin, shear * sin + height * cos, 0.0]]
    matrix = torch.tensor([rows], dtype=images.dtype, device=images.device)
    grid = F.affine_grid(matrix, [1, *images.shape[1:]], align_corners=False)
    return F.grid_sample(images, grid.expand(images.shape[0], -1, -1, -1), align_corners=False)
