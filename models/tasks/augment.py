"""Augmentation of drawings, for training."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TURN = math.radians(12)
STRETCH = 0.15
SHEAR = 0.2
SHIFT = 0.1  # of half the width: 1.4 pixels of 28


def affine(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Each drawing of (n, 1, h, w) turned, stretched, sheared and shifted a little, on its own; paper (0) fills in."""
    n = len(images)
    turn, shear = rng.normal(0, TURN, n), rng.normal(0, SHEAR, n)
    wide, high = np.exp(rng.normal(0, STRETCH, (2, n)))
    cos, sin = np.cos(turn), np.sin(turn)
    shift = rng.normal(0, SHIFT, (2, n))
    rows = [[wide * cos, shear * cos - high * sin, shift[0]], [wide * sin, shear * sin + high * cos, shift[1]]]
    matrices = torch.tensor(np.array(rows).transpose(2, 0, 1), dtype=images.dtype)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
