"""Opens a file: its columns, the type of input that it is for, and its records."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from models.datasets.own.columns import Columns, found
from models.datasets.own.labels import numbers_of
from models.datasets.own.read import records
from models.datasets.own.records import NOT_UTF8, Record, Rejects

PEEK = 100
"""Records whose columns are those of the file."""
NUMBERS = 20
"""Labels that are more different numbers than this are no classes."""
LABELS_READ = 5000
"""Rows whose labels tell a regression."""


def opened(path: Path, given: Columns, rejects: Rejects) -> tuple[Columns, Iterator[Record]]:
    """The columns of a file, and its records. Raises ValueError when it has none, or a column is missing."""
    stream = iter(records(path, rejects))
    first = list(islice(stream, PEEK))
    if not first and set(rejects.counts) == {NOT_UTF8}:
        raise ValueError(f"{path} is not UTF-8: save it as UTF-8")
    if not first:
        raise ValueError(f"{path} has no rows that can be read" + "".join(f"; {line}" for line in rejects.lines()))
    names = list(dict.fromkeys(chain.from_iterable(each.values for each in first)))
    return found(given, names, str(path)), chain(first, stream)


def type_of(path: Path, given: Columns) -> tuple[str, bool]:
    """The type of input that a file is for: text, photo or table; and whether its labels are numbers to predict.

    Labels are numbers to predict where the user says so; or where all are numbers, many of them different. Beside
    texts or photos that only the names of columns tell, they must also not be whole, as numbers of classes are.
    """
    columns, stream = opened(path, given, Rejects())
    type = "text" if columns.text else "photo" if columns.image else "table"
    if given.regression is not None or given.text or given.image:
        return ("table" if given.regression else type), bool(given.regression)
    labels = (record.values.get(str(columns.label)) for record in islice(stream, LABELS_READ))
    numbers = numbers_of(labels)
    regression = len(numbers) > NUMBERS and (type == "table" or not all(map(float.is_integer, numbers)))
    return ("table" if regression else type), regression


def needed(columns: Columns, type: str, path: Path) -> Columns:
    """The columns that count for a type of input. Raises ValueError when the one that holds it is missing."""
    if type != "table" and columns.regression:
        raise ValueError(
            f"{path}: numbers are predicted from rows of a table, not from {type}s: leave out --regression"
        )
    if type == "text" and not columns.text:
        raise ValueError(f"{path}: no column of texts can be told. Name it with --text")
    if type == "photo" and not columns.image:
        raise ValueError(f"{path}: no column of paths of photos can be told. Name it with --image")
    return columns._replace(
        text=columns.text if type == "text" else (), image=columns.image if type == "photo" else None
    )
