"""The values of a column as names of classes, numbers to predict or splits."""

import math
from collections.abc import Iterable
from types import NoneType
from typing import Any

from models.columns import Value, cell
from models.datasets.own import splits
from models.datasets.own.inputs import LARGEST

MISSING = frozenset({"na", "n/a", "#n/a", "nan", "null", "none", "-", "?"})
"""What stands for a missing number in a column of numbers, in small letters."""


def as_label(value: Any, column: str) -> str:
    """A value as the name of a class. Raises ValueError when there is none."""
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if isinstance(value, (dict, list)):
        raise ValueError(f"the column {column!r} holds a list or an object, not a name")
    text = "" if value is None else " ".join(str(value).split())
    if not text:
        raise ValueError(f"nothing in the column {column!r}")
    return text


def _cell(text: str) -> Value:
    return None if text.strip().lower() in MISSING else cell(text)


def as_number(value: Any, column: str) -> float:
    """A value as a number to predict. Raises ValueError when it is none."""
    number = _cell(value) if isinstance(value, str) else value
    if number is None:
        raise ValueError(f"nothing in the column {column!r}")
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= LARGEST:
        raise ValueError(f"{str(value)[:50]!r} in the column {column!r} is no number")
    return float(number)


def as_split(value: Any, column: str) -> str:
    """A value as the name of a split. Raises ValueError when it is none."""
    name = splits.NAMES.get(str(value).strip().lower())
    if name is None:
        raise ValueError(f"{value!r} in the column {column!r}; it takes train, val and test")
    return name


def numbers_of(labels: Iterable[Any]) -> set[float]:
    """The different numbers among labels; none if one is no number. Missing ones do not count."""
    found: set[float] = set()
    for label in labels:
        value = _cell(label) if isinstance(label, str) else label
        if isinstance(value, bool) or not isinstance(value, (int, float, NoneType)):
            return set()
        if value is not None and math.isfinite(value):
            found.add(float(value))
    return found
