"""Inputs, labels and tables of many libraries as JSON, without importing these libraries."""

import base64
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif"}
MISSING = ("NAType", "NaTType")
"""The types of pandas for a missing value."""


class Text(str):
    """A text that is sent as it is, also if it is the path of a file."""

    __slots__ = ()


def listed(inputs: Any) -> Iterable[Any]:
    """Many inputs, one by one: a list, an array, or the rows of a data frame. Raises TypeError for a single input."""
    if isinstance(inputs, str | bytes | bytearray | os.PathLike | Mapping):
        raise TypeError(f"inputs is a list: put a single {type(inputs).__name__} into brackets, [input]")
    if hasattr(inputs, "to_dicts"):  # a data frame of polars
        return inputs.to_dicts()  # type: ignore[no-any-return]
    if hasattr(inputs, "to_dict"):  # a data frame of pandas, or a column of one
        return inputs.to_dict("records") if hasattr(inputs, "columns") else inputs.tolist()  # type: ignore[no-any-return]
    return inputs  # type: ignore[no-any-return]


def examples(support: Any, labels: Any = None) -> Iterator[dict[str, Any]]:
    """Labelled examples as JSON.

    Args:
        support: Pairs (input, label) or triples (input, label, id); or the inputs of each label, by label; or, with
            `labels`, inputs.
        labels: The label of each input, or None.

    Raises:
        TypeError: `support` is none of these.
        ValueError: There are more inputs than labels, or fewer.
    """
    if labels is not None:
        pairs = zip(listed(support), listed(labels), strict=True)
        return (_example(*pair) for pair in pairs)
    if isinstance(support, Mapping):
        return (_example(one, label) for label, inputs in support.items() for one in listed(inputs))
    if hasattr(support, "to_dict") or hasattr(support, "to_dicts"):
        raise TypeError("a table needs labels: adapt(client_id, table, labels, ...)")
    return (_example(*one) for one in support)


def plain(value: Any) -> Any:
    """An input as JSON: files and images as base64, arrays as lists, rows as objects."""
    if isinstance(value, Path) or _names_image(value):
        value = Path(value).read_bytes()
    elif hasattr(value, "read"):
        value = value.read()
    elif hasattr(value, "save") and hasattr(value, "mode"):  # a PIL image
        value = _png(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if hasattr(value, "to_dict"):  # a row of pandas
        value = value.to_dict()
    return _array(value) if hasattr(value, "shape") and hasattr(value, "tolist") else _json(value)


def number(label: Any) -> Any:
    """A label as JSON: numbers of arrays as plain ones."""
    return label.tolist() if hasattr(label, "tolist") else label


def label_fields(label: Any) -> dict[str, Any]:
    """`label`; or `labels` for a set, or for a list that is empty or of texts. A list of numbers is one label of a
    regression."""
    if isinstance(label, set | frozenset):
        return {"labels": sorted(label)}
    if isinstance(label, list | tuple) and all(isinstance(each, str) for each in label):
        return {"labels": list(label)}
    return {"label": number(label)}


def size_of(value: Any) -> int:
    """The approximate bytes of a value as JSON."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(name) + 4 + size_of(one) for name, one in value.items())
    if isinstance(value, list):
        return sum(size_of(one) for one in value) + len(value)
    return len(str(value))


def _example(one: Any, label: Any, name: str | None = None) -> dict[str, Any]:
    example = {"input": plain(one)} | label_fields(label)
    return example if name is None else example | {"id": name}


def _json(value: Any) -> Any:
    """A value as JSON. NaN and the missing values of pandas become null."""
    if isinstance(value, dict):
        return {str(name): _json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if type(value).__name__ in MISSING or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return _json(value.tolist()) if hasattr(value, "tolist") else value


def _names_image(value: Any) -> bool:
    """Whether a text is the path of an image file that is there."""
    is_text = isinstance(value, str) and not isinstance(value, Text)
    return is_text and Path(value[-8:]).suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(value)


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    (image if image.mode in PNG_MODES else image.convert("RGB")).save(file, "PNG")
    return file.getvalue()


def _array(array: Any) -> Any:
    """An array as nested lists.

    A channel axis of length 1 is removed, and one of length 3 moves to the end. A mask of booleans becomes black and
    white. Colours of 8 bits become a PNG file if Pillow is there, which is a tenth of the size.
    """
    shape = tuple(array.shape)
    if len(shape) == 3 and 1 in (shape[0], shape[-1]):
        array = array[0] if shape[0] == 1 else array[..., 0]
    elif len(shape) == 3 and shape[0] == 3 != shape[-1]:
        array = array.permute(1, 2, 0) if hasattr(array, "permute") else array.transpose(1, 2, 0)
    if "bool" in str(array.dtype):
        array = array * (255 if len(array.shape) == 2 else 1)
    if _is_colours(array) and find_spec("PIL"):
        from PIL import Image  # noqa: PLC0415

        return plain(Image.fromarray(array))
    return _json(array.tolist())


def _is_colours(array: Any) -> bool:
    return len(array.shape) == 3 and array.shape[-1] == 3 and str(array.dtype) == "uint8"
