"""Photos as the square that an encoder expects. Needs no torch, so that the API can use it."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]
"""Red, green and blue, 0 to 255, (height, width, 3)."""
Filter = Literal["bicubic", "bilinear", "lanczos", "box"]
FILTERS: tuple[str, ...] = get_args(Filter)


ENOUGH = 512
"""Pixels of a side. Larger photos are reduced by a whole factor."""


def rgb(image: Image.Image) -> Pixels:
    """An image of any mode, upright. What is transparent becomes white."""
    image.draft(None, (2 * ENOUGH, 2 * ENOUGH))  # decodes a large JPEG at a fraction of its size
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        image = Image.fromarray((values * (255 / max(255.0, float(values.max())))).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    image = image.convert("RGB")
    factor = max(image.size) // ENOUGH
    return np.asarray(image.reduce(factor) if factor > 1 else image)


def square(
    pixels: Pixels, size: int, crop: float, resample: Filter, shortest: int | None = None, *, stretch: bool = False
) -> Pixels:
    """The photo as (size, size, 3).

    Args:
        pixels: Any photo.
        size: Pixels of each side of the result.
        crop: Side of the central square that is kept, in parts of the shorter side.
        resample: Filter of the resizing.
        shortest: Pixels of the shorter side to resize to, before the central square of `size` is cut out. `crop` then
            does not count.
        stretch: Whether the whole photo is resized to the square, whatever its shape. `crop` then does not count.
    """
    image, how = Image.fromarray(pixels), Image.Resampling[resample.upper()]
    if stretch:
        return np.asarray(image.resize((size, size), how))
    if shortest is not None:
        return _cut(np.asarray(image.resize(_scaled(image.width, image.height, shortest), how)), size)
    side = crop * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return np.asarray(image.resize((size, size), how, box=(left, top, left + side, top + side)))


def _scaled(width: int, height: int, shortest: int) -> tuple[int, int]:
    """Width and height with the shorter side as given, rounded down as the library of the encoders does."""
    if width <= height:
        return shortest, int(shortest * height / width)
    return int(shortest * width / height), shortest


def _cut(pixels: Pixels, size: int) -> Pixels:
    """The central square."""
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]
