"""Augmentation of drawings, for training."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Standard deviations of normal distributions.
ROTATION = math.radians(12)
STRETCH = 0.15  # of the logarithm of the scale
SHEAR = 0.2
SHIFT = 0.1  # of half the width: 1.4 pixels of 28
BEND = 0.06  # of half the width
KNOTS = 5


def affine(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Rotate, stretch, shear and shift each drawing of (n, 1, h, w) by random amounts. The border is paper (0)."""
    return F.grid_sample(images, _affine_grid(images, rng), align_corners=False)


def elastic(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Like `affine`, and bend: shift pixels by a smooth field with KNOTS x KNOTS random points (Simard et al. 2003)."""
    n, _, height, width = images.shape
    shifts = torch.tensor(rng.normal(0, BEND, (n, 2, KNOTS, KNOTS)), dtype=images.dtype)
    field = F.interpolate(shifts, (height, width), mode="bicubic", align_corners=True)
    return F.grid_sample(images, _affine_grid(images, rng) + field.permute(0, 2, 3, 1), align_corners=False)


AUGMENTATIONS: dict[str, Callable[[Tensor, np.random.Generator], Tensor]] = {"affine": affine, "elastic": elastic}


def _affine_grid(images: Tensor, rng: np.random.Generator) -> Tensor:
    n = len(images)
    angle, shear = rng.normal(0, ROTATION, n), rng.normal(0, SHEAR, n)
    width, height = np.exp(rng.normal(0, STRETCH, (2, n)))
    cos, sin = np.cos(angle), np.sin(angle)
    shift = rng.normal(0, SHIFT, (2, n))
    rows = [[width * cos, shear * cos - height * sin, shift[0]], [width * sin, shear * sin + height * cos, shift[1]]]
    matrices = torch.tensor(np.array(rows).transpose(2, 0, 1), dtype=images.dtype)
    return F.affine_grid(matrices, list(images.shape), align_corners=False)
