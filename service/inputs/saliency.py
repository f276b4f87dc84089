"""The parts of an image: squares that overlap. What they contribute becomes a heat map."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from service.arrays import Array
from service.inputs.parts import InputWeights, Parts

CELLS = 7
"""Cells of each side of an image."""
DRAWING, PHOTO = 2, 3
"""Cells of each side of a square that is hidden. Smaller squares of photos point to the right place less often, and are
more (`python -m benchmarks.pointing`)."""
BLUR = 3
"""A hidden square of a photo is blurred with this radius, as a share of the photo's side: one part in so many. It keeps
the colour of its surroundings: a patch of another colour would change an answer by itself."""
OPAQUE = 220
"""The opacity of the strongest heat, of 255."""
CONTRAST = 1.5
"""Power of the opacity. A larger one shows less of weak heat."""
FOR, AGAINST = (230, 97, 1), (33, 102, 172)
"""Colours that differ for colour-blind people too."""

Square = tuple[slice, slice]


def of_drawing(ink: Array) -> Parts:
    """The squares of a drawing (1, size, size) that have ink. Paper hides them."""
    near = Image.fromarray((255 * (ink[0] > 0)).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))
    around = np.asarray(near.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255
    return _parts(ink, np.zeros_like(ink), DRAWING, around)


def of_photo(photo: Array) -> Parts:
    """The squares of a photo (3, size, size), uint8. They are hidden by blurring them, which leaves even areas as they
    are: these have no heat."""
    image, side = Image.fromarray(np.ascontiguousarray(photo.transpose(1, 2, 0))), photo.shape[-1]
    blurred = image.filter(ImageFilter.GaussianBlur(side / BLUR))
    change = ImageChops.difference(image, blurred).convert("L").filter(ImageFilter.GaussianBlur(side / 2 / CELLS))
    share = np.asarray(change, np.float32) / max(float(np.asarray(change).mean()), 1.0)
    return _parts(photo, np.asarray(blurred).transpose(2, 0, 1), PHOTO, share.clip(0, 1))


def png_bytes(size: int) -> int:
    """The most bytes of a heat map in base64."""
    return 4 * (4 * size * size + 1024) // 3


def _parts(image: Array, hidden: Array, span: int, within: Array) -> Parts:
    """The squares of an image that differ when they are hidden. Heat is shown `within` a mask (size, size)."""
    size, every = image.shape[-1], _squares(image.shape[-1], span)
    squares = [each for each in every if (image[:, *each] != hidden[:, *each]).any()]

    def hide() -> Array:
        images = np.repeat(image[None], len(squares), 0)
        for each, square in zip(images, squares, strict=True):
            each[:, *square] = hidden[:, *square]
        return images

    def show(weights: Array) -> InputWeights:
        count = _sum(size, every, np.ones(len(every))).clip(1)
        return InputWeights(saliency_png=_png(_smooth(_sum(size, squares, weights) / count) * within))

    return Parts(len(squares), hide, show)


def _squares(size: int, span: int) -> list[Square]:
    """The squares of so many cells, row by row."""
    cells = min(CELLS, size)
    edges = np.linspace(0, size, cells + 1).round().astype(int).tolist()
    spans = [slice(start, end) for start, end in zip(edges, edges[span:] or edges[1:], strict=False)]
    return [(row, column) for row in spans for column in spans]


def _sum(size: int, squares: Sequence[Square], weights: Array) -> Array:
    """The sum of the weights of the squares over each pixel, (size, size)."""
    heat = np.zeros((size, size), np.float32)
    for square, weight in zip(squares, weights.tolist(), strict=True):
        heat[square] += weight
    return heat


def _smooth(heat: Array) -> Array:
    """Heat (size, size) without the edges of cells."""
    small = Image.fromarray(heat).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(small.resize((len(heat), len(heat)), Image.Resampling.BICUBIC))


def _png(heat: Array) -> str:
    """A heat map (size, size) as a PNG in base64."""
    opacity = (np.abs(heat) / max(float(np.abs(heat).max()), 1e-12)) ** CONTRAST
    layer = np.where(heat[..., None] > 0, FOR, AGAINST)
    pixels = np.concatenate([layer, (OPAQUE * opacity)[..., None]], -1).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
