"""CSV files, read by pyarrow. Each bad row is reported by its line, and the others are read."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.columns import with_point
from models.datasets.own.records import NOT_UTF8, Record, Rejects

LARGEST_BYTES = 2**30
"""A larger file should be Parquet, which is read in parts."""
BATCH_ROWS = 4096
DELIMITERS = ",;\t|"
EXCEL_SEPARATOR = re.compile(r"sep=.", re.IGNORECASE)
HEADER_LINES = 20
"""Most lines of a header."""
ZIP_MARK = b"PK\x03\x04"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
REPLACED = "\ufffd"
"""What bytes that are not UTF-8 become."""


def read(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The rows of a CSV file in UTF-8 with a header. The delimiter is that of the header: , ; tab or |.

    Columns without a name are left out. Beside the delimiter ; numbers may have a decimal comma.

    Raises:
        ValueError: The file is empty, too large or not UTF-8, or its header names a column twice.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError(f"{path} is over {LARGEST_BYTES} bytes: save it as Parquet, which is read in parts")
    encoded = path.read_bytes()
    if encoded.startswith(UTF16_MARKS):
        raise ValueError(f"{path} is UTF-16: save it as CSV in UTF-8")
    if encoded.startswith(ZIP_MARK):
        raise ValueError(f"{path} is a workbook or a zip, by its content: save it as CSV")
    header, rest, lines = _header(_line_ends(encoded.decode("utf-8-sig", errors="replace")))
    delimiter = max(DELIMITERS, key=header.count)
    names = _names(path, header, delimiter)
    if rest.strip():
        yield from _rows(path, rest.encode(), names, delimiter, rejects, lines + 1)


def _line_ends(text: str) -> str:
    """The text with line feeds, if all its lines end with a carriage return only, as on old Macs."""
    return text if "\n" in text else text.replace("\r", "\n")


def _header(text: str) -> tuple[str, str, int]:
    """The header, the rest, and the lines before the rest. A first line such as sep=; is Excel's and says nothing new;
    a name in quotes may have several lines."""
    header, _, rest = text.partition("\n")
    lines = 1
    if EXCEL_SEPARATOR.fullmatch(header.strip()):
        header, _, rest = rest.partition("\n")
        lines += 1
    while header.count('"') % 2 and rest and lines < HEADER_LINES:
        more, _, rest = rest.partition("\n")
        header, lines = f"{header}\n{more}", lines + 1
    return header, rest, lines


def _names(path: Path, header: str, delimiter: str) -> list[str]:
    if not header.strip():
        raise ValueError(f"{path} is empty, or its first line is: it needs a header")
    names = [" ".join(name.split()) for name in next(csv.reader([header.rstrip("\r")], delimiter=delimiter))]
    if REPLACED in header:
        raise ValueError(f"the header of {path} is not UTF-8: save it as CSV in UTF-8")
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"{path} has two columns called {twice[0]!r}")
    return names


def _rows(
    path: Path, rest: bytes, names: list[str], delimiter: str, rejects: Rejects, first_line: int
) -> Iterator[Record]:
    from pyarrow import ArrowInvalid  # noqa: PLC0415 (only own data needs it)

    bad: dict[int, Any] = {}
    try:
        table = _table(rest, [str(i) for i in range(len(names))], delimiter, bad)
    except ArrowInvalid as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    number, line = 1, first_line
    for batch in table.to_batches(BATCH_ROWS):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            while number in bad:
                line += _reject(bad.pop(number), line, rejects)
                number += 1
            if REPLACED in "".join(values):
                rejects.add(f"line {line}", NOT_UTF8)
            elif any(values):  # else an empty line
                yield Record(f"line {line}", _cells(names, values, delimiter))
            number, line = number + 1, line + 1 + sum(value.count("\n") for value in values)
    for row in bad.values():
        line += _reject(row, line, rejects)


def _cells(names: list[str], values: tuple[str, ...], delimiter: str) -> dict[str, str]:
    cells = {name: value for name, value in zip(names, values, strict=True) if name}
    if delimiter != ";":
        return cells
    return {name: with_point(value) for name, value in cells.items()}


def _table(rest: bytes, names: list[str], delimiter: str, bad: dict[int, Any]) -> Any:
    """The rows as a table, every value as text. Ragged rows go to `bad`, by number."""
    from pyarrow import BufferReader, string  # noqa: PLC0415
    from pyarrow import csv as arrow_csv  # noqa: PLC0415

    def note(row: Any) -> str:
        bad[row.number] = row
        return "skip"

    return arrow_csv.read_csv(
        BufferReader(rest),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(rest) + 1, column_names=names),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, string()), strings_can_be_null=False
        ),
    )


def _reject(row: Any, line: int, rejects: Rejects) -> int:
    """Report a ragged row. Returns its number of lines."""
    hint = "; a quote may not be closed" if "\n" in row.text else ""
    rejects.add(f"line {line}", f"{row.actual_columns} values for {row.expected_columns} columns{hint}")
    return 1 + int(row.text.count("\n"))
