"""Decode image files in base64 to brightness or to colours."""

import binascii
import io
from base64 import b64decode
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from service.errors import HandfulError, Unprocessable
from service.inputs.image_headers import checked, format_of
from service.inputs.limits import PixelBudget
from service.inputs.paper import Grey

Result = TypeVar("Result")

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", *(["AVIF"] if features.check("avif") else []))
READ = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
Image.MAX_IMAGE_PIXELS = None  # the service has its own limit, which is checked before decoding
ENOUGH = 512
"""Pixels of a side. Larger images are reduced, because no model uses more."""

STRIP = 16
"""Rows of a reduced image that are converted at a time."""
FULL_SCALES = (1, 255, 1023, 4095, 16383, 65535)
"""Possible values of white in files with more than 8 bits. Scanners and cameras store 10, 12 or 14 bits in 16."""


def read_file(text: str, pixels: PixelBudget, field: str) -> Grey:
    """Decode the first frame of a base64 image file to brightness (height, width), 0 to 255. Raises Unprocessable."""
    return _read(text, pixels, field, _grey)


def read_rgb(text: str, pixels: PixelBudget, field: str) -> NDArray[np.uint8]:
    """Decode the first frame of a base64 image file to colours (height, width, 3). Raises Unprocessable."""
    return _read(text, pixels, field, _rgb)


def _read(text: str, pixels: PixelBudget, field: str, convert: Callable[[Image.Image], Result]) -> Result:
    """Decode the first frame, turned upright.

    Raises:
        Unprocessable: The file has another format, is damaged, or is over a limit.
    """
    encoded = checked(_unbase64(text, field), field)
    try:
        image = Image.open(io.BytesIO(encoded), formats=FORMATS)
        pixels.take(image.width, image.height, field)
        image.draft(None, (2 * ENOUGH, 2 * ENOUGH))  # decodes a large JPEG at a fraction of its size
        ImageOps.exif_transpose(image, in_place=True)
        return convert(image)
    except (HandfulError, MemoryError):
        raise
    except Exception as error:  # decoders raise errors of many types for broken files
        raise Unprocessable(f"{field}: {_what(encoded)}. This model takes {READ} images.", field=field) from error


def _what(encoded: bytes) -> str:
    name = format_of(encoded)
    if name is None:
        return "not an image"
    if name in FORMATS:
        return f"a damaged or incomplete image, or a rare kind of {name}"
    return f"an image in the format {name}, which the service cannot read"


def _unbase64(text: str, field: str) -> bytes:
    """Decode base64 as clients write it: with or without padding, URL-safe, with line breaks, or as a data URL."""
    encoded = "".join(text.split())
    if encoded[:5].lower() == "data:":
        encoded = unquote(encoded.partition(",")[2])
    encoded = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unprocessable(
            f"{field}: neither base64 nor an image. This model takes {READ} images, base64-encoded.", field=field
        ) from error


def _grey(image: Image.Image) -> Grey:
    """Brightness, 0 to 255. Transparent pixels become paper: light if the ink is dark, dark if the ink is light."""
    if image.mode.startswith(("I", "F")):
        return _deep(image)
    if not image.has_transparency_data:
        return _converted(image, lambda strip: strip.convert("L"))
    brightness, alpha = np.moveaxis(_converted(image, lambda strip: strip.convert("RGBA").convert("LA")), -1, 0)
    opaque = alpha / np.float32(255)
    ink = (brightness * opaque).sum() / max(float(opaque.sum()), 1.0)
    paper = np.float32(255 if ink < 128 else 0)
    blended: Grey = brightness * opaque + paper * (1 - opaque)
    return blended


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Red, green and blue, 0 to 255. What is transparent becomes white."""
    if image.mode.startswith(("I", "F")):
        colours = _deep(image)[..., None].repeat(3, -1)
    elif not image.has_transparency_data:
        colours = _converted(image, lambda strip: strip.convert("RGB"))
    else:
        layers = _converted(image, lambda strip: strip.convert("RGBA"))
        opaque = layers[..., 3:] / np.float32(255)
        colours = layers[..., :3] * opaque + 255 * (1 - opaque)
    return np.rint(colours).astype(np.uint8)


def _deep(image: Image.Image) -> Grey:
    """Brightness of an image with more than 8 bits. White is the smallest of `FULL_SCALES` that covers its values."""
    brightness = _converted(image, lambda strip: Image.fromarray(np.asarray(strip, dtype=np.float32)))
    brightest = float(brightness.max())
    if not (brightness.min() >= 0 and np.isfinite(brightest)):
        raise ValueError("brightness that is negative or not finite")
    scale = next((full for full in FULL_SCALES if brightest <= full), brightest)
    scaled: Grey = brightness * np.float32(255 / scale)
    return scaled


def _converted(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Grey:
    """Convert an image. A large one is reduced by a whole factor, strip by strip. Converting it at once takes several
    times its memory."""
    factor = max(1, max(image.size) // ENOUGH)
    if factor == 1:
        return np.asarray(convert(image), dtype=np.float32)
    width, height, rows = *image.size, STRIP * factor
    strips = (image.crop((0, top, width, min(top + rows, height))) for top in range(0, height, rows))
    return np.concatenate([np.asarray(convert(strip).reduce(factor), dtype=np.float32) for strip in strips])
