"""The columns of own tables: each has one type, and columns of lists and the like are left out."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from models.columns import Value
from models.datasets.own.examples import Own
from models.datasets.own.inputs import UNUSABLE
from models.datasets.own.labels import MISSING


def clean_columns(own: Own) -> None:
    """Leave out columns that hold lists and the like, and give each column one type.

    A column of numbers may have marks such as NA for missing ones; with other texts, its numbers are texts too.

    Raises:
        ValueError: No column is left.
    """
    cells = [(name, value) for each in own.examples for name, value in each.input.items()]
    own.unusable = sorted({name for name, value in cells if value is UNUSABLE})
    words = {name for name, value in cells if isinstance(value, str) and value.lower() not in MISSING}
    numbers = {name for name, value in cells if _is_number(value)} - words
    own.examples = [each._replace(input=_row(each.input, own.unusable, words, numbers)) for each in own.examples]
    if not any(each.input for each in own.examples):
        raise ValueError(f"{own.path} has no column of numbers or texts beside the label")


def _row(row: Mapping[str, Any], unusable: Sequence[str], words: Set[str], numbers: Set[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in row.items():
        if name in words and _is_number(value):
            found[name] = f"{value:g}"
        elif name not in unusable:
            found[name] = None if name in numbers and isinstance(value, str) else value
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
