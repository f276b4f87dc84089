"""Brightness to what a model was trained on: a small square, with ink where it differs from the paper."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FAINT = 0.5
"""Ink fainter than this everywhere is strengthened to it: thin strokes on a large sheet. No Omniglot drawing is."""
NOISE_LEVEL = 0.02
"""Below this there is no ink at all, only the noise of a JPEG."""

Grey = NDArray[np.float32]


def drawings(grey: Grey, size: int) -> NDArray[np.uint8]:
    """Ink (n, size, size), 0 to 255, of brightness (n, height, width), 0 to 255: of images of one shape."""
    return _visible(_shrunk(_squares(np.rint(_ink(grey) * 255).astype(np.uint8)), size))


def _ink(grey: Grey) -> Grey:
    """Ink 0 to 1, by contrast with the paper, which is what most of the border shows."""
    border = np.sort(np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1))
    middle = border.shape[1] // 2
    paper = (border[:, -1 - middle] + border[:, middle]) / 2  # the median, in a tenth of its time
    contrast = np.where(paper > 127, -paper, 255 - paper)
    ink: Grey = ((grey - paper[:, None, None]) / contrast[:, None, None]).clip(0, 1)
    return ink


def _squares(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The drawings, each in the middle of the smallest square that holds it."""
    _, height, width = ink.shape
    if height == width:
        return ink
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(ink, ((0, 0), (top, side - height - top), (left, side - width - left)))


def _shrunk(ink: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Each pixel the mean of its area, as the training data was made."""
    if ink.shape[1:] == (size, size):
        return ink
    resized = [Image.fromarray(one).resize((size, size), Image.Resampling.BOX) for one in ink]
    return np.stack([np.asarray(one) for one in resized])


def _visible(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With what is faint made stronger."""
    peak = ink.max((1, 2)) / 255
    faint = (peak > NOISE_LEVEL) & (peak < FAINT)
    if faint.any():
        ink[faint] = np.rint(ink[faint] * (FAINT / peak[faint])[:, None, None])
    return ink
