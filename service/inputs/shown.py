"""Decoded inputs as JSON values."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from service.arrays import Array


def shown(inputs: Array) -> list[Any]:
    """Inputs (n, *input) as JSON values: PNG files in base64 for pixels, else texts and numbers."""
    if inputs.dtype == np.uint8 and inputs.ndim == 4 and inputs.shape[1] in (1, 3):
        return [_png(pixels) for pixels in inputs]
    plain: list[Any] = inputs.tolist()
    return [one[0] for one in plain] if inputs.shape[1:] == (1,) else plain


def _png(pixels: Array) -> str:
    """Pixels (channels, height, width) as a PNG file in base64."""
    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
