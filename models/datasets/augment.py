"""Augmentation of drawings, for training."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TURN = math.radians(12)
STRETCH = 0.15
SHEAR = 0.2
SHIFT = 0.1  # of half the width: 1.4 pixels of 28
BEND = 0.06  # likewise
KNOTS = 5


def affine(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Each drawing of (n, 1, h, w) turned, stretched, sheared and shifted a little, on its own; paper (0) fills in."""
    return F.grid_sample(images, _affine_grid(images, rng), align_corners=False)


def elastic(images: Tensor, rng: np.random.Generator) -> Tensor:
    """As `affine`, and bent: a smooth field of small shifts, drawn at KNOTS x KNOTS points (Simard et al. 2003)."""
    n, _, high, wide = images.shape
    shifts = torch.tensor(rng.normal(0, BEND, (n, 2, KNOTS, KNOTS)), dtype=images.dtype)
    field = F.interpolate(shifts, (high, wide), mode="bicubic", align_corners=True)
    return F.grid_sample(images, _affine_grid(images, rng) + field.permute(0, 2, 3, 1), align_corners=False)


AUGMENTATIONS: dict[str, Callable[[Tensor, np.random.Generator], Tensor]] = {"affine": affine, "elastic": elastic}


def _affine_grid(images: Tensor, rng: np.random.Generator) -> Tensor:
    n = len(images)
    turn, shear = rng.normal(0, TURN, n), rng.normal(0, SHEAR, n)
    wide, high = np.exp(rng.normal(0, STRETCH, (2, n)))
    cos, sin = np.cos(turn), np.sin(turn)
    shift = rng.normal(0, SHIFT, (2, n))
    rows = [[wide * cos, shear * cos - high * sin, shift[0]], [wide * sin, shear * sin + high * cos, shift[1]]]
    matrices = torch.tensor(np.array(rows).transpose(2, 0, 1), dtype=images.dtype)
    return F.affine_grid(matrices, list(images.shape), align_corners=False)
