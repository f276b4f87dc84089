"""Rows of a table as numbers: the columns and categories are learned from a client's examples.

A number is one feature, a boolean is 0 or 1, and a text is one feature for each category. NaN marks a missing number.
A column of no texts but true and false is one of booleans: files of rows, such as CSV, cannot tell them apart.
Needs no torch, so that the API can use it.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

Value = float | int | bool | str | None
Row = Mapping[str, Value]
"""The values of a row by column. A column that is not there is missing, like None."""

CATEGORY_LENGTH = 100
"""Characters of a category; a column of longer texts is not used."""
FEW_VALUES = 5
"""A column of more texts than this, all different, is not used."""
SEVERAL_VALUES = 20
"""A column of more texts than this, most of them different, is not used."""
CATEGORIES = 256
"""Most different texts of a column."""
TRUTHS = {"true": True, "false": False}
DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*")
"""Such as 12,5 and 1.234,50."""


class Column(TypedDict):
    """A column as it is stored.

    `type` is number, boolean or text; null for a column without values. `values` are the categories of a text column.
    `ignored` says why the column is not used: text_column or constant_column.
    """

    name: str
    type: str | None
    values: list[str]
    ignored: str | None


class Found(NamedTuple):
    """Something in the rows that a client should know of: a code, a column, and the first row that has it."""

    code: str
    column: str
    row: int
    value: str = ""


class RowError(ValueError):
    """A row does not fit to the others, or to the columns. `row` is its number, and `what` says why."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(f"row {row}: {what}")
        self.row, self.what = row, what


def type_of(value: Value) -> str | None:
    """The type of a value: number, boolean or text; None for a missing one."""
    if value is None:
        return None
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def truth(value: Value) -> Value:
    """The boolean that a text says; other values as they are."""
    return TRUTHS.get(value.strip().lower(), value) if isinstance(value, str) else value


def cell(text: str) -> Value:
    """A cell of a CSV file: a number if it reads as one, else a text; None if it is empty or NaN."""
    stripped = text.strip()
    try:
        number = float(stripped)
    except ValueError:
        return stripped or None
    return None if math.isnan(number) else number


def with_point(text: str) -> str:
    """A number with a decimal comma as one with a point. Other texts stay as they are."""
    return text.replace(".", "").replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else text


def fit(rows: Sequence[Row]) -> list[Column]:
    """The columns of the rows, by name.

    Raises:
        RowError: A row has a value of another type than the rows before it.
        ValueError: A column has too many different texts.
    """
    names = sorted({name for row in rows for name in row})
    return [_column(name, [row.get(name) for row in rows]) for name in names]


def _column(name: str, values: Sequence[Value]) -> Column:
    truths = [truth(value) for value in values]
    values = truths if all(isinstance(value, bool | None) for value in truths) else values
    kind = _only_type(name, values)
    counts: Counter[Value] = Counter(value for value in values if value is not None)
    if len(counts) < 2 and (len(counts) == 0 or None not in values):
        return Column(name=name, type=kind, values=[], ignored="constant_column")
    if kind != "text":
        return Column(name=name, type=kind, values=[], ignored=None)
    if len(counts) > CATEGORIES:
        raise ValueError(
            f"the column {name!r} has {len(counts)} different texts; the limit is {CATEGORIES}. Leave it out, or group "
            "its values"
        )
    if _like_text(counts):
        return Column(name=name, type=kind, values=[], ignored="text_column")
    return Column(name=name, type=kind, values=sorted(map(str, counts)), ignored=None)


def _only_type(name: str, values: Sequence[Value]) -> str | None:
    first = None
    for row, value in enumerate(values):
        kind = type_of(value)
        first = first or kind
        if kind not in (None, first):
            raise _other_type(row, name, value, f"rows before it have a {first}")
    return first


def _other_type(row: int, name: str, value: Value, expected: str) -> RowError:
    shown = f", {value[:40]!r}" if isinstance(value, str) else ""
    what = f"the column {name!r} has a {type_of(value)}{shown}; {expected}. A missing value is null or an empty cell"
    return RowError(row, what)


def _like_text(counts: Counter[Value]) -> bool:
    """Whether texts are no categories: they are long, or nearly each row has its own."""
    longest = max(len(str(value)) for value in counts)
    count, rows = len(counts), sum(counts.values())
    own = (count > FEW_VALUES and count == rows) or (count > SEVERAL_VALUES and 2 * count > rows)
    return own or longest > CATEGORY_LENGTH


def width(columns: Sequence[Column]) -> int:
    """Features of a row."""
    return max(1, sum(_width(column) for column in columns))


def _width(column: Column) -> int:
    return 0 if column["ignored"] else len(column["values"]) or 1


def places(columns: Sequence[Column]) -> list[tuple[str, slice]]:
    """The name of each column that is used, and its features in a row."""
    used = [column for column in columns if not column["ignored"]]
    ends = list(accumulate((_width(column) for column in used), initial=0))
    return [(column["name"], slice(*ends[i : i + 2])) for i, column in enumerate(used)]


def encode(rows: Sequence[Row], columns: Sequence[Column]) -> NDArray[np.float32]:
    """Features (n, width). A missing text and one that is no category are zeros; a missing number is NaN."""
    parts = [_encoded([row.get(column["name"]) for row in rows], column) for column in columns if not column["ignored"]]
    return np.concatenate(parts, 1) if parts else np.zeros((len(rows), 1), np.float32)


def _encoded(values: Sequence[Value], column: Column) -> NDArray[np.float32]:
    if column["type"] != "text":
        numbers = [truth(value) for value in values]
        return np.array([[np.nan if number is None else number] for number in numbers], np.float32)
    index = {value: i for i, value in enumerate(column["values"])}
    codes = [index.get(str(value), -1) if value is not None else -1 for value in values]
    known: NDArray[np.bool_] = np.array(codes)[:, None] == np.arange(len(index))
    return known.astype(np.float32)


EXPECTED = {"client": "the client's examples have", "model": "the model takes"}
"""What the columns are those of, in errors."""


def differences(rows: Sequence[Row], columns: Sequence[Column], whose: str = "client") -> list[Found]:
    """What rows have that the columns do not know, and the other way round; once for each column and code.

    Args:
        rows: The rows.
        columns: The columns.
        whose: What the columns are those of, a key of `EXPECTED`.

    Raises:
        RowError: A value is of another type than its column, or a row has none of the columns.
    """
    known = {column["name"]: column for column in columns}
    found: dict[tuple[str, str], Found] = {}
    for i, row in enumerate(rows):
        if not row.keys() & known.keys():
            raise RowError(i, f"it has none of the {whose}'s columns, which are {_some(list(known))}")
        for one in (*_unknown(i, row, known, whose), *_missing(i, row, known)):
            found.setdefault((one.code, one.column), one)
    return list(found.values())


def _unknown(i: int, row: Row, known: Mapping[str, Column], whose: str) -> list[Found]:
    found = []
    for name, given in row.items():
        if name not in known:
            found.append(Found("unknown_column", name, i))
            continue
        value = truth(given) if known[name]["type"] == "boolean" else given
        if type_of(value) not in (None, known[name]["type"]) and known[name]["type"]:
            expected = f"{EXPECTED[whose]} a {known[name]['type']}"
            raise _other_type(i, name, value, expected)
        elif known[name]["values"] and value is not None and value not in known[name]["values"]:
            found.append(Found("unseen_category", name, i, str(value)))
    return found


def _missing(i: int, row: Row, known: Mapping[str, Column]) -> list[Found]:
    return [
        Found("missing_column", name, i) for name, column in known.items() if name not in row and not column["ignored"]
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:5]) + (" and others" if len(names) > 5 else "")
