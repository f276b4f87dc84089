"""Rows of CSV, TSV and JSON Lines files."""

import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLES = {".csv", ".tsv", ".jsonl", ".ndjson"}
DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*")
"""Such as 12,5 and 1.234,50, beside the delimiter ;."""
SAMPLE = 64 * 1024
"""Characters of a CSV file in which its delimiter is found."""


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a table by column. Raises ValueError."""
    try:
        yield from _csv(path) if path.suffix.lower() in {".csv", ".tsv"} else _json_lines(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8. Save it as UTF-8") from None


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        sample = file.read(SAMPLE)
        file.seek(0)
        try:
            dialect: Any = csv.Sniffer().sniff(sample.partition("\n")[0], ",;\t|")
        except csv.Error:  # one column
            dialect = csv.excel
        reader = csv.DictReader(file, dialect=dialect, strict=False)
        read = _with_point if dialect.delimiter == ";" else str
        for row in reader:
            if None in row:
                raise ValueError(f"{path}: line {reader.line_num} has more values than the header has columns")
            yield {name: value and read(value) for name, value in row.items() if name}


def _with_point(text: str) -> str:
    """A number with a decimal comma as one with a point. Other texts stay as they are."""
    return text.replace(".", "").replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else text


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: is not JSON: {error}") from None
            yield row if isinstance(row, dict) else {"input": row}


def value_of(text: Any) -> Any:
    """A value of a table: a number, a boolean, or a text; an empty one and NaN are missing."""
    if not isinstance(text, str):
        return text
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        return None if math.isnan(number) else number if math.isfinite(number) else text
    return {"": None, "true": True, "false": False}.get(text.strip().lower(), text)
