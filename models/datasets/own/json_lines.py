"""JSON Lines: an object a line. Each bad line is reported, and the others are read."""

import json
from collections.abc import Iterator
from pathlib import Path

from models.datasets.own.records import Record, Rejects

LINE_BYTES = 2**24
"""Longest line."""


def read(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The objects of a file of JSON Lines in UTF-8.

    Raises:
        ValueError: The file is one JSON array.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES):
            number += 1
            if number == 1 and line.strip() == b"[":
                raise ValueError(f"{path} is a JSON array; write one object a line (JSON Lines)")
            if record := _record(number, line, rejects):
                yield record


def _record(number: int, line: bytes, rejects: Rejects) -> Record | None:
    place = f"line {number}"
    if not line.strip():
        return None
    try:
        values = json.loads(line)
    except UnicodeDecodeError:
        rejects.add(place, "not UTF-8")
    except (ValueError, RecursionError):
        rejects.add(place, "not JSON")
    else:
        if isinstance(values, dict):
            return Record(place, values)
        rejects.add(place, "not a JSON object")
    return None
