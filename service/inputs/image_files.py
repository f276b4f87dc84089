"""Drawings as people send them: files in base64, or rows of numbers."""

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.errors import HandfulError, Unprocessable
from service.inputs.limits import PixelBudget
from service.inputs.normalize import Grey, drawings
from service.inputs.pixel_arrays import json_type, to_array, to_brightness

FORMATS = ("PNG", "JPEG")
Image.preinit()  # reads the formats' modules now, so that the first request need not
Image.MAX_IMAGE_PIXELS = None  # the service has a limit of its own, checked before anything is decoded
ENOUGH = 512
"""Pixels of a side that no model has use for more of."""

STRIP = 16
"""Rows of what is left of a large image that are made at a time."""
SIXTEEN_BITS = np.float32(255 / 65535)


def decode_images(raw: Sequence[Any], size: int, pixels: PixelBudget, fields: Sequence[str]) -> NDArray[np.uint8]:
    """Each base64 PNG or JPEG, or rows of numbers (lists or an array), to (n, 1, size, size) of ink, 0 to 255.

    Raises Unprocessable, naming the one of `fields`. Numbers of one shape are worked on together: most of the time that
    a small image takes goes into numpy's calls. Files are not, whose pixels are many more than their bytes.
    """
    if all(isinstance(one, (list, np.ndarray)) for one in raw):
        sheets = [to_array(one, pixels, field) for one, field in zip(raw, fields, strict=True)]
        if len({sheet.shape for sheet in sheets}) == 1:
            return drawings(to_brightness(np.stack(sheets), fields), size)[:, None]
        alone = [to_brightness(sheet[None], [field]) for sheet, field in zip(sheets, fields, strict=True)]
        return np.stack([drawings(grey, size) for grey in alone])
    return np.stack([drawings(_read(one, pixels, field), size) for one, field in zip(raw, fields, strict=True)])


def _read(raw: Any, pixels: PixelBudget, field: str) -> Grey:
    if isinstance(raw, str):
        return _open(_unbase64(raw, field), pixels, field)[None]
    if isinstance(raw, (list, np.ndarray)):
        return to_brightness(to_array(raw, pixels, field)[None], [field])
    raise Unprocessable(
        f"{field}: an image is a base64 string (PNG or JPEG) or rows of numbers, not {json_type(raw)}.", field=field
    )


def _unbase64(text: str, field: str) -> bytes:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unprocessable(
            f"{field}: neither base64 nor an image. This model takes PNG or JPEG images, base64-encoded.", field=field
        ) from error


def _open(encoded: bytes, pixels: PixelBudget, field: str) -> Grey:
    try:
        image = Image.open(io.BytesIO(encoded), formats=FORMATS)
        pixels.take(image.width, image.height, field)
        image.draft(None, (2 * ENOUGH, 2 * ENOUGH))  # a large JPEG is decoded at a fraction of its size
        ImageOps.exif_transpose(image, in_place=True)
        return _grey(image)
    except HandfulError:
        raise
    except Exception as error:  # what a decoder says of broken files is of many types
        raise Unprocessable(f"{field}: not a whole PNG or JPEG image.", field=field) from error


def _grey(image: Image.Image) -> Grey:
    """Brightness 0 to 255. What is transparent becomes paper: light under dark ink, dark under light ink."""
    if image.mode.startswith(("I", "F")):
        return _converted(image, lambda strip: Image.fromarray(np.asarray(strip, dtype=np.float32) * SIXTEEN_BITS))
    if not image.has_transparency_data:
        return _converted(image, lambda strip: strip.convert("L"))
    brightness, alpha = np.moveaxis(_converted(image, lambda strip: strip.convert("RGBA").convert("LA")), -1, 0)
    opaque = alpha / np.float32(255)
    ink = (brightness * opaque).sum() / max(float(opaque.sum()), 1.0)
    paper = np.float32(255 if ink < 128 else 0)
    blended: Grey = brightness * opaque + paper * (1 - opaque)
    return blended


def _converted(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Grey:
    """The converted image; a large one at a whole fraction of its size, by areas, and a strip at a time: converted as
    a whole it would take several times its memory."""
    factor = max(1, max(image.size) // ENOUGH)
    if factor == 1:
        return np.asarray(convert(image), dtype=np.float32)
    width, height, rows = *image.size, STRIP * factor
    strips = (image.crop((0, top, width, min(top + rows, height))) for top in range(0, height, rows))
    return np.concatenate([np.asarray(convert(strip).reduce(factor), dtype=np.float32) for strip in strips])
