"""Rows of a table: objects of numbers, texts, booleans and nulls, or lists of them."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import orjson

from models import columns as table_columns
from models.columns import Column, Found, Row, RowError, Value
from service.arrays import Array, text_array
from service.errors import Unprocessable
from service.inputs.kind import Columns, Decoded, InputKind, InputWarning
from service.inputs.limits import Limits
from service.inputs.parts import Parts, of_columns
from service.inputs.pixel_arrays import json_type
from service.inputs.sent import Part, cells_of, json_of
from service.inputs.sent import Row as CsvRow

COLUMNS = 500
"""Columns of a row."""
FEATURES = 1024
"""Numbers and categories of all columns."""
LARGEST = 1e30
NAME_LENGTH, TEXT_LENGTH = 256, 4096
"""Characters of a column's name and of a text."""
DETAILS = {
    "unknown_column": "{expected} no such column; it is ignored",
    "missing_column": "the row lacks this column; it counts as null",
    "unseen_category": "{expected} no {value!r} in this column; it counts as null",
    "constant_column": "all examples have the same value; the column is ignored",
    "text_column": "nearly all examples have texts of their own, or long ones; the column is ignored",
}


class Table(InputKind):
    """A row of a table. The columns and their categories are those of a client's examples."""

    description: ClassVar = 'a row of a table: an object such as {"age": 41, "plan": "pro", "spend": null}, or a list'
    json_schemas: ClassVar = [
        {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean", "null"]}},
        {"type": "array", "items": {"type": ["number", "string", "boolean", "null"]}},
    ]

    whose: ClassVar = "client"
    """What the columns are those of: a key of `models.columns.EXPECTED`."""

    type: Literal["table"] = "table"

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to an array (n,) of rows as JSON objects, their columns sorted."""
        return Decoded(row_array([_row(one, field) for one, field in zip(raw, fields, strict=True)]), [])

    def of_part(self, part: Part) -> Any:
        """An object or a list in JSON."""
        return json_of(part.content, part.place)

    def of_row(self, row: CsvRow) -> dict[str, Any]:
        """The values of a row by column."""
        return cells_of(row.values)

    def fit(self, inputs: Array, fields: Sequence[str] = ()) -> tuple[Columns, list[InputWarning]]:
        """The columns of a client's rows, and which of them are not used."""
        rows = rows_of(inputs)
        try:
            columns = table_columns.fit(rows)
        except RowError as error:
            raise misfit(error, fields) from None
        except ValueError as error:
            raise Unprocessable(f"support: {error}.", field="support") from None
        _check_columns(columns)
        unused = [Found(column["ignored"], column["name"], 0) for column in columns if column["ignored"]]
        return list(columns), [warning("support", found) for found in unused]

    def prepare(self, inputs: Array, columns: Columns | None) -> Array:
        """Features (n, d), NaN where a number is missing."""
        return table_columns.encode(rows_of(inputs), columns or [])

    def check(self, inputs: Array, columns: Columns | None, fields: Sequence[str]) -> list[InputWarning]:
        """What is missing or new in queries."""
        try:
            found = table_columns.differences(rows_of(inputs), columns or [], self.whose)
        except RowError as error:
            raise misfit(error, fields) from None
        return [warning(fields[one.row], one, self.whose) for one in found]

    def show(self, inputs: Array) -> list[Any]:
        """The rows as objects."""
        return list(rows_of(inputs))

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """The numbers of a row, column by column."""
        return {
            "dtype": "float32",
            "shape": [table_columns.width(columns or [])],
            "steps": [
                "Take the columns in their order, without those that are ignored.",
                "A number is itself, a boolean is 0 or 1; NaN where it is missing.",
                "A text is a number for each of `values`: 1 for its own, 0 for the others. A missing or new one is 0s.",
            ],
            "columns": columns or [],
        }

    def parts(self, one: Array, columns: Columns | None, known: Array) -> Parts:
        """The columns that are used."""
        return of_columns(one, table_columns.encode([{}], columns or [])[0], table_columns.places(columns or []))

    def weights_bytes(self) -> int:
        """The names of the columns and their weights."""
        return COLUMNS * (NAME_LENGTH + 48)

    def examples(self, count: int, rng: np.random.Generator) -> Array:
        """Rows of three numbers and a category."""
        plans = ("free", "pro", "team")
        numbers = rng.normal(size=(count, 3)).tolist()
        return row_array([{"a": a, "b": b, "c": c, "plan": plans[i % 3]} for i, (a, b, c) in enumerate(numbers)])

    def work(self, raw: Sequence[Any]) -> int:
        """The values."""
        return sum(
            len(one) if isinstance(one, str) else 8 * len(one) if isinstance(one, (dict, list)) else 8 for one in raw
        )


def misfit(error: RowError, fields: Sequence[str]) -> Unprocessable:
    """The error on a row, with its place in the request."""
    field = fields[error.row] if fields else f"support[{error.row}].input"
    return Unprocessable(f"{field}: {error.what}.", field=field)


def warning(field: str, found: Found, whose: str = "client") -> InputWarning:
    """A warning about a column of a client or of a model."""
    detail = DETAILS[found.code].format(value=found.value[:80], expected=table_columns.EXPECTED[whose])
    return InputWarning(field, found.code, f"column {found.column!r}: {detail}.")


def row_array(rows: Sequence[Row]) -> Array:
    """Rows as they are stored, (n,)."""
    return text_array([orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode() for row in rows])


def rows_of(inputs: Array) -> list[Row]:
    """The rows that `row_array` stored."""
    return [orjson.loads(text) for text in inputs.tolist()]


def _row(raw: Any, field: str) -> dict[str, Value]:
    """A row by column; the columns of a list are called 0, 1, ... Raises Unprocessable."""
    plain = raw.tolist() if isinstance(raw, np.ndarray) else raw
    if not isinstance(plain, (dict, list)):
        raise Unprocessable(f"{field}: takes a row, an object or a list; here is {json_type(plain)}.", field=field)
    named: Mapping[str, Any] = plain if isinstance(plain, dict) else {str(i): one for i, one in enumerate(plain)}
    if not 0 < len(named) <= COLUMNS:
        raise Unprocessable(f"{field}: {len(named)} columns; a row has 1 to {COLUMNS}.", field=field)
    row = {_name(name, field): _value(one, name, field) for name, one in named.items()}
    if len(row) < len(named):
        raise Unprocessable(f"{field}: two columns have the same name.", field=field)
    return row


def _name(name: str, field: str) -> str:
    if not 0 < len(name) <= NAME_LENGTH or not _is_text(name):
        raise Unprocessable(
            f"{field}: a column's name has 1 to {NAME_LENGTH} characters; {name[:40]!r} has {len(name)}.", field=field
        )
    return unicodedata.normalize("NFC", name)


def _value(value: Any, name: str, field: str) -> Value:
    """A value of a row. Raises Unprocessable for anything else."""
    where = f"{field}: column {name[:40]!r}"
    if isinstance(value, str):
        if len(value) > TEXT_LENGTH or not _is_text(value):
            raise Unprocessable(f"{where}: a text has at most {TEXT_LENGTH} characters of Unicode.", field=field)
        return unicodedata.normalize("NFC", value).strip() or None
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, (int, float)):
        raise Unprocessable(
            f"{where}: takes a number, a text, true, false or null; here is {json_type(value)}.", field=field
        )
    if not (abs(value) < LARGEST and math.isfinite(value)):
        raise Unprocessable(
            f"{where}: holds NaN, an infinite number, or one beyond {LARGEST:g}. Send null for what is missing.",
            field=field,
        )
    return float(value)


def _is_text(text: str) -> bool:
    """Whether a string holds no half of a character, which UTF-8 cannot spell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_columns(columns: Sequence[Column]) -> None:
    """Refuse what would cost too much. Raises Unprocessable."""
    if len(columns) > COLUMNS:
        raise Unprocessable(f"support: {len(columns)} columns; the limit is {COLUMNS}.", field="support")
    if (features := table_columns.width(columns)) > FEATURES:
        raise Unprocessable(
            f"support: {features} numbers and categories in all columns; the limit is {FEATURES}. Leave columns out.",
            field="support",
        )
