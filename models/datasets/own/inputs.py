"""The input of an example from a record, for each kind of input: a text, a photo or a row of a table."""

import hashlib
import io
import math
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from models.columns import cell
from models.datasets.own.class_folders import File, LocalFile
from models.datasets.own.columns import Columns
from models.datasets.own.records import Record

IMAGE_PIXELS = 64_000_000
"""Most pixels of a photo."""
DRAFT = (256, 256)
"""A JPEG is checked at about this size, which takes an eighth of the time."""


LARGEST = 1e30
"""Largest number, as in the service."""
DEEPEST = 5
"""Objects within objects."""
UNUSABLE = object()
"""What is neither a number nor a text, such as a list."""


class Kind(NamedTuple):
    """How examples of a kind of input are made."""

    make: Callable[[Record, Columns, Path], Any]
    """The input of a record in a file. Raises ValueError with the reason why there is none."""
    key: Callable[[Any], Hashable | None]
    """What is equal for equal inputs; None: equal inputs are no duplicates."""


class PhotoFile(NamedTuple):
    """A photo that is read when it is needed."""

    file: File
    digest: bytes

    def read(self) -> bytes:
        """Its bytes."""
        return self.file.read()


def text(record: Record, columns: Columns, path: Path) -> str:
    """The texts of the columns, line by line."""
    parts = [_text(record.values.get(name), name) for name in columns.text]
    joined = "\n".join(filter(None, parts))
    if not joined:
        raise ValueError(f"no text in {_names(columns.text)}")
    return joined


def _text(value: Any, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise ValueError(f"the column {column!r} holds a list or an object, not a text")
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    try:
        content: bytes = value.read()
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error


def _names(columns: Sequence[str]) -> str:
    return f"the column{'' if len(columns) == 1 else 's'} {', '.join(columns) or '(none)'}"


def text_key(text: str) -> Hashable:
    """Texts that differ in case and white space only are equal."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).digest()[:16]


def photo(record: Record, columns: Columns, path: Path) -> PhotoFile:
    """A photo that can be decoded. Its path is relative to the file that names it."""
    value = record.values.get(str(columns.image))
    if not value or not (isinstance(value, str) or hasattr(value, "read")):
        raise ValueError(f"no path in the column {columns.image!r}")
    file: File = LocalFile(path.parent / value) if isinstance(value, str) else value
    encoded = file.read()
    _check_photo(encoded)
    return PhotoFile(file, hashlib.sha256(encoded).digest()[:16])


def _check_photo(encoded: bytes) -> None:
    """Raise ValueError for what is no image, is damaged or has too many pixels."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(encoded)) as image:
            warnings.simplefilter("ignore")
            if image.width * image.height > IMAGE_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels; the limit is {IMAGE_PIXELS}")
            image.draft(None, DRAFT)
            image.load()
    except ValueError:
        raise
    except Exception as error:  # decoders raise errors of many types for broken files
        raise ValueError("not an image, or a damaged one") from error


def row(record: Record, columns: Columns, path: Path) -> dict[str, Any]:
    """All columns but those that say the class, the task and the split. Fields of an object become columns."""
    said = {columns.label, columns.task, columns.split}
    return {name: _value(value, name) for name, value in _flat(record.values) if name not in said}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values, with the fields of an object as object.field."""
    for name, value in values.items():
        if isinstance(value, dict) and prefix.count(".") < DEEPEST:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _value(value: Any, column: str) -> Any:
    value = cell(value) if isinstance(value, str) else value
    if isinstance(value, (int, float)) and abs(value) > LARGEST:
        raise ValueError(f"the column {column!r} holds {value}; the limit is {LARGEST:g}")
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else UNUSABLE


KINDS = {
    "text": Kind(text, text_key),
    "photo": Kind(photo, lambda photo: photo.digest),
    "table": Kind(row, lambda row: None),
}
"""By the type of a model's input."""
