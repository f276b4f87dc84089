"""Inputs that are sent outside of JSON: as files and form fields, and as rows of a CSV file.

What they mean depends on the model, which is known only when they are decoded. Each becomes what a JSON body would
hold.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from models.column_names import LABELS, first, texts
from models.columns import cell, with_point
from service.errors import Unprocessable
from service.inputs.json_limits import JsonLimits, check_structure

JSON_LIMITS = JsonLimits(fields=1000)
"""Of one form field."""


class Part(NamedTuple):
    """A file, or a field of a form."""

    content: bytes
    place: str
    """Where it was sent, for error messages."""


class Row(NamedTuple):
    """A row of a CSV file: the values by column, without the label."""

    values: dict[str, str]
    place: str
    named: bool
    """Whether the request names the columns."""


class Placed(NamedTuple):
    """A JSON value with its place in the request."""

    value: Any
    place: str


class Written(str):
    """A label that was sent as text. It stands for a number where the client's labels are numbers."""


def place_of(one: Any, otherwise: str) -> str:
    """The place of an input in the request."""
    return one.place if isinstance(one, (Part, Row, Placed)) else otherwise


def size_of(one: Any) -> int:
    """The bytes of an input that was sent outside of JSON, at least 1; 0 for others."""
    if isinstance(one, Placed):
        return 1
    if isinstance(one, Part):
        return 1 + len(one.content)
    return 1 + sum(map(len, one.values.values())) if isinstance(one, Row) else 0


def text_of(content: bytes, field: str) -> str:
    """A file or a form field as text. Raises Unprocessable."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unprocessable(f"{field}: not a text in UTF-8, which this model takes.", field=field) from None


def json_of(content: bytes, field: str) -> Any:
    """A form field as JSON. Raises Unprocessable."""
    check_structure(content, JSON_LIMITS)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Unprocessable(f"{field}: not JSON: {error}.", field=field) from None


def image_of(content: bytes, field: str) -> Any:
    """An image: a file, a file in base64, or numbers in JSON. Raises Unprocessable."""
    if not content.isascii() or b"\0" in content:
        return b64encode(content).decode()
    return json_of(content, field) if content.lstrip().startswith(b"[") else content.decode()


def numbers_of(content: bytes, field: str) -> Any:
    """A vector: a number, a list in JSON, or numbers with commas between. Raises Unprocessable."""
    listed = content.strip()
    return json_of(listed if listed.startswith(b"[") else b"[" + listed + b"]", field)


def cell_reader(delimiter: str) -> Callable[[str], str]:
    """What reads a cell of a CSV file. Beside semicolons, numbers may have a decimal comma."""
    return with_point if delimiter == ";" else str


def cells_of(values: Mapping[str, str]) -> dict[str, Any]:
    """The values of a row of a table."""
    return {name: cell(value) for name, value in values.items()}


def joined_text(row: Row) -> str:
    """The text of a row: the columns that the request names, or those whose names say so. Raises Unprocessable."""
    names = tuple(row.values) if row.named or len(row.values) == 1 else texts(list(row.values))
    if not names:
        raise Unprocessable(
            f"{row.place}: no column is known to hold the text. Name it in the query, as ?text=COLUMN; the columns are "
            f"{', '.join(row.values)[:200]}.",
            field=row.place,
        )
    return "\n".join(filter(None, (row.values[name].strip() for name in names)))


def label_column(names: Sequence[str]) -> str | None:
    """The column of labels, by its name."""
    return first(LABELS, names)


def typed_labels(labels: Sequence[Any], *, numbers: bool) -> list[Any]:
    """Labels in which each `Written` is a number, if the client's labels are numbers, or else a text."""
    return [_typed(str(label), numbers=numbers) if isinstance(label, Written) else label for label in labels]


def _typed(label: str, *, numbers: bool) -> Any:
    if numbers:
        with suppress(orjson.JSONDecodeError):
            number = orjson.loads(label)
            return number if isinstance(number, (int, float, list)) else label
    return label
