"""Drawings as people send them: files in base64, or rows of numbers."""

import base64
import binascii
import io
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.errors import HandfulError, Unprocessable
from service.ink import Grey, drawings

FORMATS = ("PNG", "JPEG")
Image.preinit()  # reads the formats' modules now, so that the first request need not
Image.MAX_IMAGE_PIXELS = None  # the service has a limit of its own, checked before anything is decoded
ENOUGH = 512
"""Pixels of a side that no model has use for more of."""

IN_RANGE = "brightness goes from 0 to 1, or from 0 to 255"
JSON_TYPES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}

STRIP = 16
"""Rows of what is left of a large image that are made at a time."""
SIXTEEN_BITS = np.float32(255 / 65535)


class Pixels:
    """What the images of one request may take together, each counted as the square that it is padded to."""

    def __init__(self, limit: int) -> None:
        self._limit, self._left = limit, limit

    def take(self, width: int, height: int, field: str) -> None:
        """Count an image, before it is decoded. Raises Unprocessable when it is too much."""
        side = max(width, height)
        self._left -= side * side
        if self._left < 0:
            raise Unprocessable(
                f"{field}: {width} x {height} takes a square of {side * side} pixels; for all images of a request the "
                f"limit is {self._limit}, and {self._left + side * side} were left. Send smaller images, or fewer.",
                field=field,
            )


def decode_images(raw: Sequence[Any], size: int, pixels: Pixels, fields: Sequence[str]) -> NDArray[np.uint8]:
    """Each base64 PNG or JPEG, or rows of numbers (lists or an array), to (n, 1, size, size) of ink, 0 to 255.

    Raises Unprocessable, naming the one of `fields`. Numbers of one shape are worked on together: most of the time that
    a small image takes goes into numpy's calls. Files are not, whose pixels are many more than their bytes.
    """
    if all(isinstance(one, (list, np.ndarray)) for one in raw):
        sheets = [_rows(one, pixels, field) for one, field in zip(raw, fields, strict=True)]
        if len({sheet.shape for sheet in sheets}) == 1:
            return drawings(_brightness(np.stack(sheets), fields), size)[:, None]
        alone = [_brightness(sheet[None], [field]) for sheet, field in zip(sheets, fields, strict=True)]
        return np.stack([drawings(grey, size) for grey in alone])
    return np.stack([drawings(_read(one, pixels, field), size) for one, field in zip(raw, fields, strict=True)])


def _read(raw: Any, pixels: Pixels, field: str) -> Grey:
    if isinstance(raw, str):
        return _open(_unbase64(raw, field), pixels, field)[None]
    if isinstance(raw, (list, np.ndarray)):
        return _brightness(_rows(raw, pixels, field)[None], [field])
    raise Unprocessable(
        f"{field}: an image is a base64 string (PNG or JPEG) or rows of numbers, not {_json_type(raw)}.", field=field
    )


def _unbase64(text: str, field: str) -> bytes:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unprocessable(
            f"{field}: neither base64 nor an image. This model takes PNG or JPEG images, base64-encoded.", field=field
        ) from error


def _open(encoded: bytes, pixels: Pixels, field: str) -> Grey:
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


def _rows(raw: list[Any] | NDArray[Any], pixels: Pixels, field: str) -> NDArray[Any]:
    """The numbers (height, width) that were sent."""
    height, width = _shape(raw, field)
    pixels.take(width, height, field)
    if isinstance(raw, np.ndarray):
        return raw
    with suppress(TypeError, ValueError):  # whole numbers below 256, which is what most send, in a third of the time
        return np.frombuffer(b"".join(map(bytes, raw)), np.uint8).reshape(height, width)
    if others := set(map(type, chain.from_iterable(raw))) - {int, float, bool}:
        found = " and ".join(sorted(JSON_TYPES[other] for other in others))
        raise Unprocessable(f"{field}: the rows of an image are numbers, and here is {found} among them.", field=field)
    try:
        return np.array(raw, dtype=np.float64)
    except OverflowError as error:
        raise Unprocessable(f"{field}: {IN_RANGE}; here are larger numbers.", field=field) from error


def _shape(raw: list[Any] | NDArray[Any], field: str) -> tuple[int, int]:
    """The height and width, none of them 0."""
    if isinstance(raw, np.ndarray):
        if raw.dtype.kind in "iufb" and raw.ndim == 2 and raw.size:
            return raw.shape[0], raw.shape[1]
        raise Unprocessable(
            f"{field}: an image is numbers (height, width), not {raw.dtype} of shape {raw.shape}.", field=field
        )
    widths = {len(row) if isinstance(row, list) else 0 for row in raw}
    if len(widths) != 1 or 0 in widths:
        raise Unprocessable(f"{field}: an image is rows of numbers, one or more, all of one length.", field=field)
    return len(raw), widths.pop()


def _brightness(sheets: NDArray[Any], fields: Sequence[str]) -> Grey:
    """Numbers (n, height, width) as brightness of 0 to 255; those of 0 to 1 are of that scale."""
    flat = sheets.reshape(len(sheets), -1)  # along one axis numpy is several times as fast
    darkest, brightest = flat.min(1), flat.max(1)
    taken = (darkest >= 0) & (brightest <= 255)  # NaN is neither
    if not taken.all():
        _refuse(sheets[taken.argmin()], fields[taken.argmin()])
    scale = np.where(brightest > 1, 1, 255).astype(np.float32)
    scaled: Grey = sheets.astype(np.float32) * scale[:, None, None]
    return scaled


def _refuse(sheet: NDArray[Any], field: str) -> NoReturn:
    if not np.isfinite(sheet).all():
        raise Unprocessable(f"{field}: holds NaN or an infinite number.", field=field)
    found = sheet.min() if sheet.min() < 0 else sheet.max()
    raise Unprocessable(f"{field}: {IN_RANGE}; here is {found:g}.", field=field)


def _json_type(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN or infinity"
    return JSON_TYPES.get(type(value), "a number")
