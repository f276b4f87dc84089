"""Images that are sent as rows of numbers: lists or an array."""

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import Unprocessable
from service.inputs.limits import PixelBudget
from service.inputs.paper import Grey

IN_RANGE = "brightness is from 0 to 1 or from 0 to 255"
JSON_TYPES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def to_array(raw: list[Any] | NDArray[Any], pixels: PixelBudget, field: str) -> NDArray[Any]:
    """The image as an array (height, width). Raises Unprocessable if it is invalid or too large."""
    height, width = _shape(raw, field)
    pixels.take(width, height, field)
    if isinstance(raw, np.ndarray):
        return raw
    with suppress(TypeError, ValueError):  # the common case, integers below 256, in a third of the time
        whole = np.frombuffer(b"".join(map(bytes, raw)), np.uint8).reshape(height, width)
        if not _has_booleans(raw):
            return whole
    if others := set(map(type, chain.from_iterable(raw))) - {int, float}:
        found = " and ".join(sorted(JSON_TYPES[other] for other in others))
        raise Unprocessable(f"{field}: the rows of an image must be numbers; they contain {found}.", field=field)
    try:
        return np.array(raw, dtype=np.float64)
    except OverflowError as error:
        raise Unprocessable(f"{field}: {IN_RANGE}; there are larger numbers.", field=field) from error


def to_rgb(raw: list[Any] | NDArray[Any], pixels: PixelBudget, field: str) -> NDArray[np.uint8]:
    """Numbers (height, width, 3) as colours of 0 to 255; those of 0 to 1 are of that scale. Raises Unprocessable."""
    first = raw[0] if len(raw) else []
    pixels.take(len(first) if isinstance(first, (list, np.ndarray)) else 1, len(raw), field)
    photo = raw if isinstance(raw, np.ndarray) else _nested(raw)
    if photo is None or photo.dtype.kind not in "iuf" or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
        raise Unprocessable(
            f"{field}: a photo is numbers (height, width, 3): rows of pixels, each pixel red, green and blue.",
            field=field,
        )
    flat = photo.reshape(1, len(photo), -1)
    return np.rint(to_brightness(flat, [field])).astype(np.uint8).reshape(photo.shape)


def _nested(raw: list[Any]) -> NDArray[Any] | None:
    """Nested lists of numbers as an array; None if they are not that, or of several lengths."""
    with suppress(TypeError, ValueError, OverflowError):
        sent = orjson.dumps(raw)
        return None if b"true" in sent or b"false" in sent else np.array(raw)
    return None


def _has_booleans(rows: list[list[int]]) -> bool:
    """Whether rows of integers contain booleans, which Python treats as integers. As JSON, only booleans have letters.
    Checking the type of each number takes twice as long."""
    return b"e" in orjson.dumps(rows)


def _shape(raw: list[Any] | NDArray[Any], field: str) -> tuple[int, int]:
    """The height and width, both above 0. Raises Unprocessable."""
    if isinstance(raw, np.ndarray):
        if raw.dtype.kind in "iuf" and raw.ndim == 2 and raw.size:
            return raw.shape[0], raw.shape[1]
        raise Unprocessable(
            f"{field}: an image must be numbers (height, width), not {raw.dtype} of shape {raw.shape}.", field=field
        )
    widths = {len(row) if isinstance(row, list) else 0 for row in raw}
    if len(widths) != 1 or 0 in widths:
        raise Unprocessable(f"{field}: an image must have at least one row, and rows of equal length.", field=field)
    return len(raw), widths.pop()


def to_brightness(sheets: NDArray[Any], fields: Sequence[str]) -> Grey:
    """Numbers (n, height, width) as brightness, 0 to 255. Images from 0 to 1 are scaled. Raises Unprocessable."""
    flat = sheets.reshape(len(sheets), -1)  # along one axis numpy is several times as fast
    darkest, brightest = flat.min(1), flat.max(1)
    taken = (darkest >= 0) & (brightest <= 255)  # False for NaN
    if not taken.all():
        _refuse(sheets[taken.argmin()], fields[taken.argmin()])
    scale = np.where(brightest > 1, 1, 255).astype(np.float32)
    scaled: Grey = sheets.astype(np.float32) * scale[:, None, None]
    return scaled


def _refuse(sheet: NDArray[Any], field: str) -> NoReturn:
    if not np.isfinite(sheet).all():
        raise Unprocessable(f"{field}: contains NaN or an infinite number.", field=field)
    found = sheet.min() if sheet.min() < 0 else sheet.max()
    raise Unprocessable(f"{field}: {IN_RANGE}, not {found:g}.", field=field)


def json_type(value: object) -> str:
    """The name of the JSON type of a value."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN or infinity"
    return JSON_TYPES.get(type(value), "a number")
