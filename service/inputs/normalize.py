"""Convert brightness to ink: small squares with 0 for paper, as models are trained on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.inputs.paper import Grey, uneven_paper

EVEN = 2.0
"""Maximum interquartile range of the border, in grey levels. Above it, the light is uneven or the paper noisy."""
CLEAR = 0.9
"""Minimum peak of the ink of a drawing that will be shrunk. Fainter ink is strengthened."""
FAINT = 0.5
"""Minimum peak of the ink after shrinking, which thins strokes. No Omniglot drawing is fainter."""
HALF = np.float32(127)
"""Minimum contrast, in grey levels, so that noise on white paper is not taken for light ink."""
NOISE_LEVEL = 0.02
"""Ink below this is only JPEG noise."""
FLOOR, SEEN = 2, 3
"""Thresholds in standard deviations of the paper's noise: below the first is paper, above the second is ink."""


class Drawings(NamedTuple):
    """Ink (n, size, size), 0 to 255, and whether each drawing has any (n,)."""

    ink: NDArray[np.uint8]
    seen: NDArray[np.bool_]


class _Ink(NamedTuple):
    """Ink (n, height, width), 0 to 1, and the standard deviation of its noise (n,)."""

    ink: Grey
    noise: Grey


def drawings(grey: Grey, size: int) -> Drawings:
    """The ink of images of one shape, from their brightness (n, height, width), 0 to 255."""
    ink, noise = _ink(grey)
    peak = ink.reshape(len(ink), -1).max(1)  # along one axis numpy is several times as fast
    seen = (noise == 0) & (peak >= (CLEAR if max(ink.shape[1:]) > size else FAINT))
    for i in np.flatnonzero(~seen):
        seen[i] = _clarify(ink[i], float(noise[i]))
    small = _shrunk(_squares(np.rint(ink * 255).astype(np.uint8)), size)
    visible = _visible(small)
    return Drawings(visible, seen & visible.any((1, 2)))  # a dot on a large sheet vanishes


def _ink(grey: Grey) -> _Ink:
    """The contrast with the paper as a share of the maximum: that of black for dark ink, of white for light ink."""
    border = np.sort(np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1))
    middle, quarter = border.shape[1] // 2, border.shape[1] // 4
    paper = ((border[:, -1 - middle] + border[:, middle]) / 2)[
        :, None, None
    ]  # the median, ten times as fast as np.median
    uneven = np.flatnonzero(border[:, -1 - quarter] - border[:, quarter] > EVEN)
    noise = np.zeros(len(grey), np.float32)
    if uneven.size:
        paper = np.broadcast_to(paper, grey.shape).copy()
        paper[uneven], noise[uneven] = uneven_paper(grey[uneven])
    difference = grey - paper
    contrast = np.where(_is_dark(difference, paper), -np.maximum(paper, HALF), np.maximum(255 - paper, HALF))
    return _Ink((difference / contrast).clip(0, 1), noise / np.abs(contrast).max((1, 2)))


def _is_dark(difference: Grey, paper: Grey) -> NDArray[np.bool_]:
    """Whether the ink is darker than the paper: whether darker pixels have most of the squared difference."""
    if ((paper == 0) | (paper == 255)).all():
        return np.asarray(paper > 0)
    brighter: Grey = np.einsum("nhw,nhw->n", difference, np.abs(difference))[:, None, None]
    dark: NDArray[np.bool_] = (brighter < 0) | ((brighter == 0) & (paper > HALF))
    return dark


def _clarify(ink: Grey, noise: float) -> bool:
    """Strengthen faint or noisy ink (height, width) in place: noise becomes 0, strokes about 1. Returns False if all of
    it is noise."""
    squares = ink * ink
    typical = float((squares * ink).sum() / max(float(squares.sum()), 1e-9))  # the mean, weighted by its square
    if typical <= max(NOISE_LEVEL, SEEN * noise):
        ink[:] = 0
        return False
    floor = FLOOR * noise
    ink[:] = ((ink - floor) / (typical - floor)).clip(0, 1)
    return True


def _squares(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad drawings to squares, with the drawing in the middle."""
    _, height, width = ink.shape
    if height == width:
        return ink
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(ink, ((0, 0), (top, side - height - top), (left, side - width - left)))


def _shrunk(ink: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Shrink to `size` x `size`. Each pixel is the mean of its area, as in the training data."""
    if ink.shape[1:] == (size, size):
        return ink
    resized = [Image.fromarray(one).resize((size, size), Image.Resampling.BOX) for one in ink]
    return np.stack([np.asarray(one) for one in resized])


def _visible(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Strengthen faint ink, such as thin strokes on a large sheet."""
    peak = ink.max((1, 2)) / 255
    faint = (peak > NOISE_LEVEL) & (peak < FAINT)
    if faint.any():
        ink[faint] = np.rint(ink[faint] * (FAINT / peak[faint])[:, None, None])
    return ink
